"""Decoding in a process of its own, on another of Keras' engines."""

import os
import subprocess
import sys

from study.ground import paths

DECODE = """
import sys, pathlib, numpy as np
from study.codec import compression, file_format, weights
model = weights.load(sys.argv[1])
for path in pathlib.Path(sys.argv[2]).glob("*.rnn"):
    file = path.read_bytes()
    bits = np.stack(compression.decode_bits(model.context, *file_format.read(file)))
    np.savez(path.with_suffix(".npz"), bits=bits, picture=compression.decompress(model, file))
"""


def decode_elsewhere(backend, name, folder):
    """Decodes the files of a folder in a process of its own: bits and picture of each in an .npz beside it."""
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", DECODE, name, folder]
    subprocess.run(command, cwd=paths.ROOT, env=environment, check=True, timeout=600)
