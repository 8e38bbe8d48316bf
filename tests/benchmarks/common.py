"""What the benchmarks share: the study's training step, images, and what machine they ran on."""

import os
from pathlib import Path

import keras
import numpy as np

from study import losses
from study.experiments import runs
from study.ground import atomic, paths, recipe
from study.model import build_codec


def study_network(width, iterations, policy="float32"):
    codec = build_codec(width=width, iterations=iterations, policy=policy)
    if iterations == 1:  # as in training
        codec.train_one_pass_only()
    optimizer = keras.optimizers.Adam(1e-3, beta_2=recipe.BETA_2, global_clipnorm=recipe.CLIP_NORM)
    codec.compile(optimizer, loss=losses.loss("l1"), jit_compile=keras.backend.backend() == "jax")
    codec.optimizer.build(codec.trainable_variables)  # or the step is traced twice
    return codec


def images(batch_size):
    return np.random.default_rng(0).random((batch_size, 32, 32, 3), np.float32)


def peak_gib():
    """This process's largest memory so far, on Linux; what `resource` has may be the parent's."""
    status = Path("/proc/self/status")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines()) if status.exists() else {}
    return int(lines["VmHWM"].split()[0]) / 2**20 if lines else float("nan")


def machine():
    return {
        "machine": runs.machine(),
        "threads": os.cpu_count(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def save(name, table):
    """Prints a table and writes results/benchmarks/<name>.csv, each row with its machine."""
    print(table.to_string(index=False, float_format="%.3g"), flush=True)
    table = table.assign(**machine())
    atomic.write(paths.tables("benchmarks") / f"{name}.csv", table.to_csv(index=False, float_format="%.4g").encode())
