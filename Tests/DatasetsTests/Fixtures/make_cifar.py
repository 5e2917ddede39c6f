"""Writes the small archives of CIFAR's format: python3 make_cifar.py

The pixel of image i, plane p (0 red, 1 green, 2 blue), row r, column c is
(97 i + 31 p + 7 r + 3 c) mod 256. The members are not in the order of the batches, as in the
published archive of CIFAR-10, and there are files beside them.
"""

import gzip
import io
import tarfile


def image(i):
    return bytes((97 * i + 31 * p + 7 * r + 3 * c) % 256
                 for p in range(3) for r in range(32) for c in range(32))


def write(path, folder, members):
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w") as tar:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
            for name, data in members:
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


# Two images a batch: batch b (from 0) holds the images 2 b and 2 b + 1 with the labels b and b + 5.
batches = [(f"data_batch_{b + 1}.bin",
            b"".join(bytes([b + 5 * k]) + image(2 * b + k) for k in range(2))) for b in range(5)]
test = ("test_batch.bin", b"".join(bytes([9 - k]) + image(100 + k) for k in range(3)))
write("cifar-10-binary.tar.gz", "cifar-10-batches-bin",
      [batches[0], ("batches.meta.txt", b"airplane\n")] + [batches[2], batches[3], test]
      + [("readme.html", b"<html>"), batches[4], batches[1]])

# The coarse label is i + 3, the fine one 99 - i.
records = [bytes([i + 3, 99 - i]) + image(i) for i in range(4)]
write("cifar-100-binary.tar.gz", "cifar-100-binary",
      [("test.bin", bytes([19, 7]) + image(200)), ("fine_label_names.txt", b"apple\n"),
       ("train.bin", b"".join(records))])
