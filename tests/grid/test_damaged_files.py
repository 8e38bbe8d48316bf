"""Archives, manifests, tables and CIFAR files that something happened to: read as they are, or refused in one line.

    MUTATIONS=10000 .venv/bin/python -m pytest tests/grid/test_damaged_files.py -s

does as many as wanted of each kind, and prints the slowest and how much memory they took at most.
"""

import gzip
import io
import json
import os
import pickle
import resource
import shutil
import tarfile
import time
from dataclasses import asdict
from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study import cifar
from study.experiments import own, runs, tables
from study.grid import archive, progress
from study.ground import atomic, paths
from study.ground.errors import StudyError

EXAMPLES = int(os.environ.get("MUTATIONS", 20))
often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
RUN = runs.plan("smoke", "batch_size")[0]
SEEN = {"files": 0, "refused": 0, "seconds": 0.0}


@st.composite
def mutated(draw, whole):
    """Bytes changed, put in, taken out, doubled or cut off; text often by a piece of text that means something."""
    file = bytearray(whole)
    pieces = [b"\0", b",", b";", b"\n", b'"', b"nan", b"-1", b"1e999", b"NaN", b"[[", b"{", b"null", b"9" * 40, b"\xff"]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(file)))
        kind = draw(st.sampled_from(["flip", "insert", "remove", "cut", "replace", "double"]))
        if kind == "flip" and at < len(file):
            file[at] ^= draw(st.integers(1, 255))
        elif kind == "insert":
            file[at:at] = draw(st.one_of(st.sampled_from(pieces), st.binary(max_size=40)))
        elif kind == "remove":
            del file[at : at + draw(st.integers(1, 40))]
        elif kind == "cut":
            del file[at:]
        elif kind == "double":
            file[at:at] = file[at : at + draw(st.integers(1, 600))]
        else:
            new = draw(st.one_of(st.sampled_from(pieces), st.binary(max_size=40)))
            file[at : at + len(new)] = new
    return bytes(file)


def is_read_or_refused(read):
    """What `read` returns, or None where it refuses in one line; soon in either case."""
    start, found = time.perf_counter(), None
    try:
        found = read()
    except (StudyError, OSError) as error:
        assert str(error) and "\n" not in str(error), str(error)
        SEEN["refused"] += 1
    seconds = time.perf_counter() - start
    assert seconds < 2
    SEEN["files"] += 1
    SEEN["seconds"] = max(SEEN["seconds"], seconds)
    return found


@pytest.fixture(scope="module", autouse=True)
def report():
    """How much more memory the whole process took at its peak than before the first file, on Linux in KiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"\n{SEEN['files']} files, {SEEN['refused']} of them refused: the slowest took {SEEN['seconds']:.2f} s, "
        f"memory rose by {more:.0f} MiB"
    )
    assert more < 500


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An output folder of this file's tests."""
    folder = tmp_path_factory.mktemp("damaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_OUTPUT", str(folder))
        yield folder


@pytest.fixture
def files(folder, finish):
    """The files of a finished run, by name, in its folder; the folder is as it was before each test."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    finish(RUN)
    for name in ("weights.npz", "images.csv"):
        atomic.write(RUN.folder / name, b"image,bpp,psnr\n0,0.125,20\n")
    atomic.write(RUN.folder / "log.txt", b"epoch 1/6\n")
    content = {name: (RUN.folder / name).read_bytes() for name in archive.LIMITS}
    digests = {name: runs.digest(content[file]) for name, file in tables.DIGESTED.items()}
    runs.write_manifest(RUN, runs.read_manifest(RUN) | digests)
    return content | {"manifest.json": (RUN.folder / "manifest.json").read_bytes()}


def packed(files, run=RUN.id):
    """A tar of a run's files, not compressed."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, file in files.items():
            member = tarfile.TarInfo(f"{run}/{name}")
            member.size = len(file)
            tar.addfile(member, io.BytesIO(file))
    return content.getvalue()


def unpacks_or_changes_nothing(folder, content):
    """Unpacks an archive on a machine without runs: all of it, or nothing is there afterwards."""
    shutil.rmtree(folder / "results")
    (folder / "runs.tar.gz").write_bytes(content)
    found = is_read_or_refused(lambda: archive.unpack(folder / "runs.tar.gz"))
    there = {path.relative_to(folder / "results" / "runs").as_posix() for path in folder.glob("results/**/*.*")}
    assert not any(".unpack-" in name or name.endswith(atomic.PART) for name in there)
    new = found[0] if found else []
    assert {name.partition("/")[0] for name in there} == {"unpack.lock", *(run.id for run in new)}
    for run in new:
        tables.check_folder(run)
    assert sorted(path.name for path in folder.iterdir()) == ["results", "runs.tar.gz"]


@often
@given(data=st.data())
def test_archives(folder, files, data):
    unpacks_or_changes_nothing(folder, data.draw(mutated(gzip.compress(packed(files), 1, mtime=0))))


@often
@given(data=st.data())
def test_archives_whose_checksum_holds(folder, files, data):
    unpacks_or_changes_nothing(folder, gzip.compress(data.draw(mutated(packed(files))), 1))


@often
@given(data=st.data())
def test_archives_of_runs_that_are_damaged(folder, files, data):
    """Manifests and histories, with the digests that they would have."""
    name = data.draw(st.sampled_from(["manifest.json", "history.csv"]))
    changed = files | {name: data.draw(mutated(files[name]))}
    if name == "history.csv":
        facts = json.loads(files["manifest.json"]) | {"history": runs.digest(changed[name])}
        changed |= {"manifest.json": json.dumps(facts).encode()}
    unpacks_or_changes_nothing(folder, gzip.compress(packed(changed), 1))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 9), st.floats(), st.text(max_size=9), st.lists(st.none())
)


@often
@given(st.dictionaries(st.sampled_from([*asdict(RUN), *tables.RUNS, *tables.DIGESTED]), VALUES, max_size=4))
def test_archives_of_runs_with_other_values(folder, files, values):
    """Under the name that a run of these parameters has, where it has one."""
    shutil.rmtree(folder / "results")
    manifest = json.loads(files["manifest.json"]) | {"epochs_done": 10**9, "epochs": 10**9} | values
    path = folder / "results" / "manifest.json"
    atomic.write(path, json.dumps(manifest).encode())
    run = is_read_or_refused(lambda: runs.of_manifest(path))
    path.unlink()
    name = run.id.encode("ascii", "replace").decode().replace("/", "-")[:90] if run else RUN.id
    unpacks_or_changes_nothing(
        folder, gzip.compress(packed(files | {"manifest.json": json.dumps(manifest).encode()}, name), 1)
    )
    if runs.finished(RUN):
        tables.collect("smoke")
        progress.text("smoke", datetime(2026, 1, 1))


@often
@given(data=st.data())
def test_manifests(files, data):
    """One that is read is of this run, whatever it says; otherwise it is as if there were none."""
    (RUN.folder / "manifest.json").write_bytes(data.draw(mutated(files["manifest.json"])))
    found = is_read_or_refused(lambda: runs.read_manifest(RUN))
    assert found == {} or {name: found[name] for name in runs.PARAMETERS} == asdict(RUN)
    is_read_or_refused(lambda: runs.of_manifest(RUN.folder / "manifest.json"))
    if runs.finished(RUN):
        is_read_or_refused(lambda: tables.check_folder(RUN))
    progress.text("smoke", datetime(2026, 1, 1))


@pytest.fixture
def collected(folder, files):
    """The tables of that run, whose folder is somewhere else; their bytes, by name."""
    tables.collect("smoke")
    shutil.rmtree(RUN.folder)
    return {name: tables.path("smoke", name).read_bytes() for name in ("history", "runs", "summary")}


@pytest.mark.parametrize("name", ["history", "runs", "summary"])
@often
@given(data=st.data())
def test_tables(collected, name, data):
    """One that is read has the columns, with numbers where numbers belong; collecting loses nothing of it."""
    for other, content in collected.items():
        tables.path("smoke", other).write_bytes(content)
    whole = tables.read("smoke", "history")
    tables.path("smoke", name).write_bytes(data.draw(mutated(collected[name])))
    table = is_read_or_refused(lambda: tables.read("smoke", name))
    if table is not None:
        assert list(table.columns) == tables.SCHEMA[name]
        words = tables.WORDS | tables.WORDS_OF.get(name, set())
        assert not len(table) or [c for c in table.columns if table[c].dtype.kind not in "iuf"] == [
            column for column in table.columns if column in words
        ]
        history = is_read_or_refused(lambda: tables.collect("smoke"))
        assert history is None or (len(history), set(history.run)) == (len(whole), {RUN.id})


@often
@given(data=st.data())
def test_grids_of_ones_own(folder, data):
    """What says which runs a grid of one's own has: those of another one, or a line that names the file."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    name, planned = own.planned("smoke", "batch_size", batch_sizes=[24], seeds=[1])
    path = paths.own_grid(name)
    path.write_bytes(data.draw(mutated(path.read_bytes())))
    found = is_read_or_refused(lambda: runs.plan(name))
    assert found is None or all(isinstance(run.id, str) for run in found) and planned


SMALL = {b"data": np.arange(3 * 3072, dtype=np.uint32).astype(np.uint8).reshape(3, 3072), b"labels": [1, 2, 3]}


@often
@given(data=st.data(), protocol=st.sampled_from([2, 4]))
def test_cifar_files(folder, data, protocol):
    (folder / "results").mkdir(exist_ok=True)
    path = folder / "results" / "test_batch"
    path.write_bytes(data.draw(mutated(pickle.dumps(SMALL, protocol))))
    pixels = is_read_or_refused(lambda: cifar.read_pixels(path))
    assert pixels is None or pixels.dtype == np.uint8 and pixels.shape[1:] == (3072,)
