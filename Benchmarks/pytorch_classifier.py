#!/usr/bin/env python3
"""Times ResNet-18 in PyTorch as `alsweep bench train` and `bench score` time alsweep's.

    pytorch_classifier.py train --layout channels_last --precision bfloat16 --threads 1 --processes 2

Prints one JSON object. Steps are on random batches that lie in memory; loading is not timed. All
processes start their steps together, and images are counted in the window in which all of them run.
"""

import argparse
import json
import multiprocessing
import multiprocessing.connection
import os
import resource
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
BATCH_COUNT = 4
CLASSES = 10
STARTUP_TIMEOUT = 1800


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("work", choices=["train", "score"])
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument(
        "--variant",
        choices=["eager", "folded", "compiled"],
        default="eager",
        help="folded: batch norms folded into convolutions, bfloat16 weights (scoring only); "
        "compiled: torch.compile, in scoring with frozen weights",
    )
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--steps", type=int, default=3, help="at least so many, however long")
    parsed = parser.parse_args(arguments)
    if parsed.work == "train" and parsed.variant == "folded":
        parser.error("batch norms can be folded for scoring only")
    for name in ["width", "batch", "threads", "processes", "steps"]:
        if getattr(parsed, name) < 1:
            parser.error(f"--{name} is {getattr(parsed, name)}; it is at least 1")
    return parsed


def training_step(options: argparse.Namespace):
    """A function that makes one SGD step, and returns its loss."""
    import torch
    from resnet18 import ResNet18

    tuned = options.layout == "channels_last"
    memory_format = torch.channels_last if tuned else torch.contiguous_format
    model = ResNet18(options.width, CLASSES).to(memory_format=memory_format)
    # The plain configuration is what people write; the tuned ones take the optimiser's fast form.
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True if tuned else None
    )
    criterion = torch.nn.CrossEntropyLoss()
    forward = torch.compile(model) if options.variant == "compiled" else model
    batches = [
        (
            torch.randn(options.batch, 3, 32, 32).to(memory_format=memory_format),
            torch.randint(CLASSES, (options.batch,)),
        )
        for _ in range(BATCH_COUNT)
    ]

    def step(index: int) -> float:
        images, labels = batches[index % BATCH_COUNT]
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
            loss = criterion(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def scoring_step(options: argparse.Namespace):
    """A function that scores one batch, and returns the sum of its logits."""
    import torch
    from resnet18 import ResNet18

    memory_format = (
        torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    )
    type_ = getattr(torch, options.precision)
    plain = ResNet18(options.width, CLASSES)
    randomise_statistics(plain)
    plain.eval()
    batches = [torch.randn(options.batch, 3, 32, 32) for _ in range(BATCH_COUNT)]
    with torch.inference_mode():
        expected = plain(batches[0])

    model, autocast = plain.to(memory_format=memory_format), options.precision == "bfloat16"
    batches = [batch.to(memory_format=memory_format) for batch in batches]
    if options.variant != "eager":
        # The weights are converted once, not at every call as under autocast.
        if options.variant == "folded":
            from torch.fx.experimental.optimization import fuse

            model = fuse(model).to(memory_format=memory_format)
        model, autocast = model.to(type_), False
        batches = [batch.to(type_) for batch in batches]
    if options.variant == "compiled":
        import torch._inductor.config

        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def score(batch):
        # Freezing works on graphs without gradients; it refuses inference tensors.
        no_gradient = torch.no_grad if options.variant == "compiled" else torch.inference_mode
        with no_gradient(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return model(batch).float()

    difference = ((score(batches[0]) - expected).abs().max() / expected.abs().max()).item()
    bound = 1e-3 if options.precision == "float32" else 0.1
    if not difference < bound:
        raise SystemExit(f"error: {options.variant} logits differ by {difference:.1e} from plain ones")
    return lambda index: score(batches[index % BATCH_COUNT]).sum().item()


def randomise_statistics(model) -> None:
    """Gives batch norms statistics and weights that folding has to respect."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)


def run_process(options: argparse.Namespace, barrier, connection) -> None:
    """Sends the instants at which steps ended, the first step's beginning before them."""
    sys.path.insert(0, str(EXAMPLES))
    import torch

    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(os.getpid())
    step = training_step(options) if options.work == "train" else scoring_step(options)
    for index in range(2):
        step(index)
    barrier.wait(STARTUP_TIMEOUT)
    instants = [time.monotonic()]
    value = 0.0
    while len(instants) <= options.steps or instants[-1] < instants[0] + options.seconds:
        value = step(len(instants))
        instants.append(time.monotonic())
    if not abs(value) < float("inf"):
        raise SystemExit(f"error: the last step gave {value}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    connection.send({"instants": instants, "memory": memory, "version": torch.__version__})


def run(options: argparse.Namespace) -> list[dict]:
    """What each process sent."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(options.processes)
    processes, connections = [], []
    for _ in range(options.processes):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run_process, args=(options, barrier, sender), daemon=True)
        process.start()
        # Only the child keeps this end, so that its death is an end of file here.
        sender.close()
        processes.append(process)
        connections.append(receiver)
    results, receivers = [], list(connections)
    while connections:
        for connection in multiprocessing.connection.wait(connections):
            try:
                results.append(connection.recv())
            except EOFError:
                died = processes[receivers.index(connection)]
                died.join()
                for process in processes:
                    process.terminate()
                raise SystemExit(
                    f"error: a process ended before its result, with status {died.exitcode} (a "
                    "signal where negative); its own words, if any, are above"
                ) from None
            connections.remove(connection)
    for process in processes:
        process.join()
    return results


def steps_per_second(processes: list[list[float]]) -> float:
    """All processes' steps in the window in which all of them run, parts of steps included."""
    begin = max(instants[0] for instants in processes)
    end = min(instants[-1] for instants in processes)
    if end <= begin:
        raise SystemExit("error: the processes did not run at the same time; give more --seconds")
    return sum(
        steps_before(end, instants) - steps_before(begin, instants) for instants in processes
    ) / (end - begin)


def steps_before(instant: float, instants: list[float]) -> float:
    for index, (begin, end) in enumerate(zip(instants, instants[1:])):
        if instant < end:
            return index + (instant - begin) / (end - begin)
    return len(instants) - 1


def main() -> None:
    options = parse()
    # Read by the libraries when they are loaded.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)
    results = run(options)
    print(
        json.dumps(
            {
                "schema": 1,
                "work": options.work,
                "engine": f"PyTorch {results[0]['version']}",
                "precision": options.precision,
                "layout": options.layout,
                "variant": options.variant,
                "width": options.width,
                "batch_size": options.batch,
                "threads": options.threads,
                "processes": options.processes,
                "images_per_second": options.batch
                * steps_per_second([result["instants"] for result in results]),
                "peak_memory_bytes": sum(result["memory"] for result in results),
            }
        )
    )


if __name__ == "__main__":
    main()
