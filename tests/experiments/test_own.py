"""Grids of one's own: what is understood, what is refused before anything is written, and what they are called."""

import json
import multiprocessing

import numpy as np
import pytest

from study import losses
from study.experiments import check, own, presets, runs, studies, tables
from study.ground import paths, recipe
from study.ground.errors import StudyError


def planned(study="batch_size", preset="smoke", **asked):
    return own.planned(preset, study, **asked)


@pytest.mark.parametrize(
    ("key", "given", "meant"),
    [
        ("batch_sizes", 48, [48]),
        ("batch_sizes", "48", [48]),
        ("batch_sizes", "[48, 96]", [48, 96]),
        ("batch_sizes", (48, np.int64(96)), [48, 96]),
        ("seeds", "7, 8", [7, 8]),
        ("seeds", range(3), [0, 1, 2]),
        ("losses", "['l1', log_l2]", ["l1", "log_l2"]),
        ("learning_rates", ["1/500", 1e-05], [0.002, 0.00001]),
        ("width", "3/32", 0.09375),
        ("width", np.float64(0.125), 0.125),
        ("epochs", 3.0, 3),
        ("epochs", "3", 3),
        ("learning_rate", "1e-3", 0.001),
    ],
)
def test_values_are_understood_as_papermill_and_people_write_them(key, given, meant):
    assert own.understood(key, given) == meant


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("epochs", 2.5, "epochs=2.5 is not understood; give a whole number such as 48"),
        ("epochs", True, "epochs=True is not understood"),
        ("epochs", "three", "epochs='three'"),
        ("epochs", [3, 4], "epochs=.*a whole number"),
        ("width", "1/0", "width='1/0'.*3/32"),
        ("width", float("nan"), "width=nan"),
        ("learning_rate", "inf", "learning_rate='inf'"),
        ("batch_sizes", {"a": 1}, "batch_sizes=.*a list of whole numbers such as"),
        ("batch_sizes", "[8, [9]]", "batch_sizes="),
        ("batch_sizes", [8, 8], r"batch_sizes=\[8, 8\] names a value twice"),
        ("seeds", [7, None], "seeds="),
        ("sides", 32, "no parameter 'sides'; choose among batch_sizes"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_form_to_give(key, given, words):
    with pytest.raises(StudyError, match=words):
        own.understood(key, given)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"batch_sizes": [8, 600]}, "batch_size=600 cannot be trained; choose 1 to 512, the number of training images"),
        ({"width": 0.1}, "width=0.1 cannot be trained; choose a multiple of 1/32"),
        ({"width": 0}, "width=0.0"),
        ({"epochs": 0}, "epochs=0 cannot be trained; choose 1 or more"),
        ({"learning_rate": 0}, "learning_rate=0.0 cannot be trained; choose a number above 0"),
        ({"train_size": 10**6}, "train_size=1000000 cannot be trained; choose 1 to .* photographs has"),
        ({"loss": "l3"}, "loss=l3 cannot be trained; choose one of ms_ssim, report"),
        ({"cell": "rnn"}, "rnn.*lstm, gru"),
        ({"passes": 17}, "passes=17 cannot be trained; choose 1 to 16"),
        ({"seeds": [-1]}, "seeds=-1 cannot be trained"),
        ({"data": "cifar11"}, "data='cifar11'.*photographs"),
        ({"batch_size": 48}, "batch_size=48 has no effect on the study batch_size"),
        ({"train_sizes": [300]}, r"train_sizes=\[300\] has no effect"),
        ({"epochs": 2, "name": "excerpt"}, "name='excerpt' cannot name a grid of your own"),
        ({"epochs": 2, "name": "../elsewhere"}, "cannot name"),
        ({"epochs": 2, "name": ""}, "cannot name"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(output, asked, words):
    with pytest.raises(StudyError, match=words):
        planned(**asked)
    assert not list(output.rglob("*"))


def test_cells_of_a_list_are_checked_too(output):
    with pytest.raises(StudyError, match="no cell 'rnn'; choose one of lstm, gru"):
        planned("passes", cells=["gru", "rnn"])
    assert not list(output.rglob("*"))


def test_the_presets_own_values_leave_its_grid_as_it_is(output):
    assert planned() == ("smoke", runs.plan("smoke", "batch_size"))
    everything = runs.plan("smoke", "batch_size")
    assert planned(batch_sizes=[8], epochs=6, width="1/8", seeds=[]) == ("smoke", [everything[0]])
    assert own.planned("excerpt", "batch_size", "equal_steps", seeds=[1, 3])[1] == runs.plan(
        "excerpt", "batch_size", "equal_steps", seed=[1, 3]
    )
    assert not list(output.rglob("grid.json"))


def test_other_values_make_a_grid_that_every_command_knows_by_its_name(output, finish):
    name, found = planned(batch_sizes=[48], seeds=[7, 8], epochs=3)
    assert name == "smoke-batch_sizes-48-seeds-7-8-epochs-3"
    assert [(run.batch_size, run.seed, run.epochs, run.data) for run in found] == [
        (48, 7, 3, "photographs"),
        (48, 8, 3, "photographs"),
    ]
    assert runs.plan(name) == found and runs.studies_of(name) == {run.id: ["batch_size"] for run in found}
    assert [study.name for study in studies.of_preset(name)] == ["batch_size"]
    for run in found:
        finish(run)
    tables.collect(name)
    assert set(tables.read(name, "runs").preset) == {name} and tables.missing(name, found) == []
    assert planned(batch_sizes="48", seeds="7,8", epochs=3)[0] == name  # the same again


def test_what_differs_reaches_every_run(output):
    asked = {"width": "3/32", "learning_rate": 0.002, "loss": "l2", "cell": "gru", "passes": 2, "train_size": 300}
    _, found = planned(**asked)
    assert len(found) == len(runs.plan("smoke", "batch_size"))
    for run in found:
        assert (run.width, run.learning_rate, run.loss, run.cell, run.iterations) == (3 / 32, 0.002, "l2", "gru", 2)
        assert run.train_size == 300 and run.binarizer_gain < recipe.BINARIZER_GAIN  # a GRU's own


def test_a_study_that_the_preset_has_not_gets_one_seed(output):
    name, found = planned("learning_rate", learning_rates=[0.003])
    assert [(run.learning_rate, run.seed) for run in found] == [(0.003, 0)]
    _, found = planned("passes", cells=["residual_gru"], pass_counts=[1, 3])
    assert [(run.cell, run.iterations) for run in found] == [("residual_gru", 1), ("residual_gru", 3)]


def test_losses_are_trained_in_the_ways_that_the_preset_has(output):
    _, found = planned("loss", losses=["log_l2"])
    assert {(run.loss, run.schedule) for run in found} == {("log_l2", "cosine"), ("log_l2", "constant")}


def test_a_grid_of_ones_own_can_be_gone_out_from(output):
    first, _ = planned(epochs=2, name="mine")
    second, found = planned(preset="mine", width="1/16")
    assert second == "mine-width-0.0625" and {(run.epochs, run.width) for run in found} == {(2, 1 / 16)}
    assert presets.preset(second).base == "smoke"
    assert planned(preset="mine") == ("mine", runs.plan("mine"))


def test_a_second_notebook_adds_its_study_to_the_same_grid(output):
    planned("batch_size", epochs=2, name="mine")
    planned("train_size", epochs=2, name="mine")
    assert json.loads(paths.own_grid("mine").read_text())["studies"] == ["batch_size", "train_size"]
    assert {run.epochs for run in runs.plan("mine")} == {2}


def test_a_name_stands_for_one_grid(output):
    planned(epochs=2, name="mine")
    with pytest.raises(StudyError, match="'mine' stands for another grid: smoke with {'epochs': 2}, not smoke with"):
        planned(epochs=3, name="mine")
    with pytest.raises(StudyError, match="no preset 'yours'; choose one of smoke, .* or a grid of your own: mine"):
        planned(preset="yours")


def test_long_names_are_cut_and_stay_different(output):
    names = {planned(batch_sizes=list(range(first, 60)))[0] for first in (1, 2)}
    assert len(names) == 2 and max(map(len, names)) < 80


def _plan_study(study):
    return own.planned("smoke", study, epochs=2, name="mine")[0]


def test_two_notebooks_that_make_a_grid_at_once_lose_nothing(output):
    asked = ["batch_size", "train_size", "loss"]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_plan_study, asked) == ["mine"] * 3
    assert sorted(json.loads(paths.own_grid("mine").read_text())["studies"]) == sorted(asked)


def test_tables_of_a_grid_of_ones_own_are_checked_like_others(output, finish):
    name, found = planned(epochs=1, seeds=[4])
    for run in found:
        finish(run)
    tables.collect(name)
    history = tables.read(name, "history")
    assert set(history.preset) == {name}
    tables.write(name, "history", history.assign(epochs=2))
    assert any("epochs is [2] in history.csv" in problem for problem in check.problems(name))


def test_the_losses_that_may_be_asked_for_are_those_there_are():
    assert set(recipe.LOSSES) == set(losses.LOSSES)
