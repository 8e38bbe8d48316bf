"""A disk that is full, at every moment at which something is written: nothing is lost, nothing left, one line said.

On a small disk of its own in memory, which only root makes; skipped for others.
"""

import os
import subprocess
from dataclasses import replace

import pytest

from study import training
from study.__main__ import main
from study.experiments import runs, tables
from study.grid import archive
from study.ground import atomic, paths


@pytest.fixture(scope="module")
def mounted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def disk(mounted, monkeypatch):
    """A disk of 8 MB with an output folder that is empty."""
    subprocess.run(["find", mounted, "-mindepth", "1", "-delete"], check=True)
    output = mounted / "output"
    output.mkdir()
    monkeypatch.setenv("STUDY_OUTPUT", str(output))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return mounted


def fill(disk, left=0):
    """Takes all of a disk but for so many bytes."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**14))
        except OSError:
            os.truncate(file.fileno(), max(0, file.tell() - left))


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def at_each_write(disk, work, monkeypatch):
    """Does something again and again, on a disk that is full from the first, second, third ... written file on.

    Returns how often it failed until there was no such file any more. Each time nothing but whole files was left.
    """
    opened = atomic._open_part
    for number in range(1, 30):
        written = []

        def open_part(*arguments, written=written, number=number):
            written.append(arguments)
            if len(written) == number:
                fill(disk)
            return opened(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(atomic, "_open_part", open_part)
            try:
                work()
                return number - 1
            except OSError as error:
                assert f"No space left on device: '{disk}/" in str(error) and "\n" not in str(error)
            finally:
                (disk / "ballast").unlink(missing_ok=True)
        assert not [name for name in files(disk) if name.endswith(atomic.PART)]
    raise AssertionError("it never ends")


RUN = replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=64, width=1 / 16)


def results(run):
    """What a run is: of its manifest and its log, what is not a time."""
    found = {name: content for name, content in files(run.folder).items() if name not in ("manifest.json", "log.txt")}
    manifest = {name: value for name, value in runs.read_manifest(run).items() if name != "seconds"}
    return found, manifest


def test_a_run_ends_alike_after_the_disk_was_full_at_each_of_its_files(disk, tmp_path, monkeypatch):
    """Each start goes on from what the one before has left, and gets one file further, or as far as that."""
    failed = at_each_write(disk, lambda: training.train(RUN), monkeypatch)
    assert failed >= 5 and runs.finished(RUN)
    here = results(RUN)
    log = RUN.folder / "log.txt"  # its one epoch is saved before it is logged, and is not done again
    assert not log.exists() or log.read_text().count("epoch 1/1") == 1
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    training.train(RUN)
    assert here == results(RUN)


def test_collecting_loses_nothing_when_the_disk_is_full_at_any_table(disk, finish, monkeypatch):
    made = runs.plan("smoke")
    finish(made[0])
    tables.collect("smoke")
    before = tables.read("smoke", "history")
    for run in made[1:]:
        finish(run)

    def collect():
        tables.collect("smoke")

    assert at_each_write(disk, collect, monkeypatch) == 2  # each time one more of the three is written
    history = tables.read("smoke", "history")
    assert set(history.run) == {run.id for run in made} and set(before.run) <= set(history.run)


def test_collecting_goes_on_between_two_tables_where_the_folders_are(disk, finish, monkeypatch):
    """As after a power cut there: a table that has more runs than the other is no reason to stop."""
    made = runs.plan("smoke", "batch_size")
    for count, run in enumerate(made, 1):
        finish(run)
        written = []

        def one_table(path, content, written=written):
            if written:
                raise OSError("No space left on device")
            written.append(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(atomic, "write", one_table)
            tables.collect("smoke")
        assert run not in tables.missing("smoke", made)
        assert len(set(tables.collect("smoke").run)) == count


@pytest.fixture
def packed(tmp_path, finish, monkeypatch):
    """An archive of two runs with 2 MB of weights each, packed elsewhere."""
    with monkeypatch.context() as patch:
        patch.setenv("STUDY_OUTPUT", str(tmp_path / "first"))
        for run in runs.plan("smoke", "batch_size"):
            finish(run)
            (run.folder / "weights.npz").write_bytes(os.urandom(2**21))
        archive.pack("smoke", tmp_path / "runs.tar.gz")
    return tmp_path / "runs.tar.gz"


@pytest.mark.parametrize("left", [0, 2**14, 2**20, 3 * 2**20])
def test_unpacking_onto_a_disk_that_is_too_small_leaves_nothing(disk, packed, left):
    fill(disk, left)
    before = files(disk)
    with pytest.raises((OSError, ValueError), match="No space left on device|make room. Nothing was unpacked"):
        archive.unpack(packed)
    assert {name: content for name, content in files(disk).items() if not name.endswith("unpack.lock")} == before
    (disk / "ballast").unlink()
    assert len(archive.unpack(packed)[0]) == 2


def test_packing_onto_a_disk_that_is_too_small_leaves_the_archive_before(disk, packed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / "first"))
    (disk / "runs.tar.gz").write_bytes(b"of before")
    for left in (0, 2**20, 2**21):
        fill(disk, left)
        with pytest.raises(SystemExit) as stopped:
            main(["pack", "--preset", "smoke", str(disk / "runs.tar.gz")])
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and said.count("\n") == 1 and "No space left on device" in said
        assert sorted(files(disk)) == ["ballast", "runs.tar.gz"]
        assert (disk / "runs.tar.gz").read_bytes() == b"of before"
        (disk / "ballast").unlink()
    main(["pack", "--preset", "smoke", str(disk / "runs.tar.gz")])
    assert archive.unpack(disk / "runs.tar.gz")[1] and sorted(files(disk)) == ["runs.tar.gz"]
    assert paths.runs().is_dir()


def test_looking_at_a_grid_needs_no_room(disk, finish, capsys):
    finish(runs.plan("smoke")[0])
    fill(disk)
    main(["progress", "--preset", "smoke"])
    assert "1 done" in capsys.readouterr().out
