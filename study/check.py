"""Checks the tracked tables of a preset: their columns, and that their rows are those of the runs that they name."""

import numpy as np
import pandas as pd

from study import paths, runs, tables
from study.presets import COLLAPSE_MARGIN


def problems(preset: str) -> list[str]:
    """What is wrong with a preset's tables, each in a line; empty where nothing is.

    Every table must have the columns of `tables.SCHEMA`. Every row of `runs.csv` must be a run of the grid whose id is
    that of its parameters, on data of the one fingerprint that `data.csv` has, and with its status earned. The history
    must have each of its epochs, splits and passes once, with the run's own parameters. No row belongs to another run.
    """
    found = [f"{file.name} is no table of the study" for file in _unknown(preset)]
    for name in tables.SCHEMA:
        if tables.path(preset, name).exists():
            try:
                tables.read(preset, name)
            except tables.TableError as error:
                found.append(str(error))
    if found:
        return found
    history, table = tables.read(preset, "history"), tables.read(preset, "runs")
    unknown = sorted(set(history.run) - set(table.run))
    found += [f"history.csv has rows of {run}, which runs.csv does not have" for run in unknown]
    found += [f"runs.csv has {run} twice" for run in table.run[table.run.duplicated()]]
    planned = {run.id: run for run in runs.plan_all(preset)}
    both = pd.concat([table, tables.read_or_empty(preset, "data")])
    for data, fingerprints in both.groupby("data").fingerprint.unique().items():
        if len(fingerprints) > 1:
            found.append(
                f"the runs and data.csv have {data} with more fingerprints than one: {', '.join(fingerprints)}"
            )
    for _, row in table.iterrows():
        found += [f"{row.run}: {problem}" for problem in _of_run(row, planned, history[history.run == row.run])]
    return found


def _unknown(preset):
    return [file for file in sorted(paths.tables(preset).glob("*.csv")) if file.stem not in tables.SCHEMA]


def _of_run(row, planned, history):
    if row.run not in planned:
        yield "it is not in the preset's grid, or its id is not that of its parameters"
        return
    run = planned[row.run]
    for field in runs.parameters():
        if row[field] != getattr(run, field):
            yield f"{field} is {row[field]!r} in runs.csv, and {getattr(run, field)!r} by its id"
        if field in history.columns and set(history[field]) != {getattr(run, field)}:
            yield f"{field} is {sorted(set(history[field]))} in history.csv, and {getattr(run, field)!r} by its id"
    expected = pd.MultiIndex.from_product(
        [range(1, row.epochs_done + 1), ["training", "validation"], np.arange(1, run.iterations + 1) / 8]
    )
    rows = pd.MultiIndex.from_frame(history[["epoch", "split", "bpp"]])
    if len(rows) != len(expected) or set(rows) != set(expected):
        yield f"history.csv has {len(rows)} rows of it, not one each of {len(expected)} epochs, splits and passes"
    elif set(history.status) != {row.status} or row.status != _status(row, run, history):
        yield f"its status {row.status!r} is not that of its last epoch"


def _status(row, run, history):
    if row.epochs_done < run.epochs or history.psnr.isna().any():
        return "diverged"
    last = history[(history.split == "validation") & (history.epoch == row.epochs_done)]
    psnr = last.psnr[last.bpp == last.bpp.max()].item()
    return "done" if psnr > row.mean_image_psnr + COLLAPSE_MARGIN else "collapsed"
