"""Figures made of pictures: samples beside their originals, and the architecture as a drawing."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from study.ground.images import from_text
from study.reporting.style import subplots, way_to_train

ARROW = {"arrowstyle": "->", "color": "0.4", "shrinkA": 0, "shrinkB": 0}
LETTERS = 12  # points: rows of samples are also printed at half their size, one column wide


def architecture(table: pd.DataFrame) -> Figure:
    """The layers of one pass and what each makes of a 32x32 block (T17, Fig. 1)."""
    figure, axes = subplots(2, 1, (7.2, 3.0))
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


def better_samples(samples: pd.DataFrame) -> Figure:
    """Validation images at even distances in rank by MS-SSIM, from the best tenth."""
    return _samples(samples[samples.choice == "better"])


def poorer_samples(samples: pd.DataFrame) -> Figure:
    """Validation images at even distances in rank by MS-SSIM, from the worst tenth."""
    return _samples(samples[samples.choice == "poorer"])


def _samples(samples):
    columns = (("original_png", "original"), ("reconstruction_png", "16 B code"), ("jpeg_png", "JPEG"))
    figure, axes = subplots(3, len(samples), (0.85 * len(samples) + 0.4, 4.1))
    for column, (_, sample) in zip(axes.T, samples.iterrows(), strict=True):
        captions = (
            f"{sample.image}",
            f"{sample.psnr:.1f} dB\n{sample.ssim:.2f}",
            f"{sample.jpeg_psnr:.1f} dB\n{sample.jpeg_ssim:.2f}\n{sample.jpeg_bytes} B",
        )
        for axis, (field, _), caption in zip(column, columns, captions, strict=True):
            _picture(axis, sample[field], caption)
    for axis, (_, name) in zip(axes[:, 0], columns, strict=True):
        axis.set_ylabel(name, fontsize=LETTERS)
    return figure


def loss_pictures(samples: pd.DataFrame) -> Figure:
    """The same validation images after training with each loss."""
    groups = list(samples.groupby(["loss", "binarizer_gain", "schedule"], sort=False))
    images = samples.image.unique()
    figure, axes = subplots(len(groups) + 1, len(images), (0.78 * len(images) + 1.1, 0.78 * (len(groups) + 1)))
    for axis, (_, sample) in zip(axes[0], groups[0][1].iterrows(), strict=True):
        _picture(axis, sample.original_png, "")
    for axis_row, (_, group) in zip(axes[1:], groups, strict=True):
        for axis, (_, sample) in zip(axis_row, group.iterrows(), strict=True):
            _picture(axis, sample.reconstruction_png, "")
    names = ["original", *(way_to_train(next(group.itertuples())).replace(", ", "\n") for _, group in groups)]
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=0.85 * LETTERS)
    return figure


def image_grid(images: np.ndarray, columns: int, side: float = 0.7) -> Figure:
    """8-bit images (n, h, w, 3) side by side, row by row, each so many inches a side."""
    rows = -(-len(images) // columns)
    figure, axes = subplots(rows, columns, (side * columns, side * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, images, strict=False):
        axis.imshow(image, interpolation="nearest")
    return figure


def _picture(axis, file, caption):
    axis.imshow(from_text(file), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(caption, fontsize=LETTERS)
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(False)
