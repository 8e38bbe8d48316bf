"""The study's training step on Keras' three backends, each in a process of its own: part of `make bench`."""

import json
import os
import statistics
import subprocess
import sys
import time

import pandas as pd
from common import images, save, study_network

BACKENDS = ("tensorflow", "jax", "torch")
CASES = ((1.0, 1, 32), (0.25, 1, 64))  # width, passes, batch size
STEPS = 8


def steps(width, iterations, batch_size):
    """Seconds of each step, after two that are not counted, and until the end of the first."""
    batch, started = images(batch_size), time.perf_counter()
    network = study_network(width, iterations)
    taken = []
    for _ in range(STEPS + 2):
        network.train_on_batch(batch, batch)
        taken.append(time.perf_counter() - started)
    return taken[0], [later - before for before, later in zip(taken[1:], taken[2:], strict=False)]


def in_process(backend):
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, __file__, "steps"], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{backend}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def rows():
    measured = {backend: in_process(backend) for backend in BACKENDS}
    medians = {backend: [statistics.median(taken) for _, taken in cases] for backend, cases in measured.items()}
    return [
        dict(zip(("width", "iterations", "batch_size"), case, strict=True))
        | {"engine": backend, "images_a_second": case[2] / medians[backend][i]}
        | {"to_tensorflow": medians["tensorflow"][i] / medians[backend][i]}
        | {"first_step_s": measured[backend][i][0], "steps": STEPS}
        for i, case in enumerate(CASES)
        for backend in BACKENDS
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps([steps(*case) for case in CASES]))
        sys.exit()
    save("backends", pd.DataFrame(rows()))
