"""Every figure by its name, drawn from a preset's tables alone: without Keras, so that it takes seconds."""

from collections.abc import Callable

from matplotlib.figure import Figure

from study.experiments import tables
from study.experiments.studies import STUDIES
from study.ground.errors import StudyError
from study.reporting import curves, ends, pictures, rates, sizes
from study.reporting.style import save, subplots

# Kinds of figures that a study may have, from the study and its history, which has the field that it varies first.
OF_ANY_STUDY = {"quality": curves.quality, "psnr": curves.psnr, "ends": ends.ends}
# Figures of one study: the studies that it shows, and the tables of them that it is drawn from.
OF_ONE_STUDY: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable]] = {
    "batch_size_protocols": (("batch_size", "equal_steps", "scaled_rate"), ("history",), ends.protocols),
    "train_size_controls": (("train_size", "train_control"), ("history",), ends.controls),
    "loss_colour": (("loss",), ("runs", "history"), ends.colour),
    "loss_residual": (("loss",), ("history",), curves.residual),
    "collapse_ends": (("collapse",), ("history",), ends.collapse),
    "passes_rate": (("passes",), ("history",), ends.passes),
    "cells_rules": (("cells",), ("history",), ends.rules),
    "recipe_curves": (("recipe",), ("history",), curves.recipe),
}
# Figures of one table.
OF_A_TABLE = {
    "architecture": ("architecture", pictures.architecture),
    "better_samples": ("samples", pictures.better_samples),
    "poorer_samples": ("samples", pictures.poorer_samples),
    "loss_pictures": ("loss_samples", pictures.loss_pictures),
    "edges": ("edges", ends.edges),
    "kodak": ("kodak", rates.kodak),
    "equal_bytes": ("targets", rates.targets),
    "photograph": ("photograph", rates.photograph),
    "coded_cells": ("cells", rates.coded_cells),
    "parts": ("parts", ends.parts),
    "classifier": ("use", ends.use),
}

OF_TWO_SIZES = "claims_sizes"  # of the claims of two presets


def names(preset: str, published: bool = False) -> list[str]:
    """The figures for which a preset has tables, those of its studies in the order of the studies."""
    made = set(tables.read_or_empty(preset, "runs", published).studies.str.split().explode())
    of_studies = [f"{study.name}_{kind}" for study in STUDIES.values() if study.name in made for kind in study.figures]
    of_tables = [name for name, (table, _) in OF_A_TABLE.items() if len(tables.read_or_empty(preset, table, published))]
    has_two_sizes = preset in sizes.SMALLER and len(tables.read_or_empty(preset, "claims", published))
    return of_studies + of_tables + [OF_TWO_SIZES] * bool(has_two_sizes)


def draw(preset: str, name: str, published: bool = False) -> Figure:
    """A figure of a preset, from its own tables or from the repository's published ones; an empty one of no rows.

    Raises `StudyError` for a name that no study and no table has.
    """
    if name in OF_A_TABLE:
        table, function = OF_A_TABLE[name]
        rows = tables.read(preset, table, published)
        return function(rows) if len(rows) else subplots(1, 1, (1, 1))[0]
    if name in OF_ONE_STUDY:
        shown, needed, function = OF_ONE_STUDY[name]
        return function(*(tables.of_studies(preset, table, *shown, published=published) for table in needed))
    if name == OF_TWO_SIZES and preset in sizes.SMALLER:
        return sizes.draw(preset, published)
    study, _, kind = name.rpartition("_")
    if study in STUDIES and kind in OF_ANY_STUDY:
        history = tables.of_studies(preset, "history", study, published=published)
        return OF_ANY_STUDY[kind](STUDIES[study], history)
    known = [*OF_A_TABLE, *(f"{study.name}_{kind}" for study in STUDIES.values() for kind in study.figures)]
    known.append(OF_TWO_SIZES)
    raise StudyError(f"There is no figure {name!r}; choose one of {', '.join(known)}.")


def draw_all(preset: str) -> list[str]:
    """Draws and writes every figure for which the preset has tables; returns their names.

    Raises `StudyError` where its runs are not collected yet.
    """
    tables.read(preset, "runs")
    made = names(preset)
    for name in made:
        save(draw(preset, name), preset, name)
    return made
