"""From a finished run to a file that compresses: rounded weights, and a context model of the codes that they make."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from study import data, training
from study.__main__ import main
from study.codec import compression, context_training, shipping, weights
from study.experiments import runs
from study.ground.errors import StudyError

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


@pytest.mark.parametrize("side", [200, 48], ids=["with crops", "all pictures smaller than a crop"])
def test_a_codec_of_own_pictures_compresses_by_its_path(output, monkeypatch, capsys, side):
    """Whatever photographs the published codecs need, none but the folder's are read."""
    monkeypatch.setattr(shipping, "CROPS", (12, 144))
    monkeypatch.setattr(context_training, "EPOCHS", 2)
    monkeypatch.setattr(data, "halved_photographs", None)
    monkeypatch.delenv("PHOTOS_DIR", raising=False)
    pictures, out = output / "pictures", output / "out"
    for folder in (pictures, out):
        folder.mkdir()
    for i in range(3):
        Image.fromarray(astronaut()[100 + i : 100 + i + side, 100 : 100 + side]).save(pictures / f"{i}.png")
    run = runs.Run(f"folder:{pictures}", train_size=2, batch_size=2, epochs=1, seed=0, width=1 / 32, iterations=2)
    training.train(run)
    path = shipping.ship(run, output / "mine.npz")
    assert path == output / "mine.npz" and len(weights.load(str(path)).context.bias) == 2
    crops = shipping._own_crops(run)
    assert crops.shape == (8 if side == 200 else 0, 144, 144, 3)

    Image.fromarray(PICTURE).save(output / "picture.png")
    main(["compress", str(output / "picture.png"), str(out / "picture.rnn"), "--model", str(path)])
    main(["decompress", str(out / "picture.rnn"), str(out / "picture.png"), "--model", str(path)])
    with Image.open(out / "picture.png") as image:
        assert image.size == (96, 64)
    assert "96x64, 2 passes" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["compress", str(output / "picture.png"), str(out), "--model", str(path), "--iterations", "3"])
    assert "2 passes are 0.25 bpp; ask for 0 < iterations <= 2." in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["decompress", str(out / "picture.rnn"), str(out / "picture.png")])
    assert "Name the file of its weights with --model." in capsys.readouterr().err


def test_a_codec_of_own_pictures_is_not_put_among_those_that_ship(output):
    run = replace(runs.plan("smoke")[0], data="folder:/pictures")
    with pytest.raises(StudyError, match=f"Run {run.id} was trained on own pictures.*which ends in .npz"):
        shipping.ship(run)
    with pytest.raises(StudyError, match=r"mine.weights is no name for a file of weights; choose one .*\.npz"):
        shipping.ship(run, output / "mine.weights")


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
