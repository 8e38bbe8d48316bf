"""Runs carried to another machine: packed, unpacked, merged by copying; what does not fit together is refused."""

import io
import json
import shutil
import tarfile
from dataclasses import asdict

import pytest
from test_tables import finish

from study.experiments import runs, tables
from study.grid import archive

FILES = {"manifest.json", "weights.npz", "history.csv"}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Moves to a machine of this name, with results of its own."""
    return lambda name: monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / name))


@pytest.fixture
def packed(tmp_path, machine):
    """An archive of two finished runs; a third one was cut off. Leaves the machine that packed it."""
    machine("first")
    one, two, three = runs.plan("smoke", "batch_size", "train_size")[:3]
    for run in (one, two):
        finish(run)
        runs.write(run.folder / "weights.npz", b"weights")
        runs.write(run.folder / "checkpoint.npz", b"of no use to others")
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
    assert {path.name for path in one.folder.iterdir()} == FILES
    assert table_bytes() == here
    new, known = archive.unpack(packed)
    assert not new and {run.id for run in known} == {one.id, two.id}


def test_an_archive_names_nobody(packed):
    with tarfile.open(packed) as members:
        assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}


def test_folders_of_several_machines_merge_by_copying(tmp_path, machine):
    one, two = runs.plan("smoke", "batch_size")
    for name, run in (("first", one), ("second", two)):
        machine(name)
        finish(run)
    shutil.copytree(tmp_path / "first", tmp_path / "second", dirs_exist_ok=True)
    assert set(tables.collect("smoke").run) == {one.id, two.id}


def test_another_result_of_a_run_that_is_here_is_refused_and_nothing_changes(packed, machine):
    machine("second")
    one, two = runs.plan("smoke", "batch_size")
    finish(two, psnr=21.0)
    with pytest.raises(ValueError, match=f"Run {two.id} has one result in .* and another in .*runs.tar.gz"):
        archive.unpack(packed)
    assert not one.folder.exists() and list(one.folder.parents[1].iterdir()) == [two.folder.parent]


def test_a_folder_of_two_results_is_refused_with_its_name(machine):
    machine("first")
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    manifest = runs.read_manifest(run)
    text = (run.folder / "history.csv").read_bytes()
    for digest in (runs.digest(text), runs.digest(text + b"1\n")):
        runs.write(run.folder / "manifest.json", json.dumps(manifest | {"history": digest}).encode())
        if digest == runs.digest(text):
            tables.collect("smoke")
    with pytest.raises(
        tables.TableError, match=f"Run {run.id}: manifest.json and history.csv .* two different results"
    ):
        tables.collect("smoke")


@pytest.mark.parametrize(
    "name", ["../outside.csv", "/etc/history.csv", "batch_size/../history.csv", "batch_size/x/y/history.csv", "x.py"]
)
def test_a_name_that_leads_elsewhere_is_refused(name, tmp_path, machine):
    machine("second")
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as bad:
        member = tarfile.TarInfo(name)
        member.size = 1
        bad.addfile(member, io.BytesIO(b"1"))
    with pytest.raises(ValueError, match="which is no file of a run"):
        archive.unpack(path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["bad.tar.gz"]


def test_a_link_is_refused(tmp_path, machine):
    machine("second")
    with tarfile.open(tmp_path / "bad.tar", "w") as bad:
        member = tarfile.TarInfo("batch_size/x/history.csv")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bad.addfile(member)
    with pytest.raises(ValueError, match="no file of a run"):
        archive.unpack(tmp_path / "bad.tar")


def test_a_run_under_another_ones_name_is_refused(packed, tmp_path, machine):
    one, two = runs.plan("smoke", "batch_size")
    manifest = asdict(one) | {"status": "done"}
    with tarfile.open(tmp_path / "bad.tar", "w") as bad:
        for name, content in (("manifest.json", json.dumps(manifest).encode()), ("history.csv", b"psnr\n1\n")):
            member = tarfile.TarInfo(f"batch_size/{two.id}/{name}")
            member.size = len(content)
            bad.addfile(member, io.BytesIO(content))
    machine("second")
    with pytest.raises(ValueError, match=f"holds batch_size/{two.id}, .* its manifest is that of batch_size/{one.id}"):
        archive.unpack(tmp_path / "bad.tar")


def test_half_an_archive_is_refused(packed, tmp_path, machine):
    machine("second")
    (tmp_path / "half.tar.gz").write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(ValueError, match="half.tar.gz is not a whole archive of runs"):
        archive.unpack(tmp_path / "half.tar.gz")


def test_nothing_to_pack_is_said_with_the_command(tmp_path, machine):
    machine("first")
    with pytest.raises(ValueError, match="nothing to pack. `make study PRESET=smoke` trains them"):
        archive.pack("smoke", tmp_path / "runs.tar.gz")
    assert not list(tmp_path.glob("*.gz"))
