"""Fashion-MNIST as alsweep's network sees it in evaluation: resized, normalised, three channels."""

import gzip
from pathlib import Path

import numpy as np
import torch
from PIL import Image

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MEAN, DEVIATION = 0.2860, 0.3530


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file compressed with gzip."""
    with gzip.open(path) as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_part(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The images `(count, 3, 32, 32)` and labels `(count)` of the part `train` or `t10k`."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    resized = np.stack(
        [np.asarray(Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR)) for i in images]
    )
    grey = (torch.from_numpy(resized).float() / 255 - MEAN) / DEVIATION
    return grey.unsqueeze(1).repeat(1, 3, 1, 1), torch.from_numpy(labels.astype(np.int64))
