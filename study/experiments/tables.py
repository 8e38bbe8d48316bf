"""The tables of a preset: collected from run folders, checked on reading. Those of the published presets are tracked.

`history.csv` and `runs.csv` are the study's memory: a run whose rows they hold counts as finished on every machine, and
collecting keeps those rows where the run's folder is not there.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from study.experiments import runs
from study.experiments.studies import STUDIES
from study.ground import atomic, locks, paths
from study.ground.errors import StudyError, one_line

IDENTITY = (
    "seed cell reconstruction width iterations loss binarizer_gain learning_rate schedule batch_size train_size "
    "augmentation epochs steps precision"
).split()  # of a run's parameters, those that stand in history.csv too
SCORES = ("psnr", "ssim", "ms_ssim", "report_score", "residual_l1")
HISTORY = ["preset", "run", *IDENTITY, *"epoch step images_seen split bpp".split(), *SCORES, "status"]
RUNS = [
    *("preset", "run", "studies", *runs.PARAMETERS, "status", "epochs_done", "mean_image_psnr", "parameters"),
    *"colour_spread data_colour_spread output_spread fingerprint".split(),
    *"seconds images_a_second machine threads backend device policy python keras engine commit".split(),
]

# Every table that a preset may have, with its columns; results/README.md says what they hold.
SCHEMA = {
    "history": HISTORY,
    "runs": RUNS,
    "summary": "preset study setting split score mean low high n".split(),
    "data": "preset data split images mean_psnr fingerprint source".split(),
    "architecture": "preset part layer kernel hidden_kernel height width channels parameters".split(),
    "networks": "preset network passes parameters never_trained bpp".split(),
    "samples": (
        "preset run choice rank image psnr ssim ms_ssim jpeg_bytes jpeg_payload jpeg_psnr jpeg_ssim "
        "original_png reconstruction_png jpeg_png"
    ).split(),
    "edges": "preset run image in_training gradient_energy psnr ms_ssim".split(),
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
    "part_differences": "preset part tested_on score mean low high n p holm".split(),
    "use": "preset codec setting seed n payload_bytes accuracy".split(),
    "photograph": "preset codec passes file_bytes bpp psnr picture_png".split(),
    "loss_samples": "preset run loss binarizer_gain schedule image original_png reconstruction_png".split(),
}


# Columns that hold words, in every table or in one; all others hold numbers.
WORDS = set(
    "preset run studies data loss cell reconstruction activation schedule augmentation precision status split study "
    "score fingerprint source machine backend device policy python keras engine commit part layer kernel "
    "hidden_kernel network choice original_png reconstruction_png jpeg_png claim place wording unit figure over "
    "verdict codec tested_on quantity against picture_png".split()
)
WORDS_OF = {"summary": {"setting"}, "cells": {"images"}}
csv.field_size_limit(2**27)  # pictures stand in tables

# By which names a manifest knows the digests of the files that belong to it; older ones have but the history's.
DIGESTED = {"history": "history.csv", "images": "images.csv", "weights": "weights.npz"}
SPLITS = ("training", "validation")
KEYS = ["epoch", "split", "bpp"]  # of the rows of one run, which are in this order


def path(preset: str, name: str) -> Path:
    return paths.tables(preset) / f"{name}.csv"


def read(preset: str, name: str, published: bool = False) -> pd.DataFrame:
    """A table of the output folder, which is the repository unless STUDY_OUTPUT says otherwise, or the published one.

    Raises:
        StudyError: it is not there, or its columns are not those of SCHEMA.
    """
    file = paths.published_tables(preset) / f"{name}.csv" if published else path(preset, name)
    if not file.exists():
        raise StudyError(f"{file} is not there. `make study PRESET={preset}` makes it.")
    return parse(file, WORDS | WORDS_OF.get(name, set()), SCHEMA[name])


def of_folder(file: Path) -> pd.DataFrame:
    """A table of a run's folder, `history.csv` or `images.csv`; raises as `parse` does."""
    return parse(file, no_number=("nan", ""))  # the empty text is what older ones have


def parse(
    file: Path, words: set[str] = WORDS, columns: list[str] | None = None, no_number: Iterable[str] = ("nan",)
) -> pd.DataFrame:
    """A file of comma-separated values as it was written: the columns `words` are text, all others numbers.

    A byte order mark and other line ends, which editors leave, change nothing.

    Raises:
        StudyError: its columns are not these, lines were cut, a line has too few or too many values, or a number is
            written otherwise, as by a spreadsheet.
    """
    remedy = "Take it from git, or from where it was copied from, once more; tables are not edited by hand"
    try:
        text = file.read_text(encoding="utf-8-sig")
        lengths = [len(line) for line in csv.reader(io.StringIO(text), strict=True) if line]
        if not text.endswith("\n"):
            raise ValueError("its last line was cut off")
        if odd := [i for i, length in enumerate(lengths, 1) if length != lengths[0]]:
            raise ValueError(f"line {odd[0]} has {lengths[odd[0] - 1]} values, and the first one has {lengths[0]}")
        found = list(pd.read_csv(io.StringIO(text), nrows=0).columns)
        if columns is not None and found != columns:
            lacking = [name for name in columns if name not in found]
            unknown = [name for name in found if name not in columns]
            raise StudyError(
                f"{file} was written by another version of the study, or by a spreadsheet: it lacks the columns "
                f"{lacking} and has {unknown} (or another order). Move it away and run "
                f"`make study PRESET={file.parent.name}`."
            )
        numbers = [column for column in found if column not in words]
        table = pd.read_csv(
            io.StringIO(text),
            dtype=dict.fromkeys(set(found) & words, str),
            keep_default_na=False,
            na_values=dict.fromkeys(numbers, list(no_number)),
        )
        for column in numbers:
            if len(table) and table[column].dtype.kind not in "iuf":
                odd = table[column][pd.to_numeric(table[column], errors="coerce").isna()]
                raise ValueError(f"{[*odd, *table[column]][0]!r} in the column {column} is no number")
    except StudyError:
        raise
    except (ValueError, csv.Error) as error:
        raise StudyError(f"{file} is not as it was written ({one_line(error)}). {remedy}.") from error
    return table


def read_or_empty(preset: str, name: str, published: bool = False) -> pd.DataFrame:
    """The same; without rows where the table is not there."""
    folder = paths.published_tables(preset) if published else paths.tables(preset)
    there = (folder / f"{name}.csv").exists()
    return read(preset, name, published) if there else pd.DataFrame(columns=SCHEMA[name])


def of_studies(preset: str, name: str, *studies: str, published: bool = False) -> pd.DataFrame:
    """The rows of `history` or `runs` that belong to some studies, with a column `study` in front.

    A run that two of these studies ask for has its rows twice, once under each name. A study that the preset does not
    have, or whose runs are not made yet, has no rows.
    """
    if unknown := [study for study in studies if study not in STUDIES]:
        raise StudyError(f"There is no study {unknown[0]!r}; choose among {', '.join(STUDIES)}.")
    table, made = read(preset, name, published), read(preset, "runs", published)
    asked = made.studies.str.split()
    parts = [table[table.run.isin(made.run[asked.map(lambda names, s=study: s in names)])] for study in studies]
    rows = [part.assign(study=study) for part, study in zip(parts, studies, strict=True)]
    return pd.concat(rows, ignore_index=True)[["study", *table.columns]]


def write(preset: str, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Writes a table, whole or not at all, and returns it as it will be read: with the file's six digits.

    An unchanged table keeps its file's date.
    """
    text = table[SCHEMA[name]].to_csv(index=False, float_format="%.6g", lineterminator="\n", na_rep="nan")
    file = path(preset, name)
    content = text.encode()
    if not file.exists() or file.read_bytes() != content:
        atomic.write(file, content)
    return read(preset, name)


def missing(preset: str, planned: list[runs.Run]) -> list[runs.Run]:
    """Those of the planned runs that neither this machine's folders nor the preset's tables hold."""
    known = set(read_or_empty(preset, "runs").run)
    return [run for run in planned if run.id not in known and not runs.finished(run)]


def collect(preset: str, drop: bool = False) -> pd.DataFrame:
    """Writes `history.csv`, `runs.csv` and their `summary.csv` from a preset's finished runs; returns the history.

    One process at a time. `drop` lets rows go that the preset's grid does not ask for any more.

    Raises:
        StudyError: a run's folder and the table disagree, files of two results are in one folder, or rows of runs that
            are not planned any more would be lost.
    """
    with locks.held(paths.runs() / f"{preset}.collect.lock"):
        history, table = _merged(preset, drop)
        write(preset, "runs", table)
        history = write(preset, "history", history)
        write(preset, "summary", _summary(preset).assign(preset=preset))
    return history


def _merged(preset, drop):
    """The rows of the tables that are there and of the finished runs' folders, in the order of the plan."""
    known, known_runs = read_or_empty(preset, "history"), read_or_empty(preset, "runs")
    studies, planned = runs.studies_of(preset), runs.plan(preset)
    lost = [run for run in known_runs.run if run not in studies]
    if lost and not drop:
        raise StudyError(
            f"{path(preset, 'runs')} has {len(lost)} runs that the grid of {preset!r} does not ask for, such as "
            f"{lost[0]}; collecting would drop them. Undo the change of the grid, or drop them by "
            f"`python -m study tables --preset {preset} --drop`."
        )
    histories, rows = [], []
    for run in planned:
        history, row = known[known.run == run.id], known_runs[known_runs.run == run.id]
        history = history.sort_values(KEYS, kind="stable")  # whatever a spreadsheet has sorted them by
        if runs.finished(run):
            found, row = _from_folder(preset, run)
            if len(history) and not _equal(found, history):
                raise StudyError(
                    f"Run {run.id} has one result in {run.folder} and another in {path(preset, 'history')}. "
                    "Remove the folder to keep the tracked one, or the table's rows to take the folder's."
                )
            history = found
        elif len(history) or len(row):
            _check_known(preset, run, row, history)
        if len(history):
            histories.append(history)
            shown = run.images_seen * row.epochs_done / run.epochs
            rows.append(row.assign(studies=" ".join(studies[run.id]), images_a_second=shown / row.seconds))
    if not histories:
        raise StudyError(f"Preset {preset!r} has no finished run yet. `make study PRESET={preset}` makes them.")
    return pd.concat(histories, ignore_index=True), pd.concat(rows, ignore_index=True)


def _check_known(preset, run, row, history):
    """Raises `StudyError` where tables have not the whole of a run whose folder is not here to take it from."""
    found = [f"runs.csv has {len(row)} rows of it"] if len(row) != 1 else []
    found += [problem for epochs in row.epochs_done[:1] for problem in history_problems(run, epochs, history)]
    if found:
        raise StudyError(
            f"{paths.tables(preset)} has a part of the run {run.id} ({found[0]}), as after a table was cut or edited. "
            "Take runs.csv and history.csv from git once more, or remove this run's rows from both to train it again."
        )


def history_problems(run: runs.Run, epochs_done: float, history: pd.DataFrame) -> Iterator[str]:
    """What is wrong with a run's history: it has each epoch, split and pass once, with the run's own parameters.

    `epochs_done` may be no number, as a table may have been edited.
    """
    expected = epochs_done * len(SPLITS) * run.iterations
    rows = set(history[KEYS].itertuples(index=False, name=None))
    if (
        not len(history) == len(rows) == expected > 0
        or not set(history.epoch) <= set(range(1, int(epochs_done) + 1))
        or not set(history.split) <= set(SPLITS)
        or not set(history.bpp) <= {i / 8 for i in range(1, run.iterations + 1)}
    ):
        yield f"history.csv has {len(history)} rows of it, not one each of {expected:g} epochs, splits and passes"
    for name in IDENTITY:
        if len(history) and name in history.columns and set(history[name]) != {getattr(run, name)}:
            yield f"{name} is {sorted(set(history[name]))} in history.csv, and {getattr(run, name)!r} by its id"


def _summary(preset):
    """The last scores of each setting of each study, after the last pass: the mean over seeds with its t-interval."""
    from study.ground import statistics  # takes a second to load

    rows = last_pass(last_epoch(of_studies(preset, "history", *STUDIES)))
    settings = {(study, run.id): STUDIES[study].setting(run) for study in STUDIES for run in runs.plan(preset, study)}
    rows = rows.assign(setting=[settings[row.study, row.run] for row in rows.itertuples()])
    tidy = rows.melt(["study", "setting", "seed", "split"], list(SCORES), "score", "value")
    tidy = tidy.assign(
        **{name: pd.Categorical(tidy[name], tidy[name].unique()) for name in ("study", "setting", "score")}
    )
    return statistics.interval(tidy, ["study", "setting", "split", "score"], "value")


def check_folder(run: runs.Run, folder: Path | None = None) -> tuple[dict, pd.DataFrame]:
    """The manifest and the history of a finished run, both checked.

    Raises `StudyError` where a file is damaged, or files are of two results, as after copying one folder over another.
    """
    folder = folder or run.folder
    again = "Copy the whole folder once more, or remove it to train the run"
    manifest = {"machine": ""} | runs.read_manifest(run, folder)
    for name in [name for name in RUNS if name not in ("preset", "run", "studies", "images_a_second")]:
        if type(manifest.get(name)) not in ((str,) if name in WORDS else (int, float)):  # True is an int too
            raise StudyError(f"Run {run.id}: {name} is {manifest.get(name)!r} in {folder}/manifest.json. {again}.")
    for name in DIGESTED:
        digest = manifest.get(name)
        path = folder / DIGESTED[name]
        if digest is not None and path.exists() and runs.digest(path.read_bytes()) != digest:
            raise StudyError(
                f"Run {run.id}: manifest.json and {path.name} in {folder} are of two different results, as after "
                f"copying one machine's folder over another's, or {path.name} is damaged. {again}."
            )
    history = of_folder(folder / "history.csv")
    of_rows = [column for column in HISTORY if column not in ("preset", "run", "status", *IDENTITY)]
    if lacking := [column for column in of_rows if column not in history.columns]:
        raise StudyError(f"Run {run.id}: history.csv in {folder} has no column {lacking[0]}. {again}.")
    if found := list(history_problems(run, manifest["epochs_done"], history)):
        raise StudyError(f"Run {run.id} in {folder}: {found[0]}. {again}.")
    return manifest, history


def _from_folder(preset, run):
    manifest, history = check_folder(run)
    manifest = manifest | {"preset": preset, "studies": "", "images_a_second": 0.0}
    history = history.assign(**{column: manifest[column] for column in HISTORY if column not in history.columns})
    return history[HISTORY], pd.DataFrame([manifest])[RUNS]


def _equal(history, known):
    return _text(history) == _text(known)


def _text(table):
    """As it is written and read again, so that 0.25 and 0.250000 are one."""
    text = table[HISTORY].to_csv(index=False, float_format="%.6g")
    return pd.read_csv(io.StringIO(text)).to_csv(index=False, float_format="%.6g")


def last_epoch(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last epoch."""
    return history[history.epoch == history.groupby("run").epoch.transform("max")]


def last_pass(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last pass."""
    return history[history.bpp == history.groupby("run").bpp.transform("max")]


def final(history: pd.DataFrame) -> pd.DataFrame:
    """The validation rows of each run's last epoch after its last pass."""
    return last_pass(last_epoch(history[history.split == "validation"]))
