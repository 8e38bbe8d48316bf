"""One run: resume after SIGKILL, the three statuses, and what is scored."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from study import data, evaluation, training
from study.experiments import runs

CODE = """
from dataclasses import replace
from study import training
from study.experiments import runs
run = replace(runs.plan("smoke", "batch_size")[0], epochs=4, train_size=128, width=1 / 16)
print(training.train(run))
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture
def run():
    return replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64, width=1 / 16)


def start(output):
    environment = os.environ | {"STUDY_OUTPUT": str(output)}
    return subprocess.Popen([sys.executable, "-c", CODE], env=environment, stdout=subprocess.DEVNULL)


def test_a_run_killed_in_the_middle_ends_with_the_same_history(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(whole).wait() == 0
    process = start(cut)
    while process.poll() is None and not list(cut.rglob("checkpoint.npz")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list(cut.rglob("history.csv"))
    (manifest,) = cut.rglob("manifest.json")
    assert json.loads(manifest.read_text())["status"] == "running"
    assert start(cut).wait() == 0
    (one,), (other,) = whole.rglob("history.csv"), cut.rglob("history.csv")
    assert one.read_bytes() == other.read_bytes()
    assert len(pd.read_csv(other)) == 4 * 2
    assert not list(cut.rglob("checkpoint.npz"))


def test_equal_steps_are_shared_out_to_epochs_whatever_the_batch_size(run):
    run = replace(run, protocol="equal_steps", steps=12, epochs=3)  # an epoch of 4 steps shows 32 of the 64 images
    training.train(run)
    history = pd.read_csv(run.folder / "history.csv").query("split == 'validation'")
    assert history.step.tolist() == [4, 8, 12] and history.images_seen.tolist() == [32, 64, 96]
    with pytest.raises(ValueError, match="steps=10 cannot be shared out evenly to epochs=3; choose a multiple"):
        training.train(replace(run, steps=10))


def test_the_reports_schedule_is_plain_adam_at_one_rate(run):
    ours, plain = (training.compiled_codec(replace(run, schedule=name), 100) for name in ("cosine", "constant"))
    named = {"name": plain.optimizer.name}
    assert plain.optimizer.get_config() == keras.optimizers.Adam(0.01).get_config() | named
    assert float(ours.optimizer.learning_rate) == 0.0 and ours.optimizer.global_clipnorm == 1.0
    with pytest.raises(ValueError, match="schedule='linear' is not known; expected cosine or constant"):
        training.compiled_codec(replace(run, schedule="linear"), 10)


def test_a_network_that_answers_one_image_has_collapsed(run):
    assert training.train(replace(run, learning_rate=0.0)) == "collapsed"


def test_a_loss_that_is_not_a_number_ends_the_run_as_diverged(run, monkeypatch):
    nowhere = lambda images, reconstructions: keras.ops.mean(reconstructions) * float("nan")  # noqa: E731
    monkeypatch.setattr(training.losses, "loss", lambda name: nowhere)
    assert training.train(replace(run, epochs=3)) == "diverged"
    manifest = runs.read_manifest(replace(run, epochs=3))
    assert (manifest["status"], manifest["epochs_done"]) == ("diverged", 1)


def test_training_lowers_its_loss_and_is_done(run):
    learned = replace(run, loss="l2", learning_rate=0.01, epochs=6, train_size=512)
    assert training.train(learned) == "done"
    history = pd.read_csv(learned.folder / "history.csv")
    validation = history[history.split == "validation"]
    assert validation.psnr.iloc[-1] > validation.psnr.iloc[0]
    assert validation.step.tolist() == [512 // run.batch_size * epoch for epoch in range(1, 7)]


def test_a_finished_run_hands_its_codec_on(run):
    training.train(run)
    images = data.load(run.data).validation
    scores = evaluation.score(images, evaluation.reconstruct(training.trained_codec(run), images))
    history = pd.read_csv(run.folder / "history.csv")
    assert scores.psnr.mean() == pytest.approx(history[history.split == "validation"].psnr.iloc[-1], abs=1e-3)


def test_every_parameter_of_the_network_reaches_it(run):
    def spread(**change):
        codec = training.compiled_codec(replace(run, **change), steps=1)
        return np.std(keras.ops.convert_to_numpy(codec.binarizer.convolution.kernel))

    assert spread(gain=4.0) / spread(gain=1.0) == pytest.approx(4, rel=1e-5)
    assert spread(seed=1) != spread(seed=0)
    codec = training.compiled_codec(replace(run, iterations=3, reconstruction="one_shot", width=1 / 8), steps=1)
    assert (codec.iterations, codec.additive, codec.encoder_conv.filters) == (3, False, 8)
    assert isinstance(codec.activation, keras.layers.LeakyReLU)
    linear = training.compiled_codec(replace(run, activation="linear"), steps=1)
    assert isinstance(linear.activation, keras.layers.Identity)


def test_weights_that_are_not_here_are_asked_for_with_the_remedy(run):
    with pytest.raises(FileNotFoundError, match=rf"{run.id} are not on this machine.*training.train"):
        training.trained_codec(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"train_size": 50_000}, "train_size=50000 needs 50,000 images; the data have"), ({"batch_size": 128}, "128")],
)
def test_wrong_sizes_are_refused_before_anything_is_written(run, change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        training.train(replace(run, **change))
    assert not list(tmp_path.iterdir())


def test_the_mean_image_scores_as_numpy_says():
    images = data.load("photographs")
    mean = np.round(images.train.mean(axis=0))
    squares = ((images.validation - mean) ** 2).mean(axis=(1, 2, 3))
    expected = (10 * np.log10(255**2 / squares)).mean()
    assert evaluation.mean_image_score(images, images.validation).psnr.mean() == pytest.approx(expected, abs=1e-4)
