"""The forward pass is the same on every engine that is installed: the one in use is compared with the others."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from twin import lively

WIDTH = 1 / 16
ELSEWHERE = """
import sys
import keras
import numpy as np
from study.model import build_codec

given = np.load(sys.argv[1])
codec = build_codec(sys.argv[3], float(sys.argv[5]), sys.argv[4], activation="leaky_relu")
for i, weight in enumerate(codec.weights):
    weight.assign(given[str(i)])
reconstructions = keras.ops.convert_to_numpy(codec(given["images"], iterations=4))
bits = keras.ops.convert_to_numpy(codec.encode(given["images"], iterations=4))
np.savez(sys.argv[2], reconstructions=reconstructions, bits=bits, backend=keras.backend.backend())
"""


@pytest.mark.parametrize("cell, reconstruction", [("lstm", "additive"), ("lstm", "one_shot"), ("gru", "additive")])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_four_passes_are_the_same_on_another_engine(backend, cell, reconstruction, tmp_path):
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} is the engine in use")
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed: pip install -c constraints.txt -e '.[{backend}]'")
    codec = lively(cell=cell, reconstruction=reconstruction, activation="leaky_relu", width=WIDTH)
    images = np.random.default_rng(0).random((3, 48, 40, 3), np.float32)
    weights = {str(i): keras.ops.convert_to_numpy(weight) for i, weight in enumerate(codec.weights)}
    np.savez(tmp_path / "given.npz", images=images, **weights)
    command = [sys.executable, "-c", ELSEWHERE, tmp_path / "given.npz", tmp_path / "made.npz"]
    command += [cell, reconstruction, WIDTH]
    environment = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([str(part) for part in command], env=environment, check=True)
    made = np.load(tmp_path / "made.npz")
    assert made["backend"] == backend
    np.testing.assert_array_equal(made["bits"], keras.ops.convert_to_numpy(codec.encode(images, iterations=4)))
    here = keras.ops.convert_to_numpy(codec(images, iterations=4))
    assert here.std() > 0.05
    np.testing.assert_allclose(made["reconstructions"], here, atol=1e-4)
