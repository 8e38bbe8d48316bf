"""How long a 768x512 image takes to encode and to decode, by passes: part of `make bench`."""

import time

import keras
import numpy as np
import pandas as pd
from common import save

from study.model import build_codec

ROUNDS = 2
CASES = ((0.25, 1), (0.25, 4), (0.25, 8), (0.25, 16), (1.0, 1), (1.0, 2))  # width and passes


def seconds(call):
    """Least of the rounds, and what the call returned."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = keras.ops.convert_to_numpy(call())
        taken.append(time.perf_counter() - started)
    return min(taken), result


def measure(width, iterations):
    codec = build_codec(width=width)
    image = np.random.default_rng(0).random((1, 512, 768, 3), np.float32)
    encode, bits = seconds(lambda: codec.encode(image, iterations))
    decode, _ = seconds(lambda: codec.decode(bits))
    return {"width": width, "iterations": iterations, "encode_s": encode, "decode_s": decode, "rounds": ROUNDS}


if __name__ == "__main__":
    save("coding", pd.DataFrame([measure(*case) for case in CASES]))
