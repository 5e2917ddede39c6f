#!/usr/bin/env python3
"""Trains a small ResNet-18 in PyTorch on Fashion-MNIST, and writes its state_dict and its logits.

    write_model.py MODEL.safetensors LOGITS.safetensors

The logits, a tensor `logits` (10000, 10), are those of the test images in their order. Training makes
running statistics that differ from the start's and from layer to layer, which an exchange has to keep.
"""

import argparse
from pathlib import Path

import torch
from fashion_mnist import DEBIAN_FOLDER, read_part
from load_model import score
from resnet18 import ResNet18
from safetensors.torch import save_file
from torch import nn


def train(model: ResNet18, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("logits", type=Path)
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder of the IDX files")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--images", type=int, default=1_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    model = ResNet18(arguments.width)
    images, labels = read_part(arguments.data, "train")
    train(model, images[: arguments.images], labels[: arguments.images], arguments.epochs)
    save_file(model.state_dict(), arguments.model)

    images, labels = read_part(arguments.data, "t10k")
    logits = score(model.eval(), images)
    save_file({"logits": logits}, arguments.logits)
    print(f"{(logits.argmax(1) == labels).sum().item()}/{len(labels)} correct")


if __name__ == "__main__":
    main()
