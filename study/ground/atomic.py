"""Files that are written whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def whole(path: Path):
    """Opens a binary file that takes the place of `path` when the block ends, synced to the disk; in one step.

    A failure leaves the old file, and nothing beside it. Folders that are missing are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")  # 200 bytes at most
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, _mode(path))
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    with whole(path) as file:
        file.write(content)


def _mode(path):
    """Permissions of the file that is replaced, or those that a new file has here."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def write_arrays(path: Path, arrays: dict, compressed: bool = False) -> None:
    """Writes arrays by name as an .npz without pickles. Compression takes longer than a GPU's epoch."""
    with whole(path) as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)
