# The grid: one job for each run that is neither finished here nor in the preset's tables. `snakemake -n` shows them.
#
#   .venv/bin/snakemake -n --directory results/runs --config preset=laptop
#
# A job trains one run in its folder and writes nothing else. Its output is a mark that it is finished, apart from the
# run's own folder: Snakemake deletes the outputs of a job that failed or starts again, and a run goes on from its
# checkpoint. Tables, notebooks, figures and paper are made after the grid.
# Where jobs run is said by a profile, `--profile profiles/slurm`; what each asks for comes from the preset.

import sys

from study.experiments import runs, tables
from study.experiments.presets import preset as preset_of
from study.grid import plan
from study.ground import paths

preset = config.get("preset", "laptop")
planned = {run.id: run for run in runs.plan(preset)}
gpus = int(preset_of(preset).gpu)
marks = "finished"  # below the working folder, which is that of the runs


rule all:
    input:
        [f"{marks}/{run.id}" for run in tables.missing(preset, list(planned.values()))],


rule train:
    output:
        touch(f"{marks}/{{run}}"),
    log:
        local(f"{paths.runs()}/{{run}}/{runs.OUTPUT}"),  # in the run's folder, also where marks are in a store
    resources:
        mem_mb=lambda wildcards: plan.memory_mb(planned[wildcards.run]),
        runtime=lambda wildcards: plan.job_minutes(planned[wildcards.run], gpus > 0),
        gpu=gpus,
        nvidia_gpu=gpus,
    params:
        own_gpu=lambda wildcards, resources: "--own-gpu" if resources.gpu == 1 else "",
    shell:
        "{sys.executable:q} -m study train {params.own_gpu} {preset} {wildcards.run} > {log:q} 2>&1"
