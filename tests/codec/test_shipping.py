"""From a finished run to a file that compresses: rounded weights, and a context model of the codes that they make."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.data import astronaut

from study import data, training
from study.codec import compression, shipping, weights
from study.experiments import runs

PICTURE = astronaut()[100:164, 180:276]


@pytest.fixture
def run(output, monkeypatch):
    """A codec of two passes, hardly trained, and few images to train its context model with."""
    monkeypatch.setattr(shipping, "TILES", 64)
    monkeypatch.setattr(shipping, "CROPS", (64, 64))
    monkeypatch.setattr(data, "halved_photographs", lambda: [astronaut()[::2, ::2]])
    (run,) = runs.plan("smoke", "batch_size", batch_size=[8])
    codec = {"cell": "gru", "activation": "linear", "iterations": 2, "binarizer_gain": 40.0, "output_gain": 1.0}
    run = replace(run, **codec, loss="l1", epochs=1, train_size=64)
    training.train(run)
    return run


def test_a_shipped_codec_is_the_runs_in_half_precision_with_a_context_model_of_its_passes(run, tmp_path):
    path = shipping.ship(run, tmp_path / "small.npz")
    shipped, trained = weights.load(str(path)), training.trained_codec(run)
    for weight, other in zip(shipped.codec.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other).astype(np.float16).astype(np.float32))
    assert [cell.name for cell in shipped.codec.encoder_cells] == [cell.name for cell in trained.encoder_cells]
    assert len(shipped.context.bias) == run.iterations

    bits = [bits for bits, _ in zip(compression.passes(shipped.codec, PICTURE), range(2), strict=False)]
    raw = len(bits) * bits[0][0].size // 8
    done = compression.compress(shipped, PICTURE, iterations=2)
    assert len(done.file) < 0.9 * raw  # a context model of other codes saves nothing
    np.testing.assert_array_equal(compression.decompress(shipped, done.file), done.picture)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"cell": "gru"}, "gru"),
        ({"cell": "lstm", "width": 1.0}, "lstm-full"),
        ({"cell": "lstm", "reconstruction": "one_shot"}, "lstm-one_shot"),
    ],
)
def test_names_of_codecs(changed, name):
    assert shipping.name(replace(runs.plan("smoke")[0], **changed)) == name


def test_the_published_codecs_are_those_of_the_grid():
    assert sorted(shipping.name(run) for run in runs.plan("codec", "codec")) == weights.names()
