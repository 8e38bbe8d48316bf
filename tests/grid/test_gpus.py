"""One GPU for each run of a machine, on machines whose driver is a script."""

import os
import subprocess
import sys

import pytest

from study.__main__ import main
from study.grid import gpus
from study.ground.errors import StudyError

HOLD = """
import os, sys
from study.grid import gpus
with gpus.own_gpu():
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A driver that knows of two GPUs, and a folder for temporary files that no other test has."""
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho 'GPU 0: Tesla T4'\necho 'GPU 1: Tesla T4'\n")
    driver.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(driver.parent), prepend=os.pathsep)


@pytest.fixture
def others(two_gpus):
    """Starts other runs, which hold their GPUs until they are killed; which GPU each was given."""
    processes = []

    def start():
        environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", HOLD], env=environment, **pipes)
        processes.append(process)
        return process, process.stdout.readline().decode().strip()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_each_run_has_a_gpu_of_its_own(others):
    with gpus.own_gpu():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
        assert others()[1] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    with gpus.own_gpu():  # which is free again
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_run_waits_for_a_gpu_and_takes_that_of_one_that_was_killed(others, monkeypatch):
    (first, at), (second, other) = others(), others()
    assert {at, other} == {"0", "1"}
    waited = []

    def kill_one(seconds):
        waited.append(seconds)
        second.kill()
        second.wait()

    monkeypatch.setattr(gpus.time, "sleep", kill_one)
    with gpus.own_gpu():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == other
    assert len(waited) == 1 and first.poll() is None


@pytest.mark.parametrize("chosen", ["3", "0,1", ""])
def test_what_something_else_has_chosen_stands(chosen, two_gpus, monkeypatch):
    """The empty text too: no GPU, as on a machine whose GPU is for others."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    with gpus.own_gpu():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen
    assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen


def test_no_gpu_is_asked_of_a_machine_without_a_driver_where_none_was_chosen(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with gpus.own_gpu():
        pass


def test_a_gpu_is_given_back_by_a_run_that_failed(two_gpus):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), gpus.own_gpu():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
            1 / 0  # noqa: B018


def test_a_machine_without_a_driver_is_told_so_in_a_line(output, monkeypatch, capsys):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudyError, match="no nvidia-smi here"), gpus.own_gpu():
        pass
    with pytest.raises(SystemExit) as stopped:
        main(["grid", "--preset", "smoke", "--profile", "local-gpu"])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and "no nvidia-smi here" in said and said.count("\n") == 1
    assert not list(output.iterdir())
