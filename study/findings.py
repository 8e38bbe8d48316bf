"""Figures of how runs end: final validation scores by setting, each seed a dot, the mean with its 95 % t-interval."""

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
COLOURS = sns.color_palette("colorblind")


def batch_sizes(history: pd.DataFrame) -> Figure:
    """Figure 12: how a batch size ends at equal epochs, at equal steps, and with the rate that suits it."""
    rows = tables.final(history, "batch_size", "equal_steps", "scaled_rate")
    equal, scaled = rows[rows.study == "batch_size"], rows[rows.study == "scaled_rate"]
    unscaled = equal[~equal.batch_size.isin(scaled.batch_size)] if len(scaled) else scaled  # its rate is the same
    figure, axes = subplots(1, 2, (7.2, 2.3))
    for axis, score in zip(axes, SCORES, strict=True):
        lines = [
            (equal, "equal epochs, as in the report", "o-"),
            (pd.concat([unscaled, scaled]), "and rate by √(batch size)", "s--"),
            (rows[rows.study == "equal_steps"], "equal steps", "^-"),
        ]
        for (group, label, style), colour, beside in zip(lines, COLOURS, (0.95, 1.0, 1.05), strict=False):
            group = group.assign(batch_size=group.batch_size * beside)  # so that intervals do not hide each other
            _line(axis, group, "batch_size", score, colour, label, style)
        _log_axis(axis, sorted(rows.batch_size.unique()))
        axis.set(xlabel=LABELS["batch_size"], ylabel=LABELS[score])
    axes[0].legend(loc="best", fontsize=7.5)
    return figure


def train_sizes(history: pd.DataFrame) -> Figure:
    """Figure 13: how a training set ends at equal epochs, and the largest beside others that show as many images."""
    rows = tables.final(history, "train_size", "train_control")
    sizes, controls = rows[rows.study == "train_size"], rows[rows.study == "train_control"]
    figure, axes = subplots(1, 2, (7.2, 2.3))
    for axis, score in zip(axes, SCORES, strict=True):
        _line(axis, sizes, "train_size", score, COLOURS[0], "rotated beyond the originals", "o-")
        names = [("flip", "flipped beyond the originals", "D"), ("rotation", "originals alone, more epochs", "s")]
        for (augmentation, label, marker), colour in zip(names, COLOURS[1:], strict=False):
            group = controls[controls.augmentation == augmentation].assign(train_size=sizes.train_size.max() * 1.12)
            _line(axis, group, "train_size", score, colour, label, marker)
        _log_axis(axis, sorted(sizes.train_size.unique()))
        axis.tick_params(axis="x", rotation=30)
        axis.set(xlabel=LABELS["train_size"], ylabel=LABELS[score])
    axes[0].legend(loc="best", fontsize=7.5)
    return figure


def collapse(history: pd.DataFrame) -> Figure:
    """Figure 14: of many seeds, how many still answer the mean image after three epochs, and where each one stands."""
    rows = tables.final(history, "collapse")
    groups = list(rows.groupby(["loss", "gain", "schedule"], sort=False))
    figure, axes = subplots(1, 2, (7.2, 0.7 + 0.24 * max(len(groups), 1)), sharey=True)
    for y, (_, group) in enumerate(groups):
        share, low, high = statistics.share((group.status == "collapsed").sum(), len(group))
        axes[0].plot([100 * low, 100 * high], [y, y], color="0.5", lw=2, solid_capstyle="butt")
        axes[0].plot(100 * share, y, "o", color=COLOURS[0])
        axes[1].plot(group.psnr, [y] * len(group), "o", color=COLOURS[0], ms=4, alpha=0.5, mec="none")
    names = [setting_name(group.iloc[0]) for _, group in groups]
    axes[0].set(yticks=range(len(groups)), yticklabels=names, xlim=(-3, 103), xlabel="collapsed runs, % with interval")
    axes[1].set(xlabel=f"{LABELS['psnr']} of each")
    axes[0].invert_yaxis()
    return figure


def passes(history: pd.DataFrame) -> Figure:
    """Figure 15: quality after each pass against the bits so far, by cell and by the passes trained with."""
    rows = tables.last_epoch(history[(history.study == "passes") & (history.split == "validation")])
    colours = dict(zip(sorted(rows.iterations.unique()), sns.color_palette("viridis", 4), strict=False))
    figure, axes = subplots(1, 2, (7.2, 2.3))
    for axis, score in zip(axes, SCORES, strict=True):
        for (cell, iterations), group in rows.groupby(["cell", "iterations"], sort=False):
            label = f"{CELLS[cell]}, {iterations} {'pass' if iterations == 1 else 'passes'}"
            _line(axis, group, "bpp", score, colours[iterations], label, "o-" if cell == "lstm" else "s--")
        axis.set(xlabel="bits a pixel", ylabel=LABELS[score])
    if len(rows):
        axes[1].legend(title="trained with", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7.5)
    return figure


def cells(history: pd.DataFrame) -> Figure:
    """Figure 20: PSNR after each pass against the bits so far: a panel a reconstruction rule, a line a cell."""
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
        axes[-1].legend(loc="lower right", fontsize=7.5)
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
    figure, axes = subplots(1, 2, (7.2, 2.0))
    tenth = table.gradient_energy.rank(method="first").mul(10 / len(table)).apply(np.ceil)
    means = table.groupby(tenth)[["gradient_energy", *SCORES]].mean()
    for axis, score in zip(axes, SCORES, strict=True):
        axis.plot(table.gradient_energy, table[score], ".", color="0.6", ms=3, alpha=0.5, mec="none", rasterized=True)
        axis.plot(means.gradient_energy, means[score], "o-", color=COLOURS[0])
        axis.set(xscale="log", xlabel="gradient energy (squared Sobel)", ylabel=LABELS[score])
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
