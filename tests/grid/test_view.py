"""What is seen of a grid that trains: in a log a line for each run that ends, in a terminal one view of all."""

import sys
from itertools import chain, repeat

import pytest
from rich.live import Live

from study.experiments import runs, tables
from study.grid import view
from study.ground import paths


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(view, "SECONDS", 0.0)


def test_a_log_has_a_line_for_each_run_that_ends_once(output, finish, at_once, capsys):
    planned = runs.plan("smoke")
    finish(planned[0])  # before the grid was started
    left = iter(planned[1:])

    def goes_on():
        if (run := next(left, None)) is None:
            return False
        finish(run)
        runs.log(run, f"{run.id}  epoch 6/6  loss 0.1  validation PSNR 17.88 dB  MS-SSIM 0.5")
        return True

    view.watch("smoke", goes_on)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{n} of {len(planned)} runs done: {run.id}  17.88 dB" for n, run in enumerate(planned[1:], start=2)
    ]


def test_a_run_that_ends_with_the_grid_is_told(output, finish, at_once, capsys):
    planned = runs.plan("smoke")

    def goes_on():
        finish(planned[0])
        return False

    view.watch("smoke", goes_on)
    assert capsys.readouterr().out == f"1 of {len(planned)} runs done: {planned[0].id}  \n"


def test_a_terminal_shows_runs_at_work_and_the_expected_end(output, finish, at_once, monkeypatch):
    run, shown, turns = runs.plan("smoke")[0], [], chain(repeat(True, 2), [False])
    finish(run)
    runs.write_manifest(run, runs.read_manifest(run) | {"status": "running", "epochs_done": 3})
    (paths.runs() / run.id / "history.csv").unlink()
    runs.log(run, f"{run.id}  epoch 3/6  loss 0.1  validation PSNR 16.5 dB  MS-SSIM 0.5")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Live, "update", lambda self, text, refresh: shown.append(str(text)))
    view.watch("smoke", lambda: next(turns))
    assert len(shown) == 3
    first, numbers, end = shown[-1].splitlines()
    assert first == f"{run.id}: cut off, epoch 3 of 6, 16.5 dB"
    assert numbers == "smoke: 5 runs, 0 done, 0 running, 0 failed, 1 cut off, 4 left"
    assert end.startswith("About ") and "min left with 1 at a time" in end
    assert not tables.path("smoke", "history").exists()  # to look changes nothing
