"""Collects results from CSV with pandas and compares time and means with alsweep's."""

import json
import sys
import time

import pandas

path, repetitions, alsweep_path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(alsweep_path) as file:
    alsweep = json.load(file)
keys = ["dataset", "strategy", "gradient_steps", "time_seeded", "cycle"]
fastest = None
for _ in range(repetitions):
    start = time.perf_counter()
    runs = pandas.read_csv(path)
    read = time.perf_counter()
    statistics = runs.groupby(keys, dropna=False)["accuracy"].agg(["count", "mean", "std", "sem"])
    end = time.perf_counter()
    times = (end - start, read - start, end - read)
    fastest = times if fastest is None else min(fastest, times)
final = statistics.xs(alsweep["cycles"], level="cycle")["mean"]
assert len(final) == alsweep["groups"], "other groups"
assert abs(final.mean() - alsweep["mean_final_accuracy"]) < 1e-9, "other means"
print(f"{alsweep['trials']} trials of {alsweep['cycles']} cycles, the fastest of {repetitions}")
print(f"alsweep: {alsweep['seconds']:.3f} s (journal {alsweep['read_seconds']:.3f}, "
      f"all tables {alsweep['aggregate_seconds']:.3f})")
print(f"pandas {pandas.__version__}: {fastest[0]:.3f} s (CSV {fastest[1]:.3f}, "
      f"group-by {fastest[2]:.3f})")
print(f"ratio: {fastest[0] / alsweep['seconds']:.2f}")
