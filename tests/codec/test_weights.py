"""The files of weights: what is in them, and that every engine decodes the same with them."""

import subprocess
import sys

import numpy as np
import pytest
from small_codec import OPTIONS, context_model, small_codec

from study.codec import weights
from study.ground import paths

NAMES = weights.names()


def test_they_are_small_and_the_default_is_among_them():
    assert weights.DEFAULT in NAMES
    assert sum((paths.PRETRAINED / f"{name}.npz").stat().st_size for name in NAMES) < 8e6


@pytest.mark.parametrize("name", NAMES)
def test_files_hold_half_precision_weights_and_no_pickles(name):
    with np.load(paths.PRETRAINED / f"{name}.npz", allow_pickle=False) as arrays:
        kinds = {key: array.dtype.name for key, array in arrays.items()}
    assert kinds.pop("options").startswith("str")
    context = {kind for key, kind in kinds.items() if key.startswith("context/")}
    network = {kind for key, kind in kinds.items() if not key.startswith("context/")}
    assert network == {"float16"} and context == {"int16", "uint16"}


@pytest.mark.parametrize("name", NAMES)
def test_loaded_by_name_and_found_by_id(name):
    model = weights.load(name)
    assert model.name == name and len(model.id) == 3
    assert weights.find(model.id) == name


def test_what_is_saved_is_loaded(tmp_path):
    small = small_codec()
    path = tmp_path / "small.npz"
    weights.save(path, small.codec, OPTIONS, small.context)
    loaded = weights.load(str(path))
    for weight, other in zip(loaded.codec.weights, small.codec.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other).astype(np.float16).astype(np.float32))
    for name, array in vars(small.context).items():
        np.testing.assert_array_equal(getattr(loaded.context, name), array)
    again = tmp_path / "again.npz"
    weights.save(again, loaded.codec, OPTIONS, loaded.context)
    assert weights.load(str(again)).id == loaded.id and again.read_bytes() == path.read_bytes()
    weights.save(again, loaded.codec, OPTIONS, context_model(seed=1))
    assert weights.load(str(again)).id != loaded.id


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
    environment = {"KERAS_BACKEND": backend, "PYTHONPATH": str(paths.ROOT), "PATH": ""}
    subprocess.run([sys.executable, "-c", DECODE, name, folder], env=environment, check=True, timeout=600)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_engines_decode_the_same_bits_and_nearly_the_same_picture(backend, tmp_path):
    pytest.importorskip(backend)
    from skimage.data import astronaut
    from study.compression import compress

    done = compress(weights.load("gru"), astronaut()[100:190, 180:300], iterations=4)
    (tmp_path / "a.rnn").write_bytes(done.file)
    decode_elsewhere(backend, "gru", tmp_path)
    with np.load(tmp_path / "a.npz") as other:
        assert np.abs(other["picture"].astype(int) - done.picture).max() <= 1
        assert other["bits"].shape == (4, 6, 8, 32)  # that they are right is what the file's checks say
