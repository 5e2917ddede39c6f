"""Runs no-op tasks with Ray, Dask distributed and ipyparallel, and compares tasks a second."""

import importlib.metadata
import json
import os
import sys
import time

count, alsweep_path = int(sys.argv[1]), sys.argv[2]
with open(alsweep_path) as file:
    alsweep = json.load(file)


def nothing(number):
    return number


def measure_ray():
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    task = ray.remote(nothing)
    ray.get([task.remote(number) for number in range(100)])
    start = time.perf_counter()
    ray.get([task.remote(number) for number in range(count)])
    seconds = time.perf_counter() - start
    ray.shutdown()
    return seconds


def measure_dask():
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.gather(client.map(nothing, range(100), pure=False))
            start = time.perf_counter()
            client.gather(client.map(nothing, range(count), pure=False))
            return time.perf_counter() - start


def measure_ipyparallel():
    import ipyparallel

    with ipyparallel.Cluster(n=2, log_level=40) as client:
        view = client.load_balanced_view()
        view.map_sync(nothing, range(100))
        start = time.perf_counter()
        view.map_sync(nothing, range(count), chunksize=1)
        return time.perf_counter() - start


if __name__ == "__main__":
    own = alsweep["trials_per_second"]
    print(f"{count} tasks without work")
    print(f"alsweep, journal on disk: {own:.0f} a second, "
          f"{alsweep['peak_memory_bytes'] / 1e6:.0f} MB")
    for name, measure in [("ray", measure_ray), ("distributed", measure_dask),
                          ("ipyparallel", measure_ipyparallel)]:
        rate = count / measure()
        print(f"{name} {importlib.metadata.version(name)}: {rate:.0f} a second, "
              f"ratio {own / rate:.2f}", flush=True)
