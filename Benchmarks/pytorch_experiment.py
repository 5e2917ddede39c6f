#!/usr/bin/env python3
"""Active learning on Fashion-MNIST as a plain PyTorch program.

Written as researchers write such programs: float32, torchvision's transforms, DataLoaders with four
workers, and the pool scored image by image, or with --batched in batches. What it computes is what
`alsweep experiment --dataset fashionmnist --strategy dqn` computes, with other random draws but for
the first labelled images, which are the same.
"""

import argparse
import json
import random
import sys
import time
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs" / "examples"))

import torch
from resnet18 import ResNet18
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import datasets, transforms

CLASSES = 10
WORKERS = 4
REPLAY_CAPACITY = 10_000
REPLAY_BATCH = 64

NORMALIZE = [transforms.ToTensor(), transforms.Normalize((0.2860,) * 3, (0.3530,) * 3)]
TEST_TRANSFORM = transforms.Compose(
    [transforms.Resize(32), transforms.Grayscale(num_output_channels=3), *NORMALIZE]
)
TRAIN_TRANSFORM = transforms.Compose(
    [
        transforms.Resize(32),
        transforms.Grayscale(num_output_channels=3),
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=4),
        *NORMALIZE,
    ]
)


class QNetwork(nn.Module):
    """States to the values of leaving an image (0) and of labelling it (1)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(CLASSES + 3, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
            nn.Linear(128, 2),
        )

    def forward(self, states):
        return self.layers(states)


class Agent:
    """Learns from rewards which images the classifier gets wrong."""

    def __init__(self):
        self.network = QNetwork()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.replay = deque(maxlen=REPLAY_CAPACITY)

    def select(self, states, count: int) -> list[int]:
        with torch.no_grad():
            return self.network(states)[:, 1].topk(count).indices.tolist()

    def train(self, steps: int) -> None:
        if len(self.replay) < REPLAY_BATCH:
            return
        for _ in range(steps):
            states, actions, rewards = zip(*random.sample(self.replay, REPLAY_BATCH))
            values = self.network(torch.stack(states))
            chosen = values.gather(1, torch.tensor(actions).unsqueeze(1)).squeeze(1)
            loss = nn.functional.mse_loss(chosen, torch.tensor(rewards))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


def train(model: nn.Module, labelled: Dataset, options: argparse.Namespace) -> float:
    """The mean loss over the images in the last epoch."""
    loader = DataLoader(labelled, options.batch, shuffle=True, num_workers=WORKERS)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=options.milestones)
    model.train()
    total = 0.0
    for _ in range(options.epochs):
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        scheduler.step()
    return total / len(labelled)


@torch.no_grad()
def evaluate(model: nn.Module, test: Dataset, options: argparse.Namespace) -> tuple[int, float]:
    """How many images the classifier is right about, and the mean loss."""
    model.eval()
    correct, total = 0, 0.0
    for images, labels in DataLoader(test, options.batch, num_workers=WORKERS):
        logits = model(images)
        correct += (logits.argmax(1) == labels).sum().item()
        total += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
    return correct, total / len(test)


def states_of(logits):
    """Probabilities, the largest, the margin and the entropy: `(images, classes + 3)`."""
    p = logits.softmax(1)
    top = p.topk(2, dim=1).values
    entropy = -(p * (p + 1e-8).log()).sum(1)
    return torch.cat([p, top[:, :1], top[:, :1] - top[:, 1:], entropy.unsqueeze(1)], dim=1)


@torch.no_grad()
def score_pool(model: nn.Module, pool: Dataset, options: argparse.Namespace):
    """The states, and whether the classifier is wrong, of every image."""
    model.eval()
    states, wrong = [], []
    if options.batched:
        for images, labels in DataLoader(pool, options.batch, num_workers=WORKERS):
            logits = model(images)
            states.append(states_of(logits))
            wrong.append(logits.argmax(1) != labels)
    else:
        for image, label in pool:
            logits = model(image.unsqueeze(0))
            states.append(states_of(logits))
            wrong.append(logits.argmax(1) != label)
    return torch.cat(states), torch.cat(wrong)


def query(model, agent: Agent, pool: Dataset, options: argparse.Namespace) -> list[int]:
    """Positions in the pool of the images to label; the agent learns from them."""
    states, wrong = score_pool(model, pool, options)
    picked = agent.select(states, options.addendum)
    others = sorted(set(range(len(states))) - set(picked))
    for index in picked:
        agent.replay.append((states[index], 1, float(wrong[index])))
    for index in random.sample(others, min(options.addendum, len(others))):
        agent.replay.append((states[index], 0, 0.0))
    agent.train(options.gradient_steps)
    return picked


def run(options: argparse.Namespace) -> list[dict]:
    random.seed(options.seed)
    torch.manual_seed(options.seed)

    def images(is_training: bool, transform):
        return datasets.FashionMNIST(options.data, train=is_training, transform=transform)

    training_images, pool_images = images(True, TRAIN_TRANSFORM), images(True, TEST_TRANSFORM)
    test = Subset(images(False, TEST_TRANSFORM), range(options.test_limit))

    indices = list(range(options.pool_limit))
    random.shuffle(indices)
    labelled, unlabelled = indices[: options.initial], indices[options.initial :]

    model, agent = ResNet18(options.width, CLASSES), Agent()
    cycles = []
    for cycle in range(1, options.cycles + 1):
        begin = time.monotonic()
        train_loss = train(model, Subset(training_images, labelled), options)
        trained = time.monotonic()
        correct, test_loss = evaluate(model, test, options)
        tested = time.monotonic()
        count = len(labelled)
        # After the last cycle nothing is bought.
        if cycle < options.cycles:
            picked = set(query(model, agent, Subset(pool_images, unlabelled), options))
            labelled += [unlabelled[position] for position in sorted(picked)]
            unlabelled = [u for position, u in enumerate(unlabelled) if position not in picked]
        cycles.append(
            {
                "cycle": cycle,
                "labelled": count,
                "correct": correct,
                "total": len(test),
                "train_loss": train_loss,
                "test_loss": test_loss,
                "seconds_training": trained - begin,
                "seconds_testing": tested - trained,
                "seconds_querying": time.monotonic() - tested,
            }
        )
        print(f"cycle {cycle}: {correct}/{len(test)} correct", file=sys.stderr, flush=True)
    return cycles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", required=True, help="a folder as torchvision keeps it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--milestones", type=int, nargs="+", default=[160])
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--initial", type=int, default=500)
    parser.add_argument("--addendum", type=int, default=500)
    parser.add_argument("--pool-limit", type=int, default=10_000)
    parser.add_argument("--test-limit", type=int, default=10_000)
    parser.add_argument("--gradient-steps", type=int, default=100)
    parser.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    parser.add_argument("--batched", action="store_true", help="score the pool in batches")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    cycles = run(options)
    print(json.dumps({"schema": 1, "torch": torch.__version__, "cycles": cycles}))


if __name__ == "__main__":
    main()
