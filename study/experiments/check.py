"""Checks the tables of a preset: their columns, and that their rows are those of the runs that they name."""

import pandas as pd

from study.experiments import runs, tables
from study.experiments.presets import PUBLISHED
from study.ground import paths
from study.ground.errors import StudyError
from study.ground.recipe import COLLAPSE_MARGIN

# Rows that were published before a dirty tree was refused: those of eight runs of the preset `codec`.
DIRTY_BEFORE = ("7b08cb3ee23806dc7b481b5b627112b022c47dd6+", "65991478f753346138241843933e3cb3ea83a739+")


def problems(preset: str) -> list[str]:
    """What is wrong with a preset's tables, each in a line; empty where nothing is.

    Every table must have the columns of `tables.SCHEMA`. Every row of `runs.csv` must be a run of the grid whose id is
    that of its parameters, with the studies that ask for it, on data of the one fingerprint that `data.csv` has, with
    its status earned, and, where the preset is published, from a commit without further changes. The history must have
    each of its epochs, splits and passes once, with the run's own parameters. No row belongs to another run.
    """
    found = [f"{file.name} is no table of the study" for file in _unknown(preset)]
    for name in tables.SCHEMA:
        if tables.path(preset, name).exists():
            try:
                tables.read(preset, name)
            except StudyError as error:
                found.append(str(error))
    if found:
        return found
    history, table = tables.read(preset, "history"), tables.read(preset, "runs")
    unknown = sorted(set(history.run) - set(table.run))
    found += [f"history.csv has rows of {run}, which runs.csv does not have" for run in unknown]
    found += [f"runs.csv has {run} twice" for run in table.run[table.run.duplicated()]]
    planned, studies = {run.id: run for run in runs.plan(preset)}, runs.studies_of(preset)
    both = pd.concat([table, tables.read_or_empty(preset, "data")])
    for data, fingerprints in both.groupby("data").fingerprint.unique().items():
        if len(fingerprints) > 1:
            found.append(
                f"the runs and data.csv have {data} with more fingerprints than one: {', '.join(fingerprints)}"
            )
    for _, row in table.iterrows():
        if row.run not in planned:
            found.append(f"{row.run}: it is not in the preset's grid, or its id is not that of its parameters")
            continue
        problems = _of_run(row, planned[row.run], history[history.run == row.run], studies[row.run])
        found += [f"{row.run}: {problem}" for problem in problems]
    return found


def _unknown(preset):
    return [file for file in sorted(paths.tables(preset).glob("*.csv")) if file.stem not in tables.SCHEMA]


def _of_run(row, run, history, studies):
    for name in runs.PARAMETERS:
        if row[name] != getattr(run, name):
            yield f"{name} is {row[name]!r} in runs.csv, and {getattr(run, name)!r} by its id"
    if row.studies.split() != studies:
        yield f"its studies are {row.studies!r} in runs.csv, and {' '.join(studies)!r} in the grid; collect again"
    if row.preset in PUBLISHED and str(row.commit).endswith("+") and row.commit not in DIRTY_BEFORE:
        yield f"it was trained with changes that no commit has ({row.commit}); commit them and train it again"
    if found := list(tables.history_problems(run, row.epochs_done, history)):
        yield from found
    elif set(history.status) != {row.status} or row.status != _status(row, run, history):
        yield f"its status {row.status!r} is not that of its last epoch"


def _status(row, run, history):
    if row.epochs_done < run.epochs or history.psnr.isna().any():
        return "diverged"
    last = history[(history.split == "validation") & (history.epoch == row.epochs_done)]
    psnr = last.psnr[last.bpp == last.bpp.max()].item()
    return "done" if psnr > row.mean_image_psnr + COLLAPSE_MARGIN else "collapsed"
