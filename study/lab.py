"""What the notebooks share: training what is missing, tables to sort, and validation images to look through."""

import base64
from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import display
from ipywidgets import HTML, BoundedIntText, Checkbox, Dropdown, HBox, Image, IntSlider, VBox, Widget

from study import data, training
from study.evaluation import reconstruct
from study.experiments import own, runs, tables
from study.experiments.runs import Run
from study.experiments.studies import STUDIES
from study.ground.images import png
from study.metrics import psnr

SIDE = 96  # pixels that an image of 32 is shown at


def train(grid: str, planned: Sequence[Run]) -> None:
    """Trains the planned runs that are missing and collects the grid's tables.

    Raises `StudyError` where one of them cannot be trained, before the first is.
    """
    missing = tables.missing(grid, list(planned))
    for run in missing:
        own.check(run)
    for run in missing:
        print(run.id, training.train(run))
    if planned:
        tables.collect(grid)


def settings(planned: Sequence[Run], *fields: str) -> pd.DataFrame:
    """The planned runs, one row each, with some of their parameters."""
    return pd.DataFrame(planned, columns=runs.PARAMETERS)[list(fields)]


def sort(table: pd.DataFrame) -> None:
    """Shows a table with a choice of the column that it is sorted by; as it is where nothing can be chosen."""
    by = Dropdown(options=list(table.columns), description="sort by")
    largest_first = Checkbox(description="largest first", indent=False)
    shown = HTML(table.to_html(index=False))

    def update(_):
        shown.value = table.sort_values(by.value, ascending=not largest_first.value).to_html(index=False)

    for choice in (by, largest_first):
        choice.observe(update, "value")
    _show(VBox([HBox([by, largest_first]), shown]), "text/html", shown.value)


def look(planned: Sequence[Run], study: str) -> None:
    """Shows any validation image, by its number, after every pass of a run: those whose weights are on this machine."""
    here = [run for run in planned if (run.folder / "weights.npz").exists()]
    if not here:
        print("No weights of these runs are on this machine; `study.training.train(run)` makes those of one.")
        return
    validation = data.load(here[0].data).validation
    names = {f"{STUDIES[study].setting(run)}, seed {run.seed}": run for run in here}
    number = BoundedIntText(0, 0, len(validation) - 1, description="image")
    name = Dropdown(options=list(names), description="run", layout={"width": "40em"})
    shown, caption = Image(), HTML()

    def update(_=None):
        pictures, caption.value = _passes(names[name.value], validation[number.value])
        shown.value, shown.layout.width = png(pictures), f"{pictures.shape[1]}px"

    update()
    for choice in (number, name):
        choice.observe(update, "value")
    _show(VBox([HBox([number, name]), caption, shown]), "image/png", base64.b64encode(shown.value).decode())


def _passes(run, image):
    """An image and what a run makes of it after each pass, side by side, and their PSNR in words."""
    after = reconstruct(training.trained_codec(run), image[None])[0]
    scores = np.asarray(psnr(np.broadcast_to(image / np.float32(255), after.shape), after))
    pictures = [image, *np.round(after * 255).astype(np.uint8)]
    enlarged = [picture.repeat(SIDE // 32, axis=0).repeat(SIDE // 32, axis=1) for picture in pictures]
    words = ", ".join(f"{score:.2f} dB after pass {t}" for t, score in enumerate(scores, 1))
    return np.concatenate(enlarged, axis=1), f"The original, and {words}"


def slide(pictures: Sequence[np.ndarray], description: str, start: int) -> None:
    """Shows one of some pictures, uint8 (h, w, 3), by a slider that counts from 1."""
    slider = IntSlider(start, 1, len(pictures), description=description)
    shown = Image(value=png(pictures[start - 1]), layout={"width": "384px"})
    slider.observe(lambda change: setattr(shown, "value", png(pictures[change.new - 1])), "value")
    _show(VBox([slider, shown]), "image/png", base64.b64encode(shown.value).decode())


def _show(widget: Widget, kind: str, still: str) -> None:
    """A widget, and what stands in its place where a page is only read."""
    display({**widget._repr_mimebundle_(), kind: still}, raw=True)
