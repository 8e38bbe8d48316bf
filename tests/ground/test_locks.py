"""Locks between processes, on disks that have them and on disks that have none."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest
from filelock import Timeout

from study.ground import locks
from study.ground.errors import StudyError

HOLD = """
import sys
from pathlib import Path
from study.ground import locks
with locks.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock `lock` until it is told to end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], **pipes)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_is_held_by_one_process_until_that_ends_however_it_ends(tmp_path, holder):
    path = tmp_path / "lock"
    assert locks.is_held(path)
    with pytest.raises(Timeout), locks.held(path, wait=False):
        pass
    holder.kill()
    holder.wait()
    assert not locks.is_held(path)
    with locks.held(path, wait=False):
        assert locks.is_held(path)


def test_waiting_is_said_once_and_ends_with_the_other_process(tmp_path, holder, monkeypatch):
    said = []

    def end_the_other(text, **_):
        said.append(text)
        holder.kill()
        holder.wait()

    monkeypatch.setattr(locks, "print", end_the_other, raising=False)
    with locks.held(tmp_path / "lock"):
        assert said == [f"Another process is at work in {tmp_path}; waiting for it."]


def test_looking_needs_no_writing_and_a_lock_that_is_not_there_is_not_held(tmp_path):
    path = tmp_path / "lock"
    assert not locks.is_held(path) and not path.exists()
    path.touch()
    path.chmod(0o444)
    before = path.stat()
    assert not locks.is_held(path) and path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_disk_without_locks_is_told_of_in_a_line(tmp_path, monkeypatch, number):
    """As Lustre is that was mounted without them."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "lock").touch()
    monkeypatch.setattr(fcntl, "flock", flock)
    for use in (lambda: locks.is_held(tmp_path / "lock"), lambda: locks.held(tmp_path / "lock").__enter__()):
        with pytest.raises(StudyError, match=f"The disk of {tmp_path} has no file locks .*STUDY_OUTPUT") as error:
            use()
        assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["lock"]


def test_other_refusals_of_the_system_stay_what_they_are(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="the disk is broken"), locks.held(tmp_path / "lock"):
        pass
