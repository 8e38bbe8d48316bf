"""One GPU for each run of a machine, on machines whose driver is a script."""

import contextlib
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
def driver(tmp_path, monkeypatch):
    """Makes a driver that says this of the GPUs; there is a folder for temporary files that no other test has."""

    def driver(said, code=0):
        path = tmp_path / "bin" / "nvidia-smi"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{said}'\nexit {code}\n")
        path.chmod(0o755)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return driver


@pytest.fixture
def two_gpus(driver):
    driver("GPU 0: Tesla T4\nGPU 1: Tesla T4")


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

    monkeypatch.setattr(gpus, "sleep", kill_one)
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


DIVIDED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 2g.10gb     Device  1: (UUID: MIG-GPU-5d5ba0d6/1/0)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6d5ba0d6)"""


def test_a_divided_gpu_is_given_by_its_slices(driver):
    driver(DIVIDED)
    names = ["MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-GPU-5d5ba0d6/1/0", "1"]
    assert gpus.devices() == names
    given = []
    with contextlib.ExitStack() as stack:
        for _ in names:
            stack.enter_context(gpus.own_gpu())
            given.append(os.environ.pop("CUDA_VISIBLE_DEVICES"))
    assert given == names


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.", 9),
        ("Failed to initialize NVML: Driver/library version mismatch", 18),
        ("No devices found.", 0),
        ("No devices were found", 6),
        ("GPU 0: Tesla T4\nUnable to determine the device handle for GPU 0000:02:00.0: GPU is lost.", 15),
        ("", 0),
    ],
)
def test_a_driver_that_fails_is_told_of_in_a_line_with_its_words(said, code, driver):
    driver(said, code)
    with pytest.raises(StudyError, match="names no GPU, and says: .* Mend the driver, or train on the proc") as error:
        gpus.devices()
    assert (said.splitlines() or ["nothing"])[-1] in str(error.value) and "\n" not in str(error.value)


def test_a_driver_that_hangs_is_told_of(driver, monkeypatch):
    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    driver("")
    monkeypatch.setattr(gpus.subprocess, "run", hang)
    with pytest.raises(StudyError, match="does not answer within a minute"):
        gpus.devices()


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
