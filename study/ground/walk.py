"""What is in a folder and below it."""

import os
from pathlib import Path

from study.ground.errors import StudyError


def files_below(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """All files in a folder and below it, by name; and what was passed over, with the reason.

    Hidden files and folders, whose names start with a dot, are in neither. Links to folders are followed unless they
    lead back to a folder in which they are. Raises `StudyError` where the folder is missing.
    """
    if not folder.is_dir():
        raise StudyError(f"There is no folder {folder}; name one that is there")
    found: list[Path] = []
    passed_over: dict[Path, str] = {}
    _search(folder, (), found, passed_over)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix()), passed_over


def _search(folder, above, found, passed_over):
    try:
        above = (*above, _identity(folder))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        passed_over[folder] = f"the folder cannot be read ({error.strerror})"
        return
    for entry in entries:
        if not entry.name.startswith("."):
            path = folder / entry.name
            try:
                reason = _look(path, entry, above, found, passed_over)
            except OSError as error:
                reason = f"it cannot be looked at ({error.strerror})"
            if reason:
                passed_over[path] = reason


def _look(path, entry, above, found, passed_over):
    """Takes in a file, or what is in a folder; returns why something else is passed over."""
    if entry.is_dir():
        if _identity(path) in above:
            return "a link back to a folder above it"
        _search(path, above, found, passed_over)
    elif entry.is_file():
        found.append(path)
    else:
        return "a link that leads nowhere" if entry.is_symlink() else "a pipe or device, not a file"
    return None


def _identity(folder):
    """Which folder it is, whatever link leads there."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino
