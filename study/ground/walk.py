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
        above = (*above, os.stat(folder)[1:3])  # which folder it is, whatever link led here
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        passed_over[folder] = f"the folder cannot be read ({error.strerror})"
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if path.is_dir():
            if os.stat(path)[1:3] in above:
                passed_over[path] = "a link back to a folder above it"
            else:
                _search(path, above, found, passed_over)
        elif path.is_file():
            found.append(path)
        else:
            passed_over[path] = "a link that leads nowhere" if path.is_symlink() else "a pipe or device, not a file"
