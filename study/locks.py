"""Locks between processes, so that one run is trained once and one GPU has one run.

A lock is the kernel's, on an empty file: it ends with the process that holds it, however that ends, and nothing has to
be cleaned up. On a file system that several machines share it holds between them if that file system passes locks on,
as NFS does by default; where it does not, as with a mounted bucket, a lock holds on one machine.
"""

import fcntl
import time
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path):
    """Waits until no other process holds the lock, and holds it."""
    with _open(path) as file:
        if not _taken(file):
            print(f"Another process is at work in {path.parent}; waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def first_free(paths: list[Path]):
    """Holds the first of the locks that no other process holds, and gives its place in the list; waits for one."""
    while True:
        for i, path in enumerate(paths):
            with _open(path) as file:
                if _taken(file):
                    yield i
                    return
        time.sleep(1)


def is_held(path: Path) -> bool:
    """Whether a process of this machine, or of one whose locks are seen here, holds the lock at this moment."""
    if not path.exists():
        return False
    with _open(path) as file:
        return not _taken(file)


def _open(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a")


def _taken(file):
    """Takes the lock if it is free; says whether it did."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
