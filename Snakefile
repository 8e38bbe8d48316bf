# The grid: one papermill job a run that is neither finished here nor in the tracked tables. `snakemake -n` shows them.
#
#   .venv/bin/snakemake -n --config preset=laptop
#
# A job's output is a mark that it is finished, apart from the run's own folder: Snakemake deletes the outputs of a job that
# failed or starts again, and a run goes on from its checkpoint. Tables, figures and paper are made after the grid.

import sys

from study import paths, runs, tables

preset = config.get("preset", "laptop")
marks = paths.runs() / "finished"


rule all:
    input:
        [f"{marks}/{run.study}/{run.id}" for run in tables.missing(preset, runs.plan_all(preset))],


rule train:
    output:
        touch(f"{marks}/{{study}}/{{run}}"),
    log:
        f"{paths.runs()}/{{study}}/{{run}}/notebook.ipynb",
    shell:
        "{sys.executable} -m study train {preset} {wildcards.study} {wildcards.run} {log}"
