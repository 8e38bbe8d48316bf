"""Finished runs in one archive, to carry a grid, or a part of it, to another machine."""

import os
import re
import tarfile
import tempfile
from pathlib import Path

import pandas as pd

from study.experiments import runs, tables
from study.ground import atomic, paths
from study.ground.errors import StudyError

# What is carried of a run; its history comes last, because with it a run counts as finished.
FILES = ("manifest.json", "weights.npz", "images.csv", "log.txt", "history.csv")


def pack(preset: str, path: Path) -> list[runs.Run]:
    """Writes a preset's finished runs into one .tar.gz, whole or not at all, and returns them.

    The same runs give the same list of files; weights, manifests and logs are in it.

    Raises:
        StudyError: no run of the preset is finished on this machine.
    """
    packed = [run for run in runs.plan(preset) if runs.finished(run)]
    if not packed:
        raise StudyError(
            f"No run of {preset!r} is finished under {paths.runs()}, so there is nothing to pack. "
            f"`make study PRESET={preset}` trains them."
        )
    for run in packed:
        tables.check_folder(run)
    # Weights hardly shrink.
    with atomic.whole(path) as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for run in packed:
            for name in FILES:
                if (run.folder / name).exists():
                    archive.add(run.folder / name, f"{run.id}/{name}", filter=_nobody)
    return packed


def _nobody(member):
    """Without the name and number of the user who packs."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack(path: Path) -> tuple[list[runs.Run], list[runs.Run]]:
    """Puts the runs of an archive in their folders here; returns those that are new, and those that were here already.

    Raises:
        StudyError: it is not such an archive, one of its names leads elsewhere, a run is not what its name says, or has
            another result here. Nothing is changed then.
    """
    paths.runs().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.runs(), prefix=".unpack-") as folder:
        try:
            with tarfile.open(path, "r:*") as archive:
                _check_names(path, archive.getmembers())
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise StudyError(f"{path} is not a whole archive of runs ({error}); copy or pack it again.") from error
        found = {manifest.parent: _run(path, manifest) for manifest in sorted(Path(folder).glob("*/manifest.json"))}
        known = [run for unpacked, run in found.items() if runs.finished(run) and _is_equal(path, unpacked, run)]
        for unpacked, run in found.items():
            if run not in known:
                run.folder.mkdir(parents=True, exist_ok=True)
                for name in FILES:
                    if (unpacked / name).exists():
                        os.replace(unpacked / name, run.folder / name)
    return [run for run in found.values() if run not in known], known


def _check_names(path, members):
    names = re.compile(rf"[^/]+/({'|'.join(map(re.escape, FILES))})")
    for member in members:
        if not member.isreg() or not names.fullmatch(member.name) or member.name.startswith("../"):
            raise StudyError(
                f"{path} holds {member.name!r}, which is no file of a run (<run>/{'|'.join(FILES)}). "
                "It was not made by `python -m study pack`; nothing was unpacked."
            )


def _run(path, manifest):
    """The run of an unpacked folder, whose name must be that of its parameters."""
    run = runs.of_manifest(manifest)
    if run.id != manifest.parent.name or not (manifest.parent / "history.csv").exists():
        raise StudyError(
            f"{path} holds {manifest.parent.name}, which is not a finished run of that name: its manifest "
            f"is that of {run.id}. Pack it again from run folders that nobody changed."
        )
    tables.check_folder(run, manifest.parent)
    return run


def _is_equal(path, unpacked, run):
    here, there = (pd.read_csv(folder / "history.csv") for folder in (run.folder, unpacked))
    if not here.equals(there):
        raise StudyError(
            f"Run {run.id} has one result in {run.folder} and another in {path}. Move the folder away to take the "
            "archive's; nothing was unpacked."
        )
    return True
