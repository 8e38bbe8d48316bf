"""Runs carried to another machine: packed, unpacked, merged by copying; what does not fit together is refused."""

import io
import json
import shutil
import tarfile
from dataclasses import asdict

import pytest

from study.experiments import runs, tables
from study.grid import archive
from study.ground import atomic
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
