"""What the comparisons with PyTorch share: running a side, medians, tables."""

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class SideFailed(Exception):
    """A side that ended without a result; the text ends with its last lines."""


def alsweep_program() -> str:
    """The program to time: $ALSWEEP, or this repository's release build."""
    program = os.environ.get("ALSWEEP") or str(REPOSITORY / ".build/release/alsweep")
    if shutil.which(program) is None:
        sys.exit(
            f"error: there is no program {program}\n"
            "hint: swift build -c release --product alsweep, or set ALSWEEP to the program"
        )
    return program


def run_json(command: list[str], environment: dict[str, str] | None = None) -> tuple[dict, float]:
    """The JSON object that a command prints, and the seconds from its start to its end."""
    begin = time.monotonic()
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise SideFailed(f"exit status {done.returncode}: {' | '.join(lines[-3:])}")
    try:
        return json.loads(done.stdout), seconds
    except json.JSONDecodeError:
        raise SideFailed(f"printed no JSON object: {done.stdout[:200]!r}") from None


def make_torchvision_folder(source: Path, scratch: Path) -> Path:
    """The dataset as torchvision keeps it after a download."""
    raw = scratch / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ["train", "t10k"]:
        for kind in ["images-idx3-ubyte", "labels-idx1-ubyte"]:
            path = source / f"{part}-{kind}.gz"
            if not path.exists():
                sys.exit(
                    f"error: there is no {path}\n"
                    "hint: apt-get install dataset-fashion-mnist, or give --data"
                )
            with gzip.open(path) as packed, open(raw / path.stem, "wb") as file:
                shutil.copyfileobj(packed, file)
    return scratch


def cpu_flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def median_and_range(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


def table(rows: list[list[str]]) -> str:
    """Columns under each other; the first row is the heading, the first column flush left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)
