#!/usr/bin/env python3
"""Times alsweep's engine `torch` and PyTorch itself on the same device, in turns, in one run.

Images per second are good only beside others of the same run: quote the ratios. A ratio is the median over
the rounds of the ratio within a round; behind it stand the smallest and the largest.

PyTorch's plain side is what people write: NCHW, float32, a loss that is read after every step. Its tuned
side has channels_last, the precision asked for, a fused optimiser, torch.compile, and reads losses only now
and then. Both get batches that lie normalised on the device; alsweep's has bytes there, and flips, crops and
normalises them in the time that is measured.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from comparison import (
    REPOSITORY,
    SideFailed,
    alsweep_program,
    cpu_name,
    median_and_range,
    run_json,
    table,
)

CLASSES = 10
BATCH_COUNT = 8
WARM_STEPS = 5
STEPS_PER_READING = {"cpu": 1, "cuda": 64}
SCORED_AT_ONCE = {"cpu": 128, "cuda": 1024}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: cuda where there is one")
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16", "tf32"], help="default: bfloat16 on a GPU, else float32"
    )
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement; default 10")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU; default 1")
    parser.add_argument(
        "--slots", type=int, help="time so many processes of alsweep at once, too; default 3 on a GPU"
    )
    parser.add_argument("--work", choices=["train", "score"], help="only this one")
    parser.add_argument("--json", action="store_true", help="all measurements, as one object")
    parser.add_argument("--side", choices=["plain", "tuned"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ["width", "batch", "rounds", "threads"]:
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; it is at least 1")
    return options


def network(options: argparse.Namespace):
    """The classifier on the device, and the function that runs it; set up as the side would have it."""
    sys.path.insert(0, str(REPOSITORY / "docs" / "examples"))
    import torch
    from resnet18 import ResNet18

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    is_tuned = options.side == "tuned"
    model = ResNet18(options.width, CLASSES).to(options.device)
    if is_tuned:
        model = model.to(memory_format=torch.channels_last)
        allows_tf32 = options.precision != "float32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allows_tf32
        torch.backends.cudnn.benchmark = True
    return model, torch.compile(model) if is_tuned else model


def batches(options: argparse.Namespace, size: int) -> list:
    import torch

    layout = torch.channels_last if options.side == "tuned" else torch.contiguous_format
    return [
        (
            torch.randn(size, 3, 32, 32, device=options.device).to(memory_format=layout),
            torch.randint(CLASSES, (size,), device=options.device),
        )
        for _ in range(BATCH_COUNT)
    ]


def training(options: argparse.Namespace):
    """A function that begins a step and returns its loss on the device, and the images of a step."""
    import torch

    model, forward = network(options)
    is_tuned = options.side == "tuned"
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True if is_tuned else None
    )
    criterion = torch.nn.CrossEntropyLoss()
    data = batches(options, options.batch)
    rounds = is_tuned and options.precision == "bfloat16"

    def step(index: int):
        images, labels = data[index % BATCH_COUNT]
        optimizer.zero_grad()
        with torch.autocast(options.device, torch.bfloat16, enabled=rounds):
            loss = criterion(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, options.batch


def scoring(options: argparse.Namespace):
    import torch

    model, forward = network(options)
    model.eval()
    size = max(options.batch, SCORED_AT_ONCE[options.device])
    data = batches(options, size)
    rounds = options.side == "tuned" and options.precision == "bfloat16"

    def step(index: int):
        with torch.no_grad(), torch.autocast(options.device, torch.bfloat16, enabled=rounds):
            return forward(data[index % BATCH_COUNT][0]).sum()

    return step, size


def run_side(options: argparse.Namespace) -> None:
    """Prints what PyTorch reaches, as a JSON object."""
    import torch

    step, images = training(options) if options.work == "train" else scoring(options)
    for index in range(WARM_STEPS):
        step(index).item()
    readings = STEPS_PER_READING[options.device] if options.side == "tuned" else 1
    start = time.monotonic()
    count = 0
    value = 0.0
    while time.monotonic() < start + options.seconds:
        for _ in range(readings):
            last = step(count)
            count += 1
        value = last.item()
    elapsed = time.monotonic() - start
    if not abs(value) < float("inf"):
        sys.exit(f"error: the last step gave {value}")
    is_gpu = options.device == "cuda"
    print(json.dumps({
        "work": options.work,
        "engine": f"PyTorch {torch.__version__}",
        "device": torch.cuda.get_device_name() if is_gpu else cpu_name(),
        "images_per_second": count * images / elapsed,
        "device_peak_memory_bytes": torch.cuda.max_memory_reserved() if is_gpu else None,
    }))


def command(side: str, work: str, options: argparse.Namespace) -> list[str]:
    shared = ["--width", options.width, "--batch", options.batch, "--seconds", options.seconds]
    shared += ["--threads", options.threads, "--precision", options.precision]
    if side.startswith("PyTorch"):
        start = [sys.executable, str(Path(__file__).resolve()), "--side", side.split()[1], "--work", work]
        shared += ["--device", options.device]
    else:
        start = [alsweep_program(), "bench", work, "--engine", "torch", "--json"]
        shared += ["--processes", options.slots if side.endswith("slots") else 1]
    return start + [str(word) for word in shared]


def main() -> None:
    options = parse()
    if options.side:
        return run_side(options)
    import torch

    if not options.device:
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    is_gpu = options.device == "cuda"
    options.precision = options.precision or ("bfloat16" if is_gpu else "float32")
    options.slots = options.slots or (3 if is_gpu else 1)
    if not is_gpu:
        print("No GPU: this is PyTorch's CPU device, on which the engine is proven, not fast.", file=sys.stderr)
    sides = ["alsweep", "PyTorch plain", "PyTorch tuned"]
    if options.slots > 1:
        sides.insert(1, f"alsweep, {options.slots} slots")
    environment = {"ALSWEEP_TORCH_DEVICE": options.device}
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS"]:
        environment[name] = str(options.threads)
    works = [options.work] if options.work else ["train", "score"]
    rates: dict[tuple[str, str], list[float | None]] = {}
    runs = []
    for round_ in range(options.rounds):
        for work in works:
            # The other way round every other time, so that a drift of speed does not favour a side.
            for side in sides if round_ % 2 == 0 else reversed(sides):
                place = f"round {round_ + 1}/{options.rounds}  {work}  {side}"
                try:
                    result, _ = run_json(command(side, work, options), environment)
                    rate = result["images_per_second"]
                    runs.append({"round": round_ + 1, "side": side, **result})
                    print(f"{place}: {rate:.1f} images/s", file=sys.stderr, flush=True)
                except SideFailed as failure:
                    rate = None
                    print(f"{place}: FAILED, {failure}", file=sys.stderr, flush=True)
                rates.setdefault((work, side), []).append(rate)
    report(options, sides, works, rates, runs)
    if any(rate is None for values in rates.values() for rate in values):
        sys.exit("error: some measurements failed; the lines above say which")


def report(options, sides: list[str], works: list[str], rates: dict, runs: list[dict]) -> None:
    ratios = []
    rows = [["", "images/s", "of the peak", "GPU memory, GiB"]]
    for work in works:
        for side in sides:
            measured = [rate for rate in rates[work, side] if rate is not None]
            own = [run for run in runs if run["side"] == side and run["work"] == work]
            shares = [run["share_of_peak"] for run in own if "share_of_peak" in run]
            memory = [run.get("device_peak_memory_bytes") or 0 for run in own]
            rows.append([
                f"{work}, {side}",
                f"{median_and_range(measured)[0]:.1f}" if measured else "failed",
                f"{100 * median_and_range(shares)[0]:.0f} %" if shares else "",
                f"{max(memory) / 2**30:.2f}" if any(memory) else "",
            ])
            if side.startswith("PyTorch"):
                pairs = zip(rates[work, "alsweep"], rates[work, side])
                values = [one / other for one, other in pairs if one and other]
                if values:
                    middle, low, high = median_and_range(values)
                    ratios.append(
                        {"work": work, "against": side, "ratio": middle, "lowest": low, "highest": high}
                    )
    if options.json:
        print(json.dumps({"schema": 1, "ratios": ratios, "runs": runs}))
        return
    device = next((run["device"] for run in runs if "PyTorch" in run["side"]), options.device)
    print(f"ResNet-18, width {options.width}, batch {options.batch}, {options.precision}, on {device}, "
          f"{options.rounds} rounds of {options.seconds:g} s\n")
    print(table(rows) + "\n")
    print(table([["alsweep over", "median", "range"]] + [
        [f"{row['against']}, {row['work']}", f"{row['ratio']:.2f}",
         f"{row['lowest']:.2f} to {row['highest']:.2f}"] for row in ratios
    ]))


if __name__ == "__main__":
    main()
