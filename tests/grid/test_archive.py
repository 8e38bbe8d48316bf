"""Runs carried to another machine: packed, unpacked, merged by copying; what does not fit together is refused."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import asdict

import pytest
from filelock import FileLock

from study.experiments import runs, tables
from study.grid import archive
from study.ground import atomic, locks, paths
from study.ground.errors import StudyError

LOCK = lambda run: run.folder.parent / "unpack.lock"  # noqa: E731
FILES = {"manifest.json", "weights.npz", "images.csv", "log.txt", "history.csv"}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Moves to a machine of this name, with results of its own."""
    return lambda name: monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / name))


@pytest.fixture
def packed(tmp_path, machine, finish):
    """An archive of two finished runs; a third one was cut off. Leaves the machine that packed it."""
    machine("first")
    one, two, three = runs.plan("smoke", "batch_size", "train_size")[:3]
    for run in (one, two):
        finish(run)
        for name in ("weights.npz", "images.csv", "log.txt"):
            atomic.write(run.folder / name, f"{name} of {run.id}".encode())
        for name in ("checkpoint.npz", "lock", "output.txt", "codec.npz"):
            atomic.write(run.folder / name, b"of no use to others")
    runs.write_manifest(three, {"status": "running"})
    assert archive.pack("smoke", tmp_path / "runs.tar.gz") == [one, two]
    return tmp_path / "runs.tar.gz"


def table_bytes(preset="smoke"):
    tables.collect(preset)
    return {name: tables.path(preset, name).read_bytes() for name in ("history", "runs", "summary")}


def test_an_archive_gives_the_same_tables_elsewhere(packed, machine):
    one, two = runs.plan("smoke", "batch_size")
    here = table_bytes()
    machine("second")
    new, known = archive.unpack(packed)
    assert {run.id for run in new} == {one.id, two.id} and not known
    for run in (one, two):
        assert {path.name for path in run.folder.iterdir()} == FILES | {"lock"}
        assert (run.folder / "log.txt").read_text() == f"log.txt of {run.id}"
    assert table_bytes() == here
    new, known = archive.unpack(packed)
    assert not new and {run.id for run in known} == {one.id, two.id}


def test_an_archive_holds_a_folder_for_each_run_and_names_nobody(packed):
    with tarfile.open(packed) as archived:
        members = archived.getmembers()
    ids = [run.id for run in runs.plan("smoke", "batch_size")]
    assert {member.name for member in members} == {f"{run}/{name}" for run in ids for name in FILES}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    for run in ids:  # with its history a run counts as finished
        assert [m.name for m in members if m.name.startswith(run)][-1] == f"{run}/history.csv"


def test_folders_of_several_machines_merge_by_copying(tmp_path, machine, finish):
    one, two = runs.plan("smoke", "batch_size")
    for name, run in (("first", one), ("second", two)):
        machine(name)
        finish(run)
    shutil.copytree(tmp_path / "first", tmp_path / "second", dirs_exist_ok=True)
    assert set(tables.collect("smoke").run) == {one.id, two.id}


def test_another_result_of_a_run_that_is_here_is_refused_and_nothing_changes(packed, machine, finish):
    machine("second")
    one, two = runs.plan("smoke", "batch_size")
    finish(two, psnr=21.0)
    with pytest.raises(StudyError, match=f"Run {two.id} has one result in .* and another in .*runs.tar.gz"):
        archive.unpack(packed)
    assert not one.folder.exists() and set(one.folder.parent.iterdir()) == {two.folder, LOCK(one)}


def test_a_folder_of_two_results_is_refused_with_its_name(machine, finish):
    machine("first")
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    manifest = runs.read_manifest(run)
    text = (run.folder / "history.csv").read_bytes()
    for digest in (runs.digest(text), runs.digest(text + b"1\n")):
        atomic.write(run.folder / "manifest.json", json.dumps(manifest | {"history": digest}).encode())
        if digest == runs.digest(text):
            tables.collect("smoke")
    for refuses in (lambda: tables.collect("smoke"), lambda: archive.pack("smoke", run.folder.parent / "runs.tar.gz")):
        with pytest.raises(StudyError, match=f"Run {run.id}: manifest.json and history.csv .* two different results"):
            refuses()
    assert not (run.folder.parent / "runs.tar.gz").exists()


@pytest.mark.parametrize(
    "name",
    ["../outside.csv", "../history.csv", "/etc/history.csv", "x/../history.csv", "x/y/history.csv", "x/y.py", "x.py"],
)
def test_a_name_that_leads_elsewhere_is_refused(name, tmp_path, machine):
    machine("second")
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as bad:
        member = tarfile.TarInfo(name)
        member.size = 1
        bad.addfile(member, io.BytesIO(b"1"))
    with pytest.raises(StudyError, match="which is no file of a run"):
        archive.unpack(path)
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"bad.tar.gz", "unpack.lock"}


def test_a_link_is_refused(tmp_path, machine):
    machine("second")
    with tarfile.open(tmp_path / "bad.tar", "w:gz") as bad:
        member = tarfile.TarInfo("x/history.csv")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bad.addfile(member)
    with pytest.raises(StudyError, match="no file of a run"):
        archive.unpack(tmp_path / "bad.tar")


def test_a_run_under_another_ones_name_is_refused(packed, tmp_path, machine):
    one, two = runs.plan("smoke", "batch_size")
    manifest = asdict(one) | {"status": "done"}
    with tarfile.open(tmp_path / "bad.tar", "w:gz") as bad:
        for name, content in (("manifest.json", json.dumps(manifest).encode()), ("history.csv", b"psnr\n1\n")):
            member = tarfile.TarInfo(f"{two.id}/{name}")
            member.size = len(content)
            bad.addfile(member, io.BytesIO(content))
    machine("second")
    with pytest.raises(StudyError, match=f"holds {two.id}, .* its manifest is that of {one.id}"):
        archive.unpack(tmp_path / "bad.tar")


def test_half_an_archive_is_refused(packed, tmp_path, machine):
    machine("second")
    (tmp_path / "half.tar.gz").write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(StudyError, match="half.tar.gz is not a whole archive of runs"):
        archive.unpack(tmp_path / "half.tar.gz")


def test_nothing_to_pack_is_said_with_the_command(tmp_path, machine):
    machine("first")
    with pytest.raises(StudyError, match="nothing to pack. `make study PRESET=smoke` trains them"):
        archive.pack("smoke", tmp_path / "runs.tar.gz")
    assert not list(tmp_path.glob("*.gz"))


# Archives that something happened to


def unpacks_nothing(path, words):
    with pytest.raises(StudyError, match=words) as error:
        archive.unpack(path)
    assert "\n" not in str(error.value)
    assert [path.name for path in paths.runs().iterdir()] == ["unpack.lock"]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_part_of_an_archive_is_refused(share, packed, tmp_path, machine):
    machine("second")
    whole = packed.read_bytes()
    (tmp_path / "part.tar.gz").write_bytes(whole[: int(share * len(whole))])
    unpacks_nothing(tmp_path / "part.tar.gz", "part.tar.gz is not a whole archive of runs")


def test_an_archive_in_which_one_bit_is_another_is_refused_wherever_it_is(packed, tmp_path, machine):
    """By gzip's checksum at the end, where the archive is whole otherwise; some bits have no meaning."""
    machine("second")
    whole, bad = packed.read_bytes(), tmp_path / "bad.tar.gz"
    subprocess.run(["gzip", "--test", packed], check=True)
    for at in range(10, len(whole), 29):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        tested = subprocess.run(["gzip", "--stdout", "--decompress", bad], capture_output=True)
        if tested.returncode:
            unpacks_nothing(bad, "bad.tar.gz")
        else:  # of two zeros another one was copied
            assert tested.stdout == gzip.decompress(whole)


def archived(path, *members):
    """An archive of members: a name, its content, and fields of the member that are others."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content, fields in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content))
    return path


class Zeros(io.RawIOBase):
    def __init__(self, size):
        self.left = size

    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def test_files_that_are_too_large_are_refused_before_they_are_unpacked(tmp_path, machine):
    """Zeros pack well: an archive of a hundred kilobytes unpacks to as many megabytes."""
    machine("second")
    run = runs.plan("smoke")[0]
    for name, limit in archive.LIMITS.items():
        if limit > 2**24:
            continue
        member = tarfile.TarInfo(f"{run.id}/{name}")
        member.size = limit + 1
        with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as bomb:
            bomb.addfile(member, Zeros(member.size))
        unpacks_nothing(tmp_path / "bomb.tar.gz", f"holds '{run.id}/{name}' of {limit + 1:,} bytes; such a file has at")


def test_fields_of_a_tar_that_would_fill_the_memory_are_refused(tmp_path, machine):
    machine("second")
    run = runs.plan("smoke")[0]
    archived(tmp_path / "pax.tar.gz", (f"{run.id}/log.txt", b"", {"pax_headers": {"comment": "x" * 2**22}}))
    unpacks_nothing(tmp_path / "pax.tar.gz", r"not a whole archive of runs \(a field of 4,?\d+ bytes\)")


def test_what_comes_after_the_last_file_is_refused(packed, tmp_path, machine):
    machine("second")
    for more, words in ((gzip.compress(bytes(2**18)), "goes on after its last file"), (b"more", "bad.tar.gz")):
        (tmp_path / "bad.tar.gz").write_bytes(packed.read_bytes() + more)
        unpacks_nothing(tmp_path / "bad.tar.gz", words)


@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "DIRTYPE", "FIFOTYPE", "CHRTYPE", "BLKTYPE", "GNUTYPE_SPARSE"])
def test_whatever_is_no_file_is_refused(kind, tmp_path, machine):
    machine("second")
    run = runs.plan("smoke")[0]
    fields = {"type": getattr(tarfile, kind), "linkname": "/etc/passwd"}
    unpacks_nothing(archived(tmp_path / "bad.tar.gz", (f"{run.id}/history.csv", b"", fields)), "bad.tar.gz")


def test_a_file_that_is_there_twice_is_refused(tmp_path, machine):
    machine("second")
    name = f"{runs.plan('smoke')[0].id}/history.csv"
    unpacks_nothing(archived(tmp_path / "bad.tar.gz", (name, b"1", {}), (name, b"2", {})), f"holds '{name}' twice")


def test_a_part_of_a_run_is_refused(packed, tmp_path, machine):
    machine("second")
    with tarfile.open(packed) as whole:
        members = [(m.name, whole.extractfile(m).read(), {}) for m in whole]
    for lacking in ("manifest.json", "history.csv"):
        rest = [member for member in members if not member[0].endswith(lacking)]
        unpacks_nothing(archived(tmp_path / "bad.tar.gz", *rest), f"without {lacking}, so it is no finished run")


def test_what_a_killed_process_left_goes_and_an_unfinished_run_gives_way(packed, machine):
    machine("second")
    one, two = runs.plan("smoke", "batch_size")
    left = paths.runs() / ".unpack-killed" / one.id
    left.mkdir(parents=True)
    (left / "weights.npz").write_bytes(b"half of them")
    runs.write_manifest(two, {"status": "running", "epochs_done": 1, "seconds": 1.0})
    (two.folder / "checkpoint.npz").write_bytes(b"of one epoch")
    new, _ = archive.unpack(packed)
    assert {run.id for run in new} == {one.id, two.id}
    assert {path.name for path in paths.runs().iterdir()} == {"unpack.lock", one.id, two.id}
    assert {path.name for path in two.folder.iterdir()} == FILES | {"lock"}


def test_two_processes_unpack_one_after_the_other(packed, machine, monkeypatch):
    machine("second")
    first = FileLock(paths.runs() / "unpack.lock")
    paths.runs().mkdir(parents=True)
    first.acquire()
    monkeypatch.setattr(locks, "print", lambda *_, **__: first.release(), raising=False)
    assert len(archive.unpack(packed)[0]) == 2 and not first.is_locked
