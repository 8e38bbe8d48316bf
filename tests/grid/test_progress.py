"""How far a grid is, read from run folders that are in every state there is."""

import subprocess
import sys
from datetime import datetime

import pytest

from study.experiments import runs, tables
from study.grid import plan, progress
from study.ground import atomic

HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def elsewhere(output):
    """All tests here have an output folder of their own."""


@pytest.fixture
def holder():
    """Starts a process that holds a run's lock until it is killed."""
    processes = []

    def hold(run):
        run.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", HOLD, str(run.folder / "lock")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def begin(run, epochs_done, seconds, output=""):
    """A run that was trained for some epochs, and what its job has printed."""
    runs.write_manifest(run, {"status": "running", "epochs_done": epochs_done, "seconds": seconds})
    say(run, output)


def say(run, output):
    atomic.write(run.folder / "output.txt", output.encode())


EPOCH = "photographs-lstm  epoch 1/6  loss 0.1234  validation PSNR 15.00 dB\n"
TRACEBACK = EPOCH + 'Traceback (most recent call last):\n  File "x.py", line 1\nMemoryError\n'
REFUSED = "study: There is no folder /data; name one that holds images\n"


def test_each_state_is_read_from_the_folders(holder, finish):
    planned = runs.plan("smoke")
    finish(planned[0])
    tables.collect("smoke")
    for file in planned[0].folder.iterdir():  # its rows in the table are enough
        file.unlink()
    begin(planned[1], 2, 40.0, EPOCH)
    holder(planned[1])
    begin(planned[2], 1, 20.0, TRACEBACK)
    begin(planned[3], 3, 60.0, EPOCH)
    (planned[3].folder / "log.txt").write_bytes(b"\xff\xfe" + EPOCH.encode())
    assert list(progress.states("smoke").values()) == ["done", "running", "failed", "cut off", "left"]
    text = progress.text("smoke", datetime(2026, 1, 1)).splitlines()
    assert text[:3] == [
        f"{planned[1].id}: running, epoch 2 of 6",
        f"{planned[2].id}: failed, epoch 1 of 6; see {planned[2].folder / 'output.txt'}",
        f"{planned[3].id}: cut off, epoch 3 of 6, 15.00 dB",
    ]
    assert text[3] == f"smoke: {len(planned)} runs, 1 done, 1 running, 1 failed, 1 cut off, {len(planned) - 4} left"
    assert "2026-01-01" in text[4] and len(text) == 5


def test_a_run_is_at_work_as_long_as_its_process_lives(holder):
    run = runs.plan("smoke")[0]
    begin(run, 1, 20.0)
    assert progress.state(run) == "cut off"
    process = holder(run)
    assert progress.state(run) == "running"
    process.kill()
    process.wait()
    assert progress.state(run) == "cut off"


@pytest.mark.parametrize("words", [TRACEBACK, REFUSED])
def test_a_job_has_failed_by_its_last_words_until_it_is_started_again(words, holder):
    run = runs.plan("smoke")[0]
    say(run, words)  # before there is a manifest: the data could not be read, say
    assert progress.state(run) == "failed"
    holder(run)
    assert progress.state(run) == "running"


@pytest.mark.parametrize("words", ["", EPOCH, "a word on study: none\n", b"\xff\xfe".decode("latin1")])
def test_other_words_are_no_failure(words):
    run = runs.plan("smoke")[0]
    say(run, words)
    assert progress.state(run) == "left"
    begin(run, 1, 20.0, words)
    assert progress.state(run) == "cut off"


def test_what_is_left_takes_as_long_as_what_was_done():
    one, two = runs.plan("smoke", "batch_size")  # as many operations each
    assert plan.operations(one) == plan.operations(two)
    states = {one: "running", two: "left"}
    assert progress.seconds_left(states) is None
    assert "No epoch is finished yet" in progress.text("smoke", datetime(2026, 1, 1))
    begin(one, 3, 30.0)
    assert progress.seconds_left(states) == pytest.approx(30 + 60)
    begin(two, 1, 10.0)
    assert progress.seconds_left({one: "running", two: "running"}) == pytest.approx((30 + 50) / 2)


def test_a_finished_grid_has_no_end_to_wait_for(finish):
    planned = runs.plan("smoke")
    for run in planned:
        finish(run)
    text = progress.text("smoke", datetime(2026, 1, 1))
    assert text == f"smoke: {len(planned)} runs, {len(planned)} done, 0 running, 0 failed, 0 cut off, 0 left"
