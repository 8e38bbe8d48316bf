"""Files are whole or not there, whatever fails and whoever else writes."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from study.ground import atomic
from study.ground.errors import StudyError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def fail(*_, **__):
    raise OSError(errno.ENOSPC, "disk full")


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
@pytest.mark.parametrize("step", ["write", "fsync", "chmod", "replace", "mkstemp"])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, step, old):
    path = tmp_path / "table.csv"
    if old:
        path.write_bytes(old)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        if step == "write":
            opened = os.fdopen
            patch.setattr(atomic.os, "fdopen", lambda *arguments: FullDisk(opened(*arguments)))
        elif step == "mkstemp":
            patch.setattr(atomic.tempfile, step, fail)
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


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not say which file is synced")
def test_the_file_is_synced_before_it_takes_the_old_ones_place_and_the_folder_after(tmp_path, monkeypatch):
    """Or a power cut would leave a file of that name without its content, or the old one, or no folder."""
    path, steps = tmp_path / "new" / "folder" / "a", []
    sync, replace = os.fsync, os.replace

    def synced(handle):
        found = os.fstat(handle)
        steps.append(Path(os.readlink(f"/proc/self/fd/{handle}")) if stat.S_ISDIR(found.st_mode) else found.st_size)
        sync(handle)

    monkeypatch.setattr(atomic.os, "fsync", synced)
    monkeypatch.setattr(atomic.os, "replace", lambda *names: steps.append("replace") or replace(*names))
    atomic.write(path, b"12345")
    assert steps == [tmp_path, tmp_path / "new", 5, "replace", path.parent] and path.read_bytes() == b"12345"
    steps.clear()
    (tmp_path / "b").write_bytes(b"123")
    atomic.move(tmp_path / "b", path)
    assert steps == [3, "replace", path.parent] and path.read_bytes() == b"123"


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
from study.ground.errors import StudyError
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


# What is at the place already


def test_a_link_stays_and_the_file_is_written_to_which_it_leads(tmp_path):
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    real.write_bytes(b"old")
    real.chmod(0o664)
    (tmp_path / "one").symlink_to(real)
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "nowhere").symlink_to(tmp_path / "elsewhere" / "new")
    for name in ("two", "nowhere"):
        atomic.write(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink()
    assert real.read_bytes() == b"two" and mode(real) == 0o664
    assert sorted(os.listdir(real.parent)) == ["new", "real"] and (real.parent / "new").read_bytes() == b"nowhere"


def make_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize("make", [make_device, os.mkfifo, os.mkdir], ids=["device", "pipe", "folder"])
def test_what_is_no_file_is_refused_and_stays(tmp_path, make):
    path = tmp_path / "special"
    make(path)
    before = path.lstat()
    with pytest.raises(StudyError, match="special is no plain file, and a file would take its place; name another one"):
        atomic.write(path, b"new")
    assert path.lstat() == before and os.listdir(tmp_path) == ["special"]


def test_a_file_where_a_folder_should_be_is_refused_by_the_system(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match="exists|Not a directory"):
        atomic.write(tmp_path / "a" / "b" / "c", b"new")
    assert os.listdir(tmp_path) == ["a"]


# Killed in the middle

BEGINNER = """
import sys
from pathlib import Path
from study.ground import atomic
with atomic.whole(Path(sys.argv[1])) as file:
    file.write(b"half of it")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def begin():
    """Starts a process that writes half of a file and waits."""
    processes = []

    def begin(path):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", BEGINNER, path], **pipes)
        processes.append(process)
        assert process.stdout.readline() == b"written\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def parts(folder):
    return [name for name in os.listdir(folder) if name.endswith(atomic.PART)]


def test_what_a_killed_process_left_goes_with_the_next_writing_and_nothing_else(tmp_path, begin):
    path = tmp_path / "table.csv"
    (tmp_path / ".notes.part").write_bytes(b"somebody's own")
    killed, alive = begin(path), begin(path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(parts(tmp_path)) == 3 and not path.exists()
    atomic.write(path, b"whole")
    assert path.read_bytes() == b"whole" and len(parts(tmp_path)) == 2
    alive.communicate(b"")  # goes on to its end
    assert alive.returncode == 0 and path.read_bytes() == b"half of it"
    assert sorted(os.listdir(tmp_path)) == [".notes.part", "table.csv"]


def test_a_folder_is_swept_of_all_parts_that_nobody_has_open(tmp_path, begin):
    (tmp_path / "a").write_bytes(b"")
    killed = [begin(tmp_path / name) for name in "ab"]
    alive = begin(tmp_path / "c")
    for process in killed:
        process.kill()
        process.wait()
    atomic.sweep(tmp_path)
    (left,) = parts(tmp_path)
    assert left.startswith(".c.") and (tmp_path / "a").exists()
    alive.communicate(b"")
    assert (tmp_path / "c").read_bytes() == b"half of it"


def test_a_part_that_was_taken_for_a_dead_ones_is_made_anew(tmp_path, monkeypatch):
    """Between its making and its locking another process may come to sweep."""
    make, made = tempfile.mkstemp, []

    def swept(**options):
        made.append(make(**options))
        if len(made) == 1:
            os.unlink(made[0][1])
        return made[-1]

    monkeypatch.setattr(atomic.tempfile, "mkstemp", swept)
    atomic.write(tmp_path / "a", b"new")
    assert len(made) == 2 and (tmp_path / "a").read_bytes() == b"new" and os.listdir(tmp_path) == ["a"]


def test_disks_without_locks_and_without_syncing_of_folders_are_written_too(tmp_path, monkeypatch):
    sync = os.fsync

    def no_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "cannot")
        sync(handle)

    def no_locks(*_):
        raise OSError(errno.ENOSYS, "cannot")

    monkeypatch.setattr(atomic.os, "fsync", no_folders)
    monkeypatch.setattr(atomic.fcntl, "flock", no_locks)
    (tmp_path / ".a.1.part").write_bytes(b"perhaps somebody's")
    atomic.write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new" and sorted(os.listdir(tmp_path)) == [".a.1.part", "a"]
