"""What a preset would take: counted without Keras, and held against the network, its data and what was published."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from study import architecture, training
from study.experiments import runs
from study.experiments.presets import PRESETS
from study.grid import plan
from study.ground import paths
from study.ground.errors import StudyError
from study.model import build_codec

FULL_GATES = 4 / 3  # an LSTM's first pass needs three of its four gates


def test_multiplications_are_those_that_are_known_at_full_width():
    first, later = architecture.multiplications("lstm", 1.0)
    assert later == pytest.approx(718e6, rel=1e-3)
    assert first * FULL_GATES == pytest.approx(357e6, rel=2e-3)
    with pytest.raises(StudyError, match="cell='rnn' is not known; expected one of lstm, gru"):
        architecture.multiplications("rnn", 1.0)


@pytest.mark.parametrize("reconstruction", ["additive", "residual_scaling"])
@pytest.mark.parametrize("cell", architecture.CELLS)
def test_parameters_are_those_of_the_network(cell, reconstruction):
    codec = build_codec(cell, width=1 / 8, reconstruction=reconstruction)
    everything = codec.count_params()
    codec.train_one_pass_only()
    trained = sum(int(np.prod(weight.shape)) for weight in codec.trainable_variables)
    parameters = architecture.parameters
    assert parameters(cell, 1 / 8, 1, reconstruction) == (everything, trained)
    assert parameters(cell, 1 / 8, 2, reconstruction) == (everything, everything)
    assert parameters("lstm", 1.0, 1)[0] == 30_225_283 and parameters("gru", 1.0, 1)[0] == 22_677_763


def test_bytes_are_those_of_a_run_folder(output, monkeypatch):
    run = replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64)
    checkpoints = []
    with monkeypatch.context() as patched:
        patched.setattr(
            training.Recorder, "finish", lambda recorder: checkpoints.append(recorder.checkpoint.stat().st_size)
        )
        training.train(run)
    training.train(run)
    finished, checkpoint = plan.folder_bytes(run)
    found = sum(file.stat().st_size for file in run.folder.iterdir())
    assert found == pytest.approx(finished, rel=0.1) and checkpoints[0] == pytest.approx(checkpoint, rel=0.1)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_plan(preset):
    planned = runs.plan(preset)
    assert "Hours are estimates" in plan.text(preset, planned)
    for (
        run
    ) in planned:  # a job has one of the two cores; whole minutes, three times the estimate and what starting takes
        on_a_core = 2 * 60 * plan.cores_hours(run, plan.measured_rates())
        assert plan.job_minutes(run, gpu=False) == pytest.approx(15 + 3 * on_a_core, abs=0.5)
        assert plan.job_minutes(run, gpu=True) == pytest.approx(15 + 3 * 60 * plan.t4_hours(run), abs=0.5)


@pytest.mark.parametrize("preset", PRESETS)
def test_memory_is_that_of_the_engine_the_weights_and_the_maps(preset):
    """A machine that is lent by the job has it, and a larger batch or network or more passes take more."""
    for run in runs.plan(preset):
        weights = 4 * architecture.parameters(run.cell, run.width, run.iterations)[1] / 1e6
        # Weights, gradients and Adam's two: four times the trained ones; TensorFlow with its data takes 2 to 3 GB.
        assert 4000 + 4 * weights < plan.memory_mb(run) < 64_000
        for more in ({"batch_size": 2 * run.batch_size}, {"width": 2 * run.width}, {"iterations": 2 * run.iterations}):
            assert plan.memory_mb(replace(run, **more)) > plan.memory_mb(run)


def test_a_folder_of_pictures_has_a_plan(output):
    for name in "abc":
        Image.new("RGB", (64, 96)).save(output / f"{name}.png")
    run = replace(runs.plan("smoke", "batch_size")[0], data=f"folder:{output}", epochs=2, train_size=12)
    first, _ = architecture.multiplications("lstm", run.width)
    # Six tiles of the last picture are scored, and as many of the twelve of the others.
    assert plan.operations(run) == 2 * first * (3 * 2 * 12 + 2 * (6 + 6))
    assert plan.folder_bytes(run)[0] - 4 * architecture.parameters("lstm", run.width, 1)[0] == 100 * (2 * 2 + 6)
    with pytest.raises(StudyError, match="There is no folder /nowhere"):
        plan.operations(replace(run, data="folder:/nowhere"))


def test_operations_count_training_three_times_and_both_scored_splits_once():
    """Of 20,000 validation images, and 2,000 training images at most."""
    run = replace(runs.plan("report", "batch_size")[0], epochs=2, train_size=1000)
    first, later = architecture.multiplications("lstm", 1.0)
    assert plan.operations(run) == 2 * first * (3 * 2 * 1000 + 2 * (20_000 + 2_000))
    passes = replace(run, iterations=3)
    assert plan.operations(passes) == plan.operations(run) / first * (first + 2 * later)
    assert plan.operations(replace(passes, priming=2)) == plan.operations(replace(passes, iterations=5))
    steps = replace(run, steps=10, batch_size=50)
    assert plan.operations(steps) == 2 * first * (3 * 10 * 50 + 2 * (20_000 + 2_000))


def test_hours_of_a_t4_follow_from_its_rates():
    run = runs.plan("report", "batch_size")[0]
    seconds = plan.operations(run) / (8.1e12 * 0.4)  # NVIDIA's data sheet, and the share that is assumed
    assert plan.t4_hours(run) == pytest.approx(seconds / 3600)
    half = plan.operations(run) / (65e12 * 0.2) / 3600
    assert plan.t4_hours(replace(run, precision="mixed_float16")) == pytest.approx(half)
    assert plan.t4_hours(run, "mixed_float16") == pytest.approx(half)
    assert plan.t4_hours(replace(run, precision="mixed_bfloat16")) == plan.t4_hours(run)  # for which it has no units


def test_two_cores_are_as_fast_as_they_were_measured():
    run = replace(runs.plan("report", "batch_size")[0], epochs=1, train_size=1_000_000)
    trained = 3 * run.train_size / (3 * run.train_size + 20_000 + 2_000)  # the share of training, the rest is scoring
    assert run.train_size / (3600 * trained * plan.cores_hours(run, plan.measured_rates())) == pytest.approx(
        120, rel=0.1
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_that_two_studies_ask_for_is_counted_once(preset):
    planned = runs.plan(preset)
    table = plan.table(preset, planned)
    assert table.seeds.sum() == len({run.id for run in planned}) == len(planned)
    assert table["images x passes"].sum() == sum(run.images_seen * run.iterations for run in planned)
    assert table.PFLOP.sum() == pytest.approx(sum(map(plan.operations, planned)) / 1e15)
    settings = list(zip(table.study, table.setting, strict=True))
    assert len(set(settings)) == len(settings)


def test_a_shared_run_stands_under_the_first_of_its_studies():
    table = plan.table("smoke", runs.plan("smoke"))
    rows = table[["study", "setting", "seeds", "images x passes"]].values.tolist()
    assert rows == [
        ["batch_size", "batch size 8", 1, 6 * 512],  # also the training set of 512 and the loss MS-SSIM
        ["batch_size", "batch size 16", 1, 6 * 512],
        ["train_size", "train size 256", 1, 6 * 256],
        ["loss", "loss l1, binarizer gain 300, schedule cosine", 1, 6 * 512],
        ["loss", "loss l1, binarizer gain 1, schedule constant", 1, 6 * 512],
    ]


def test_the_report_is_planned_without_data_keras_or_a_gpu(tmp_path):
    code = (
        "import sys; from study.__main__ import main; main(['plan', '--preset', 'report']); "
        "print({'keras', 'tensorflow', 'jax', 'torch'} & sys.modules.keys())"
    )
    environment = {"STUDY_OUTPUT": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, modules = done.stdout.splitlines()
    assert modules == "set()" and not list(tmp_path.iterdir())
    found = {tuple(line.split()[:5]) for line in lines}
    assert {("batch_size", "batch", "size", str(n), "5") for n in (32, 64, 128, 512, 1024)} <= found
    assert {("train_size", "train", "size", str(n), "5") for n in (50_000, 200_000, 300_000, 400_000)} <= found
    # Five seeds of five batch sizes and of the four other training sets; three of eight ways with a loss, of which
    # MS-SSIM in our way is the batch size 128 of before. 15 epochs each.
    images = 15 * (25 * 100_000 + 5 * (50_000 + 200_000 + 300_000 + 400_000) + 3 * 7 * 100_000)
    assert f"report: 66 runs, 0 finished, 66 to train; {images:,} images x passes" in lines
