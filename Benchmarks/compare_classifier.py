#!/usr/bin/env python3
"""Times alsweep and PyTorch on the same training and scoring, in turns, in one run.

Images per second are good only beside others of the same run: quote the ratios. A ratio is the
median over the rounds of the ratio within a round; behind it stand the smallest and the largest.
"""

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass

from comparison import (
    REPOSITORY,
    SideFailed,
    alsweep_program,
    cpu_name,
    has_bfloat16,
    median_and_range,
    run_json,
    table,
)

WORKS = ["train", "score"]
TITLES = {"train": "Training", "score": "Scoring"}


@dataclass(frozen=True)
class Side:
    """One program with one configuration."""

    name: str
    works: tuple[str, ...]
    arguments: tuple[str, ...]
    is_tuned: bool = False

    @property
    def is_alsweep(self) -> bool:
        return self.name.startswith("alsweep")

    @property
    def is_bfloat16(self) -> bool:
        return "bfloat16" in self.arguments


def alsweep(name: str, engine: str, precision: str) -> Side:
    return Side(f"alsweep {name}", ("train", "score"), ("--engine", engine, "--precision", precision))


def pytorch(name: str, layout: str, precision: str) -> Side:
    """As it is usually run."""
    return Side(
        f"PyTorch {name}", ("train", "score"), ("--layout", layout, "--precision", precision)
    )


def tuned(name: str, precision: str, variant: str, *works: str) -> Side:
    """By the means of those who look for the last bit of speed."""
    arguments = ("--layout", "channels_last", "--precision", precision, "--variant", variant)
    return Side(f"PyTorch {name}", works, arguments, is_tuned=True)


# Tuned sides keep freed memory, where the C library would give the large activations back to the
# system after every step and take them again page by page.
KEPT_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}

SIDES = [
    alsweep("oneDNN float32", "onednn", "float32"),
    pytorch("float32 plain", "nchw", "float32"),
    alsweep("OpenBLAS float32", "openblas", "float32"),
    pytorch("float32 channels_last", "channels_last", "float32"),
    alsweep("oneDNN bfloat16", "onednn", "bfloat16"),
    pytorch("bfloat16 channels_last", "channels_last", "bfloat16"),
    tuned("float32 kept heap", "float32", "eager", "train"),
    tuned("bfloat16 kept heap", "bfloat16", "eager", "train"),
    tuned("float32 folded", "float32", "folded", "score"),
    tuned("bfloat16 folded", "bfloat16", "folded", "score"),
    tuned("float32 compiled", "float32", "compiled", "train", "score"),
    tuned("bfloat16 compiled", "bfloat16", "compiled", "train", "score"),
]


@dataclass(frozen=True)
class Layout:
    threads: int
    processes: int

    @property
    def title(self) -> str:
        def count(number: int, word: str) -> str:
            return f"{number} {word}{'' if number == 1 else 'es' if word[-1] == 's' else 's'}"

        return f"{count(self.threads, 'thread')} × {count(self.processes, 'process')}"


Rates = dict[tuple[str, Layout, str], list[float | None]]
"""Images per second of every round by work, layout and side; None for a round that failed."""


def parse() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement; default 10")
    parser.add_argument("--cores", type=int, default=cores, help=f"default: all, {cores} here")
    parser.add_argument("--work", choices=WORKS, help="only this one")
    parser.add_argument(
        "--layout", choices=["processes", "threads"], help="only one thread × N, or N threads × 1"
    )
    parser.add_argument("--only", help="only sides whose names contain one of these words, as a,b")
    parser.add_argument("--all", action="store_true", help="bfloat16 without hardware for it, too")
    parser.add_argument(
        "--untuned", action="store_true", help="PyTorch as usual: nothing compiled, folded or set"
    )
    parser.add_argument("--pytorch-only", action="store_true", help="without alsweep")
    parser.add_argument("--json", action="store_true", help="all measurements, as one object")
    options = parser.parse_args()
    for name in ["width", "batch", "rounds", "cores"]:
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}; it is at least 1")
    return options


def chosen_sides(options: argparse.Namespace) -> list[Side]:
    sides = [side for side in SIDES if not (side.is_alsweep and options.pytorch_only)]
    if options.untuned:
        sides = [side for side in sides if not side.is_tuned]
    if options.only:
        words = options.only.split(",")
        sides = [side for side in sides if any(word in side.name for word in words)]
    if not (has_bfloat16() or options.all):
        skipped = [side.name for side in sides if side.is_bfloat16]
        if skipped:
            say(
                f"SKIPPED: {', '.join(skipped)}: this CPU ({cpu_name()}) has neither avx512_bf16 "
                "nor amx_bf16; --all times them nevertheless"
            )
        sides = [side for side in sides if not side.is_bfloat16]
    if not sides:
        sys.exit("error: no side is left to be timed")
    return sides


def measure(side: Side, work: str, layout: Layout, options: argparse.Namespace) -> dict:
    shared = ["--width", options.width, "--batch", options.batch, "--seconds", options.seconds]
    shared += ["--threads", layout.threads, "--processes", layout.processes]
    if side.is_alsweep:
        command = [alsweep_program(), "bench", work, "--json"]
    else:
        command = [sys.executable, str(REPOSITORY / "Benchmarks/pytorch_classifier.py"), work]
    command += [*side.arguments, *(str(word) for word in shared)]
    result, _ = run_json(command, KEPT_HEAP if side.is_tuned else None)
    for key, expected in [
        ("work", work), ("width", options.width), ("batch_size", options.batch),
        ("threads", layout.threads), ("processes", layout.processes),
    ]:
        if result[key] != expected:
            raise SideFailed(f"measured {key} {result[key]} instead of {expected}")
    return result


def measure_all(
    sides: list[Side], works: list[str], layouts: list[Layout], options: argparse.Namespace
) -> tuple[Rates, list[dict]]:
    rates: Rates = {}
    measurements = []
    for round_ in range(options.rounds):
        for work in works:
            for layout in layouts:
                turns = [side for side in sides if work in side.works]
                # The other way round every other time, so that a drift of the machine's speed
                # does not favour a side.
                for side in turns if round_ % 2 == 0 else reversed(turns):
                    place = f"round {round_ + 1}/{options.rounds}  {work}  {layout.title}"
                    try:
                        result = measure(side, work, layout, options)
                        rate = result["images_per_second"]
                        say(f"{place}  {side.name}: {rate:.1f} images/s")
                        measurements.append({"round": round_ + 1, "side": side.name, **result})
                    except SideFailed as failure:
                        rate = None
                        say(f"{place}  {side.name}: FAILED, {failure}")
                    rates.setdefault((work, layout, side.name), []).append(rate)
    return rates, measurements


def ratio(rates: Rates, one: tuple, other: tuple) -> list[float]:
    """One ratio per round in which both were measured."""
    pairs = zip(rates.get(one, []), rates.get(other, []))
    return [a / b for a, b in pairs if a is not None and b is not None]


def best(rates: Rates, work: str, sides: list[Side]) -> tuple[str, Layout, str] | None:
    """The fastest of the sides by the median, over all layouts."""
    names = {side.name for side in sides}
    medians = {
        key: statistics.median(measured)
        for key, values in rates.items()
        if key[0] == work and key[2] in names
        and (measured := [value for value in values if value is not None])
    }
    return max(medians, key=medians.__getitem__, default=None)


def rate_table(rates: Rates, work: str, sides: list[Side], layouts: list[Layout]) -> str:
    rows = [["images/s"] + [layout.title for layout in layouts]]
    for side in sides:
        if work not in side.works:
            continue
        cells = []
        for layout in layouts:
            measured = [r for r in rates[work, layout, side.name] if r is not None]
            cells.append(f"{statistics.median(measured):.1f}" if measured else "failed")
        rows.append([side.name] + cells)
    return table(rows)


def ratio_rows(rates: Rates, work: str, sides: list[Side], layouts: list[Layout]) -> list[dict]:
    """Each of alsweep's sides in each layout against each of PyTorch's in the same layout, and
    against PyTorch's fastest in any."""
    rivals = [side for side in sides if work in side.works and not side.is_alsweep]
    rows = []
    for side in sides:
        if not (side.is_alsweep and work in side.works):
            continue
        for layout in layouts:
            against = [(rival.name, (work, layout, rival.name)) for rival in rivals]
            for title, group in [
                ("the best untuned", [rival for rival in rivals if not rival.is_tuned]),
                ("the best of all", rivals),
            ]:
                key = best(rates, work, group)
                if key:
                    against.append((f"{title}: {key[2]}, {key[1].title}", key))
            for title, key in against:
                values = ratio(rates, (work, layout, side.name), key)
                if values:
                    middle, low, high = median_and_range(values)
                    rows.append(
                        {"work": work, "side": side.name, "layout": layout.title, "against": title,
                         "ratio": middle, "lowest": low, "highest": high, "rounds": len(values)}
                    )
    return rows


def ratio_table(rows: list[dict]) -> str:
    lines = [["ratio", "layout", "median", "range"]]
    for row in rows:
        lines.append(
            [f"{row['side']} / {row['against']}", row["layout"], f"{row['ratio']:.2f}",
             f"{row['lowest']:.2f} to {row['highest']:.2f}"]
        )
    return table(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = parse()
    if not options.pytorch_only:
        alsweep_program()
    sides = chosen_sides(options)
    works = [options.work] if options.work else WORKS
    layouts = []
    if options.layout != "threads":
        layouts.append(Layout(1, options.cores))
    if options.layout != "processes" and (options.cores > 1 or not layouts):
        layouts.append(Layout(options.cores, 1))
    rates, measurements = measure_all(sides, works, layouts, options)

    rows = [row for work in works for row in ratio_rows(rates, work, sides, layouts)]
    if options.json:
        print(json.dumps({"schema": 1, "cpu": cpu_name(), "ratios": rows, "runs": measurements}))
    else:
        print(f"ResNet-18, width {options.width}, batch {options.batch}, {cpu_name()}, "
              f"{options.cores} cores, {options.rounds} rounds of {options.seconds:g} s")
        for work in works:
            print(f"\n{TITLES[work]}\n" + rate_table(rates, work, sides, layouts))
            if any(row["work"] == work for row in rows):
                print("\n" + ratio_table([row for row in rows if row["work"] == work]))
    if any(rate is None for values in rates.values() for rate in values):
        sys.exit("error: some measurements failed; the lines above say which")


if __name__ == "__main__":
    main()
