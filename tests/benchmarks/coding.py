"""How long a 768x512 image takes to encode and to decode: the network alone, and whole files. Part of `make bench`."""

import time

import keras
import numpy as np
import pandas as pd
from common import save
from skimage.data import astronaut

from study.codec import compression, weights
from study.model import build_codec

ROUNDS = 3
CASES = ((0.25, 1), (0.25, 4), (0.25, 8), (0.25, 16), (1.0, 1), (1.0, 2))  # width and passes
FILE_BPP = 0.5


def seconds(call):
    """Least of the rounds, and what the call returned."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = call()
        taken.append(time.perf_counter() - started)
    return min(taken), result


def network(width, iterations):
    codec = build_codec(width=width)
    image = np.random.default_rng(0).random((1, 512, 768, 3), np.float32)
    encode, bits = seconds(lambda: keras.ops.convert_to_numpy(codec.encode(image, iterations)))
    decode, _ = seconds(lambda: keras.ops.convert_to_numpy(codec.decode(bits)))
    return {"what": "network, LSTM", "width": width, "iterations": iterations, "encode_s": encode, "decode_s": decode}


def files(name):
    """Of a shipped codec, entropy coding and the search for the rate included, on a photograph and its mirror image."""
    model, picture = weights.load(name), astronaut()
    picture = np.hstack([picture, picture[:, ::-1]])[:, :768]
    encode, done = seconds(lambda: compression.compress(model, picture, bpp=FILE_BPP))
    decode, _ = seconds(lambda: compression.decompress(model, done.file))
    width = model.codec.encoder_cells[0].filters / build_codec().encoder_cells[0].filters
    what = f"files at {FILE_BPP} bpp, {name}"
    return {"what": what, "width": width, "iterations": done.passes, "encode_s": encode, "decode_s": decode}


if __name__ == "__main__":
    rows = [network(*case) for case in CASES] + [files(name) for name in weights.names()]
    save("coding", pd.DataFrame(rows).assign(rounds=ROUNDS))
