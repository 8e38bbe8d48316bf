"""Runs: what they are named by, which of them a preset plans, and at which commit they were trained."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from study.experiments import runs, tables
from study.experiments.presets import PRESETS, PUBLISHED
from study.experiments.studies import STUDIES
from study.ground import paths
from study.ground.errors import StudyError

# Runs of each study and preset by hand: settings times seeds. Of `together` the second number are asked for by more
# studies than one: the batch size, training set and loss that every preset has anyway; the recipe at its own rate.
COUNTS = {
    "smoke": {"batch_size": 2, "train_size": 2, "loss": 3, "together": 5},
    "laptop": {"batch_size": 5, "train_size": 3, "loss": 4, "together": 10},
    "excerpt": {
        "batch_size": 6 * 5,
        "equal_steps": 6 * 5,
        "scaled_rate": 5 * 3,
        "train_size": 5 * 5,
        "train_control": 2 * 5,
        "loss": 8 * 3,
        "collapse": 5 * 20,
        "residual_n": 4 * 3,
        "passes": 8 * 3,
        "learning_rate": 4 * 3,
        "together": 270 - 5 - 3 + 3 * 3,
    },
    "cifar": {
        "batch_size": 6 * 3,
        "equal_steps": 6,
        "train_size": 5 * 3,
        "train_control": 2,
        "loss": 8,
        "together": 6 * 3 + 6 + 4 * 3 + 2 + 7,
    },
    "codec": {
        "codec": 2,
        "cells": 4 * 3 * 3,
        "lstm_gain": 3,
        "priming": 2 * 3,
        "codec_recipe": 6 * 3,
        "part": 4 * 3,
        "together": 77,
    },
    "recipe": {"recipe": 6 * 2, "precision": 2 * 3, "together": 17},
    "report": {"batch_size": 5 * 5, "train_size": 5 * 5, "loss": 8 * 3, "together": 74 - 5 - 3},
    "report-float16": {"batch_size": 5 * 5, "train_size": 5 * 5, "loss": 8 * 3, "together": 74 - 5 - 3},
    "codec-full": {"codec": 2, "together": 2},
}


# Identity


def test_equal_parameters_give_one_id_and_any_changed_one_another():
    run = runs.plan("smoke", "batch_size")[0]
    assert replace(run).id == run.id
    other = {"data": "excerpt", "loss": "l1", "cell": "gru", "reconstruction": "one_shot", "activation": "linear"}
    other |= {"precision": "mixed_bfloat16", "schedule": "constant", "augmentation": "flip"}
    changed = [replace(run, **{name: other.get(name) or getattr(run, name) + 1}) for name in runs.PARAMETERS]
    assert len({run.id, *(other.id for other in changed)}) == 1 + len(runs.PARAMETERS)
    recipe = {"warm_up", "clip_norm", "beta_2", "output_gain", "binarizer_gain", "learning_rate", "schedule"}
    assert recipe <= set(runs.PARAMETERS)


def test_an_id_says_what_to_expect_and_is_a_folders_name():
    assert runs.plan("excerpt", "batch_size")[0].id == "excerpt-lstm-ms_ssim-batch-32-images-9453-seed-0-a2b60557"
    odd = replace(runs.plan("smoke")[0], data="folder:/home/Ä B/../pictures of mine, all of them")
    assert odd.id.startswith("folder_home_b_pictur") and set(odd.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert (
        replace(odd, data=f"folder:{'/some folder' * 300}").id.startswith("folder_some_folder_s-") and len(odd.id) < 100
    )


def test_folders_of_one_name_are_data_of_their_own_however_they_are_named(tmp_path, monkeypatch):
    run = runs.plan("smoke")[0]
    one, other = (replace(run, data=f"folder:/home/{name}/pictures") for name in ("her", "him"))
    assert one.id != other.id
    monkeypatch.chdir(tmp_path)
    here = replace(run, data="folder:pictures")  # the grid's jobs run in another folder
    assert (
        here.data == f"folder:{tmp_path}/pictures" and here.id == replace(run, data=f"folder:{tmp_path}/pictures/").id
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_numbers_of_planned_runs_have_their_fields_types(preset):
    """1 and 1.0 are equal, and would be two ids."""
    for run in runs.plan(preset):
        assert [type(value) for value in asdict(run).values()] == [field.type for field in fields(run)]


# Plans


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_has_each_setting_with_each_seed_once(preset):
    of_studies = {study: len(runs.plan(preset, study)) for study in STUDIES if runs.plan(preset, study)}
    planned = runs.plan(preset)
    assert of_studies | {"together": len(planned)} == COUNTS[preset]
    assert len({run.id for run in planned}) == len(set(planned)) == len(planned)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_is_in_the_order_of_studies_settings_and_seeds(preset):
    """A run that several ask for stands where the first of them has it."""
    p = PRESETS[preset]
    common = {"data": p.data, "width": p.width, "epochs": p.epochs, "batch_size": p.batch_size}
    common |= {"train_size": p.train_size, "precision": p.precision}
    expected = []
    for study in STUDIES.values():
        for setting in study.settings(p) if preset in study.presets else ():
            for seed in study.presets[preset]:
                run = runs.Run(**(common | {"seed": seed} | setting))
                if run not in expected:
                    expected.append(run)
    assert runs.plan(preset) == expected


def test_the_order_is_the_same_in_another_process():
    """Whatever Python's hashes are there."""
    code = "from study.experiments import runs, presets\nfor p in presets.PRESETS: print(*[r.id for r in runs.plan(p)])"
    here = [" ".join(run.id for run in runs.plan(preset)) for preset in PRESETS]
    for seed in "1", "2":
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == here


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_runs_are_the_planned_ones(preset):
    rows = (paths.published_tables(preset) / "runs.csv").read_text().splitlines()[1:]
    made, planned = [row.split(",")[1] for row in rows], [run.id for run in runs.plan(preset)]
    if preset == "cifar":  # which is published seed by seed
        planned = [run for run in planned if run in made]
    assert made == planned


def test_a_configuration_that_three_studies_share_is_one_run():
    """The excerpt's batch size, training set and loss, in our way."""
    settings = {"batch_size": [128], "train_size": [9453], "loss": ["ms_ssim"], "seed": [0], "schedule": ["cosine"]}
    settings |= {"learning_rate": [0.01], "steps": [0], "epochs": [15], "binarizer_gain": [300.0], "width": [0.25]}
    for studies in (), ("batch_size",), ("train_size",), ("loss",), ("loss", "batch_size", "train_size"):
        (run,) = runs.plan("excerpt", *studies, **settings)
        assert runs.studies_of("excerpt")[run.id][:3] == ["batch_size", "train_size", "loss"]
    assert runs.studies_of("excerpt")[replace(run, seed=4).id] == ["batch_size", "train_size"]  # losses have 3 seeds


@pytest.mark.parametrize("preset", PRESETS)
def test_every_planned_run_has_its_studies_and_no_other_run_any(preset):
    studies = runs.studies_of(preset)
    assert list(studies) == [run.id for run in runs.plan(preset)]
    for name in STUDIES:
        assert {run.id for run in runs.plan(preset, name)} == {run for run, names in studies.items() if name in names}


def test_runs_of_one_study_see_as_many_images_or_take_as_many_steps():
    steps = runs.plan("excerpt", "equal_steps")
    assert {run.steps for run in steps} == {600}
    assert all(run.images_seen == 600 * run.batch_size for run in steps)
    controls = runs.plan("excerpt", "train_control")
    largest = runs.plan("excerpt", "train_size", train_size=[37812])
    assert {run.epochs * run.train_size for run in controls} == {run.epochs * run.train_size for run in largest}
    assert {run.images_seen for run in controls} == {15 * 37812}
    scaled = runs.plan("excerpt", "scaled_rate")
    assert all(run.learning_rate**2 * 128 == pytest.approx(0.01**2 * run.batch_size, rel=1e-3) for run in scaled)


def test_the_reports_way_is_adam_as_keras_has_it():
    theirs = runs.plan("excerpt", "loss", schedule=["constant"])
    assert len(theirs) == 4 * 3
    for run in theirs:
        assert (run.warm_up, run.clip_norm, run.beta_2, run.binarizer_gain) == (0.0, 0.0, 0.999, 1.0)


def test_a_plan_can_be_narrowed_to_values_of_the_grid_only():
    first = PRESETS["smoke"].batch_sizes[0]
    assert [run.batch_size for run in runs.plan("smoke", "batch_size", batch_size=[first], seed=[])] == [first]
    with pytest.raises(StudyError, match=r"batch_size=\[7\] is not in the grid of preset 'smoke'.*choose"):
        runs.plan("smoke", "batch_size", batch_size=[7])


@pytest.mark.parametrize(("preset", "study"), [("tiny", "batch_size"), ("smoke", "colour")])
def test_unknown_names_are_refused_with_the_known_ones(preset, study):
    with pytest.raises(StudyError, match="choose one of smoke|choose among batch_size"):
        runs.plan(preset, study)


# Runs by name and by manifest


def test_a_run_is_found_by_its_id():
    for run in runs.plan("smoke"):
        assert runs.find("smoke", run.id) == run
    elsewhere = runs.plan("laptop")[0].id
    with pytest.raises(
        StudyError, match=f"There is no run '{elsewhere}' in smoke; its 5 runs are {runs.plan('smoke')[0].id}, "
    ):
        runs.find("smoke", elsewhere)


STARTED = {"status": "running", "epochs_done": 0, "seconds": 0.0}  # what a manifest says besides from the start


def test_a_manifest_gives_its_run_back(output):
    for run in (runs.plan("codec", "priming")[0], runs.plan("excerpt", "loss")[-1]):
        runs.write_manifest(run, STARTED | {"study": "of an older version"})
        assert runs.of_manifest(run.folder / "manifest.json") == run
        assert runs.read_manifest(run)["run"] == run.id


def test_what_is_no_manifest_is_said_with_the_remedy(output):
    run = runs.plan("smoke")[0]
    runs.write_manifest(run, {})
    path = run.folder / "manifest.json"
    whole = path.read_text()
    lacking = {name: value for name, value in json.loads(whole).items() if name != "warm_up"}
    for text in ("", whole[:-20], "[]", "3", json.dumps(lacking)):
        path.write_text(text)
        with pytest.raises(
            StudyError, match=r"manifest.json is no manifest of a run \(.*\); copy the run's folder again"
        ):
            runs.of_manifest(path)


def test_a_run_is_finished_with_its_history_and_a_last_status(output, finish):
    run = runs.plan("smoke")[0]
    assert not runs.finished(run)
    finish(run)
    assert runs.finished(run)
    for status, last in (("running", False), ("collapsed", True), ("diverged", True)):
        runs.write_manifest(run, STARTED | {"status": status})
        assert runs.finished(run) == last
    (run.folder / "history.csv").unlink()
    assert not runs.finished(run)


DAMAGED = {
    "empty": lambda text: "",
    "cut": lambda text: text[:-20],
    "another kind": lambda text: "[]",
    "zeros": lambda text: "\0" * len(text),
    "no UTF-8": lambda text: b"\xff\xfe" + text.encode(),
    "deep": lambda text: "[" * 100_000,
    "another run's": lambda text: text.replace('"seed": 0', '"seed": 1'),
    "another status": lambda text: text.replace('"done"', '"finished"'),
    "words for numbers": lambda text: text.replace('"epochs_done": 6', '"epochs_done": "6"'),
    "more epochs than there are": lambda text: text.replace('"epochs_done": 6', '"epochs_done": 7'),
    "no seconds": lambda text: text.replace('"seconds"', '"second"'),
    "seconds that are no number": lambda text: text.replace('"seconds": 60.0', '"seconds": NaN'),
    "seconds without end": lambda text: text.replace('"seconds": 60.0', '"seconds": 1e999'),
    "true for a number": lambda text: text.replace('"epochs_done": 6', '"epochs_done": true'),
    "half a letter": lambda text: text.replace('"machine": ""', '"machine": "\\ud800"'),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_run_whose_manifest_is_damaged_is_not_finished(damage, output, finish):
    run = runs.plan("smoke")[0]
    finish(run)
    path = run.folder / "manifest.json"
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    assert runs.read_manifest(run) == {} and not runs.finished(run)
    assert run in tables.missing("smoke", [run])


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "0"), ("data", 3), ("width", "wide"), ("width", None), ("cell", ["lstm"]), ("epochs", 6.5)],
)
def test_a_manifest_of_other_kinds_of_values_is_no_manifest(name, value, output):
    run = runs.plan("smoke")[0]
    runs.write_manifest(run, {name: value})
    with pytest.raises(StudyError, match=f"is no manifest of a run .{name} is {re.escape(repr(value))}"):
        runs.of_manifest(run.folder / "manifest.json")


def test_a_line_of_the_log_is_written_whole_or_not_at_all(output, monkeypatch):
    run = runs.plan("smoke")[0]
    runs.log(run, "epoch 1/6")

    def full(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(runs.atomic.os, "fsync", full)
        runs.log(run, "epoch 2/6")
    runs.log(run, "epoch 3/6")
    lines = (run.folder / "log.txt").read_text().splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == ["epoch 1/6", "epoch 3/6"]
    assert os.listdir(run.folder) == ["log.txt"]


# The commit


def git(folder, *arguments):
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.delenv("STUDY_COMMIT", raising=False)
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one")
    return tmp_path


def test_the_commit_is_heads_with_a_plus_for_changes(repository):
    head = git(repository, "rev-parse", "HEAD")
    assert runs.commit() == head
    git(repository, "tag", "-a", "v1", "-m", "a release, by whose name the commit goes then")
    assert runs.commit() == head
    (repository / "file").write_text("two")
    assert runs.commit() == head + "+"
    git(repository, "commit", "-a", "-m", "two")
    assert runs.commit() == git(repository, "rev-parse", "HEAD") != head


def test_a_copy_without_git_or_its_folder_says_what_it_was_told(repository, tmp_path, monkeypatch):
    head = runs.commit()
    monkeypatch.setenv("STUDY_COMMIT", "abc")
    assert runs.commit() == head  # the repository knows better
    monkeypatch.setenv("PATH", "")
    assert runs.commit() == "abc"
    monkeypatch.undo()
    monkeypatch.setenv("STUDY_COMMIT", "abc")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "elsewhere")
    assert runs.commit() == "abc"
    monkeypatch.delenv("STUDY_COMMIT")
    assert runs.commit() == ""


def test_a_repository_that_git_cannot_read_is_no_repository_without_a_commit(repository, tmp_path, monkeypatch):
    """As in a container whose user is not the folder's owner."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        "printf \"fatal: detected dubious ownership in repository at '/study'\\nTo add an exception, call:\\n\" >&2\n"
        "exit 128\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    monkeypatch.setenv("STUDY_COMMIT", "abc")
    with pytest.raises(
        StudyError, match="dubious ownership in repository at '/study' To add an exception.*Mend that"
    ) as found:
        runs.commit()
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_GLOBAL", "GIT_CEILING_DIRECTORIES"]
)
def test_variables_and_settings_of_git_change_nothing(repository, tmp_path_factory, monkeypatch, name):
    """A hook sets some of them, to the repository that it is of."""
    head, other = runs.commit(), tmp_path_factory.mktemp("other")
    git(other, "init")
    (other / "settings").write_text("no settings\n[")
    monkeypatch.setenv(name, str(other / {"GIT_CONFIG_GLOBAL": "settings", "GIT_DIR": ".git"}.get(name, "")))
    monkeypatch.setenv("HOME", str(other))
    (other / ".gitconfig").write_text("[core]\n\tfsmonitor = /nowhere/program\n[")
    assert runs.commit() == head


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_clone_of_another_user_has_its_commit(repository):
    """Which git refuses to everybody who has not said that he trusts it."""
    head = runs.commit()
    for folder, _, names in os.walk(repository):
        for name in (".", *names):
            os.chown(os.path.join(folder, name), 12345, 12345)
    refused = subprocess.run(["git", "-C", repository, "log"], capture_output=True, text=True)
    assert "dubious ownership" in refused.stderr
    assert runs.commit() == head


def test_a_copied_and_a_shallow_clone_and_a_worktree_have_their_commit(repository, tmp_path_factory, monkeypatch):
    head, folder = runs.commit(), tmp_path_factory.mktemp("clones")
    shutil.copytree(repository, folder / "copied", copy_function=shutil.copyfile)  # with other dates
    git(repository, "worktree", "add", folder / "worktree")
    git(folder, "clone", "--depth=1", f"file://{repository}", "shallow")
    for name in ("copied", "worktree", "shallow"):
        monkeypatch.setattr(paths, "ROOT", folder / name)
        assert runs.commit() == head


def test_a_checkout_has_the_projects_line_ends_and_is_no_change(repository, monkeypatch):
    """By its own attributes, whatever a person's git is set to: shells and make take no others."""
    shutil.copy(Path(__file__).parents[2] / ".gitattributes", repository)
    (repository / "Makefile").write_text("one:\n\ttrue\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "two")
    git(repository, "config", "core.autocrlf", "true")
    for file in ("Makefile", "file"):
        (repository / file).unlink()
    git(repository, "checkout", ".")
    assert b"\r" not in (repository / "Makefile").read_bytes()
    assert runs.commit() == git(repository, "rev-parse", "HEAD")


def test_a_whole_number_is_the_same_parameter_as_a_fraction(output):
    run = runs.plan("smoke", "batch_size")[0]
    assert replace(run, binarizer_gain=300).id == replace(run, binarizer_gain=300.0).id
