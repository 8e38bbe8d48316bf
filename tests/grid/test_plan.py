"""What a preset would take: counted without Keras, and held against the network, its data and what was published."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from study import data, training
from study.experiments import runs
from study.experiments.presets import PRESETS
from study.grid import plan
from study.ground import paths
from study.model import CELLS, build_codec

FULL_GATES = 4 / 3  # an LSTM's first pass needs three of its four gates


def test_multiplications_are_those_that_are_known_at_full_width():
    first, later = plan.multiplications("lstm", 1.0)
    assert later == pytest.approx(718e6, rel=1e-3)
    assert first * FULL_GATES == pytest.approx(357e6, rel=2e-3)
    with pytest.raises(ValueError, match="cell='rnn' is not counted; expected one of lstm, gru"):
        plan.multiplications("rnn", 1.0)


@pytest.mark.parametrize("reconstruction", ["additive", "residual_scaling"])
@pytest.mark.parametrize("cell", CELLS)
def test_parameters_are_those_of_the_network(cell, reconstruction):
    codec = build_codec(cell, width=1 / 8, reconstruction=reconstruction)
    everything = codec.count_params()
    codec.train_one_pass_only()
    trained = sum(int(np.prod(weight.shape)) for weight in codec.trainable_variables)
    assert plan.parameters(cell, 1 / 8, 1, reconstruction) == (everything, trained)
    assert plan.parameters(cell, 1 / 8, 2, reconstruction) == (everything, everything)
    assert plan.parameters("lstm", 1.0, 1)[0] == 30_225_283 and plan.parameters("gru", 1.0, 1)[0] == 22_677_763


def test_bytes_are_those_of_a_run_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    run = replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64)
    checkpoints = []
    monkeypatch.setattr(
        training.Recorder, "finish", lambda recorder: checkpoints.append(recorder.checkpoint.stat().st_size)
    )
    training.train(run)
    monkeypatch.undo()
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    training.train(run)
    finished, checkpoint = plan.folder_bytes(run)
    found = sum(file.stat().st_size for file in run.folder.iterdir())
    assert found == pytest.approx(finished, rel=0.1) and checkpoints[0] == pytest.approx(checkpoint, rel=0.1)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_plan(preset):
    planned = runs.plan(preset)
    assert "Hours are estimates" in plan.text(planned)
    assert all(4000 < plan.memory_mb(run) < 64_000 for run in planned)
    for run in planned:  # a job has one of the two cores; whole minutes
        assert plan.job_minutes(run, gpu=False) > 14 + 2 * 60 * plan.cores_hours(run, plan.measured_rates())
        assert plan.job_minutes(run, gpu=True) > 14 + 60 * plan.t4_hours(run)


def test_an_associative_lstm_costs_more_in_the_decoder_alone():
    """A complex gate is as many channels as a real one of an LSTM: nine halves for four, in four of seven cells."""
    lstm, associative = (plan.multiplications(cell, 1.0)[1] for cell in ("lstm", "associative_lstm"))
    decoder = sum(
        4 * kernel**2 * depth * n * side**2 + 4 * hidden**2 * n**2 * side**2
        for kernel, depth, n, side, hidden in (
            (2, 512, 512, 2, 1),
            (3, 128, 512, 4, 1),
            (3, 128, 256, 8, 3),
            (3, 64, 128, 16, 3),
        )
    )  # T17, fig. 1
    assert associative - lstm == decoder / 8


def test_validation_images_are_as_many_as_the_data_have():
    assert len(data.load("photographs").validation) == plan.VALIDATION["photographs"]


def test_operations_count_training_three_times_and_both_scored_splits_once():
    run = replace(runs.plan("report", "batch_size")[0], epochs=2, train_size=1000)
    first, later = plan.multiplications("lstm", 1.0)
    assert plan.operations(run) == 2 * first * (3 * 2 * 1000 + 2 * 2 * 20_000)
    assert plan.operations(replace(run, iterations=3)) == plan.operations(run) / first * (first + 2 * later)
    seconds = plan.operations(run) / (8.1e12 * plan.T4["float32"][1])
    assert plan.t4_hours(run) == pytest.approx(seconds / 3600)


def test_two_cores_are_as_fast_as_they_were_measured():
    run = replace(runs.plan("report", "batch_size")[0], epochs=1, train_size=1_000_000)
    trained = 3 * run.train_size / (3 * run.train_size + 2 * 20_000)  # the share of training, the rest is scoring
    assert run.train_size / (3600 * trained * plan.cores_hours(run, plan.measured_rates())) == pytest.approx(
        120, rel=0.1
    )


def test_the_report_is_planned_without_data_keras_or_a_gpu(tmp_path):
    code = (
        "import sys; from study.__main__ import main; main(['plan', '--preset', 'report']); "
        "print({'keras', 'tensorflow', 'jax', 'torch'} & sys.modules.keys())"
    )
    environment = {"STUDY_OUTPUT": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, modules = done.stdout.splitlines()
    assert modules == "set()"
    found = {tuple(line.split()[:3]) for line in lines}
    assert {("batch_size", str(n), "5") for n in (32, 64, 128, 512, 1024)} <= found
    assert {("train_size", str(n), "5") for n in (50_000, 100_000, 200_000)} <= found
    assert "report: 74 runs, 0 finished, 74 to train; 152,250,000 images x passes" in lines
