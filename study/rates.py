"""Figures of rate and distortion: the shipped codecs beside standard ones and published curves."""

import base64

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from study import baselines, paths
from study.canvas import subplots

SCORES = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM", "ssim_blocks": "SSIM, 8x8 blocks"}
NAMES = {"gru": "GRU", "lstm": "LSTM"}
MARKERS = {"Toderici 2017": "x", "Johnston 2018": "+", "1zb (GitHub)": "2"}  # published codecs
HIGHEST = 2.05  # bits a pixel


def kodak(table: pd.DataFrame) -> Figure:
    """Figure 17: Kodak, means over 24 images at each setting, against the rate of whole files; marks are published."""
    published = pd.read_csv(paths.PUBLISHED)
    colours = _colours(table.codec.unique())
    figure, axes = subplots(1, 2, (7.2, 3.0))
    for axis, score in zip(axes, ("psnr", "ms_ssim"), strict=True):
        for codec, means in curves(table, score).groupby("codec", sort=False):
            means = means[means.bpp <= HIGHEST]
            style = {"lw": 2.2} if codec in NAMES else {"lw": 1.0, "ls": "--"}
            axis.plot(means.bpp, means[score], color=colours[codec], label=NAMES.get(codec, codec), **style)
        for codec, rows in published[published.score == score].groupby("codec"):
            every = rows.iloc[:: -(-len(rows) // 24)]
            axis.plot(every.bpp, every.value, MARKERS[codec], color="0.2", ms=4, mew=0.9, label=codec)
        axis.set(xlabel="bits a pixel, whole file", ylabel=SCORES[score])
    axes[1].set(ylim=(0.8, 1.0))
    axes[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7.5)
    return figure


def targets(table: pd.DataFrame) -> Figure:
    """Figure 18: 32x32 images at equal bytes of code: means with two standard errors."""
    colours = _colours(table.codec.unique())
    figure, axes = subplots(1, 2, (7.2, 2.6))
    for axis, score in zip(axes, ("psnr", "ssim_blocks"), strict=True):
        for codec, rows in table.groupby("codec", sort=False):
            style = {"fmt": "o-", "lw": 2.0} if codec in NAMES else {"fmt": "s--", "lw": 1.0}
            errors = 2 * rows[f"{score}_sem"]
            label = NAMES.get(codec, codec)
            axis.errorbar(rows.payload_bytes, rows[score], errors, color=colours[codec], ms=3, label=label, **style)
        axis.set(xlabel="bytes of code, headers not counted", ylabel=SCORES[score], xscale="log")
        axis.set_xticks([16, 32, 64, 128, 256], ["16", "32", "64", "128", "256"])
        axis.minorticks_off()
    axes[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7.5)
    return figure


def photograph(table: pd.DataFrame) -> Figure:
    """Figure 19: a photograph after more and more passes, and as it is."""
    figure, axes = subplots(2, -(-len(table) // 2), (4.3, 3.4))
    shown = pd.concat([table[table.passes > 0], table[table.passes == 0]])
    for axis, row in zip(axes.flat, shown.itertuples(), strict=True):
        axis.imshow(baselines.decode(base64.b64decode(row.picture_png)))
        passes = "1 pass" if row.passes == 1 else f"{row.passes} passes"
        facts = f"{passes}: {row.file_bytes:,} bytes\n{row.bpp:.2f} bpp, {row.psnr:.1f} dB"
        axis.set_title(facts if row.passes else f"as it is:\n{row.file_bytes:,} bytes", fontsize=6.5)
        axis.axis("off")
    return figure


def curves(table: pd.DataFrame, *scores: str) -> pd.DataFrame:
    """Means over images at each setting of each codec: codec, setting, bpp and the scores, by rate."""
    means = table.groupby(["codec", "setting"], sort=False)[["bpp", *scores]].mean().reset_index()
    return means.sort_values(["codec", "bpp"])


def _colours(codecs):
    return dict(zip(codecs, sns.color_palette("colorblind", len(codecs)), strict=True))
