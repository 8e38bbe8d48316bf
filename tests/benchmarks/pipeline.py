"""How fast batches come, beside the training step that takes them: part of `make bench`."""

import statistics
import time

import numpy as np
import pandas as pd
from common import images, save, study_network

from study.data import Batches

IMAGES = 50_000
BATCHES = 50  # a round
ROUNDS = 5
CASES = ((0.25, 64), (0.25, 128), (0.25, 1024), (1.0, 32))  # width and batch size


def seconds(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(width, batch_size):
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), np.uint8)
    batches = Batches(pixels, 2 * IMAGES, batch_size, seed=0)  # every second image is turned
    network, batch = study_network(width, 1), images(batch_size)
    network.train_on_batch(batch, batch)
    batch_seconds, step_seconds = [], []
    for _ in range(ROUNDS):
        batch_seconds.append(seconds(lambda: [batches[i] for i in range(BATCHES)]) / BATCHES)
        step_seconds.append(seconds(lambda: network.train_on_batch(batch, batch)))
    one, step = statistics.median(batch_seconds), statistics.median(step_seconds)
    return {"width": width, "batch_size": batch_size, "images_a_second": batch_size / one, "share_of_step": one / step}


if __name__ == "__main__":
    save("pipeline", pd.DataFrame([measure(*case) | {"rounds": ROUNDS} for case in CASES]))
