"""Files that are written whole or not at all, through crashes and power cuts too."""

import errno
import fcntl
import io
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from study.ground.errors import StudyError, one_line

PART = ".part"  # how the names end under which files are written


@contextmanager
def whole(path: Path):
    """Opens a binary file that takes the place of `path` when the block ends, synced to the disk; in one step.

    A failure leaves the old file, and nothing beside it; what a killed process left beside it goes with the next
    writing of that file. Folders that are missing are made. Through a link the file is written to which it leads.

    Raises:
        StudyError: something else than a file is there, such as a device or a pipe.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise StudyError(f"{path} is no plain file, and a file would take its place; name another one.")
    make_folder(path.parent)
    prefix = f".{path.name[:50]}."  # 200 bytes at most
    sweep(path.parent, prefix)
    handle, part = _open_part(path.parent, prefix)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
            os.chmod(part, _mode(path))
            os.replace(part, path)
    except BaseException as error:
        Path(part).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:  # a full disk's words name no file
            error.filename = str(path)
        raise
    _sync(path.parent)


def write(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    with whole(path) as file:
        file.write(content)


def move(source: Path, path: Path) -> None:
    """Moves a file to another place on its disk, synced; whole or not at all."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(source, path)
    _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, where they are missing, so that they outlive a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def sweep(folder: Path, prefix: str = ".") -> None:
    """Removes what killed processes left in a folder: parts of files that no process has open any more."""
    for name in os.listdir(folder):
        if name.startswith(prefix) and name.endswith(PART):
            # Another may be at work on it, have removed it, or own it; and a disk without locks cannot say.
            with suppress(OSError), open(folder / name, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(folder / name)


def _open_part(folder, prefix):
    """A new file to be written, open and locked, so that nobody takes it for one that a killed process left."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=PART)
        with suppress(OSError):  # a disk without locks, on which nobody removes it either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # removed before it was locked


def _sync(folder):
    """Writes a folder's entries to the disk: until then a power cut may undo a renaming."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # disks that sync no folders, as some networks'
            raise
    finally:
        os.close(handle)


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


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz without pickles, by name. Raises `StudyError` where it is damaged or something else."""
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # a damaged archive raises almost anything
        raise StudyError(
            f"{path} is damaged, or no file of arrays ({type(error).__name__}: {one_line(error)})."
        ) from error
