#!/usr/bin/env python3
"""Loads a model file of alsweep into PyTorch and scores the Fashion-MNIST test images with it.

    pip install torch numpy pillow safetensors
    python docs/examples/load_model.py runs/<run>/models/<trial>.safetensors

With --logits FILE, a tensor `logits` (10000, classes) in the test set's order, as
`alsweep evaluate MODEL --dataset fashionmnist --logits FILE` writes it, it compares PyTorch's logits
with those and fails where they differ.
"""

import argparse
import sys
from pathlib import Path

import torch
from fashion_mnist import DEBIAN_FOLDER, read_part
from resnet18 import ResNet18
from safetensors.torch import load_file


def load(path: Path) -> ResNet18:
    state = load_file(path)
    model = ResNet18(
        width=state["conv1.weight"].shape[0], classes=state["linear.weight"].shape[0]
    )
    model.load_state_dict(state, strict=True)
    return model.eval()


@torch.inference_mode()
def score(model: ResNet18, images: torch.Tensor) -> torch.Tensor:
    """The logits `(count, classes)`."""
    return torch.cat([model(batch) for batch in images.split(500)])


def largest_difference(logits: torch.Tensor, others: torch.Tensor) -> float:
    """The largest difference of two images' logits, relative to the image's largest logit."""
    if logits.shape != others.shape:
        sys.exit(f"error: {tuple(others.shape)} logits, where {tuple(logits.shape)} are needed")
    difference = (logits - others).abs().amax(1) / logits.abs().amax(1)
    # A NaN compares as neither larger nor smaller; it must not pass as agreement.
    return difference.nan_to_num(nan=float("inf")).max().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder of the IDX files")
    parser.add_argument("--logits", type=Path, help="logits to compare with")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative; default 1e-4")
    arguments = parser.parse_args()

    images, labels = read_part(arguments.data, "t10k")
    logits = score(load(arguments.model), images)
    correct = (logits.argmax(1) == labels).sum().item()
    print(f"{correct}/{len(labels)} correct")

    if arguments.logits:
        difference = largest_difference(logits, load_file(arguments.logits)["logits"])
        print(f"largest relative difference of logits: {difference:.2e}")
        if difference > arguments.tolerance:
            sys.exit(f"error: that is more than {arguments.tolerance:g}")


if __name__ == "__main__":
    main()
