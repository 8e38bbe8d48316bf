"""Commands that train and execute: the plan, the grid through Snakemake, one run of it, and the notebooks."""

import subprocess
import sys
from contextlib import nullcontext

from study import cost, paths, runs, tables
from study.presets import PRESETS

# Notebooks that show a preset, in reading order; those of a study train what its grid has not.
NOTEBOOKS = (
    "01_data_preparation",
    "02_model_build",
    "03_batch_size_study",
    "04_train_size_study",
    "05_qualitative_samples",
    "06_loss_study",
    "07_rate_distortion",
    "08_claims",
    "09_uses",
)


def show_plan(options):
    """what a preset's runs would take that are still to be trained: images, operations, hours, bytes"""
    planned = runs.plan_all(options.preset)
    left = tables.missing(options.preset, planned)
    if left:
        print(cost.text(left))
    images = sum(run.images_seen * run.iterations for run in left)
    done = len(planned) - len(left)
    print(f"{options.preset}: {len(planned)} runs, {done} finished, {len(left)} to train; {images:,} images x passes")


def grid(options):
    """train the runs that are missing, side by side, through Snakemake: here, or where a profile says"""
    show_plan(options)
    if not tables.missing(options.preset, runs.plan_all(options.preset)):
        return
    if options.profile == "local-gpu":
        from study import launch

        launch.count_gpus()  # said once, not by each job
    command = [sys.executable, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", paths.runs()]
    command += ["--config", f"preset={options.preset}", "--forcerun", "train"]
    command += ["--profile", paths.PROFILES / options.profile] if options.profile else ["--cores", options.cores]
    command += ["--rerun-incomplete", "--keep-going", "--nolock", "--quiet", "rules"]
    paths.runs().mkdir(parents=True, exist_ok=True)
    if subprocess.run([str(part) for part in command]).returncode:
        raise ValueError(f"Some runs failed; each one's notebook, with the error, is beside it under {paths.runs()}.")


def train_job(options):
    """one run through its study's notebook: what a job of the grid calls"""
    from study import launch

    planned = {run.id: run for run in runs.plan(options.preset, options.study)}
    if options.run not in planned:
        raise ValueError(
            f"There is no run {options.run!r} in {options.preset}'s {options.study}: {', '.join(planned)}."
        )
    run = planned[options.run]
    notebook, _ = runs.STUDIES[run.study]
    settings = {"studies": [run.study]} if "studies" in launch.parameters(notebook) else {}
    settings |= launch.shown(notebook, options.preset) | {"run_ids": [run.id]}
    with launch.own_gpu() if options.own_gpu and run.devices == 1 else nullcontext():
        launch.run_notebook(notebook, options.log, settings)


def notebooks(options):
    """execute the notebooks at a preset, unless that was done since its runs last changed"""
    from study import launch

    tables.collect(options.preset)
    changed = tables.path(options.preset, "runs").stat().st_mtime
    for name in _notebooks(options.preset):
        output = paths.executed_notebooks(options.preset) / f"{name}.ipynb"
        if not output.exists() or output.stat().st_mtime < changed:
            print(f"notebook {name}", flush=True)
            unfinished = output.with_stem(f"{name}.unfinished")
            launch.run_notebook(name, unfinished, launch.shown(name, options.preset))
            unfinished.replace(output)


def _notebooks(preset):
    if PRESETS[preset].batch_sizes:
        return NOTEBOOKS
    return ("07_rate_distortion", "09_uses") if PRESETS[preset].codecs else ("02_model_build",)


def refresh(options):
    """execute the notebooks at their defaults and store the outputs in them"""
    from study import launch

    for name in NOTEBOOKS:
        print(f"notebook {name}", flush=True)
        launch.refresh(name)
