#!/usr/bin/env python3
"""The first cycle of a trial on Fashion-MNIST in PyTorch, in double precision, with alsweep's own draws.

Initial weights, labelled images, orders, flips and crops are alsweep's, drawn here anew: so after a few
steps, before rounding grows, `alsweep experiment` has the same losses. Prints the mean loss of the last
epoch, the test loss and how many test images are right, as one JSON object.
"""

import argparse
import gzip
import json
import random
from pathlib import Path

import numpy
import torch
from PIL import Image
from resnet18 import ResNet18
from torch import nn
from torchvision.transforms import functional

CLASSES = 10
WORD = 0xFFFFFFFF
INITIALISATION, PERMUTATION, AUGMENTATION = 1, 2, 3


class Stream:
    """Philox4x32-10 with the seed as key, and purpose, cycle and epoch in the counter."""

    def __init__(self, seed: int, purpose: int, epoch: int = 0, cycle: int = 1):
        self.key = (seed & WORD, seed >> 32)
        self.counter = [0, epoch, cycle, purpose]
        self.block: list[int] = []

    def word(self) -> int:
        if not self.block:
            counter, key = list(self.counter), list(self.key)
            for _ in range(10):
                first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
                counter = [
                    (second >> 32) ^ counter[1] ^ key[0], second & WORD,
                    (first >> 32) ^ counter[3] ^ key[1], first & WORD,
                ]
                key = [(key[0] + 0x9E3779B9) & WORD, (key[1] + 0xBB67AE85) & WORD]
            self.block = counter
            self.counter[0] += 1
        return self.block.pop(0)

    def uniform(self) -> float:
        return (self.word() >> 8) * 2.0**-24

    def below(self, bound: int) -> int:
        threshold = (2**32 - bound) % bound
        while True:
            product = self.word() * bound
            if product & WORD >= threshold:
                return product >> 32


def network(options: argparse.Namespace) -> ResNet18:
    stream = Stream(options.seed, INITIALISATION)
    model = ResNet18(options.width, CLASSES)
    state = model.state_dict()
    single = numpy.float32
    for name, tensor in state.items():
        if name.endswith("weight") and tensor.dim() > 1:
            fan_in = tensor[0].numel()
        elif name == "linear.bias":
            fan_in = state["linear.weight"].shape[1]
        else:
            continue
        bound = single(1) / numpy.sqrt(single(fan_in))
        values = [(single(2) * single(stream.uniform()) - single(1)) * bound
                  for _ in range(tensor.numel())]
        tensor.copy_(torch.tensor(numpy.array(values, single)).reshape(tensor.shape))
    return model.double()


def images(folder: Path, part: str, indices: list[int]) -> tuple[dict, dict]:
    """Images of 32×32 pixels with three channels, and labels, by index."""

    def read(kind: str, header: int):
        with gzip.open(folder / f"{part}-{kind}-ubyte.gz") as file:
            return numpy.frombuffer(file.read(), numpy.uint8)[header:]

    pixels = read("images-idx3", 16).reshape(-1, 28, 28)
    labels = read("labels-idx1", 8)
    pictures = {i: functional.resize(Image.fromarray(pixels[i]), 32).convert("RGB") for i in indices}
    return pictures, {i: int(labels[i]) for i in indices}


def tensor(pictures: list) -> torch.Tensor:
    return torch.stack([
        functional.normalize(functional.to_tensor(picture), (0.2860,) * 3, (0.3530,) * 3)
        for picture in pictures
    ]).double()


def train(model: nn.Module, options: argparse.Namespace) -> float:
    random.seed(options.seed)
    pool = list(range(50_000))
    random.shuffle(pool)
    labelled = sorted(pool[: options.initial])
    pictures, labels = images(options.data, "train", labelled)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=options.learning_rate, momentum=0.9, weight_decay=5e-4
    )
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, options.milestones)
    model.train()
    total = 0.0
    for epoch in range(options.epochs):
        order, stream = list(labelled), Stream(options.seed, PERMUTATION, epoch)
        for index in range(len(order) - 1, 0, -1):
            other = stream.below(index + 1)
            order[index], order[other] = order[other], order[index]
        stream, total = Stream(options.seed, AUGMENTATION, epoch), 0.0
        for start in range(0, len(order), options.batch_size):
            batch, views = order[start : start + options.batch_size], []
            for index in batch:
                is_flipped, column, row = stream.below(2) == 1, stream.below(9), stream.below(9)
                picture = pictures[index]
                if is_flipped:
                    picture = functional.hflip(picture)
                views.append(functional.crop(functional.pad(picture, 4), row, column, 32, 32))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                model(tensor(views)), torch.tensor([labels[index] for index in batch])
            )
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        scheduler.step()
    return total / len(labelled)


@torch.no_grad()
def evaluate(model: nn.Module, options: argparse.Namespace) -> tuple[float, int]:
    indices = list(range(options.test_limit))
    pictures, labels = images(options.data, "t10k", indices)
    model.eval()
    total, correct = 0.0, 0
    for start in range(0, len(indices), 250):
        part = indices[start : start + 250]
        logits = model(tensor([pictures[index] for index in part]))
        expected = torch.tensor([labels[index] for index in part])
        total += nn.functional.cross_entropy(logits, expected, reduction="sum").item()
        correct += (logits.argmax(1) == expected).sum().item()
    return total / len(indices), correct


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--milestones", type=int, nargs="+", default=[2])
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--initial", type=int, default=300)
    parser.add_argument("--test-limit", type=int, default=500)
    options = parser.parse_args()
    model = network(options)
    train_loss = train(model, options)
    test_loss, correct = evaluate(model, options)
    print(json.dumps({"train_loss": train_loss, "test_loss": test_loss, "correct": correct}))


if __name__ == "__main__":
    main()
