"""How fast a training step is, beside the other ways of doing it: `make bench`.

All networks of a case take turns in one process, A B C A B C, so that a machine that slows down slows all of them; the
largest matrix product takes its turn too. The study's time to the first step and peak memory, with one pass and with
sixteen, come from a process of their own.
Prints the table and writes results/benchmarks/training.csv, one row a case and network.
"""

import json
import statistics
import subprocess
import sys
import time

import keras
import pandas as pd
import plain_torch
import torch
from common import images, peak_gib, save, study_network
from tqdm.auto import tqdm

from study import losses
from study.analysis.report_network import report_network
from study.architecture import multiplications

PRODUCT = 2048  # side of the matrix product
# Width, passes, batch size, and rounds: as many as a quarter of an hour allows.
CASES = (
    (1.0, 1, 32, 5),
    (1.0, 1, 128, 3),
    (1.0, 1, 512, 2),
    (1.0, 4, 32, 2),
    (1.0, 16, 32, 2),
    (0.25, 1, 64, 9),
    (0.25, 8, 32, 5),
    (0.25, 16, 32, 3),
)


def report_step(width, iterations):
    """With one pass as an axis, as the loss has it. Without XLA, as the report was: on a CPU it is slower."""
    network = keras.Sequential([report_network(width), keras.layers.Reshape((1, 32, 32, 3))])
    network.compile(keras.optimizers.Adam(1e-3), loss=losses.loss("l1"), jit_compile=False)
    return network


NETWORKS = {
    "this study": study_network,
    "this study, mixed_bfloat16": lambda width, iterations: study_network(width, iterations, "mixed_bfloat16"),
    "plain PyTorch": plain_torch.Trainer,
    "report's code": report_step,
}
OURS = ("this study", "this study, mixed_bfloat16")


def networks_of(iterations, batch_size):
    """The report's code has no second pass, and a large batch of it takes too long."""
    return [name for name in NETWORKS if name != "report's code" or (iterations == 1 and batch_size <= 64)]


def operations(width, iterations):
    """Floating-point operations that one image's training step needs: two a multiplication, three times forwards."""
    first, later = multiplications("lstm", width)
    return 2 * 3 * (first + (iterations - 1) * later)


def product_rate(dtype):
    """Operations a second of a product of two square matrices, the better library's."""
    a = torch.randn(PRODUCT, PRODUCT).to(getattr(torch, dtype))
    b = keras.ops.cast(keras.random.normal((PRODUCT, PRODUCT)), dtype)
    rates = []
    for multiply in (lambda: a @ a, lambda: float(keras.ops.cast(keras.ops.matmul(b, b)[0, 0], "float32"))):
        started = time.perf_counter()
        multiply()
        rates.append(2 * PRODUCT**3 / (time.perf_counter() - started))
    return max(rates)


def first_step(name, width, iterations, batch_size):
    """Seconds from nothing built to the end of the first step, and the process's peak memory after a second one."""
    batch = images(batch_size)
    started = time.perf_counter()
    network = NETWORKS[name](width, iterations)
    network.train_on_batch(batch, batch)
    seconds = time.perf_counter() - started
    network.train_on_batch(batch, batch)
    return {"first_step_s": seconds, "peak_gib": peak_gib()}


def elsewhere(*arguments):
    """`first_step` in a process of its own."""
    command = [sys.executable, __file__, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{arguments}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(width, iterations, batch_size, rounds):
    batch = images(batch_size)
    networks = {name: NETWORKS[name](width, iterations) for name in networks_of(iterations, batch_size)}
    for network in networks.values():  # compiles and warms up
        network.train_on_batch(batch, batch)
    speeds, rates = {name: [] for name in networks}, {"float32": [], "bfloat16": []}
    for _ in range(rounds):
        for name, network in networks.items():
            started = time.perf_counter()
            network.train_on_batch(batch, batch)
            speeds[name].append(batch_size / (time.perf_counter() - started))
        for dtype, figures in rates.items():
            figures.append(product_rate(dtype))
    medians = {name: statistics.median(figures) for name, figures in speeds.items()}
    rate = {dtype: max(figures) for dtype, figures in rates.items()}
    case = {"width": width, "iterations": iterations, "batch_size": batch_size}
    return [
        case
        | {"network": name, "images_a_second": medians[name], "low": min(speeds[name]), "high": max(speeds[name])}
        | {"to_pytorch": medians[name] / medians["plain PyTorch"]}
        | {"share_of_product": medians[name] * operations(width, iterations) / rate[_dtype(name)]}
        | (elsewhere(name, *case.values()) if name in OURS and batch_size == 32 and iterations in (1, 16) else {})
        | {"rounds": rounds, "product_gflops": rate[_dtype(name)] / 1e9, "torch": torch.__version__}
        for name in networks
    ]


def _dtype(name):
    return "bfloat16" if "bfloat16" in name else "float32"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(first_step(*json.loads(sys.argv[1]))))
        sys.exit()
    rows = []
    for case in tqdm(CASES, desc="cases"):
        rows += measure(*case)
        save("training", pd.DataFrame(rows))
