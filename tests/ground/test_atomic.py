"""Files are whole or not there, whatever fails and whoever else writes."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from study.ground import atomic


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def fail(*_):
    raise OSError("disk full")


class FullDisk:
    """A file that takes its first bytes and no more."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        self.file.write(content[:2])
        fail()


@pytest.mark.parametrize("old", [b"old", None])
@pytest.mark.parametrize("step", ["write", "fsync", "chmod", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, step, old):
    path = tmp_path / "table.csv"
    if old:
        path.write_bytes(old)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        if step == "write":
            opened = os.fdopen
            patch.setattr(atomic.os, "fdopen", lambda *arguments: FullDisk(opened(*arguments)))
        else:
            patch.setattr(atomic.os, step, fail)
        atomic.write(path, b"new content")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([old] if old else [])


def test_an_error_in_the_block_leaves_the_old_file_too(tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic.whole(path) as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["archive"]


def test_the_file_is_synced_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    """Or a power cut would leave a file of that name without its content."""
    path, steps = tmp_path / "a", []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda n: steps.append(os.fstat(n).st_size) or sync(n))
    monkeypatch.setattr(atomic.os, "replace", lambda *names: steps.append("replace") or replace(*names))
    atomic.write(path, b"12345")
    assert steps == [5, "replace"] and path.read_bytes() == b"12345"


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o755, 0o444])
def test_the_permissions_of_the_file_before_are_kept(tmp_path, permissions):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(permissions)
    atomic.write(path, b"new")
    assert mode(path) == permissions and path.read_bytes() == b"new"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        atomic.write(tmp_path / "folder" / "a", b"new")
        (tmp_path / "plain").write_bytes(b"new")
        assert os.umask(mask) == mask  # as it was
    finally:
        os.umask(before)
    assert mode(tmp_path / "folder" / "a") == mode(tmp_path / "plain") == 0o666 & ~mask


@pytest.mark.parametrize("letter", ["n", "\xe4", "\u6728", "\U0001f98a"], ids=["1", "2", "3", "4 bytes"])
def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path, letter):
    name = letter * (255 // len(letter.encode()))
    atomic.write(tmp_path / name, b"new")
    assert os.listdir(tmp_path) == [name]


WRITER = """
import sys
from pathlib import Path
from study.ground import atomic
print("ready", flush=True)
sys.stdin.readline()
for i in range(100):
    atomic.write(Path(sys.argv[1]), sys.argv[2].encode() * (200_000 + i))
"""


def test_two_processes_that_write_one_file_leave_one_whole_file_at_any_time(tmp_path):
    path = tmp_path / "a"
    atomic.write(path, b"x" * 200_000)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, letter], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for letter in "xy"
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) >= 200_000 and len(set(content)) == 1
    assert [writer.wait() for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["a"]
    for writer in writers:
        writer.stdin.close()
        writer.stdout.close()


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_come_back_without_pickles(tmp_path, compressed):
    arrays = {"a": np.arange(3.0), "b": np.array("text")}
    atomic.write_arrays(tmp_path / "x.npz", arrays, compressed)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        assert loaded["a"].tolist() == [0, 1, 2] and str(loaded["b"]) == "text"
    assert os.listdir(tmp_path) == ["x.npz"]
