"""The grid: the runs of a preset that are missing, trained side by side through Snakemake, each in a job of its own."""

import os
import subprocess
import sys

from study.experiments import runs, tables
from study.grid import gpus, plan, view
from study.ground import paths
from study.ground.errors import StudyError


def show_plan(preset: str) -> None:
    """Prints what the runs that are still to be trained would take, and how many there are."""
    planned = runs.plan(preset)
    left = tables.missing(preset, planned)
    if left:
        print(plan.text(preset, left))
    images = sum(run.images_seen * run.iterations for run in left)
    done = len(planned) - len(left)
    print(
        f"{preset}: {len(planned)} runs, {done} finished, {len(left)} to train; {images:,} images x passes", flush=True
    )


def train_missing(preset: str, cores: int, profile: str | None = None) -> None:
    """Trains what is missing: on so many cores of this machine, or where a profile of Snakemake says.

    Raises `StudyError` where a run failed, with the file that holds its words.
    """
    show_plan(preset)
    if not tables.missing(preset, runs.plan(preset)):
        return
    if profile == "local-gpu":
        gpus.devices()  # said once, not by each job
    command = [sys.executable, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", paths.runs()]
    command += ["--config", f"preset={preset}", "--forcerun", "train"]
    command += ["--profile", paths.PROFILES / profile] if profile else ["--cores", cores]
    command += ["--workflow-profile", "none", "--rerun-incomplete", "--keep-going", "--nolock", "--quiet", "rules"]
    paths.runs().mkdir(parents=True, exist_ok=True)
    failed = _run([str(part) for part in command], preset)
    if (left := tables.missing(preset, runs.plan(preset))) or failed:
        logs = [run.folder / runs.OUTPUT for run in left if (run.folder / runs.OUTPUT).exists()]
        where = f"the first one's last words are in {logs[0]}" if logs else "none of them has begun"
        raise StudyError(
            f"{len(left)} runs of {preset} are not finished; {where}, and what Snakemake said is in {_words(preset)}. "
            "The same command goes on with them."
        )


def _run(command, preset):
    """Runs Snakemake, whose own words go to a file, and shows how far the grid is; returns its exit code."""
    with open(_words(preset), "wb") as words:
        process = subprocess.Popen(command, env=_environment(), stdout=words, stderr=subprocess.STDOUT)
        try:
            view.watch(preset, lambda: process.poll() is None)
        finally:  # an interrupt reaches Snakemake too, which waits for its jobs
            process.wait()
    return process.returncode


def _words(preset):
    return paths.runs() / f"{preset}.snakemake.txt"


def _environment():
    """Without a profile for other workflows, and with a folder for Snakemake's cache, as a home may be read-only."""
    environment = {name: value for name, value in os.environ.items() if name != "SNAKEMAKE_PROFILE"}
    return environment | {"XDG_CACHE_HOME": str(paths.runs() / ".snakemake" / "cache")}
