"""Figures of how runs end: final validation scores by setting, each seed a dot, the mean with its 95 % t-interval."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from study.experiments import tables
from study.experiments.studies import Study
from study.ground import statistics
from study.reporting.style import (
    COLOURS,
    COLUMN,
    label,
    legend,
    log_axis,
    mean_line,
    subplots,
    way_to_train,
)


def ends(study: Study, history: pd.DataFrame) -> Figure:
    """PSNR and MS-SSIM after the last epoch by the first thing that a study varies."""
    rows = tables.final(history)
    figure, axes = subplots(1, 2, (7.2, 2.4))
    for axis, score in zip(axes, ("psnr", "ms_ssim"), strict=True):
        mean_line(axis, rows, study.varies[0], score, COLOURS["run"], "validation images", "o-")
        axis.set(xlabel=label(study.varies[0]), ylabel=label(score))
        values = sorted(rows[study.varies[0]].unique())
        if values and not isinstance(values[0], str) and values[0] > 0:
            axis.set_xscale("log")
            axis.set_xticks(values, [f"{x:g}" for x in values])
            axis.minorticks_off()
    return figure


def protocols(history: pd.DataFrame) -> Figure:
    """How a batch size ends at equal epochs, at equal steps, and with the rate that goes with it."""
    rows = tables.final(history)
    equal, scaled = rows[rows.study == "batch_size"], rows[rows.study == "scaled_rate"]
    unscaled = equal[~equal.batch_size.isin(scaled.batch_size)] if len(scaled) else scaled  # its rate is the same
    figure, (axis,) = subplots(1, 1, COLUMN)
    lines = [
        (equal, "equal epochs", "equal epochs, as in the report", "o-"),
        (pd.concat([unscaled, scaled]), "scaled rate", "equal epochs, rate by √(batch size)", "s--"),
        (rows[rows.study == "equal_steps"], "equal steps", "equal steps", "^-"),
    ]
    for (group, name, words, style), beside in zip(lines, (0.95, 1.0, 1.05), strict=True):
        group = group.assign(batch_size=group.batch_size * beside)  # so that intervals do not hide each other
        mean_line(axis, group, "batch_size", "ms_ssim", COLOURS[name], words, style)
    log_axis(axis, sorted(rows.batch_size.unique()))
    axis.set(xlabel=label("batch_size"), ylabel=label("ms_ssim"))
    legend(axis, loc="best")
    return figure


def controls(history: pd.DataFrame) -> Figure:
    """How a training set ends at equal epochs, and the largest beside others that show as many images."""
    rows = tables.final(history)
    sizes, others = rows[rows.study == "train_size"], rows[rows.study == "train_control"]
    figure, (axis,) = subplots(1, 1, COLUMN)
    mean_line(axis, sizes, "train_size", "ms_ssim", COLOURS["rotation"], "rotated beyond the originals", "o-")
    names = [
        ("flip", "flip", "flipped beyond the originals", "D"),
        ("rotation", "originals", "originals alone, more epochs", "s"),
    ]
    for augmentation, name, words, marker in names:
        group = others[others.augmentation == augmentation].assign(train_size=sizes.train_size.max() * 1.12)
        mean_line(axis, group, "train_size", "ms_ssim", COLOURS[name], words, marker)
    log_axis(axis, sorted(sizes.train_size.unique()))
    axis.tick_params(axis="x", rotation=30)
    axis.set(xlabel=label("train_size"), ylabel=label("ms_ssim"))
    legend(axis, loc="best")
    return figure


def collapse(history: pd.DataFrame) -> Figure:
    """Where each of many seeds stands after three epochs, and how many still answer the mean image."""
    rows = tables.final(history)
    groups = list(rows.groupby(["loss", "binarizer_gain", "schedule"], sort=False))
    figure, (axis,) = subplots(1, 1, COLUMN)
    for y, (_, group) in enumerate(groups):
        share, low, high = (100 * x for x in statistics.share((group.status == "collapsed").sum(), len(group)))
        axis.plot(group.psnr, [y] * len(group), "o", color=COLOURS["run"], ms=4, alpha=0.5, mec="none")
        beside = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8, "annotation_clip": False}
        axis.annotate(f"{share:.0f} [{low:.0f}, {high:.0f}]", (1.04, y), **beside)
    names = [way_to_train(next(group.itertuples())).replace(", gain", ",\ngain") for _, group in groups]
    axis.set(xlabel=f"{label('psnr')} of each run", ylim=(max(len(groups), 1) - 0.5, -0.5))
    axis.set_yticks(range(len(groups)), names, fontsize=7.5)
    axis.annotate("collapsed, %", (1.04, 1.0), xycoords="axes fraction", fontsize=8)
    return figure


def colour(table: pd.DataFrame, history: pd.DataFrame) -> Figure:
    """What each loss leaves of the picture: PSNR, MS-SSIM, and colour as a share of the originals'.

    Args:
        table: rows of `runs.csv` of one study.
        history: those of `history.csv`.
    """
    last = tables.final(history)
    table = table.merge(last[["run", "psnr", "ms_ssim"]], on="run")
    table = table.assign(
        name=[way_to_train(run) for run in table.itertuples()],
        colour=table.colour_spread / table.data_colour_spread,
    )
    figure, axes = subplots(1, 3, (7.2, 2.3), sharey=True)
    labels = {"psnr": label("psnr"), "ms_ssim": label("ms_ssim"), "colour": "colour spread,\nshare of the originals'"}
    statuses = {name: COLOURS[name] for name in ("done", "collapsed", "diverged")}
    for axis, (column, words) in zip(axes, labels.items(), strict=True):
        shared = {"x": column, "y": "name", "hue": "status", "palette": statuses, "size": 6}
        sns.stripplot(table, ax=axis, legend=axis is axes[-1], jitter=False, alpha=0.7, **shared)
        axis.set(xlabel=words, ylabel="")
    for mean_image in table.mean_image_psnr.unique()[:1]:
        axes[0].axvline(mean_image, color="0.4", ls=":", lw=1)
        axes[0].annotate("mean image", (mean_image, 1), xycoords=("data", "axes fraction"), fontsize=7)
    legend(axes[-1], title="", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=None)
    return figure


def passes(history: pd.DataFrame) -> Figure:
    """PSNR after each pass against the bits so far, a line per cell and number of passes trained with."""
    rows = tables.last_epoch(history[history.split == "validation"])
    figure, (axis,) = subplots(1, 1, COLUMN)
    for (cell, group), style, aside in zip(rows.groupby("cell", sort=False), ("o", "s"), (-0.006, 0.006), strict=False):
        for _, trained in group.groupby("iterations"):
            means = trained.groupby("bpp").psnr.mean()
            axis.plot(means.index + aside, means, color=COLOURS[cell], lw=1.2)
        last = tables.last_pass(group)
        last = last.assign(bpp=last.bpp + aside)  # so that intervals do not hide each other
        mean_line(axis, last, "bpp", "psnr", COLOURS[cell], label(cell), style)
    axis.set(xlabel=label("bpp"), ylabel=label("psnr"))
    legend(axis, title="marks: all passes made", loc="lower right", title_fontsize=7.5)
    return figure


def rules(history: pd.DataFrame) -> Figure:
    """PSNR of validation images after each pass, not coded: a panel per reconstruction rule, a line per cell."""
    rows = tables.last_epoch(history[history.split == "validation"])
    names = list(rows.reconstruction.unique())
    figure, axes = subplots(1, max(len(names), 1), (7.2, 2.4), sharey=True)
    for axis, rule in zip(axes, names, strict=False):
        for cell, marker in zip(rows.cell.unique(), "os^D", strict=False):
            group = rows[(rows.reconstruction == rule) & (rows.cell == cell)]
            mean_line(axis, group, "bpp", "psnr", COLOURS[cell], label(cell), f"{marker}-")
        axis.set(title=label(rule), xlabel="bits per pixel, not coded")
    axes[0].set_ylabel(label("psnr"))
    legend(axes[0], loc="lower right")
    return figure


def parts(table: pd.DataFrame) -> Figure:
    """Codecs trained on parts of CIFAR-10, less the one trained on everything, by seed and by pass.

    Left, on test images of vehicles; right, on all others.
    """
    figure, axes = subplots(1, 2, (7.2, 2.3), sharey=True)
    keys = ["tested_on", "seed", "bpp"]
    gains = table.merge(table[table.part == "everything"][[*keys, "psnr"]], on=keys, suffixes=("", "_of_everything"))
    gains = gains.assign(psnr=gains.psnr - gains.psnr_of_everything)
    for axis, tested_on in zip(axes, ("vehicles", "rest"), strict=True):
        for part, marker, aside in zip(
            ("vehicles", "largest_png", "smallest_png"), "os^", (-0.008, 0, 0.008), strict=True
        ):
            rows = gains[(gains.part == part) & (gains.tested_on == tested_on)]
            rows = rows.assign(bpp=rows.bpp + aside)  # so that intervals do not hide each other
            mean_line(axis, rows, "bpp", "psnr", COLOURS[part], label(part), f"{marker}-")
        axis.axhline(0, color="0.4", ls=":", lw=1)
        axis.set(title={"vehicles": "on vehicles", "rest": "on all others"}[tested_on], xlabel=label("bpp"))
    axes[0].set_ylabel("PSNR (dB) less that of a codec\ntrained on everything")
    legend(axes[1], title="trained on", loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def use(table: pd.DataFrame) -> Figure:
    """How often a classifier is right on decoded images, against their bytes of code."""
    figure, axes = subplots(1, 1, (4.6, 2.6))
    whole = table[table.codec == "none"].accuracy.mean()
    axes[0].axhline(100 * whole, color="0.4", ls=":", lw=1, label="as they are")
    shown = table[table.codec != "none"].assign(accuracy=100 * table.accuracy)
    for (codec, rows), marker in zip(shown.groupby("codec", sort=False), "os^D", strict=False):
        mean_line(axes[0], rows, "payload_bytes", "accuracy", COLOURS[codec], label(codec), f"{marker}-")
    log_axis(axes[0], [16, 32, 64, 128, 256])
    axes[0].set(xlabel="bytes of code, headers not counted", ylabel="right answers, %")
    legend(axes[0], loc="lower right")
    return figure


def edges(table: pd.DataFrame) -> Figure:
    """Gradient energy of each validation image against how well it comes back; the line: means of tenths."""
    figure, axes = subplots(2, 1, (3.5, 3.8), sharex=True)
    tenth = table.gradient_energy.rank(method="first").mul(10 / len(table)).apply(np.ceil)
    means = table.groupby(tenth)[["gradient_energy", "psnr", "ms_ssim"]].mean()
    for axis, score in zip(axes, ("psnr", "ms_ssim"), strict=True):
        axis.plot(table.gradient_energy, table[score], ".", color="0.6", ms=3, alpha=0.5, mec="none", rasterized=True)
        axis.plot(means.gradient_energy, means[score], "o-", color=COLOURS["run"], ms=4)
        axis.set(xscale="log", ylabel=label(score))
    axes[-1].set_xlabel("gradient energy (squared Sobel)")
    return figure
