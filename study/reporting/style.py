"""What all figures share: one style, every colour and label by name, one way to make a figure and to write it."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from study.architecture import CELLS
from study.ground import atomic, paths, statistics

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
matplotlib.rcdefaults()  # whatever a person's matplotlibrc says for other figures
matplotlib.rcParams.update(STYLE)  # while drawing too: legends and grids take theirs late

COLUMN = (3.6, 2.6)  # inches; a column of the paper

LABELS = {
    "report_score": "report's score, 1 - (1 - SSIM)²",
    "ms_ssim": "MS-SSIM[w3,L4]",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "ssim_blocks": "SSIM, 8x8 blocks",
    "residual_l1": "mean absolute residual",
    "train_size": "training images",
    "bpp": "bits per pixel",
    **{name: cell.label for name, cell in CELLS.items()},
    "vehicles": "vehicles",
    "largest_png": "what PNG compresses worst",
    "smallest_png": "what PNG compresses best",
}
LOSS_LABELS = {"ms_ssim": "MS-SSIM", "report": "(1 - SSIM)²", "l1": "L1", "l2": "L2"}

_BLUE, _ORANGE, _GREEN, _RED, _PINK, _BROWN, _LIGHT_PINK, _GREY, _YELLOW, _LIGHT_BLUE = sns.color_palette(
    "colorblind"
).as_hex()
# One colour for a thing in every figure.
COLOURS = {
    "lstm": _BLUE,
    "gru": _ORANGE,
    "residual_gru": _GREEN,
    "associative_lstm": _RED,
    "JPEG 4:2:0": _GREEN,
    "JPEG 4:4:4": _RED,
    "JPEG 2000": _PINK,
    "WebP": _BROWN,
    "AVIF": _LIGHT_BLUE,
    "JPEG XL": _GREY,
    "vehicles": _BLUE,
    "largest_png": _GREEN,
    "smallest_png": _PINK,
    "equal epochs": _BLUE,
    "scaled rate": _ORANGE,
    "equal steps": _GREEN,
    "rotation": _BLUE,
    "flip": _ORANGE,
    "originals": _GREEN,
    "done": _BLUE,
    "collapsed": _RED,
    "diverged": "0.3",
    "run": _BLUE,
    "small data": _ORANGE,
    "large data": _BLUE,
}


def label(name) -> str:
    """The words for a field, a score, a cell or another thing that a figure names."""
    return LABELS.get(name, str(name).replace("_", " "))


def way_to_train(run) -> str:
    """A run's loss and how it was trained: `run` has loss, binarizer_gain and schedule."""
    rate = {"cosine": "our schedule", "constant": "constant rate"}[run.schedule]
    return f"{LOSS_LABELS.get(run.loss, run.loss)}, gain {run.binarizer_gain:g}, {rate}"


def shades(values) -> dict:
    """A colour for each of some ordered values, dark to light."""
    values = sorted(set(values))
    return dict(zip(values, sns.color_palette("viridis", len(values)), strict=True))


def subplots(rows, columns, size, **kwargs):
    """A figure that pyplot has made, which tells a notebook how to show it, and closed, so that it is shown once."""
    figure = plt.figure(figsize=size, layout="constrained")
    plt.close(figure)
    return figure, np.atleast_1d(figure.subplots(rows, columns, **kwargs))


def mean_line(axis, rows, x, score, colour, label, style) -> None:
    """The mean of each x with its interval, joined as `style` says, and a faint dot per seed; nothing of no rows."""
    if rows.empty:
        return
    axis.plot(rows[x], rows[score], ".", color=colour, ms=5, alpha=0.5, mec="none")
    bounds = statistics.interval(rows, [x], score)
    errors = [bounds["mean"] - bounds.low, bounds.high - bounds["mean"]]
    axis.errorbar(bounds[x], bounds["mean"], errors, fmt=style, color=colour, ms=4.5, lw=1.4, capsize=2, label=label)


def log_axis(axis, ticks) -> None:
    """A horizontal axis in powers of two with these ticks."""
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axis.xaxis.set_minor_formatter(NullFormatter())


def legend(axis, **options) -> None:
    """A legend, where the axis has something to name."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(**{"fontsize": 7.5} | options)


def label_ends(axis, title: str) -> None:
    """Writes the name of each named line beside its end, moved apart where names would overlap, below a title."""
    lines = [line for line in axis.lines if not line.get_label().startswith("_") and line.get_linestyle() != "None"]
    lines = [line for line in lines if len(line.get_ydata()) and np.isfinite(line.get_ydata()[-1])]
    low, high = axis.get_ylim()
    ends = sorted((((line.get_ydata()[-1] - low) / (high - low), line) for line in lines), key=lambda end: end[0])
    gap, places, floor = 1.1 * 0.14 / axis.get_window_extent().height * axis.figure.dpi, [], 0.0
    for height, _ in ends:  # each at least a line of text above the one below
        places.append(max(height, floor))
        floor = places[-1] + gap
    ceiling = 0.95
    for i in reversed(range(len(places))):  # and none above the frame
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    axis.annotate(title, (1.06, 1.06), xycoords="axes fraction", fontsize=8)
    for (_, line), place in zip(ends, places, strict=True):
        axis.annotate(
            line.get_label(),
            (line.get_xdata()[-1], line.get_ydata()[-1]),
            (1.06, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=line.get_color(),
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "lw": 0.7, "shrinkA": 1, "relpos": (0, 0.5)},
        )


def save(figure: Figure, preset: str, name: str) -> None:
    """Writes `figures/<preset>/<name>` as PNG and PDF, without dates, so that the same table gives the same bytes."""
    for kind, metadata in (
        ("png", {"Software": None}),
        ("pdf", {"CreationDate": None, "Producer": None, "Creator": None}),
    ):
        content = io.BytesIO()
        figure.savefig(content, format=kind, bbox_inches="tight", metadata=metadata)
        atomic.write(paths.figures(preset) / f"{name}.{kind}", content.getvalue())
