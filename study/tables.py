"""The tracked tables of a preset: collected from run folders, checked on reading.

`history.csv` and `runs.csv` are the study's memory: a run whose rows they hold counts as finished on every machine, and
collecting keeps those rows where the run's folder is not there.
"""

import io
import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from study import paths, runs, statistics

HISTORY = (
    "preset study run seed cell reconstruction width iterations loss gain learning_rate schedule batch_size train_size "
    "augmentation epochs protocol precision epoch step images_seen split bpp psnr ssim ms_ssim report_score "
    "residual_l1 status"
).split()
RUNS = [
    *("preset", "run", *runs.parameters(), "status", "epochs_done", "mean_image_psnr", "parameters"),
    *"colour_spread data_colour_spread output_spread fingerprint".split(),
    *"seconds threads backend device policy python keras engine commit".split(),
]
SUMMED = ("psnr", "ssim", "ms_ssim", "report_score", "residual_l1")
SAMPLES = (
    "preset run choice rank image psnr ssim ms_ssim jpeg_bytes jpeg_payload jpeg_psnr jpeg_ssim "
    "original_png reconstruction_png jpeg_png"
).split()

# Every table that a preset may have, with its columns; results/README.md says what they hold.
SCHEMA = {
    "history": HISTORY,
    "runs": RUNS,
    "summary": "preset study setting split score mean low high n".split(),
    "data": "preset data split images mean_psnr fingerprint source".split(),
    "architecture": "preset part layer kernel hidden_kernel height width channels parameters".split(),
    "networks": "preset network passes parameters never_trained bpp".split(),
    "samples": SAMPLES,
    "edges": "preset run image gradient_energy psnr ms_ssim".split(),
    "memory": "preset train_size images index_bytes copied_bytes".split(),
    "claims": (
        "preset claim place wording unit figure region_low region_high estimate low high n over p holm verdict"
    ).split(),
    "kodak": "preset codec setting image raw_bytes payload_bytes file_bytes bpp psnr ssim_blocks ms_ssim".split(),
    "cells": (
        "preset images cell reconstruction seed passes n raw_bpp payload_bpp file_bpp psnr ssim_blocks ms_ssim".split()
    ),
    "targets": (
        "preset codec target n payload_bytes file_bytes psnr psnr_sem ssim_blocks ssim_blocks_sem ms_ssim"
    ).split(),
    "rates": "preset codec quantity against value low high n".split(),
    "parts": "preset part seed tested_on bpp n psnr ssim ms_ssim".split(),
    "gains": "preset part tested_on score mean low high n p holm".split(),
    "use": "preset codec setting seed n payload_bytes accuracy".split(),
    "photograph": "preset codec passes file_bytes bpp psnr picture_png".split(),
    "loss_samples": "preset run loss gain schedule image original_png reconstruction_png".split(),
}


class TableError(ValueError):
    """A table that is missing, or that another version of the study wrote."""


def path(preset: str, name: str) -> Path:
    return paths.tables(preset) / f"{name}.csv"


def read(preset: str, name: str, published: bool = False) -> pd.DataFrame:
    """A table of the output folder, which is the repository unless STUDY_OUTPUT says otherwise, or the published one.

    Raises:
        TableError: it is not there, or its columns are not those of SCHEMA.
    """
    file = paths.published_tables(preset) / f"{name}.csv" if published else path(preset, name)
    if not file.exists():
        raise TableError(f"{file} is not there. `make study PRESET={preset}` makes it.")
    table = pd.read_csv(file, keep_default_na=False, na_values=["nan"])
    later = {column: value for column, value in runs.FIRST.items() if column not in table.columns}
    if set(SCHEMA[name]) == {*table.columns, *later}:  # written before runs had these parameters
        table = table.assign(**later)[SCHEMA[name]]
    if list(table.columns) != SCHEMA[name]:
        missing = [column for column in SCHEMA[name] if column not in table.columns]
        unknown = [column for column in table.columns if column not in SCHEMA[name]]
        raise TableError(
            f"{file} was written by another version of the study: it lacks the columns {missing} and has {unknown} "
            f"(or another order). Move it away and run `make study PRESET={preset}`."
        )
    return table


def read_or_empty(preset: str, name: str) -> pd.DataFrame:
    return read(preset, name) if path(preset, name).exists() else pd.DataFrame(columns=SCHEMA[name])


def write(preset: str, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Writes a table, whole or not at all, and returns it as it will be read: with the file's six digits.

    An unchanged table keeps its file's date, by which `make study` tells what has to be shown again.
    """
    text = table[SCHEMA[name]].to_csv(index=False, float_format="%.6g", lineterminator="\n", na_rep="nan")
    file = path(preset, name)
    if not file.exists() or file.read_text() != text:
        runs.write(file, text.encode())
    return read(preset, name)


def missing(preset: str, planned: list[runs.Run]) -> list[runs.Run]:
    """Those of the planned runs that neither this machine's folders nor the tracked tables hold."""
    tracked = set(read_or_empty(preset, "runs").run)
    return [run for run in planned if run.id not in tracked and not runs.finished(run)]


def collect(preset: str) -> pd.DataFrame:
    """Writes `history.csv`, `runs.csv` and their `summary.csv` from a preset's finished runs; returns the history.

    They hold the preset's own grid: rows of runs that it no longer plans are dropped.

    Raises:
        TableError: a run's folder and the tracked table disagree, or files of two results are in one folder.
    """
    tracked, tracked_runs = read_or_empty(preset, "history"), read_or_empty(preset, "runs")
    histories, manifests = [], []
    for run in runs.plan_all(preset):
        known = tracked[tracked.run == run.id]
        if runs.finished(run):
            history, manifest = _from_folder(preset, run)
            if len(known) and not _equal(history, known):
                raise TableError(
                    f"Run {run.id} has one result in {run.folder} and another in {path(preset, 'history')}. "
                    "Remove the folder to keep the tracked one, or the table's rows to take the folder's."
                )
            histories.append(history)
            manifests.append(manifest)
        elif len(known):
            histories.append(known)
            manifests.append(tracked_runs[tracked_runs.run == run.id])
    if not histories:
        raise TableError(f"Preset {preset!r} has no finished run yet. `make study PRESET={preset}` makes them.")
    write(preset, "runs", pd.concat(manifests, ignore_index=True))
    history = write(preset, "history", pd.concat(histories, ignore_index=True))
    write(preset, "summary", _summary(history).assign(preset=preset))
    return history


def _summary(history):
    """The last scores of each setting, after the last pass: the mean over seeds and its 95 % t-interval."""
    rows = _last_pass(last_epoch(history))
    rows = rows.assign(setting=rows.run.str.partition("-seed-")[0])
    tidy = rows.melt(["study", "setting", "seed", "split"], list(SUMMED), "score", "value")
    tidy = tidy.assign(
        **{name: pd.Categorical(tidy[name], tidy[name].unique()) for name in ("study", "setting", "score")}
    )
    return statistics.interval(tidy, ["study", "setting", "split", "score"], "value")


def check_folder(run: runs.Run, folder: Path | None = None) -> None:
    """Raises `TableError` where a finished run's files are of two results, as after copying one folder over another."""
    folder = folder or run.folder
    digest = json.loads((folder / "manifest.json").read_text()).get("history")
    if digest not in (None, runs.digest((folder / "history.csv").read_bytes())):
        raise TableError(
            f"Run {run.id}: manifest.json and history.csv in {folder} are of two different results, as after copying "
            "one machine's folder over another's. Copy one whole folder again, or remove it to train the run."
        )


def _from_folder(preset, run):
    check_folder(run)
    manifest = asdict(run) | runs.read_manifest(run) | {"preset": preset}
    history = pd.read_csv(run.folder / "history.csv")
    for column in HISTORY:
        if column not in history.columns:
            history[column] = manifest[column]
    return history[HISTORY], pd.DataFrame([manifest])[RUNS]


def _equal(history, known):
    return _text(history) == _text(known)


def _text(table):
    """As it is written and read again, so that 0.25 and 0.250000 are one."""
    text = table[HISTORY].to_csv(index=False, float_format="%.6g")
    return pd.read_csv(io.StringIO(text)).to_csv(index=False, float_format="%.6g")


def last_epoch(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last epoch."""
    return history[history.epoch == history.groupby(["study", "run"]).epoch.transform("max")]


def final(history: pd.DataFrame, *studies: str) -> pd.DataFrame:
    """The validation rows of each run's last epoch after its last pass, of some studies or of all."""
    return _last_pass(
        last_epoch(history[(history.split == "validation") & (history.study.isin(studies) | (not studies))])
    )


def _last_pass(rows):
    return rows[rows.bpp == rows.groupby(["study", "run"]).bpp.transform("max")]
