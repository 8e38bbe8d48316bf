"""Run ids, plans and atomic writes."""

from dataclasses import replace

import numpy as np
import pytest

from study.experiments import runs, studies
from study.experiments.presets import PRESETS


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))


def test_equal_parameters_give_one_id_and_any_changed_one_another():
    run = runs.plan("smoke", "batch_size")[0]
    assert replace(run).id == run.id
    other = {"study": "train_size", "data": "excerpt", "loss": "l1", "cell": "gru", "reconstruction": "one_shot"}
    other |= {"activation": "linear", "protocol": "equal_steps", "precision": "auto"}
    other |= {"schedule": "constant", "augmentation": "flip"}
    for name in runs.PARAMETERS:
        changed = replace(run, **{name: other.get(name) or getattr(run, name) + 1})
        assert changed.id != run.id, name


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_has_each_setting_with_each_seed_once(preset):
    grid = PRESETS[preset]
    batch_sizes = runs.plan(preset, "batch_size")
    assert [(run.batch_size, run.seed) for run in batch_sizes] == [(n, s) for n in grid.batch_sizes for s in grid.seeds]
    planned = runs.plan(preset)
    protocols = 1 + bool(grid.equal_steps)
    often = protocols * len(grid.batch_sizes) + len(grid.train_sizes) + 2 * grid.controls + len(grid.recipes)
    often += len(grid.codecs)
    scaled = grid.scaled_rates * (len(grid.batch_sizes) - 1)
    seldom = scaled + len(grid.losses) + 2 * len(grid.passes) + len(grid.residual_ns) + len(grid.precisions)
    seldom += len(grid.cells) * len(grid.reconstructions) + len(grid.codec_recipes) + len(grid.parts)
    seldom += len(grid.lstm_gains) + 2 * len(grid.primings)
    expected = often * len(grid.seeds) + seldom * len(grid.few_seeds) + len(studies.COLLAPSE) * len(grid.many_seeds)
    assert len({run.id for run in planned}) == len(planned) == expected


def test_runs_of_one_study_see_as_many_images_or_take_as_many_steps():
    steps = runs.plan("excerpt", "equal_steps")
    assert {run.steps for run in steps} == {600} and {run.protocol for run in steps} == {"equal_steps"}
    controls = runs.plan("excerpt", "train_control")
    largest = runs.plan("excerpt", "train_size", train_size=[37812])
    assert {run.epochs * run.train_size for run in controls} == {run.epochs * run.train_size for run in largest}
    scaled = runs.plan("excerpt", "scaled_rate")
    assert all(run.learning_rate**2 * 128 == pytest.approx(0.01**2 * run.batch_size, rel=1e-3) for run in scaled)


def test_first_runs_keep_their_names():
    assert runs.plan("excerpt", "batch_size")[0].id == "32-seed-0-256fe903"


def test_a_plan_can_be_narrowed_to_values_of_the_grid_only():
    first = PRESETS["smoke"].batch_sizes[0]
    assert [run.batch_size for run in runs.plan("smoke", "batch_size", batch_size=[first], seed=[])] == [first]
    with pytest.raises(ValueError, match=r"batch_size=\[7\] is not in the grid of preset 'smoke'.*choose"):
        runs.plan("smoke", "batch_size", batch_size=[7])


@pytest.mark.parametrize(("preset", "study"), [("tiny", "batch_size"), ("smoke", "colour")])
def test_unknown_names_are_refused_with_the_known_ones(preset, study):
    with pytest.raises(ValueError, match="choose one of smoke|choose among batch_size"):
        runs.plan(preset, study)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    runs.write(path, b"old")
    monkeypatch.setattr(runs.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        runs.write(path, b"new")
    assert path.read_bytes() == b"old"


def test_arrays_come_back_without_pickles(tmp_path):
    arrays = {"a": np.arange(3.0), "b": np.array("text")}
    runs.write_arrays(tmp_path / "x.npz", arrays)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        assert loaded["a"].tolist() == [0, 1, 2] and str(loaded["b"]) == "text"
