"""Locks, and how far a grid is."""

import json
import subprocess
import sys
from datetime import datetime
from threading import Timer

import pytest
from test_tables import finish

from study.experiments import runs, tables
from study.grid import gpus, plan, progress

HOLD = """
import sys
from pathlib import Path
from study.grid import gpus
with gpus.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))


@pytest.fixture
def holder():
    """Starts a process that holds a lock until it is killed."""
    processes = []

    def hold(path):
        command = [sys.executable, "-c", HOLD, str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path, holder):
    assert not gpus.is_held(tmp_path / "lock")
    process = holder(tmp_path / "lock")
    assert gpus.is_held(tmp_path / "lock")
    process.kill()
    process.wait()
    assert not gpus.is_held(tmp_path / "lock")
    with gpus.held(tmp_path / "lock"):
        assert gpus.is_held(tmp_path / "lock")


def test_the_first_lock_that_is_free_is_taken_or_waited_for(tmp_path, holder):
    paths = [tmp_path / name for name in "ab"]
    with gpus.first_free(paths) as first:
        assert first == 0
    holder(paths[0])
    with gpus.first_free(paths) as second:
        assert second == 1
    second = holder(paths[1])
    Timer(0.2, second.kill).start()
    with gpus.first_free(paths) as second:
        assert second == 1


def begin(run, epochs_done, seconds, **notebook):
    runs.write_manifest(run, {"status": "running", "epochs_done": epochs_done, "seconds": seconds})
    runs.write(run.folder / "notebook.ipynb", json.dumps({"metadata": {"papermill": notebook}}).encode())


def test_each_state_is_read_from_the_folders(holder):
    planned = runs.plan("smoke")
    finish(planned[0])
    tables.collect("smoke")
    for file in planned[0].folder.iterdir():  # its rows in the table are enough
        file.unlink()
    begin(planned[1], 2, 40.0, exception=None)
    holder(planned[1].folder / "lock")
    begin(planned[2], 1, 20.0, exception=True)
    begin(planned[3], 3, 60.0, exception=None)
    states = list(progress.states("smoke").values())
    assert states == ["done", "running", "failed", "cut off"] + ["left"] * (len(planned) - 4)
    text = progress.text("smoke", datetime(2026, 1, 1))
    assert (
        f"{planned[2].study}/{planned[2].id}: failed, epoch 1 of 6; see {planned[2].folder / 'notebook.ipynb'}" in text
    )
    assert f"smoke: {len(planned)} runs, 1 done, 1 running, 1 failed, 1 cut off, {len(planned) - 4} left" in text
    assert "2026-01-01" in text


def test_a_notebook_that_is_being_written_has_not_failed():
    run = runs.plan("smoke", "batch_size")[0]
    begin(run, 1, 20.0, exception=True)
    assert progress.state(run) == "failed"
    whole = (run.folder / "notebook.ipynb").read_bytes()
    for part in (b"", whole[:-1]):
        runs.write(run.folder / "notebook.ipynb", part)
        assert progress.state(run) == "cut off"


def test_what_is_left_takes_as_long_as_what_was_done(holder):
    one, two = runs.plan("smoke", "batch_size")  # as many operations each
    assert plan.operations(one) == plan.operations(two)
    states = {one: "running", two: "left"}
    assert progress.seconds_left(states) is None
    begin(one, 3, 30.0)
    assert progress.seconds_left(states) == pytest.approx(30 + 60)
    begin(two, 1, 10.0)
    assert progress.seconds_left({one: "running", two: "running"}) == pytest.approx((30 + 50) / 2)


def test_a_finished_grid_has_no_end_to_wait_for():
    for run in runs.plan("smoke"):
        finish(run)
    text = progress.text("smoke", datetime(2026, 1, 1))
    assert text == f"smoke: {len(runs.plan('smoke'))} runs, {len(runs.plan('smoke'))} done" + (
        ", 0 running, 0 failed, 0 cut off, 0 left"
    )
