"""The paper: tables go in, one file of values and the PDF come out.

Every number is computed and written out here and in `numbers_of_studies` and `numbers_of_codecs`; paper/report.typ has
the words and the layout.
"""

import json
from pathlib import Path

import pandas as pd
import typst

from study.experiments import tables
from study.experiments.presets import PUBLISHED
from study.ground import atomic, paths, recipe
from study.ground.errors import StudyError
from study.reporting import curves, figures, numbers_of_codecs, numbers_of_studies, settings
from study.reporting.written import SPACE, count, counted, decibels, fixed, interval, listed, percent, short

CIFAR, CIFAR_TEST = 100_000, 20_000  # images of CIFAR-10 and CIFAR-100 together, for training and for test


def print_pdf(preset: str) -> Path:
    """Writes a preset's `values.json` and `report.pdf`; returns the path of the latter.

    Raises:
        StudyError: a table or a figure is missing.
    """
    pdf = paths.paper(preset, published=preset == PUBLISHED[0])
    file = pdf.with_name("values.json")
    atomic.write(file, json.dumps(values(preset), indent=1, ensure_ascii=False).encode())
    atomic.write(pdf, typst.compile(str(paths.PAPER_SOURCE), **options(preset, file)))
    return pdf


def options(preset: str, file: Path) -> dict:
    """What Typst is to be told beside the source: the file of values and the folder of figures."""
    inputs = {"values": str(file), "figures": str(paths.figures(preset))}
    return {"root": "/", "sys_inputs": inputs, "ignore_system_fonts": True}


def values(preset: str) -> dict:
    """All that report.typ shows of a preset: text, lists of it, and whether something is so; none of it a number.

    Raises:
        StudyError: a table or a figure is missing.
    """
    rows, images = _ended(preset), tables.read(preset, "data").set_index("split").images
    return {
        "preset": preset,
        "figures": _figures(preset, rows),
        "data": _data(preset),
        "runs": numbers_of_studies.overview(rows),
        "studies": numbers_of_studies.every_study(rows),
        "recipe": _recipe(),
        "report": _report(),
        "networks": _networks(preset),
        "batch_size": numbers_of_studies.batch_sizes(rows),
        "equal_steps": numbers_of_studies.equal_steps(rows),
        "scaled_rate": numbers_of_studies.scaled_rate(rows),
        "train_size": numbers_of_studies.train_sizes(rows, images["train"]),
        "train_control": numbers_of_studies.train_control(rows),
        "samples": _samples(preset, rows),
        "loss": numbers_of_studies.losses(rows),
        "residual_n": numbers_of_studies.residual_n(rows),
        "collapse": numbers_of_studies.collapse(rows),
        "passes": numbers_of_studies.passes(rows),
        "further": numbers_of_studies.further(rows),
        "cells": numbers_of_codecs.cells(),
        "shipped": numbers_of_codecs.shipped(),
        "parts": numbers_of_codecs.parts(),
        "use": numbers_of_codecs.use(),
        "claims": _claims(preset),
    }


def _ended(preset):
    """The rows of `settings.ended`, where the studies that the paper is about have some."""
    rows = settings.ended(preset)
    if without := [name for name in numbers_of_studies.MAIN if rows[rows.study == name].psnr.isna().all()]:
        raise StudyError(
            f"{preset} has no run with a score of the studies {listed(without)}, which the paper is about. "
            f"`make study PRESET={preset}` trains what is missing."
        )
    return rows


def _figures(preset, rows):
    """The names of the preset's figures, but for comparisons of studies of which it has only one."""
    names, made = figures.names(preset), set(rows.study)
    for name, (studies, *_) in figures.OF_ONE_STUDY.items():
        if name in names and len(studies) > 1 and len(made.intersection(studies)) == 1:
            names.remove(name)
    if missing := [name for name in names if not (paths.figures(preset) / f"{name}.pdf").exists()]:
        raise StudyError(
            f"{paths.figures(preset)} lacks the figures {listed(missing)}. "
            f"`python -m study figures --preset {preset}` draws them."
        )
    return names


def _data(preset):
    table = tables.read(preset, "data").set_index("split")
    train = table.loc["train"]
    return {
        "name": train.data,
        "train": count(train.images),
        "validation": count(table.images["validation"]),
        "of_the_report": preset in curves.OF_THE_REPORT,
        "few": train.data not in ("cifar", "cifar_all"),
        "share": percent(train.images / CIFAR, 1),
        "whole": count(CIFAR),
        "missing": count(CIFAR + CIFAR_TEST - table.images.sum()),
        "shared": _shared(preset),
        "fingerprint": train.fingerprint[:12],
    }


def _shared(preset):
    """How many validation images are training images too, and what that does to the scores of one run."""
    images = tables.read_or_empty(preset, "edges")
    if images.empty or not images.in_training.any():
        return None
    without = images[images.in_training == 0]
    change = {score: images[score].mean() - without[score].mean() for score in ("psnr", "ms_ssim")}
    return {
        "number": counted(images.in_training.sum(), "validation image"),
        "psnr": f"{fixed(change['psnr'], 4)}{SPACE}dB",
        "ms_ssim": fixed(change["ms_ssim"], 5),
    }


def _recipe():
    """How networks are trained: in our way, in the report's, and what counts as a collapse."""
    ours, theirs = recipe.OUR_WAY, recipe.REPORT_WAY
    return {
        "warm_up": percent(ours["warm_up"]),
        "clip_norm": short(ours["clip_norm"]),
        "beta_2": short(ours["beta_2"]),
        "gain": short(ours["binarizer_gain"]),
        "their_beta_2": short(theirs["beta_2"]),
        "their_gain": short(theirs["binarizer_gain"]),
        "margin": f"{short(recipe.COLLAPSE_MARGIN)}\u00a0dB",
        "scored_training": count(recipe.SCORED_TRAINING),
    }


def _report():
    """What the report says, and what its authors logged."""
    quantities = pd.read_csv(paths.QUANTITIES).set_index("quantity").value
    theirs = pd.read_csv(paths.REPORTED).set_index("study").setting
    batches, sizes = theirs["batch_size"], theirs["train_size"]
    return {
        "scores": f"{fixed(100 * quantities.score_low, 0)} to {percent(quantities.score_high)}",
        "batch_sizes": f"{count(batches.min())} to {count(batches.max())}",
        "train_sizes": f"{count(sizes.min())} to {count(sizes.max())}",
        "most_images": count(sizes.max()),
        "logged_runs": count(quantities.logged_runs),
        "logged_collapses": count(quantities.logged_collapses),
    }


def _networks(preset):
    """The table of networks, and what the text says of the first and last of ours and of the report's."""
    table = tables.read(preset, "networks").sort_values("passes", kind="stable")
    table["never"] = [percent(share, 1) for share in table.never_trained / table.parameters]
    ours, theirs = (table[table.network == name] for name in ("this study", "report's code"))
    return {
        "rows": [
            [row.network, count(row.passes), count(row.parameters), row.never, fixed(row.bpp, 3)]
            for row in pd.concat([ours, theirs]).itertuples()
        ],
        "passes": count(ours.passes.max()),
        "parameters": count(ours.parameters.iloc[-1]),
        "their_passes": count(theirs.passes.max()),
        "their_parameters": count(theirs.parameters.iloc[-1]),
        "times_fewer": fixed(theirs.parameters.iloc[-1] / ours.parameters.iloc[-1], 0),
        "bpp": fixed(ours.bpp.iloc[0], 3),
        "their_bpp": short(theirs.bpp.iloc[0]),
        "times_bpp": fixed(theirs.bpp.iloc[0] / ours.bpp.iloc[0], 0),
        "never": ours.never.iloc[0],
        "their_never": theirs.never.iloc[0],
    }


def _samples(preset, rows):
    """The images of the better and of the poorer samples, the JPEGs beside them, and the run that they are of."""
    samples = tables.read(preset, "samples")
    shown = rows[rows.run == samples.run[0]]
    if shown.empty:
        raise StudyError(
            f"samples.csv shows the run {samples.run[0]}, which runs.csv does not have. `make study PRESET={preset}`."
        )
    means = samples.groupby("choice")[["psnr", "jpeg_psnr"]].mean().map(decibels)
    return {
        "batch_size": count(shown.batch_size.iloc[0]),
        "psnr": decibels(shown.psnr.iloc[0]),
        "status": shown.status.iloc[0],
        "images": counted((samples.choice == "better").sum(), "image"),
        "files": f"{count(samples.jpeg_bytes.min())} to {count(samples.jpeg_bytes.max())}",
        "payloads": f"{count(samples.jpeg_payload.min())} to {count(samples.jpeg_payload.max())}",
        "none_as_small": bool(samples.jpeg_payload.min() > 128 * shown.bpp.iloc[0]),
        "better": means.loc["better"].to_dict(),
        "poorer": means.loc["poorer"].to_dict(),
    }


def _claims(preset):
    """The verdicts, how many there are of each, and by its name what a claim was estimated at."""
    judged = tables.read_or_empty(preset, "claims")
    estimates = {row.claim: _estimate(row) for row in judged.itertuples() if not pd.isna(row.estimate)}
    verdicts = judged.verdict.value_counts()
    names = {"holds": "holds", "does not hold": "fails", "cannot tell": "open", "could not be tested here": "untested"}
    return {
        "number": count(len(judged)),
        **{key: count(verdicts.get(verdict, 0)) for verdict, key in names.items()},
        "estimates": estimates,
        "verdicts": dict(zip(judged.claim, judged.verdict, strict=True)),
        "rows": [
            {
                "place": row.place,
                "wording": row.wording,
                "estimate": estimates.get(row.claim, "n/a"),
                "unit": row.unit,
                "n": f"{count(row.n)} {row.over}" if row.over else "–",
                "verdict": row.verdict,
            }
            for row in judged.itertuples()
        ],
    }


def _estimate(row):
    """With its interval, where something varies: "0.125 [0.093, 0.158]"."""
    digits = 0 if abs(row.estimate) >= 1000 else 1 if abs(row.estimate) >= 10 else 3
    low, high = (row.low, row.high) if row.over else (float("nan"), float("nan"))
    return interval(row.estimate, low, high, digits)
