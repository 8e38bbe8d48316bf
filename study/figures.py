"""One function a figure: a tracked table in, a Matplotlib figure out. Without Keras, so that it takes seconds."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from study import baselines, paths, runs, tables
from study.presets import GAIN

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "svg.hashsalt": "study",
}
matplotlib.rcParams.update(STYLE)  # while drawing too: legends and grids take theirs late

LABELS = {
    "report_score": "report's score, 1 - (1 - SSIM)²",
    "ms_ssim": "MS-SSIM[w3,L4]",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "residual_l1": "mean absolute residual",
    "batch_size": "batch size",
    "train_size": "training images",
}
ARROW = {"arrowstyle": "->", "color": "0.4", "shrinkA": 0, "shrinkB": 0}
STATUS_COLOURS = {"done": "#0173b2", "collapsed": "#d55e00", "diverged": "0.3"}
LOSS_LABELS = {"ms_ssim": "MS-SSIM", "report": "(1 - SSIM)²", "l1": "L1", "l2": "L2"}


def save(figure: Figure, preset: str, name: str) -> None:
    """Writes `figures/<preset>/<name>` as PNG and PDF, without dates, so that the same table gives the same bytes."""
    for kind, metadata in (
        ("png", {"Software": None}),
        ("pdf", {"CreationDate": None, "Producer": None, "Creator": None}),
    ):
        content = io.BytesIO()
        figure.savefig(content, format=kind, bbox_inches="tight", metadata=metadata)
        runs.write(paths.figures(preset) / f"{name}.{kind}", content.getvalue())


def draw_all(preset: str) -> list[str]:
    """Draws and writes every figure whose tables the preset has; returns the figures' names."""
    history, made = tables.read(preset, "history"), {}
    if "batch_size" in set(history.study):
        made |= {"figure_2": batch_size_quality(history), "figure_3": batch_size_psnr(history)}
    if "train_size" in set(history.study):
        made |= {"figure_4": train_size_quality(history), "figure_5": train_size_psnr(history)}
    if "loss" in set(history.study):
        made |= {"figure_8": loss_colour(tables.read(preset, "runs"), history), "figure_9": residual_by_n(history)}
    if "recipe" in set(history.study):
        made["figure_11"] = recipe(history)
    if tables.path(preset, "architecture").exists():
        made["figure_1"] = architecture(tables.read(preset, "architecture"))
    if tables.path(preset, "samples").exists():
        samples = tables.read(preset, "samples")
        made |= {"figure_6": better_samples(samples), "figure_7": poorer_samples(samples)}
    if tables.path(preset, "loss_samples").exists():
        made["figure_10"] = loss_pictures(tables.read(preset, "loss_samples"))
    for name, figure in made.items():
        save(figure, preset, name)
    return sorted(made)


def architecture(table: pd.DataFrame) -> Figure:
    """Figure 1: the layers of one pass and what each makes of a 32x32 block (T17, Fig. 1)."""
    figure, axes = _subplots(2, 1, (7.2, 3.0))
    rows = (table[table.part != "decoder"], table[table.part == "decoder"])
    for axis, layers, first, last in zip(axes, rows, ("residual\n32x32x3", "bits"), ("bits", "image"), strict=True):
        axis.text(-0.95, 0, first, ha="center", va="center")
        for x, (_, layer) in enumerate(layers.iterrows()):
            _box(axis, x, layer)
        axis.text(len(layers) - 0.2, 0, last, ha="center", va="center")
        axis.annotate("", (len(layers) - 0.42, 0), (len(layers) - 0.58, 0), arrowprops=ARROW)
        axis.set(xlim=(-1.35, 6), ylim=(-0.6, 0.6))
        axis.axis("off")
    return figure


def _box(axis, x, layer):
    face = {"encoder": "#d6e6f4", "binarizer": "#f9e2c5", "decoder": "#d9efdb"}[layer.part]
    box = FancyBboxPatch(
        (x - 0.4, -0.5), 0.8, 1.0, boxstyle="round,pad=0,rounding_size=0.06", fc=face, ec="0.4", lw=0.8
    )
    axis.add_patch(box)
    hidden = f"hidden {layer.hidden_kernel}\n" if layer.hidden_kernel else ""
    size = f"{layer.height}x{layer.width}x{layer.channels}"
    name = layer.layer.replace(", ", ",\n")
    text = f"{name}\n{layer.kernel}\n{hidden}{size}"
    axis.text(x, 0, text, ha="center", va="center", fontsize=7, linespacing=1.3)
    axis.annotate("", (x - 0.42, 0), (x - 0.58, 0), arrowprops=ARROW)


def batch_size_quality(history: pd.DataFrame) -> Figure:
    """Figure 2: the report's score, and below it MS-SSIM, by epoch and batch size."""
    return _curves(history, "batch_size", ["report_score", "ms_ssim"])


def batch_size_psnr(history: pd.DataFrame) -> Figure:
    """Figure 3: PSNR by epoch and batch size."""
    return _curves(history, "batch_size", ["psnr"])


def train_size_quality(history: pd.DataFrame) -> Figure:
    """Figure 4: the report's score, and below it MS-SSIM, by epoch and number of training images."""
    return _curves(history, "train_size", ["report_score", "ms_ssim"])


def train_size_psnr(history: pd.DataFrame) -> Figure:
    """Figure 5: PSNR by epoch and number of training images."""
    return _curves(history, "train_size", ["psnr"])


def _curves(history, study, scores):
    """Training beside validation, a row a score: a thin line a seed, the bold mean, and its 95 % t-interval."""
    rows = history[history.study == study]
    colours = dict(zip(sorted(rows[study].unique()), sns.color_palette("viridis", rows[study].nunique()), strict=True))
    figure, axes = _subplots(len(scores), 2, (7.2, 0.6 + 2.5 * len(scores)), sharex=True, sharey="row")
    for axis_row, score in zip(axes.reshape(-1, 2), scores, strict=True):
        for axis, split in zip(axis_row, ("training", "validation"), strict=True):
            for value, group in rows[rows.split == split].groupby(study):
                _seeds(axis, group, score, colours[value], f"{value:,} (n = {group.seed.nunique()})")
        axis_row[0].set_ylabel(LABELS[score])
    for axis, split in zip(axes.reshape(-1, 2)[0], ("training images", "validation images"), strict=True):
        axis.set_title(split)
    for axis in axes.reshape(-1, 2)[-1]:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"{LABELS[study]}\n(seeds)"
    axes.reshape(-1, 2)[0, 1].legend(title=title, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def _seeds(axis, group, score, colour, label):
    for _, seed in group.groupby("seed"):
        axis.plot(seed.epoch, seed[score], color=colour, lw=0.6, alpha=0.5)
    bounds = tables.interval(group, ["epoch"], score)
    axis.plot(bounds.epoch, bounds["mean"], color=colour, lw=1.8, label=label)
    axis.fill_between(bounds.epoch, bounds.low, bounds.high, color=colour, alpha=0.15, lw=0)


def better_samples(samples: pd.DataFrame) -> Figure:
    """Figure 6: validation images at even distances in rank by MS-SSIM, from the best tenth."""
    return _samples(samples[samples.choice == "better"])


def poorer_samples(samples: pd.DataFrame) -> Figure:
    """Figure 7: validation images at even distances in rank by MS-SSIM, from the worst tenth."""
    return _samples(samples[samples.choice == "poorer"])


def _samples(samples):
    columns = (("original_png", "original"), ("reconstruction_png", "16 B code"), ("jpeg_png", "JPEG"))
    figure, axes = _subplots(3, len(samples), (1.05 * len(samples) + 0.5, 4.0))
    for column, (_, sample) in zip(axes.T, samples.iterrows(), strict=True):
        captions = (
            f"image {sample.image}",
            f"{sample.psnr:.1f} dB\nSSIM {sample.ssim:.2f}",
            f"{sample.jpeg_psnr:.1f} dB\nSSIM {sample.jpeg_ssim:.2f}\n{sample.jpeg_bytes} B",
        )
        for axis, (field, _), caption in zip(column, columns, captions, strict=True):
            _picture(axis, sample[field], caption)
    for axis, (_, name) in zip(axes[:, 0], columns, strict=True):
        axis.set_ylabel(name)
    return figure


def loss_pictures(samples: pd.DataFrame) -> Figure:
    """Figure 10: the same validation images after training with each loss."""
    groups = list(samples.groupby(["loss", "gain"], sort=False))
    images = samples.image.unique()
    figure, axes = _subplots(len(groups) + 1, len(images), (0.95 * len(images) + 1.2, 0.95 * (len(groups) + 1)))
    for axis, (_, sample) in zip(axes[0], groups[0][1].iterrows(), strict=True):
        _picture(axis, sample.original_png, "")
    for axis_row, (_, group) in zip(axes[1:], groups, strict=True):
        for axis, (_, sample) in zip(axis_row, group.iterrows(), strict=True):
            _picture(axis, sample.reconstruction_png, "")
    names = ["original", *(f"{LOSS_LABELS[loss]}\ngain {gain:g}" for (loss, gain), _ in groups)]
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def loss_colour(table: pd.DataFrame, history: pd.DataFrame) -> Figure:
    """Figure 8: what each loss leaves of the picture: PSNR, MS-SSIM, and colour as a share of the originals'."""
    table = table[table.study == "loss"]
    last = tables.last_epoch(history[(history.study == "loss") & (history.split == "validation")])
    table = table.merge(last[["run", "psnr", "ms_ssim"]], on="run")
    table = table.assign(
        name=[f"{LOSS_LABELS[loss]}, gain {gain:g}" for loss, gain in zip(table.loss, table.gain, strict=True)],
        colour=table.colour_spread / table.data_colour_spread,
    )
    figure, axes = _subplots(1, 3, (7.2, 2.4), sharey=True)
    labels = {
        "psnr": LABELS["psnr"],
        "ms_ssim": LABELS["ms_ssim"],
        "colour": "colour spread,\nshare of the originals'",
    }
    for axis, (column, label) in zip(axes, labels.items(), strict=True):
        shared = {"x": column, "y": "name", "hue": "status", "palette": STATUS_COLOURS, "size": 6}
        sns.stripplot(table, ax=axis, legend=axis is axes[-1], **shared)
        axis.set(xlabel=label, ylabel="")
    axes[0].axvline(table.mean_image_psnr.iloc[0], color="0.4", ls=":", lw=1)
    axes[0].annotate("mean image", (table.mean_image_psnr.iloc[0], 1), xycoords=("data", "axes fraction"), fontsize=7)
    axes[-1].legend(title="", loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def residual_by_n(history: pd.DataFrame) -> Figure:
    """Figure 9: the report's residual loss, (mean absolute residual / n)², at each n that the report set by hand."""
    rows = history[(history.study == "loss") & (history.loss == "ms_ssim") & (history.gain == GAIN)]
    rows = rows[rows.split == "validation"]
    figure, axes = _subplots(1, 1, (4.2, 2.8))
    for n, colour in zip((1, 5, 9, 15), sns.color_palette("viridis", 4), strict=True):
        _seeds(axes[0], rows.assign(loss_n=(rows.residual_l1 / n) ** 2), "loss_n", colour, f"n = {n}")
    axes[0].set(yscale="log", xlabel="epoch", ylabel="residual loss as in the report")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend(title="set by hand", loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def recipe(history: pd.DataFrame) -> Figure:
    """Figure 11: MS-SSIM of images set aside, by epoch, for first weights and learning rates, at two batch sizes."""
    rows = history[(history.study == "recipe") & (history.split == "validation")]
    settings = list(rows.groupby(["gain", "learning_rate"]).groups)
    figure, axes = _subplots(1, max(rows.batch_size.nunique(), 1), (7.2, 2.8), sharey=True)
    for axis, (batch_size, group) in zip(axes, rows.groupby("batch_size"), strict=False):
        for (gain, rate), colour in zip(settings, sns.color_palette("viridis", len(settings)), strict=True):
            shown = group[(group.gain == gain) & (group.learning_rate == rate)]
            _seeds(axis, shown, "ms_ssim", colour, f"gain {gain:g}, rate {rate:g}")
        axis.set(title=f"batch size {batch_size:,}", xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel(LABELS["ms_ssim"])
    if settings:
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def image_grid(images: np.ndarray, columns: int) -> Figure:
    """8-bit images (n, h, w, 3) side by side, row by row."""
    rows = -(-len(images) // columns)
    figure, axes = _subplots(rows, columns, (0.7 * columns, 0.7 * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, images, strict=False):
        axis.imshow(image, interpolation="nearest")
    return figure


def _picture(axis, file, caption):
    axis.imshow(baselines.decode(base64.b64decode(file)), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(caption, fontsize=7)
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _subplots(rows, columns, size, **kwargs):
    """A figure that pyplot has made, which tells a notebook how to show it, and closed, so that it is shown once."""
    figure = plt.figure(figsize=size, layout="constrained")
    plt.close(figure)
    return figure, np.atleast_1d(figure.subplots(rows, columns, **kwargs))
