"""What all figures share: one style, one way to make a figure, one way to write it."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from study import paths, runs

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
LOSS_LABELS = {"ms_ssim": "MS-SSIM", "report": "(1 - SSIM)²", "l1": "L1", "l2": "L2"}


def setting_name(run) -> str:
    """A run's loss and how it was trained, for a figure: `run` has loss, gain and schedule."""
    rate = {"cosine": "our schedule", "constant": "constant rate"}[run.schedule]
    return f"{LOSS_LABELS[run.loss]}, gain {run.gain:g}, {rate}"


def subplots(rows, columns, size, **kwargs):
    """A figure that pyplot has made, which tells a notebook how to show it, and closed, so that it is shown once."""
    figure = plt.figure(figsize=size, layout="constrained")
    plt.close(figure)
    return figure, np.atleast_1d(figure.subplots(rows, columns, **kwargs))


def label_ends(axis, title: str) -> None:
    """Writes the name of each named line beside its end, moved apart where names would overlap, below a title."""
    lines = [line for line in axis.lines if not line.get_label().startswith("_") and line.get_linestyle() != "None"]
    low, high = axis.get_ylim()
    ends = sorted(((line.get_ydata()[-1] - low) / (high - low), line) for line in lines)
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
        runs.write(paths.figures(preset) / f"{name}.{kind}", content.getvalue())
