"""How long a 768x512 image takes to encode and to decode, by passes: part of `make bench`."""

import statistics
import time

import keras
import numpy as np
import pandas as pd
from common import save

from study.model import build_codec

ROUNDS = 3
CASES = [(width, iterations) for width in (0.25, 1.0) for iterations in (1, 4, 8, 16)]


def seconds(call):
    """Median over rounds, after a first call that is not counted."""
    result, taken = call(), []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        keras.ops.convert_to_numpy(call())
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), result


def measure(width, iterations):
    codec = build_codec(width=width)
    image = np.random.default_rng(0).random((1, 512, 768, 3), np.float32)
    encode, bits = seconds(lambda: codec.encode(image, iterations))
    decode, _ = seconds(lambda: codec.decode(bits))
    return {"width": width, "iterations": iterations, "encode_s": encode, "decode_s": decode, "rounds": ROUNDS}


if __name__ == "__main__":
    save("coding", pd.DataFrame([measure(*case) for case in CASES]))
