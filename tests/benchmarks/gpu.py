"""How fast a training step is on one GPU in bfloat16, beside a plain PyTorch step with and without torch.compile.

    make bench-gpu
    .venv/bin/python tests/benchmarks/gpu.py 0.125,1,8      # width, passes, batch size: to try it, on a CPU as well

The study's step is measured on each of Keras' engines that is installed. Each network has a process of its own, because
a process has one engine and one peak of memory, and they follow one another within a case. A step's time takes in the
way of its images to the device and of the loss back from it.
Prints the table and writes results/benchmarks/gpu.csv, one row a case and network, case by case.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

import pandas as pd
import plain_torch
import torch
from common import images, save, study_network
from training import operations

from study import training

CASES = ((1.0, 1, 128), (1.0, 1, 512), (1.0, 16, 32), (1.0, 16, 128))
ENGINES = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
NETWORKS = [*(f"this study, {name}" for name in ENGINES), "plain PyTorch", "plain PyTorch, compiled"]
STEPS = 30
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PRODUCT = 8192 if DEVICE == "cuda" else 1024  # side of the matrix product


def build(name, width, iterations):
    """The network of that name, ready for `train_on_batch`; exits where its engine does not see the GPU."""
    if name.startswith("plain"):
        return plain_torch.Trainer(width, iterations, DEVICE, bfloat16=True, compiled=name.endswith("compiled"))
    if DEVICE == "cuda" and "cpu" in training.device().lower():
        sys.exit(f"{name} computes on {training.device()}: install its package for CUDA, or uninstall it.")
    return study_network(width, iterations, "mixed_bfloat16")


def steps(name, width, iterations, batch_size):
    """Seconds until the end of the first step and of each step after the second, and the peak of the GPU's memory."""
    batch, started = images(batch_size), time.perf_counter()
    network = build(name, width, iterations)
    ends = []
    for _ in range(STEPS + 2):
        network.train_on_batch(batch, batch)  # returns the loss as a number, so it is done
        ends.append(time.perf_counter() - started)
    taken = [later - before for before, later in zip(ends[1:], ends[2:], strict=False)]
    return {"first_step_s": ends[0], "taken": taken, "peak_gib": peak_gib(name)}


def peak_gib(name):
    """The most GPU memory that arrays have taken so far, as the engine counts it; nothing is known of a CPU's."""
    if DEVICE == "cpu":
        return float("nan")
    if name.endswith("tensorflow"):
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    if name.endswith("jax"):
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**30
    return torch.cuda.max_memory_allocated() / 2**30


def product_rate():
    """Operations a second of a product of two square matrices of random bfloat16 numbers, at its best of ten."""
    a = torch.randn(PRODUCT, PRODUCT, device=DEVICE, dtype=torch.bfloat16)
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        float((a @ a)[0, 0])
        seconds.append(time.perf_counter() - started)
    return 2 * PRODUCT**3 / min(seconds[2:])


def elsewhere(name, *case):
    """`steps` in a process of its own."""
    engine = name.removeprefix("this study, ")
    environment = os.environ | ({"KERAS_BACKEND": engine} if engine in ENGINES else {})
    command = [sys.executable, __file__, json.dumps([name, *case])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}, {case}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def rows(case, rate):
    width, iterations, batch_size = case
    measured = {name: elsewhere(name, *case) for name in NETWORKS}
    speeds = {name: batch_size / statistics.median(found.pop("taken")) for name, found in measured.items()}
    return [
        {"width": width, "iterations": iterations, "batch_size": batch_size, "network": name}
        | {"images_a_second": speeds[name], "to_pytorch": speeds[name] / speeds["plain PyTorch"]}
        | {"share_of_product": speeds[name] * operations(width, iterations) / rate}
        | measured[name]
        | {"steps": STEPS, "product_gflops": rate / 1e9, "torch": torch.__version__}
        | {"device": torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU"}
        for name in NETWORKS
    ]


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        print(json.dumps(steps(*json.loads(sys.argv[1]))))
        sys.exit()
    asked = [(float(width), int(n), int(batch)) for width, n, batch in (case.split(",") for case in sys.argv[1:])]
    table, rate = [], product_rate()
    for case in asked or CASES:
        table += rows(case, rate)
        save("gpu", pd.DataFrame(table))
