"""Figures of how runs end: final validation scores by setting, each seed a dot, the mean with its 95 % t-interval."""

from itertools import product

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from study import statistics, tables
from study.canvas import LABELS, setting_name, subplots

SCORES = ("psnr", "ms_ssim")
CELLS = {"lstm": "LSTM", "gru": "GRU", "residual_gru": "residual GRU", "associative_lstm": "associative LSTM"}
PARTS = {"vehicles": "vehicles", "largest_png": "what PNG compresses worst", "smallest_png": "what PNG compresses best"}
COLUMN = (3.6, 2.6)  # inches; a column of the paper
COLOURS = sns.color_palette("colorblind")


def batch_sizes(history: pd.DataFrame) -> Figure:
    """Figure 12: how a batch size ends at equal epochs, at equal steps, and with the rate that suits it."""
    rows = tables.final(history, "batch_size", "equal_steps", "scaled_rate")
    equal, scaled = rows[rows.study == "batch_size"], rows[rows.study == "scaled_rate"]
    unscaled = equal[~equal.batch_size.isin(scaled.batch_size)] if len(scaled) else scaled  # its rate is the same
    figure, (axis,) = subplots(1, 1, COLUMN)
    lines = [
        (equal, "equal epochs, as in the report", "o-"),
        (pd.concat([unscaled, scaled]), "equal epochs, rate by √(batch size)", "s--"),
        (rows[rows.study == "equal_steps"], "equal steps", "^-"),
    ]
    for (group, label, style), colour, beside in zip(lines, COLOURS, (0.95, 1.0, 1.05), strict=False):
        group = group.assign(batch_size=group.batch_size * beside)  # so that intervals do not hide each other
        _line(axis, group, "batch_size", "ms_ssim", colour, label, style)
    _log_axis(axis, sorted(rows.batch_size.unique()))
    axis.set(xlabel=LABELS["batch_size"], ylabel=LABELS["ms_ssim"])
    axis.legend(loc="best", fontsize=7.5)
    return figure


def train_sizes(history: pd.DataFrame) -> Figure:
    """Figure 13: how a training set ends at equal epochs, and the largest beside others that show as many images."""
    rows = tables.final(history, "train_size", "train_control")
    sizes, controls = rows[rows.study == "train_size"], rows[rows.study == "train_control"]
    figure, (axis,) = subplots(1, 1, COLUMN)
    _line(axis, sizes, "train_size", "ms_ssim", COLOURS[0], "rotated beyond the originals", "o-")
    names = [("flip", "flipped beyond the originals", "D"), ("rotation", "originals alone, more epochs", "s")]
    for (augmentation, label, marker), colour in zip(names, COLOURS[1:], strict=False):
        group = controls[controls.augmentation == augmentation].assign(train_size=sizes.train_size.max() * 1.12)
        _line(axis, group, "train_size", "ms_ssim", colour, label, marker)
    _log_axis(axis, sorted(sizes.train_size.unique()))
    axis.tick_params(axis="x", rotation=30)
    axis.set(xlabel=LABELS["train_size"], ylabel=LABELS["ms_ssim"])
    axis.legend(loc="best", fontsize=7.5)
    return figure


def collapse(history: pd.DataFrame) -> Figure:
    """Figure 14: where each of many seeds stands after three epochs, and how many still answer the mean image."""
    rows = tables.final(history, "collapse")
    groups = list(rows.groupby(["loss", "gain", "schedule"], sort=False))
    figure, (axis,) = subplots(1, 1, COLUMN)
    for y, (_, group) in enumerate(groups):
        share, low, high = (100 * x for x in statistics.share((group.status == "collapsed").sum(), len(group)))
        axis.plot(group.psnr, [y] * len(group), "o", color=COLOURS[0], ms=4, alpha=0.5, mec="none")
        beside = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8, "annotation_clip": False}
        axis.annotate(f"{share:.0f} [{low:.0f}, {high:.0f}]", (1.04, y), **beside)
    names = [setting_name(group.iloc[0]).replace(", gain", ",\ngain") for _, group in groups]
    axis.set(xlabel=f"{LABELS['psnr']} of each run", ylim=(len(groups) - 0.5, -0.5))
    axis.set_yticks(range(len(groups)), names, fontsize=7.5)
    axis.annotate("collapsed, %", (1.04, 1.0), xycoords="axes fraction", fontsize=8)
    return figure


def passes(history: pd.DataFrame) -> Figure:
    """Figure 15: PSNR after each pass against the bits so far, a line a cell and number of passes trained with."""
    rows = tables.last_epoch(history[(history.study == "passes") & (history.split == "validation")])
    figure, (axis,) = subplots(1, 1, COLUMN)
    for (cell, group), colour, style, aside in zip(
        rows.groupby("cell", sort=False), COLOURS, ("o", "s"), (-0.006, 0.006), strict=False
    ):
        for _, trained in group.groupby("iterations"):
            means = trained.groupby("bpp").psnr.mean()
            axis.plot(means.index + aside, means, color=colour, lw=1.2)
        ends = group[group.bpp == group.groupby("run").bpp.transform("max")]
        ends = ends.assign(bpp=ends.bpp + aside)  # so that intervals do not hide each other
        _line(axis, ends, "bpp", "psnr", colour, CELLS[cell], style)
    axis.set(xlabel="bits a pixel", ylabel=LABELS["psnr"])
    if len(rows):
        axis.legend(title="marks: all passes made", loc="lower right", fontsize=7.5, title_fontsize=7.5)
    return figure


def cells(history: pd.DataFrame) -> Figure:
    """Figure 20: PSNR of validation images after each pass, not coded: a panel a reconstruction rule, a line a cell."""
    rows = tables.last_epoch(history[(history.study == "cells") & (history.split == "validation")])
    rules, names = list(rows.reconstruction.unique()), list(rows.cell.unique())
    figure, axes = subplots(1, max(len(rules), 1), (7.2, 2.4), sharey=True)
    for axis, rule in zip(axes, rules, strict=False):
        for cell, colour, marker in zip(names, COLOURS, "os^D", strict=False):
            group = rows[(rows.reconstruction == rule) & (rows.cell == cell)]
            _line(axis, group, "bpp", "psnr", colour, CELLS[cell], f"{marker}-")
        axis.set(title=rule.replace("_", " "), xlabel="bits a pixel, not coded")
    axes[0].set_ylabel(LABELS["psnr"])
    if rules:
        axes[0].legend(loc="lower right", fontsize=7.5)
    return figure


def coded_cells(table: pd.DataFrame) -> Figure:
    """Figure 23: PSNR after each pass against the bits of its code, coded and, dashed, as they are.

    A row a set of images, a panel a reconstruction rule, a line a cell.
    """
    sets, rules, names = (list(table[name].unique()) for name in ("images", "reconstruction", "cell"))
    figure, axes = subplots(
        len(sets), len(rules), (7.2, 0.3 + 1.9 * len(sets)), sharex=True, sharey="row", squeeze=False
    )
    for axis, (images, rule) in zip(axes.flat, product(sets, rules), strict=True):
        for cell, colour in zip(names, COLOURS, strict=False):
            rows = table[(table.images == images) & (table.reconstruction == rule) & (table.cell == cell)]
            means = rows.groupby("passes").mean(numeric_only=True)
            axis.plot(means.raw_bpp, means.psnr, "--", color=colour, lw=1)
            axis.plot(means.payload_bpp, means.psnr, "o-", color=colour, ms=3, lw=1.4, label=CELLS[cell])
        axis.set_title(f"{images}, {rule.replace('_', ' ')}")
    for axis in axes[-1]:
        axis.set_xlabel("bits a pixel")
    for axis in axes[:, 0]:
        axis.set_ylabel(LABELS["psnr"])
    axes[0, 0].legend(loc="lower right", fontsize=7.5)
    return figure


def parts(table: pd.DataFrame) -> Figure:
    """Figure 21: codecs trained on parts of CIFAR-10, less the one trained on everything, by seed and by pass.

    Left, on test images of vehicles; right, on all others.
    """
    figure, axes = subplots(1, 2, (7.2, 2.3), sharey=True)
    keys = ["part", "tested_on", "seed", "bpp"]
    psnr = table.set_index(keys).psnr
    gains = (psnr - psnr.xs("everything").reindex(psnr.index.droplevel("part")).to_numpy()).reset_index()
    for axis, tested_on in zip(axes, ("vehicles", "rest"), strict=True):
        for part, colour, marker, aside in zip(PARTS, COLOURS, "os^", (-0.008, 0, 0.008), strict=False):
            rows = gains[(gains.part == part) & (gains.tested_on == tested_on)]
            rows = rows.assign(bpp=rows.bpp + aside)  # so that intervals do not hide each other
            _line(axis, rows, "bpp", "psnr", colour, PARTS[part], f"{marker}-")
        axis.axhline(0, color="0.4", ls=":", lw=1)
        axis.set(title={"vehicles": "on vehicles", "rest": "on all others"}[tested_on], xlabel="bits a pixel")
    axes[0].set_ylabel("PSNR (dB) less that of a codec\ntrained on everything")
    axes[1].legend(title="trained on", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7.5)
    return figure


def use(table: pd.DataFrame) -> Figure:
    """Figure 22: how often a classifier is right on decoded images, against their bytes of code."""
    figure, axes = subplots(1, 1, (4.6, 2.6))
    whole = statistics.interval(table[table.codec == "none"], ["codec"], "accuracy")
    axes[0].axhline(100 * whole["mean"].item(), color="0.4", ls=":", lw=1, label="as they are")
    shown = table[table.codec != "none"].assign(accuracy=100 * table.accuracy)
    for (codec, rows), colour, marker in zip(shown.groupby("codec", sort=False), COLOURS, "os^D", strict=False):
        _line(axes[0], rows, "payload_bytes", "accuracy", colour, CELLS.get(codec, codec), f"{marker}-")
    _log_axis(axes[0], [16, 32, 64, 128, 256])
    axes[0].set(xlabel="bytes of code, headers not counted", ylabel="right answers, %")
    axes[0].legend(loc="lower right", fontsize=7.5)
    return figure


def edges(table: pd.DataFrame) -> Figure:
    """Figure 16: gradient energy of each validation image against how well it comes back; the line: means of tenths."""
    figure, axes = subplots(2, 1, (3.5, 3.8), sharex=True)
    tenth = table.gradient_energy.rank(method="first").mul(10 / len(table)).apply(np.ceil)
    means = table.groupby(tenth)[["gradient_energy", *SCORES]].mean()
    for axis, score in zip(axes, SCORES, strict=True):
        axis.plot(table.gradient_energy, table[score], ".", color="0.6", ms=3, alpha=0.5, mec="none", rasterized=True)
        axis.plot(means.gradient_energy, means[score], "o-", color=COLOURS[0], ms=4)
        axis.set(xscale="log", ylabel=LABELS[score])
    axes[-1].set_xlabel("gradient energy (squared Sobel)")
    return figure


def _line(axis, rows, x, score, colour, label, style):
    """The mean of each x with its interval, joined as `style` says, and a faint dot a seed."""
    if rows.empty:
        return
    axis.plot(rows[x], rows[score], ".", color=colour, ms=5, alpha=0.5, mec="none")
    bounds = statistics.interval(rows, [x], score)
    errors = [bounds["mean"] - bounds.low, bounds.high - bounds["mean"]]
    axis.errorbar(bounds[x], bounds["mean"], errors, fmt=style, color=colour, ms=4.5, lw=1.4, capsize=2, label=label)


def _log_axis(axis, ticks):
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.xaxis.set_minor_formatter(NullFormatter())
