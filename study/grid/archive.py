"""Finished runs in one archive, to carry a grid, or a part of it, to another machine."""

import gzip
import re
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from study.experiments import runs, tables
from study.ground import atomic, locks, paths
from study.ground.errors import StudyError, one_line

# What is carried of a run, each with the most bytes that one may have; the history comes last, because with it a run
# counts as finished.
LIMITS = {"manifest.json": 2**20, "weights.npz": 2**30, "images.csv": 2**28, "log.txt": 2**24, "history.csv": 2**24}
BLOCK = 2**20  # the most that is read at once; names of members that are longer than this are no names
DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, OverflowError, RecursionError)
MEMBERS = 50_000  # files of one archive, at most
PADDING = 2**16  # what may come after the last file


def pack(preset: str, path: Path) -> list[runs.Run]:
    """Writes a preset's finished runs into one .tar.gz, whole or not at all, and returns them.

    The same runs give the same list of files; weights, manifests and logs are in it.

    Raises:
        StudyError: no run of the preset is finished on this machine, or one of them is damaged.
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
    with (
        atomic.whole(path) as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed_file,
        tarfile.open(fileobj=packed_file, mode="w") as archive,
    ):
        for run in packed:
            for name in LIMITS:
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
        StudyError: it is not such an archive, or not a whole one; one of its names leads elsewhere, or is of a file
            that is too large; a run is not what its name says, is damaged, or has another result here. Nothing is
            changed then.
    """
    atomic.make_folder(paths.runs())
    with locks.held(paths.runs() / "unpack.lock"):
        for left in paths.runs().glob(".unpack-*"):  # by a process that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=paths.runs(), prefix=".unpack-") as folder:
            _extract(path, Path(folder))
            found = {unpacked: _run(path, unpacked) for unpacked in sorted(Path(folder).iterdir())}
            known = [run for unpacked, run in found.items() if runs.finished(run) and _is_equal(path, unpacked, run)]
            for unpacked, run in found.items():
                if run not in known:
                    _put(path, unpacked, run)
    return [run for run in found.values() if run not in known], known


class _Blocks:
    """A compressed file of which nobody reads more at once than a file's content: a tar's own fields are short."""

    def __init__(self, file):
        self.file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size):
        if not 0 <= size <= BLOCK:
            raise tarfile.ReadError(f"a field of {size} bytes")
        return self.file.read(size)


def _extract(path, folder):
    try:
        with gzip.open(path) as file, tarfile.open(fileobj=_Blocks(file), mode="r:") as archive:
            for number, member in enumerate(archive):
                _check(path, member)
                if number >= MEMBERS:
                    raise StudyError(f"{path} holds more than {MEMBERS:,} files; nothing was unpacked.")
                if (folder / member.name).exists():
                    raise StudyError(f"{path} holds {member.name!r} twice; nothing was unpacked.")
                if member.size > shutil.disk_usage(folder).free:
                    raise StudyError(
                        f"{path} holds {member.name!r} of {member.size:,} bytes, and the disk of {folder.parent} has "
                        f"{shutil.disk_usage(folder).free:,} left; make room. Nothing was unpacked."
                    )
                archive.extract(member, folder, filter="data")
            if any(file.read(PADDING)) or file.read(1):  # to the end, where the checksum of the whole stands
                raise StudyError(f"{path} goes on after its last file, which no packed archive does; pack it again.")
    except StudyError:
        raise
    except (*DAMAGED, ValueError) as error:
        raise StudyError(
            f"{path} is not a whole archive of runs ({one_line(error)}); copy or pack it again."
        ) from error


def _check(path, member):
    run, _, name = member.name.partition("/")
    if not member.isreg() or member.issparse() or not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", run) or name not in LIMITS:
        raise StudyError(
            f"{path} holds {member.name!r}, which is no file of a run (<run>/{'|'.join(LIMITS)}). "
            "It was not made by `python -m study pack`; nothing was unpacked."
        )
    if not 0 <= member.size <= LIMITS[name]:
        raise StudyError(
            f"{path} holds {member.name!r} of {member.size:,} bytes; such a file has at most {LIMITS[name]:,}. "
            "Nothing was unpacked."
        )


def _run(path, unpacked):
    """The run of an unpacked folder, whose name must be that of its parameters."""
    for name in ("manifest.json", "history.csv"):
        if not (unpacked / name).exists():
            raise StudyError(f"{path} holds {unpacked.name} without {name}, so it is no finished run. Pack it again.")
    try:
        run = runs.of_manifest(unpacked / "manifest.json")
        if run.id != unpacked.name:
            raise StudyError(f"its manifest is that of {run.id}.")
        if (status := runs.read_manifest(run, unpacked).get("status")) not in runs.FINISHED:
            raise StudyError(f"its manifest says the status {status!r}.")
        tables.check_folder(run, unpacked)
    except StudyError as error:
        raise StudyError(
            f"{path} holds {unpacked.name}, which is not a finished run of that name: {error} "
            "Pack it again from run folders that nobody changed; nothing was unpacked."
        ) from error
    return run


def _is_equal(path, unpacked, run):
    (_, here), (_, there) = tables.check_folder(run), tables.check_folder(run, unpacked)
    if not here.equals(there):
        raise StudyError(
            f"Run {run.id} has one result in {run.folder} and another in {path}. Move the folder away to take the "
            "archive's; nothing was unpacked."
        )
    return True


def _put(path, unpacked, run):
    """Moves a run's files to its folder, which nobody trains meanwhile; what it had of an unfinished run goes."""
    with locks.held(run.folder / "lock"):
        if runs.finished(run) and _is_equal(path, unpacked, run):  # by now
            return
        for name in LIMITS:
            if (unpacked / name).exists():
                atomic.move(unpacked / name, run.folder / name)
        (run.folder / "checkpoint.npz").unlink(missing_ok=True)
