#!/usr/bin/env python3
"""Times one small active-learning experiment in alsweep and in a plain PyTorch program, in turns.

Both train, test and query the same numbers of the same images with all of --threads. Times are of the
whole programs, from their start to their end. Quote the ratios: seconds are good only beside others
of the same run.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from comparison import (
    DEBIAN_FOLDER, REPOSITORY, SideFailed, alsweep_program, cpu_name, make_torchvision_folder,
    run_json, table,
)

SETTINGS = {
    "seed": 0, "width": 64, "epochs": 4, "cycles": 3, "initial": 500, "addendum": 500,
    "pool_limit": 10_000, "test_limit": 10_000, "gradient_steps": 100,
}
ALSWEEP, PLAIN, BATCHED = "alsweep", "PyTorch", "PyTorch, pool in batches"


def parse() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in SETTINGS.items():
        parser.add_argument(
            "--" + name.replace("_", "-"), type=int, default=value, help=f"default: {value}"
        )
    parser.add_argument("--threads", type=int, default=cores, help=f"default: {cores} here")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--engine", help="alsweep's")
    parser.add_argument("--precision", help="alsweep's; PyTorch's is float32")
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder of the IDX files")
    parser.add_argument(
        "--pytorch", choices=["plain", "batched", "both"], default="both",
        help="whether the PyTorch program scores the pool image by image, in batches, or both",
    )
    parser.add_argument("--pytorch-only", action="store_true", help="without alsweep")
    parser.add_argument("--json", action="store_true", help="all measurements, as one object")
    return parser.parse_args()


def settings_arguments(options: argparse.Namespace) -> list[str]:
    arguments = ["--threads", str(options.threads)]
    for name in SETTINGS:
        arguments += ["--" + name.replace("_", "-"), str(getattr(options, name))]
    return arguments


def run_alsweep(options: argparse.Namespace, scratch: Path) -> dict:
    output = Path(tempfile.mkdtemp(dir=scratch))
    command = [alsweep_program(), "experiment", "--dataset", "fashionmnist", "--strategy", "dqn"]
    command += settings_arguments(options) + ["--output", str(output), "--output-mode", "json"]
    for name in ["engine", "precision"]:
        if getattr(options, name):
            command += [f"--{name}", getattr(options, name)]
    command += ["--data", str(options.data)]
    result, seconds = run_json(command)
    shutil.rmtree(output)
    return {"side": ALSWEEP, "seconds": seconds, "cycles": result["cycles"],
            "configuration": result["configuration"]}


def run_pytorch(options: argparse.Namespace, torchvision_folder: Path, is_batched: bool) -> dict:
    command = [sys.executable, str(REPOSITORY / "Benchmarks/pytorch_experiment.py")]
    command += settings_arguments(options) + ["--data", str(torchvision_folder)]
    result, seconds = run_json(
        command + (["--batched"] if is_batched else []), {"OMP_NUM_THREADS": str(options.threads)}
    )
    return {"side": BATCHED if is_batched else PLAIN, "seconds": seconds, **result}


def phases(run: dict) -> str:
    """Where a PyTorch run's time went, its start being the rest."""
    sums = {
        word: sum(cycle[f"seconds_{word}"] for cycle in run["cycles"])
        for word in ["training", "testing", "querying"]
    }
    return ", ".join(f"{word} {seconds:.1f} s" for word, seconds in sums.items())


def ratios(runs: list[list[dict]]) -> list[dict]:
    """How many times as fast as each PyTorch program alsweep was, by rounds."""
    rows = []
    for side in [PLAIN, BATCHED]:
        values = []
        for round_ in runs:
            seconds = {run["side"]: run["seconds"] for run in round_}
            if ALSWEEP in seconds and side in seconds:
                values.append(seconds[side] / seconds[ALSWEEP])
        if values:
            rows.append({"against": side, "ratio": statistics.median(values),
                         "lowest": min(values), "highest": max(values)})
    return rows


def report(runs: list[list[dict]], options: argparse.Namespace) -> str:
    first = runs[0]
    heading = ["", "seconds"] + [f"cycle {c['cycle']}" for c in first[0]["cycles"]]
    rows = [heading]
    for position, run in enumerate(first):
        seconds = statistics.median(round_[position]["seconds"] for round_ in runs)
        accuracies = [f"{100 * c['correct'] / c['total']:.2f} %" for c in run["cycles"]]
        rows.append([run["side"], f"{seconds:.1f}"] + accuracies)
    lines = [
        f"Fashion-MNIST, width {options.width}, {options.cycles} cycles of {options.epochs} epochs, "
        f"{options.threads} threads, {cpu_name()}, {options.rounds} round(s)",
        "",
        table(rows),
    ]
    for run in first:
        if run["side"] != ALSWEEP:
            lines.append(f"{run['side']}, first round: {phases(run)}")
    for row in ratios(runs):
        lines.append(f"alsweep is {row['ratio']:.2f} times as fast as {row['against']} "
                     f"({row['lowest']:.2f} to {row['highest']:.2f})")
    return "\n".join(lines)


def check_same_work(runs: list[dict], options: argparse.Namespace) -> None:
    """Throws unless every side trained and tested on as many images."""
    expected = [(options.initial + c * options.addendum, options.test_limit)
                for c in range(options.cycles)]
    for run in runs:
        found = [(cycle["labelled"], cycle["total"]) for cycle in run["cycles"]]
        if found != expected:
            raise SideFailed(f"{run['side']} had (labelled, tested) {found}, not {expected}")


def main() -> None:
    options = parse()
    if not options.pytorch_only:
        alsweep_program()
    runs = []
    with tempfile.TemporaryDirectory(prefix="alsweep-benchmark-") as folder:
        torchvision_folder = make_torchvision_folder(options.data, Path(folder))
        for round_ in range(options.rounds):
            results = []
            turns = [] if options.pytorch_only else [lambda: run_alsweep(options, Path(folder))]
            if options.pytorch != "batched":
                turns.append(lambda: run_pytorch(options, torchvision_folder, is_batched=False))
            if options.pytorch != "plain":
                turns.append(lambda: run_pytorch(options, torchvision_folder, is_batched=True))
            for turn in turns:
                try:
                    results.append(turn())
                except SideFailed as failure:
                    sys.exit(f"error: {failure}")
                last = results[-1]
                print(f"round {round_ + 1}/{options.rounds}  {last['side']}: "
                      f"{last['seconds']:.1f} s", file=sys.stderr, flush=True)
            try:
                check_same_work(results, options)
            except SideFailed as failure:
                sys.exit(f"error: {failure}")
            runs.append(results)
    if options.json:
        print(json.dumps({"schema": 1, "cpu": cpu_name(), "ratios": ratios(runs), "runs": runs}))
    else:
        print(report(runs, options))


if __name__ == "__main__":
    main()
