"""One run: resume after SIGKILL and damage, the three statuses, what is scored, what is recorded, and its optimizer."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image

from study import data, evaluation, training
from study.experiments import check, runs, tables
from study.ground import locks
from study.ground.errors import StudyError
from study.ground.recipe import OUR_WAY, REPORT_WAY


@pytest.fixture(autouse=True)
def elsewhere(output):
    """Every test has an output folder of its own."""


@pytest.fixture
def run():
    return replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64, width=1 / 16)


def history_of(run, split="validation"):
    history = pd.read_csv(run.folder / "history.csv")
    return history[history.split == split]


# Cut off and taken up again

# A process that is killed at one moment: after its second epoch is saved, or before the history, the last file.
CUT = """
import json, os, signal, sys
from study import training
from study.experiments.runs import Run
from study.ground import atomic

def killed(function, when):
    def call(*arguments):
        if not when(*arguments):
            return function(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    return call

if sys.argv[2] == "epoch":
    training.runs.log = killed(training.runs.log, lambda run, line: "epoch 2/4" in line)
else:
    atomic.write = killed(atomic.write, lambda path, content: path.name == "history.csv")
training.train(Run(**json.loads(sys.argv[1])))
"""


def test_a_run_killed_in_the_middle_and_at_the_end_ends_with_the_same_history(run, tmp_path, monkeypatch):
    run = replace(run, epochs=4, train_size=128)
    parameters = json.dumps({name: getattr(run, name) for name in runs.PARAMETERS})
    for moment, epochs in (("epoch", 2), ("end", 4)):
        killed = subprocess.run([sys.executable, "-c", CUT, parameters, moment], stdout=subprocess.DEVNULL)
        assert killed.returncode == -signal.SIGKILL
        assert runs.read_manifest(run)["epochs_done"] == epochs and not runs.finished(run)
        assert (run.folder / "checkpoint.npz").exists() and not (run.folder / "history.csv").exists()
    training.train(run)
    resumed = (run.folder / "history.csv").read_bytes()
    assert len(history_of(run)) == 4 and not (run.folder / "checkpoint.npz").exists()
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / "whole"))
    training.train(run)
    assert (run.folder / "history.csv").read_bytes() == resumed


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An output folder with one finished run of two passes, and the run."""
    folder = tmp_path_factory.mktemp("trained")
    run = replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64, width=1 / 16, iterations=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_OUTPUT", str(folder))
        patch.setenv("TQDM_DISABLE", "1")
        training.train(run)
    return folder, run


@pytest.fixture
def finished(trained, monkeypatch):
    folder, run = trained
    monkeypatch.setenv("STUDY_OUTPUT", str(folder))
    return run


def test_a_run_that_is_finished_stays_as_it_is(finished):
    def files():
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in finished.folder.iterdir()}

    before = files()
    assert training.train(finished) == runs.read_manifest(finished)["status"]
    assert files() == before


def test_a_run_whose_weights_are_elsewhere_is_trained_again(trained, tmp_path):
    """As after unpacking an archive without them, with the same history."""
    folder, run = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (run.folder / "weights.npz").unlink()
    history = (run.folder / "history.csv").read_bytes()
    training.train(run)
    assert (run.folder / "weights.npz").exists() and (run.folder / "history.csv").read_bytes() == history


def test_a_second_process_waits_and_finds_what_the_first_has_left(run, finish, monkeypatch):
    run.folder.mkdir(parents=True)
    first, said = FileLock(run.folder / "lock"), []

    def end_the_first(text, **_):
        said.append(text)
        finish(run)
        (run.folder / "weights.npz").write_bytes(b"")
        first.release()

    monkeypatch.setattr(locks, "print", end_the_first, raising=False)
    first.acquire()
    assert training.train(run) == "done"
    assert said == [f"Another process is at work in {run.folder}; waiting for it."]
    assert (run.folder / "weights.npz").read_bytes() == b""  # and does not train
    assert not FileLock(run.folder / "lock").is_locked


class Interrupt(Exception):
    pass


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A run of two epochs that was cut off after the first: its folder's files, and what finishes it."""
    run = replace(runs.plan("smoke", "batch_size")[0], epochs=2, train_size=64, width=1 / 16)
    log = runs.log

    def interrupted(run, line):
        log(run, line)
        raise Interrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_OUTPUT", str(tmp_path_factory.mktemp("cut-off")))
        patch.setenv("TQDM_DISABLE", "1")
        with patch.context() as cut, pytest.raises(Interrupt):
            cut.setattr(runs, "log", interrupted)
            training.train(run)
        files = {path.name: path.read_bytes() for path in run.folder.iterdir()}
        codec = training.compiled_codec(run, 8)
        first = [keras.ops.convert_to_numpy(weight) for weight in codec.weights]
        yield run, files, codec, first


CHECKPOINTS = {
    "empty": (lambda whole: b"", "is damaged"),
    "cut": (lambda whole: whole[:5000], "is damaged"),
    "cut at the end": (lambda whole: whole[:-1], "is damaged"),
    "zeros": (lambda whole: bytes(len(whole)), "is damaged"),
    "a bit": (lambda whole: whole[:9999] + bytes([whole[9999] ^ 1]) + whole[10000:], "is damaged"),
    "something else": (lambda whole: b"version https://git-lfs.github.com/spec/v1\n", "is damaged"),
    "one array": (lambda whole: npy(), "is damaged"),
    "of another network": (lambda whole: changed(whole, {"3": np.zeros((2, 2))}), "array 3 is .2, 2., and the network"),
    "without an array": (lambda whole: changed(whole, {"3": None}), "array 3 is missing, and the network's has"),
    "without its state": (lambda whole: changed(whole, {"state": None}), "its state is no state of a run"),
    "of another run": (lambda whole: state(whole, run="another"), "it is that of another[.]"),
    "a part": (lambda whole: state(whole, rows=[]), "it is a part of one"),
    "of more epochs": (lambda whole: state(whole, epoch=3, rows=[{}] * 6), "it is a part of one"),
    "words for numbers": (lambda whole: state(whole, epoch="one"), "it is a part of one"),
    "words for seconds": (lambda whole: state(whole, seconds="x"), "its state is no state of a run"),
    "without its images": (lambda whole: state(whole, origin=None), "its state is no state of a run"),
    "another status": (lambda whole: state(whole, status="done"), "it is a part of one"),
    "other rows": (lambda whole: state(whole, rows=[{}, {}]), "it is a part of one"),
}


def npy():
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


def changed(whole, changes):
    with np.load(io.BytesIO(whole)) as arrays:
        arrays = {name: arrays[name] for name in arrays.files} | changes
    content = io.BytesIO()
    np.savez(content, **{name: array for name, array in arrays.items() if array is not None})
    return content.getvalue()


def state(whole, **changes):
    with np.load(io.BytesIO(whole)) as arrays:
        return changed(whole, {"state": np.array(json.dumps(json.loads(str(arrays["state"])) | changes))})


def resumed(cut_off, changes):
    """The recorder of a run that was cut off, taken up with other files, and its codec."""
    run, files, codec, first = cut_off
    run.folder.mkdir(parents=True)
    for name, content in (files | changes).items():
        (run.folder / name).write_bytes(content)
    for weight, value in zip(codec.weights, first, strict=True):
        weight.assign(value)
    recorder = training.Recorder(run, data.load(run.data), 8)
    recorder.resume(codec)
    return recorder, first


def test_a_run_is_taken_up_after_its_last_whole_epoch(cut_off, capsys):
    recorder, first = resumed(cut_off, {})
    assert (recorder.epoch, len(recorder.rows)) == (1, 2) and capsys.readouterr().out == ""
    assert any((keras.ops.convert_to_numpy(w) != f).any() for w, f in zip(recorder.model.weights, first, strict=True))


@pytest.mark.parametrize(("damage", "words"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_run_whose_checkpoint_is_damaged_starts_over_and_says_so(damage, words, cut_off, capsys):
    recorder, first = resumed(cut_off, {"checkpoint.npz": damage(cut_off[1]["checkpoint.npz"])})
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{recorder.run.id}: the checkpoint cannot be used, so the run starts over: ")
    assert re.search(words, said), said
    assert (recorder.epoch, recorder.rows, recorder.status) == (0, [], "running")
    for weight, value in zip(recorder.model.weights, first, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
    assert runs.read_manifest(recorder.run)["epochs_done"] == 0


@pytest.mark.parametrize("manifest", [b"", b'{"run": "photo', b"\0" * 500, b"[]"])
def test_a_run_whose_manifest_is_damaged_goes_on_from_its_checkpoint(manifest, cut_off, capsys):
    recorder, _ = resumed(cut_off, {"manifest.json": manifest})
    assert capsys.readouterr().out == f"{recorder.run.id}: manifest.json is damaged and is written anew.\n"
    assert recorder.epoch == 1
    manifest = runs.read_manifest(recorder.run)
    assert manifest["epochs_done"] == 1 and manifest["commit"] == json.loads(cut_off[1]["manifest.json"])["commit"]


def test_a_run_ends_alike_whatever_was_damaged_and_leaves_nothing(cut_off, tmp_path, monkeypatch):
    run, files, *_ = cut_off
    run.folder.mkdir(parents=True)
    for name, content in (
        files | {"checkpoint.npz": b"", "manifest.json": b"", ".history.csv.x.part": b"half"}
    ).items():
        (run.folder / name).write_bytes(content)
    training.train(run)
    over = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert over.keys() == {"manifest.json", "weights.npz", "images.csv", "history.csv", "log.txt", "lock"}
    for key, name in tables.DIGESTED.items():
        assert runs.read_manifest(run)[key] == runs.digest(over[name])
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / "whole"))
    training.train(run)
    for name in ("history.csv", "images.csv", "weights.npz"):
        assert (run.folder / name).read_bytes() == over[name]


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: whole[:-9], lambda whole: changed(whole, {"0": None})]
)
def test_weights_that_are_damaged_are_named_with_the_remedy(damage, finished):
    path = finished.folder / "weights.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(StudyError, match="weights.npz is damaged|array 0 is missing") as error:
        training.trained_codec(finished)
    assert "Remove it and call study.training.train(run) to make it again." in str(error.value)
    path.write_bytes(whole)
    training.trained_codec(finished)


def interrupt(monkeypatch, run, epoch):
    """Trains a run up to the end of an epoch, where it is cut off."""
    log = runs.log

    def interrupted(logged, line):
        log(logged, line)
        if f"epoch {epoch}/" in line:
            raise Interrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupt):
        patch.setattr(runs, "log", interrupted)
        training.train(run)


def test_a_run_whose_pictures_changed_is_not_gone_on_with(run, monkeypatch, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{i}.png")
    run = replace(run, data=f"folder:{pictures}", train_size=8, width=1 / 32, epochs=2)
    interrupt(monkeypatch, run, epoch=1)
    began = runs.read_manifest(run)["fingerprint"]
    assert began == data.load(run.data).fingerprint()

    def files():
        return {path.name: path.read_bytes() for path in run.folder.iterdir()}

    before = files()
    first = (pictures / "0.png").read_bytes()
    Image.new("RGB", (64, 64)).save(pictures / "0.png")
    data._load.cache_clear()
    found = data.load(run.data).fingerprint()
    with pytest.raises(StudyError) as error:
        training.train(run)
    assert str(error.value) == (
        f"The images of data={run.data!r} changed since run {run.id} began: their fingerprint is {found}, expected "
        f"{began}. Put the images of then back, or remove {run.folder} to train the run from its start on those of now."
    )
    assert files() == before
    (pictures / "0.png").write_bytes(first)  # with another date: what counts is the pixels
    data._load.cache_clear()
    training.train(run)
    assert runs.finished(run) and runs.read_manifest(run)["fingerprint"] == began
    data._load.cache_clear()


def test_no_data_set_may_change_under_a_run(run, monkeypatch):
    run = replace(run, epochs=2)
    interrupt(monkeypatch, run, epoch=1)
    photographs = data.load("photographs")
    other = replace(photographs, train=photographs.train[::-1])
    monkeypatch.setattr(data, "load", lambda name: other)
    with pytest.raises(StudyError, match=f"data='photographs' changed since run {run.id} began"):
        training.train(run)


def test_the_commit_is_that_of_the_start(run, monkeypatch):
    """Whatever HEAD is in the end, and when a run that was cut off is taken up again."""
    run = replace(run, epochs=3)
    commits = iter(["start"])
    monkeypatch.setattr(runs, "commit", lambda: next(commits, "moved"))
    interrupt(monkeypatch, run, epoch=2)
    assert runs.commit() == "moved"
    assert runs.read_manifest(run)["commit"] == "start"
    training.train(run)
    manifest = runs.read_manifest(run)
    assert (manifest["commit"], manifest["epochs_done"]) == ("start", 3) and runs.finished(run)


# Statuses


def test_a_network_that_answers_one_image_has_collapsed(run):
    assert training.train(replace(run, learning_rate=0.0)) == "collapsed"


def test_a_loss_that_is_not_a_number_ends_the_run_as_diverged(run, monkeypatch):
    nowhere = lambda images, reconstructions: keras.ops.mean(reconstructions) * float("nan")  # noqa: E731
    monkeypatch.setattr(training.losses, "loss", lambda name: nowhere)
    run = replace(run, epochs=3)
    assert training.train(run) == "diverged"
    manifest = runs.read_manifest(run)
    assert (manifest["status"], manifest["epochs_done"]) == ("diverged", 1)
    assert sound_when_collected(run, monkeypatch)


def sound_when_collected(run, monkeypatch):
    """Whether the check agrees with the run's status, in the tables of a grid that has this run alone."""
    with monkeypatch.context() as patch:
        patch.setattr(runs, "plan", lambda *_, **__: [run])
        tables.collect("smoke")
        return check.problems("smoke") == []


def test_weights_that_are_lost_in_the_last_step_are_diverged(run, monkeypatch):
    """The loss of that step is a number still: only its slope is none."""

    def sloped(images, reconstructions):
        nothing = keras.ops.mean(reconstructions - keras.ops.stop_gradient(reconstructions))
        return keras.ops.sqrt(nothing) + 1.0  # 1, with a slope of infinity times 0

    monkeypatch.setattr(training.losses, "loss", lambda name: sloped)
    run = replace(run, batch_size=64)  # one step
    assert training.train(run) == "diverged"
    assert "loss 1.0000" in (run.folder / "log.txt").read_text()
    assert history_of(run).psnr.isna().tolist() == [True]
    assert runs.read_manifest(run)["epochs_done"] == 1
    assert sound_when_collected(run, monkeypatch)
    assert tables.read("smoke", "runs").status.item() == "diverged"


def test_training_lowers_its_loss_and_is_done(run, monkeypatch):
    learned = replace(run, loss="l2", learning_rate=0.01, epochs=6, train_size=512)
    assert training.train(learned) == "done"
    validation = history_of(learned)
    assert validation.psnr.iloc[-1] > validation.psnr.iloc[0]
    assert validation.step.tolist() == [512 // run.batch_size * epoch for epoch in range(1, 7)]
    assert sound_when_collected(learned, monkeypatch)


# Steps and the optimizer


def test_equal_steps_are_shared_out_to_epochs_whatever_the_batch_size(run):
    run = replace(run, steps=12, epochs=3)  # an epoch of 4 steps shows 32 of the 64 images
    training.train(run)
    history = history_of(run)
    assert history.step.tolist() == [4, 8, 12] and history.images_seen.tolist() == [32, 64, 96]
    with pytest.raises(StudyError, match="steps=10 cannot be shared out evenly to epochs=3; choose a multiple"):
        training.train(replace(run, steps=10))


def optimizer(run, steps=100, **changes):
    return training.compiled_codec(replace(run, **changes), steps).optimizer


def plain(made, rate, **options):
    """Whether this is Keras' Adam, but for its name."""
    expected = keras.optimizers.Adam(rate, **options).get_config() | {"name": made.name}
    return type(made) is keras.optimizers.Adam and made.get_config() == expected


def test_the_reports_way_is_plain_adam_at_one_rate(run):
    assert plain(optimizer(run, **REPORT_WAY), 0.01)
    assert plain(optimizer(run, **REPORT_WAY, learning_rate=0.003), 0.003)


def test_each_part_of_the_recipe_is_the_optimizers(run):
    constant = OUR_WAY | {"schedule": "constant"}
    assert plain(optimizer(run, **constant), 0.01, beta_2=0.98, global_clipnorm=1.0)
    assert plain(optimizer(run, **constant | {"clip_norm": 0.0}), 0.01, beta_2=0.98)
    assert plain(optimizer(run, **constant | {"clip_norm": 0.5, "beta_2": 0.9}), 0.01, beta_2=0.9, global_clipnorm=0.5)
    with pytest.raises(StudyError, match="schedule='linear' is not known; expected cosine or constant"):
        optimizer(run, schedule="linear")


@pytest.mark.parametrize(("warm_up", "risen"), [(0.05, 15), (0.0, 0), (0.5, 150)])
def test_the_rate_rises_in_the_first_steps_and_falls_along_a_cosine(run, warm_up, risen):
    """Over all of a run's epochs, from nothing to the peak and to nothing again."""
    made = optimizer(run, steps=100, epochs=3, warm_up=warm_up, learning_rate=0.02)
    steps = np.arange(301)
    falls = 0.01 * (1 + np.cos(np.pi * (steps - risen) / (300 - risen)))
    expected = np.where(steps < risen, 0.02 * steps / max(risen, 1), falls)
    schedule = made.get_config()["learning_rate"]["config"]
    rates = keras.optimizers.schedules.CosineDecay(**schedule)
    found = [float(rates(step)) for step in steps]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert float(made.learning_rate) == pytest.approx(expected[0])


def test_steps_are_those_of_plain_adam(run):
    """Three batches by hand, beside what `train` leaves: without warm-up and clipping nothing else is at work."""
    run = replace(run, **REPORT_WAY, loss="l2", batch_size=16, train_size=48)
    training.train(run)
    codec = training.compiled_codec(run, 3)
    codec.compile(keras.optimizers.Adam(run.learning_rate), loss="mean_squared_error")
    batches = data.Batches(data.load(run.data).train, 48, 16, run.seed)
    for step in range(3):
        images, _ = batches[step]
        codec.train_on_batch(images, images[:, None])
    for variable, trained in zip(codec.weights, training.trained_codec(run).weights, strict=True):
        found, expected = (keras.ops.convert_to_numpy(weight) for weight in (trained, variable))
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=variable.path)


def test_a_run_without_warm_up_and_clipping_trains(run):
    run = replace(run, warm_up=0.0, clip_norm=0.0)
    assert run.schedule == "cosine"
    training.train(run)
    assert history_of(run).psnr.notna().all()


# What a run leaves


def test_a_finished_run_hands_its_codec_on(finished):
    images = data.load(finished.data).validation
    scores = evaluation.score(images, evaluation.reconstruct(training.trained_codec(finished), images))
    history = history_of(finished)
    np.testing.assert_allclose(scores.groupby("bpp").psnr.mean(), history.psnr, atol=1e-3)
    per_image = pd.read_csv(finished.folder / "images.csv")
    np.testing.assert_allclose(per_image.psnr, scores.psnr, rtol=1e-4)


def test_a_manifest_says_where_its_numbers_come_from(finished):
    manifest = runs.read_manifest(finished)
    assert runs.of_manifest(finished.folder / "manifest.json") == finished
    assert manifest["fingerprint"] == data.load(finished.data).fingerprint()
    assert manifest["history"] == runs.digest((finished.folder / "history.csv").read_bytes())
    assert manifest["parameters"] == training.trained_codec(finished).count_params()
    assert (manifest["policy"], manifest["backend"]) == ("float32", keras.backend.backend())
    assert manifest["machine"] == runs.machine() != ""
    assert manifest["keras"] == keras.__version__ and manifest["device"] == training.device()
    assert set(tables.RUNS) <= set(manifest) | {"preset", "studies", "images_a_second"}
    assert set(history_of(finished).bpp) == set(history_of(finished, "training").bpp) == {0.125, 0.25}
    (line,) = (finished.folder / "log.txt").read_text().splitlines()
    assert f"{finished.id}  epoch 1/1" in line and str(os.getpid()) in line


def test_every_parameter_of_the_network_reaches_it(run):
    def codec(**changes):
        return training.compiled_codec(replace(run, **changes), steps=1)

    def spread(layer, **changes):
        found = codec(**changes)
        kernel = {"binarizer": found.binarizer.convolution, "output": found.output_conv}[layer].kernel
        return np.std(keras.ops.convert_to_numpy(kernel))

    for layer, gain in (("binarizer", "binarizer_gain"), ("output", "output_gain")):
        assert spread(layer, **{gain: 4.0}) / spread(layer, **{gain: 1.0}) == pytest.approx(4, rel=1e-5)
    assert spread("output", seed=1) != spread("output", seed=0)
    made = codec(iterations=3, reconstruction="one_shot", width=1 / 8, priming=2)
    assert (made.iterations, made.priming, made.additive, made.encoder_conv.filters) == (3, 2, False, 8)
    assert isinstance(made.activation, keras.layers.LeakyReLU)
    assert isinstance(codec(activation="linear").activation, keras.layers.Identity)
    assert [type(cell).__name__ for cell in codec(cell="residual_gru").encoder_cells] == ["ResidualConvGRU"] * 3
    assert codec(precision="mixed_bfloat16").dtype_policy.name == "mixed_bfloat16"


def test_priming_trains_the_memory_of_one_pass(run):
    """In one pass without it the weights of later passes meet nothing and are left out."""
    one, primed, two = (
        len(training.compiled_codec(replace(run, **changes), 1).trainable_variables)
        for changes in ({}, {"priming": 1}, {"iterations": 2})
    )
    assert one < primed == two


def test_the_data_that_a_run_sees_are_its_own(run):
    flips = {"train_size": 4 * 3259, "batch_size": 4 * 3259, "augmentation": "flip"}
    images = data.load("photographs")
    batches = training._batches(replace(run, **flips, seed=3), images, first_step=7)
    assert (batches.augmentation, batches.seed, batches.first_step, batches.steps) == ("flip", 3, 7, 1)


def test_weights_that_are_not_here_are_asked_for_with_the_remedy(run):
    with pytest.raises(StudyError, match=rf"{run.id} are not on this machine.*training.train"):
        training.trained_codec(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_size": 50_000}, "train_size=50000 needs 50,000 images; the data have"),
        ({"batch_size": 128}, "batch_size=128 does not fit train_size=64"),
        ({"loss": "psnr"}, "There is no loss 'psnr'; choose one of ms_ssim, report, l1"),
        ({"steps": 7, "epochs": 2}, "steps=7 cannot be shared out evenly to epochs=2"),
        ({"data": "kodak"}, "data='kodak' is not a data set"),
        ({"schedule": "linear"}, "schedule='linear' is not known; expected cosine or constant"),
        ({"cell": "rnn"}, "cell='rnn' is not known"),
        ({"precision": "auto"}, "policy='auto' is not known; expected one of float32"),
        ({"augmentation": "blur"}, "augmentation='blur' is not known; expected one of rotation, flip"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(run, change, message, tmp_path):
    with pytest.raises(StudyError, match=message):
        training.train(replace(run, **change))
    assert not list(tmp_path.iterdir())


def test_the_mean_image_scores_as_numpy_says():
    images = data.load("photographs")
    mean = np.round(images.train.mean(axis=0))
    squares = ((images.validation - mean) ** 2).mean(axis=(1, 2, 3))
    expected = (10 * np.log10(255**2 / squares)).mean()
    assert evaluation.mean_image_score(images, images.validation).psnr.mean() == pytest.approx(expected, abs=1e-4)
