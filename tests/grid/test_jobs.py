"""The study at its smallest as a person starts it, and its grid: a process for each run, which writes its folder and
nothing else.
"""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from study.experiments import runs, studies, tables
from study.grid import plan, progress
from study.ground import paths

COMPARED = ("history.csv", "summary.csv")  # runs.csv has clock times
ORDERS = int(os.environ.get("ORDERS", 1))  # in which the grid is trained again; each takes two minutes of two cores
OF_A_RUN = {"manifest.json", "history.csv", "images.csv", "weights.npz", "log.txt", "lock"}
# Tables of `passes`, `codec`, `part` and their like, which other presets have.
OF_CODECS = {"kodak", "rates", "targets", "photograph", "cells", "parts", "part_differences", "use"}


def study(output, *arguments, **environment):
    """The command line in a process of its own, with everything it makes below `output`."""
    environment = os.environ | {"STUDY_OUTPUT": str(output)} | environment
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True)


def succeeds(output, *arguments, **environment):
    done = study(output, *arguments, **environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def files(folder):
    """All files below a folder, by their place in it, but for what Snakemake keeps for itself."""
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return {name for name in found if "/.snakemake/" not in name}


def collected(output):
    """The bytes of the tables that say what was trained."""
    succeeds(output, "tables", "--preset", "smoke")
    return {name: (output / "results" / "smoke" / name).read_bytes() for name in COMPARED}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the whole study at its smallest: what `make study PRESET=smoke` does, on two cores."""
    output = tmp_path_factory.mktemp("whole")
    succeeds(output, "all", "--preset", "smoke", "--cores", 2)
    return output


def test_the_study_at_its_smallest_makes_tables_figures_and_paper(whole):
    tables_made = {path.stem for path in (whole / "results" / "smoke").glob("*.csv")}
    assert tables_made == set(tables.SCHEMA) - OF_CODECS
    of_studies = {f"{study.name}_{kind}" for study in studies.of_preset("smoke") for kind in study.figures}
    of_tables = {"architecture", "better_samples", "poorer_samples", "loss_pictures", "edges"}
    drawn = {path.name for path in (whole / "figures" / "smoke").iterdir()}
    assert drawn == {f"{name}.{kind}" for name in of_studies | of_tables for kind in ("png", "pdf")}
    (printed,) = (whole / "paper").rglob("*.pdf")
    assert printed.read_bytes().startswith(b"%PDF")


def test_each_job_writes_its_runs_folder_and_its_mark_and_nothing_else(whole):
    ids = [run.id for run in runs.plan("smoke")]
    of_runs = {f"results/runs/{run}/{name}" for run in ids for name in OF_A_RUN | {"output.txt"}}
    of_snakemake = {f"results/runs/finished/{run}" for run in ids} | {"results/runs/smoke.snakemake.txt"}
    later = ("results/runs/notebooks/", "results/runs/smoke.collect.lock")
    written = {name for name in files(whole) if name.startswith("results/runs/") and not name.startswith(later)}
    assert written == of_runs | of_snakemake


def test_a_study_that_is_finished_trains_nothing_and_executes_no_notebook(whole):
    dates = {path: path.stat().st_mtime_ns for path in whole.rglob("results/runs/*/*")}
    said = succeeds(whole, "all", "--preset", "smoke", "--cores", 2)
    assert f"{len(runs.plan('smoke'))} finished, 0 to train; 0 images x passes\n" in said and "notebook" not in said
    assert dates == {path: path.stat().st_mtime_ns for path in whole.rglob("results/runs/*/*")}


@pytest.mark.parametrize("seed", range(ORDERS))
def test_tables_do_not_depend_on_the_order_in_which_runs_end(whole, tmp_path, seed):
    """Two processes at a time, each of which trains a run and collects the tables, while the other is at work."""
    ids = [run.id for run in runs.plan("smoke")]
    order = random.Random(seed).sample(ids, len(ids))
    assert order != ids

    def train_and_collect(run):
        succeeds(tmp_path, "train", "smoke", run)
        succeeds(tmp_path, "tables", "--preset", "smoke")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train_and_collect, order))
    assert {f"results/runs/{run}/{name}" for run in ids for name in OF_A_RUN} <= files(tmp_path)
    assert collected(tmp_path) == collected(whole)


def test_a_job_leaves_the_tables_alone(tmp_path):
    """The pictures of the loss study are of several runs: a job that trains one of them has no say in them."""
    run = next(run for run in runs.plan("smoke", "loss") if run.loss == "l1")
    table = tmp_path / "results" / "smoke" / "loss_samples.csv"
    table.parent.mkdir(parents=True)
    table.write_text("as it was\n")
    done = study(tmp_path, "train", "smoke", run.id)
    *epochs, last = done.stdout.splitlines()
    assert last in (f"{run.id} done", f"{run.id} collapsed"), done.stderr
    assert [line.partition(f"{run.id}  ")[2][:9] for line in epochs] == [f"epoch {n}/6" for n in range(1, 7)]
    assert "it/s" not in done.stderr and "%|" not in done.stderr  # no bars in a log
    assert files(tmp_path) == {"results/smoke/loss_samples.csv"} | {f"results/runs/{run.id}/{f}" for f in OF_A_RUN}
    assert table.read_text() == "as it was\n"


def test_a_job_that_fails_leaves_its_words(tmp_path, monkeypatch):
    """The runs of `codec-full` where there is no CIFAR; on the processor, though the preset asks for GPUs."""
    nowhere = {"CIFAR_DIR": str(tmp_path / "nowhere"), "CUDA_VISIBLE_DEVICES": ""}
    done = study(tmp_path / "output", "grid", "--preset", "codec-full", "--cores", 2, **nowhere)
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / "output"))
    planned = runs.plan("codec-full")
    logs = [run.folder / "output.txt" for run in planned]
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"study: {len(planned)} runs of codec-full are not finished") and str(logs[0]) in said
    for log in logs:
        last = log.read_text().splitlines()[-1]
        assert last.startswith("study: ") and str(tmp_path / "nowhere") in last
    assert files(tmp_path / "output") == {
        "results/runs/codec-full.snakemake.txt",
        *(f"results/runs/{run.id}/output.txt" for run in planned),
    }
    told = progress.text("codec-full", datetime(2026, 1, 1)).splitlines()
    assert told[: len(planned)] == [
        f"{run.id}: failed, epoch 0 of {run.epochs}; see {log}" for run, log in zip(planned, logs, strict=True)
    ]
    assert f"{len(planned)} failed" in told[len(planned)]


@pytest.mark.parametrize(("preset", "own_gpu"), [("smoke", False), ("codec-full", True)])
def test_a_job_is_one_command_and_asks_for_what_its_run_takes(preset, own_gpu, tmp_path):
    """By Snakemake's own dry run."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", tmp_path]
    command += ["--config", f"preset={preset}", "--dry-run", "--printshellcmds", "--cores", "2"]
    environment = os.environ | {"STUDY_OUTPUT": str(tmp_path)}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for run in runs.plan(preset):
        option = "--own-gpu " if own_gpu else " "
        log = tmp_path / "results" / "runs" / run.id / "output.txt"
        assert f"{sys.executable} -m study train {option}{preset} {run.id} > {log} 2>&1" in said
        for asked in (f"mem_mb={plan.memory_mb(run)}", f"runtime={plan.job_minutes(run, own_gpu)}"):
            assert asked in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "--preset", "tiny"), "There is no preset 'tiny'; choose one of smoke"),
        (("figures", "--preset", "smoke"), "runs.csv is not there. `make study PRESET=smoke` makes it"),
        (("tables", "--preset", "smoke"), "no finished run yet. `make study PRESET=smoke` makes them"),
        (("check", "--preset", "smoke"), "history.csv is not there. `make study PRESET=smoke` makes it"),
        (("notebooks", "--preset", "smoke"), "history.csv is not there. `make study PRESET=smoke` makes it"),
        (("train", "smoke", "nothing"), "There is no run 'nothing' in smoke; its 5 runs are photographs-lstm"),
        (("train", "tiny", "nothing"), "There is no preset 'tiny'; choose one of smoke"),
        (("grid", "--preset", "smoke", "--profile", "moon"), "invalid choice: 'moon'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, message, tmp_path):
    done = study(tmp_path, *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert not files(tmp_path) or files(tmp_path) == {"results/runs/smoke.collect.lock"}
