#!/usr/bin/env python3
"""Trains the first cycle at several seeds in alsweep and in the plain PyTorch program, and compares accuracies.

Both train on the same labelled images of Fashion-MNIST with the same settings; their weights and
augmentations are drawn by generators of their own. So a seed's two accuracies differ by chance, and
the means over many seeds do not, if both compute the same.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

from comparison import (
    DEBIAN_FOLDER, REPOSITORY, SideFailed, alsweep_program, cpu_name, make_torchvision_folder,
    run_json, table,
)

ALSWEEP, PYTORCH = "alsweep", "PyTorch"
MEASURES = {"accuracy": "accuracy in %", "train_loss": "training loss", "test_loss": "test loss"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)))
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--milestones", type=int, nargs="+", default=[80])
    parser.add_argument("--labelled", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="float32", help="alsweep's; PyTorch's is float32")
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder of the IDX files")
    parser.add_argument("--json", action="store_true", help="all results, as one object")
    options = parser.parse_args()
    if len(set(options.seeds)) != len(options.seeds) or len(options.seeds) < 2:
        parser.error("--seeds needs two or more that differ")
    return options


def shared_arguments(options: argparse.Namespace, seed: int) -> list[str]:
    return [
        "--seed", str(seed), "--width", str(options.width), "--epochs", str(options.epochs),
        "--cycles", "1", "--initial", str(options.labelled), "--pool-limit", "50000",
        "--threads", str(options.threads),
    ]


def commands(options: argparse.Namespace, seed: int, torchvision_folder: Path) -> dict:
    """Each side's command."""
    milestones = [str(milestone) for milestone in options.milestones]
    return {
        ALSWEEP: [
            alsweep_program(), "experiment", "--dataset", "fashionmnist", "--strategy", "random",
            *shared_arguments(options, seed), "--milestones", ",".join(milestones),
            "--precision", options.precision, "--data", str(options.data), "--output-mode", "json",
        ],
        PYTORCH: [
            sys.executable, str(REPOSITORY / "Benchmarks/pytorch_experiment.py"),
            *shared_arguments(options, seed), "--milestones", *milestones,
            "--data", str(torchvision_folder),
        ],
    }


def train(command: list[str], options: argparse.Namespace) -> dict:
    result, _ = run_json(command, {"OMP_NUM_THREADS": str(options.threads)})
    cycle = result["cycles"][0]
    if (cycle["labelled"], cycle["total"]) != (options.labelled, 10_000):
        raise SideFailed(f"trained on {cycle['labelled']} images and tested on {cycle['total']}")
    return {
        "accuracy": 100 * cycle["correct"] / cycle["total"],
        "train_loss": cycle["train_loss"],
        "test_loss": cycle["test_loss"],
    }


def summary(runs: list[dict], measure: str) -> dict:
    """Each side's mean and standard deviation over the seeds, and the difference of the means with its standard error."""
    values = {side: [run[side][measure] for run in runs] for side in [ALSWEEP, PYTORCH]}
    means = {side: statistics.mean(values[side]) for side in values}
    deviations = {side: statistics.stdev(values[side]) for side in values}
    return {
        "mean": means,
        "standard_deviation": deviations,
        "difference": means[ALSWEEP] - means[PYTORCH],
        "standard_error": math.hypot(*deviations.values()) / math.sqrt(len(runs)),
    }


def report(runs: list[dict], options: argparse.Namespace) -> str:
    lines = [
        f"Fashion-MNIST, {options.labelled} labels, width {options.width}, {options.epochs} epochs, "
        f"learning rate down at {', '.join(map(str, options.milestones))}; "
        f"alsweep in {options.precision}; {cpu_name()}",
    ]
    for measure, title in MEASURES.items():
        rows = [[title, ALSWEEP, PYTORCH]]
        for run in runs:
            rows.append([f"seed {run['seed']}"]
                        + [f"{run[side][measure]:.4g}" for side in [ALSWEEP, PYTORCH]])
        found = summary(runs, measure)
        for word in ["mean", "standard_deviation"]:
            rows.append([word.replace("_", " ")]
                        + [f"{found[word][side]:.4g}" for side in [ALSWEEP, PYTORCH]])
        lines += ["", table(rows), f"alsweep - PyTorch: {found['difference']:+.3g}, "
                  f"standard error {found['standard_error']:.2g}"]
    return "\n".join(lines)


def main() -> None:
    options = parse()
    runs = []
    with tempfile.TemporaryDirectory(prefix="alsweep-benchmark-") as folder:
        torchvision_folder = make_torchvision_folder(options.data, Path(folder))
        for seed in options.seeds:
            run = {"seed": seed}
            for side, command in commands(options, seed, torchvision_folder).items():
                try:
                    run[side] = train(command, options)
                except SideFailed as failure:
                    sys.exit(f"error: {side}, seed {seed}: {failure}")
                print(f"seed {seed}  {side}: {run[side]}", file=sys.stderr, flush=True)
            runs.append(run)
    if options.json:
        summaries = {measure: summary(runs, measure) for measure in MEASURES}
        print(json.dumps({"schema": 1, "cpu": cpu_name(), "summaries": summaries, "runs": runs}))
    else:
        print(report(runs, options))


if __name__ == "__main__":
    main()
