"""The smoke grid through a real Slurm of this machine: `make test-cluster`. Not part of `make test`: it needs root."""

import random
import subprocess
import time

import interrupt
import pytest


@pytest.fixture(scope="module")
def slurm():
    with interrupt.cluster() as folder:
        yield folder


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The tables of the grid on this machine's cores."""
    output = tmp_path_factory.mktemp("local")
    assert interrupt.grid(output, slurm=None).wait() == 0, (output / "grid.log").read_text()[-3000:]
    return interrupt.table_bytes(output)


def wait_for(condition, seconds=600):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.2)


def test_tables_are_those_of_the_local_grid(slurm, local, tmp_path):
    assert interrupt.grid(tmp_path, slurm=True).wait() == 0, (tmp_path / "grid.log").read_text()[-3000:]
    assert interrupt.table_bytes(tmp_path) == local


def test_jobs_that_were_killed_finish_on_the_second_start(slurm, local, tmp_path):
    first = interrupt.grid(tmp_path, slurm=True)
    wait_for(lambda: interrupt.epochs(tmp_path))
    job = subprocess.run(["squeue", "--noheader", "--states=R", "--format=%i"], capture_output=True, text=True)
    subprocess.run(["scancel", job.stdout.split()[0]], check=True)
    wait_for(lambda: interrupt.kill_worker(tmp_path, random.Random(0)))
    assert first.wait() != 0
    left = [log.parent for log in tmp_path.glob("results/runs/*/output.txt")]
    assert any(not (folder / "history.csv").exists() for folder in left)

    assert interrupt.grid(tmp_path, slurm=True).wait() == 0, (tmp_path / "grid.log").read_text()[-3000:]
    assert interrupt.table_bytes(tmp_path) == local
    assert set(interrupt.epochs(tmp_path).values()) == {1}
