"""Figures of rate and distortion: the shipped codecs beside standard ones and published curves."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure

from study.architecture import CELLS
from study.ground import paths
from study.ground.images import from_text
from study.reporting.style import COLOURS, label, legend, subplots

MARKERS = {"Toderici 2017": "x", "Johnston 2018": "+", "1zb (GitHub)": "2"}  # published codecs
HIGHEST = 2.05  # bits per pixel


def kodak(table: pd.DataFrame) -> Figure:
    """Kodak, means over 24 images at each setting, against the rate of whole files; marks are published."""
    published = pd.read_csv(paths.PUBLISHED_CURVES)
    figure, axes = subplots(1, 2, (7.2, 3.0))
    for axis, score in zip(axes, ("psnr", "ms_ssim"), strict=True):
        for codec, means in curves(table, score).groupby("codec", sort=False):
            means = means[means.bpp <= HIGHEST]
            style = {"lw": 2.2} if codec in CELLS else {"lw": 1.0, "ls": "--"}
            axis.plot(means.bpp, means[score], color=COLOURS[codec], label=_named(codec), **style)
        for codec, rows in published[published.score == score].groupby("codec"):
            every = rows.iloc[:: -(-len(rows) // 24)]
            axis.plot(every.bpp, every.value, MARKERS[codec], color="0.2", ms=4, mew=0.9, label=codec)
        axis.set(xlabel="bits per pixel, whole file", ylabel=_score_label(score))
    axes[1].set(ylim=(0.8, 1.0))
    legend(axes[1], loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def targets(table: pd.DataFrame) -> Figure:
    """32x32 images at equal bytes of code: means with two standard errors."""
    figure, axes = subplots(1, 2, (7.2, 2.6))
    for axis, score in zip(axes, ("psnr", "ssim_blocks"), strict=True):
        for codec, rows in table.groupby("codec", sort=False):
            style = {"fmt": "o-", "lw": 2.0} if codec in CELLS else {"fmt": "s--", "lw": 1.0}
            errors = 2 * rows[f"{score}_sem"]
            axis.errorbar(
                rows.payload_bytes, rows[score], errors, color=COLOURS[codec], ms=3, label=_named(codec), **style
            )
        axis.set(xlabel="bytes of code, headers not counted", ylabel=_score_label(score), xscale="log")
        axis.set_xticks([16, 32, 64, 128, 256], ["16", "32", "64", "128", "256"])
        axis.minorticks_off()
    legend(axes[1], loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def photograph(table: pd.DataFrame) -> Figure:
    """A photograph after more and more passes, and as it is."""
    figure, axes = subplots(2, -(-len(table) // 2), (4.3, 3.4))
    shown = pd.concat([table[table.passes > 0], table[table.passes == 0]])
    for axis in axes.flat:
        axis.axis("off")
    for axis, row in zip(axes.flat, shown.itertuples(), strict=False):  # the last place stays empty where rows are odd
        axis.imshow(from_text(row.picture_png))
        passes = "1 pass" if row.passes == 1 else f"{row.passes} passes"
        facts = f"{passes}: {row.file_bytes:,} bytes\n{row.bpp:.2f} bpp, {row.psnr:.1f} dB"
        axis.set_title(facts if row.passes else f"as it is:\n{row.file_bytes:,} bytes", fontsize=6.5)
    return figure


def curves(table: pd.DataFrame, *scores: str) -> pd.DataFrame:
    """Means over images at each setting of each codec: codec, setting, bpp and the scores, by rate."""
    means = table.groupby(["codec", "setting"], sort=False)[["bpp", *scores]].mean().reset_index()
    return means.sort_values(["codec", "bpp"])


def coded_cells(table: pd.DataFrame) -> Figure:
    """PSNR after each pass against the bits of its code, coded and, dashed, as they are.

    A row a set of images, a panel a reconstruction rule, a line a cell.
    """
    sets, rules, names = (list(table[name].unique()) for name in ("images", "reconstruction", "cell"))
    figure, axes = subplots(
        len(sets), len(rules), (7.2, 0.3 + 1.9 * len(sets)), sharex=True, sharey="row", squeeze=False
    )
    for axis, (images, rule) in zip(axes.flat, product(sets, rules), strict=True):
        for cell in names:
            rows = table[(table.images == images) & (table.reconstruction == rule) & (table.cell == cell)]
            means = rows.groupby("passes").mean(numeric_only=True)
            axis.plot(means.raw_bpp, means.psnr, "--", color=COLOURS[cell], lw=1)
            axis.plot(means.payload_bpp, means.psnr, "o-", color=COLOURS[cell], ms=3, lw=1.4, label=label(cell))
        axis.set_title(f"{images}, {label(rule)}")
    for axis in axes[-1]:
        axis.set_xlabel(label("bpp"))
    for axis in axes[:, 0]:
        axis.set_ylabel(label("psnr"))
    legend(axes[0, 0], loc="lower right")
    return figure


def _named(codec):
    return label(codec) if codec in CELLS else codec


def _score_label(score):
    """On photographs MS-SSIM is the standard one."""
    return "MS-SSIM" if score == "ms_ssim" else label(score)
