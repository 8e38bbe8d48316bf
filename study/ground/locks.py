"""Locks between processes. The system lets go of them when a process ends, however it ends."""

import errno
import fcntl
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from study.ground.errors import StudyError

UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


@contextmanager
def held(path: Path, wait: bool = True):
    """Within it no other process holds the lock of this file, which is made where it is missing and stays.

    Args:
        wait: for a process that holds it, which is said in a line; otherwise `filelock.Timeout` is raised.

    Raises:
        StudyError: the file's disk has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A lock that is only a file would outlive a process that was killed.
    lock = FileLock(path, fallback_to_soft=False)
    with _said_in_words(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise
            print(f"Another process is at work in {path.parent}; waiting for it.", flush=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process of this machine, or of one whose locks are seen here, holds the lock at this moment.

    Nothing is written: it may lie on a disk that is read-only. Raises `StudyError` where the disk has no locks.
    """
    if not path.exists():
        return False
    with open(path, "rb") as file, _said_in_words(path):
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _said_in_words(path):
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        raise StudyError(
            f"The disk of {path.parent} has no file locks ({error.strerror}), by which processes see each other at "
            "work. Name a folder on another disk in STUDY_OUTPUT, or have this one mounted with them (`flock`)."
        ) from error
