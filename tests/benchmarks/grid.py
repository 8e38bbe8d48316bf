"""What two cores train in all: one job with two threads, or two jobs with one each. Part of `make bench`."""

import os
import subprocess
import sys
import time

import pandas as pd
from common import images, save, study_network

SECONDS = 8  # each job trains for so long, after its first step
ROUNDS = 2
LAYOUTS = ((1, 2), (2, 1))  # jobs and threads of each
CASES = ((0.25, 128),)  # width and batch size


def job(width, batch_size):
    """Images a second of one job."""
    network, batch = study_network(width, 1), images(batch_size)
    network.train_on_batch(batch, batch)
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        network.train_on_batch(batch, batch)
        steps += 1
    return steps * batch_size / (time.perf_counter() - started)


def throughput(jobs, threads, width, batch_size):
    """Images a second of all jobs side by side."""
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, str(width), str(batch_size)]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(jobs)]
    return sum(float(process.communicate()[0].split()[-1]) for process in started)


def measure(width, batch_size):
    figures = {layout: [] for layout in LAYOUTS}
    for _ in range(ROUNDS):
        for layout in LAYOUTS:
            figures[layout].append(throughput(*layout, width, batch_size))
    return [
        {"width": width, "batch_size": batch_size, "jobs": jobs, "threads_each": threads}
        | {"images_a_second": sum(values) / ROUNDS, "low": min(values), "high": max(values), "rounds": ROUNDS}
        for (jobs, threads), values in figures.items()
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(job(float(sys.argv[1]), int(sys.argv[2])))
        sys.exit()
    save("grid", pd.DataFrame([row for case in CASES for row in measure(*case)]))
