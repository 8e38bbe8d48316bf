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


def save(figure: Figure, preset: str, name: str) -> None:
    """Writes `figures/<preset>/<name>` as PNG and PDF, without dates, so that the same table gives the same bytes."""
    for kind, metadata in (
        ("png", {"Software": None}),
        ("pdf", {"CreationDate": None, "Producer": None, "Creator": None}),
    ):
        content = io.BytesIO()
        figure.savefig(content, format=kind, bbox_inches="tight", metadata=metadata)
        runs.write(paths.figures(preset) / f"{name}.{kind}", content.getvalue())
