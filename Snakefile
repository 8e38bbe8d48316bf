# The grid: one papermill job a run that is neither finished here nor in the tracked tables. `snakemake -n` shows them.
#
#   .venv/bin/snakemake -n --directory results/runs --config preset=laptop
#
# A job's output is a mark that it is finished, apart from the run's own folder: Snakemake deletes the outputs of a job that
# failed or starts again, and a run goes on from its checkpoint. Tables, figures and paper are made after the grid.
# Where jobs run is said by a profile, `--profile profiles/slurm`; what each asks for comes from the preset.

import sys

from study import cost, paths, runs, tables
from study.presets import PRESETS

preset = config.get("preset", "laptop")
planned = {run.id: run for run in runs.plan_all(preset)}
gpus = PRESETS[preset].gpu * PRESETS[preset].devices
marks = "finished"  # below the working folder, which is that of the runs


rule all:
    input:
        [f"{marks}/{run.study}/{run.id}" for run in tables.missing(preset, list(planned.values()))],


rule train:
    output:
        touch(f"{marks}/{{study}}/{{run}}"),
    log:
        local(f"{paths.runs()}/{{study}}/{{run}}/notebook.ipynb"),  # in the run's folder, also where marks are in a store
    resources:
        mem_mb=lambda wildcards: cost.memory_mb(planned[wildcards.run]),
        runtime=lambda wildcards: cost.job_minutes(planned[wildcards.run], gpus > 0),
        gpu=gpus,
        nvidia_gpu=gpus,
    params:
        own_gpu=lambda wildcards, resources: "--own-gpu" if resources.gpu == 1 else "",
    shell:
        "{sys.executable} -m study train {params.own_gpu} {preset} {wildcards.study} {wildcards.run} {log}"
