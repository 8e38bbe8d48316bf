"""How fast a training step is, beside the network as the report's code built it: `make bench`.

Both take turns in one process, so that a machine that slows down slows both. Prints images a second, median and range
over the rounds, and the ratio of the medians; writes results/benchmarks/training.csv.
"""

import platform
import statistics
import time

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from study import losses, paths, reported, runs
from study.model import build_codec

ROUNDS = 5
STEPS = 2  # of a round
CASES = ((1 / 4, 32), (1 / 4, 128), (1.0, 32))  # width and batch size


def study_network(width):
    codec = build_codec(width=width, activation="leaky_relu")
    for cell in codec.encoder_cells + codec.decoder_cells:
        for weight in cell.later_weights:  # as in training with one pass
            weight.trainable = False
    return codec


def report_network(width):
    """With one pass as an axis, as the loss has it."""
    return keras.Sequential([reported.report_network(width), keras.layers.Reshape((1, 32, 32, 3))])


def images_a_second(network, batch):
    started = time.perf_counter()
    for _ in range(STEPS):
        network.train_on_batch(batch, batch)
    return STEPS * len(batch) / (time.perf_counter() - started)


def measure(width, batch_size):
    batch = np.random.default_rng(0).random((batch_size, 32, 32, 3), np.float32)
    networks = {"this study": study_network(width), "report's code": report_network(width)}
    for network in networks.values():
        # XLA is left out for both: on a CPU it is slower, and the report did without.
        network.compile(keras.optimizers.Adam(), loss=losses.loss("ms_ssim"), jit_compile=False)
        images_a_second(network, batch)  # compiles and warms up
    speeds = {name: [] for name in networks}
    for _ in range(ROUNDS):
        for name, network in networks.items():
            speeds[name].append(images_a_second(network, batch))
    facts = {"backend": keras.backend.backend(), "keras": keras.__version__, "machine": platform.machine()}
    slowest = statistics.median(speeds["report's code"])
    return [
        {"width": width, "batch_size": batch_size, "network": name, "images_a_second": statistics.median(figures)}
        | {"low": min(figures), "high": max(figures), "ratio": statistics.median(figures) / slowest, "rounds": ROUNDS}
        | facts
        for name, figures in speeds.items()
    ]


if __name__ == "__main__":
    table = pd.DataFrame([row for case in tqdm(CASES, desc="cases") for row in measure(*case)])
    runs.write(paths.tables("benchmarks") / "training.csv", table.to_csv(index=False, float_format="%.4g").encode())
    print(table.to_string(index=False, float_format="%.4g"))
