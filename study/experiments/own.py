"""A grid of one's own: a study with values that no preset has.

It goes out from a preset, has one study, and a name. Its folder `results/<name>/` holds `grid.json`, which says what
was asked for, and its tables; wherever a preset's name is taken, so is its own.
"""

import hashlib
import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from study.architecture import CELLS, MAX_ITERATIONS
from study.experiments import runs
from study.experiments.presets import PRESETS, Preset, changed, grid_text, preset, read_grid
from study.experiments.runs import Run
from study.experiments.studies import STUDIES, Study
from study.ground import atomic, data_sets, locks, paths
from study.ground.errors import StudyError
from study.ground.recipe import LOSSES

LONGEST_NAME = 60  # characters, so that names of files stay far below 255
RESERVED = (*PRESETS, "runs", "benchmarks", "cache")  # folders of results/


def _whole(text: str) -> int:
    number = Fraction(text)
    if number.denominator != 1:
        raise ValueError
    return int(number)


def _number(text: str) -> float:
    return float(Fraction(text))


# What may be asked for: the field of a run, how one value is read, and whether several are listed.
PARAMETERS: dict[str, tuple[str, Callable[[str], Any], bool]] = {
    "batch_sizes": ("batch_size", _whole, True),
    "train_sizes": ("train_size", _whole, True),
    "losses": ("loss", str, True),
    "learning_rates": ("learning_rate", _number, True),
    "cells": ("cell", str, True),
    "pass_counts": ("iterations", _whole, True),
    "seeds": ("seed", _whole, True),
    "data": ("data", data_sets.absolute, False),
    "width": ("width", _number, False),
    "epochs": ("epochs", _whole, False),
    "batch_size": ("batch_size", _whole, False),
    "train_size": ("train_size", _whole, False),
    "learning_rate": ("learning_rate", _number, False),
    "loss": ("loss", str, False),
    "cell": ("cell", str, False),
    "passes": ("iterations", _whole, False),
}
FORMS = {
    (_whole, False): "a whole number such as 48",
    (_whole, True): "a list of whole numbers such as [48, 96]",
    (_number, False): "a number such as 0.002 or 3/32",
    (_number, True): "a list of numbers such as [0.002, 0.004]",
    (str, False): "a name",
    (data_sets.absolute, False): "the name of a data set",
    (str, True): "a list of names",
}


def planned(preset_name: str, study: str, *others: str, name: str | None = None, **asked: Any) -> tuple[str, list[Run]]:
    """The grid that has what is asked for, and its runs of a study: the preset itself, or a grid of one's own.

    The preset's own values leave its grid as it is, and a part of them chooses among its runs, those of the `others`
    too. Anything else makes a grid of one's own, of `study` alone, whose `grid.json` is written.

    Args:
        preset_name: a preset, or a grid of one's own.
        others: further studies of the same notebook.
        name: that of the grid of one's own; None for one made of what differs.
        asked: what PARAMETERS lists, None for the preset's; values may be text, as papermill makes it.

    Raises:
        StudyError: a value that is not understood, cannot work or has no effect, or a name that stands for another
            grid.
    """
    p = preset(preset_name)
    wanted = {key: understood(key, value) for key, value in asked.items() if value is not None and value != []}
    own = _different(p, [STUDIES[one] for one in (study, *others)], wanted)
    if not own and name in (None, preset_name):
        chosen = {PARAMETERS[key][0]: list(values) for key, values in wanted.items() if PARAMETERS[key][2]}
        return preset_name, runs.plan(preset_name, study, *others, **chosen)
    name = _name(p, own) if name is None else name
    _check_name(name)
    whole = {**p.asked, **_fitted(p, own)}
    made = changed(p.base or p.name, name, (study,), whole)
    found = runs.of_studies(made, [STUDIES[study]])
    for run in found:
        check(run)
        _check_effect(run, STUDIES[study], own)
    _write(name, made)
    return name, found


def understood(key: str, value: Any) -> Any:
    """A value as it was meant: 48, "48", [48, 96], "48, 96", "3/32". Raises `StudyError` with the form to give."""
    if key not in PARAMETERS:
        raise StudyError(f"There is no parameter {key!r}; choose among {', '.join(PARAMETERS)}.")
    _, read, several = PARAMETERS[key]
    expected = FORMS[read, several]
    if several and isinstance(value, str):
        value = [part.strip(" '\"") for part in value.strip("[]() ").split(",") if part.strip()]
    values = list(value) if isinstance(value, (list, tuple, range)) else [value]
    if not values or (len(values) > 1 and not several):
        raise StudyError(f"{key}={value!r} is not understood; give {expected}.")
    try:
        found = [read(_text(one)) for one in values]
    except (ValueError, ZeroDivisionError) as error:
        raise StudyError(f"{key}={value!r} is not understood; give {expected}.") from error
    if several and len(set(found)) < len(found):
        raise StudyError(f"{key}={found} names a value twice; give each once.")
    return found if several else found[0]


def _text(value):
    if value is None or isinstance(value, (bool, dict, list, tuple)):
        raise ValueError
    return str(value)


def _different(p: Preset, studies: list[Study], wanted: dict) -> dict:
    """What of it the preset's own grid does not have; with the parts of its lists, where anything else differs."""
    own_runs = runs.of_studies(p, studies)
    new = {}
    for key, value in wanted.items():
        has = {getattr(run, PARAMETERS[key][0]) for run in own_runs}
        if not (set(value) <= has if PARAMETERS[key][2] else has == {value}):
            new[key] = value
    return {key: value for key, value in wanted.items() if key in new or PARAMETERS[key][2]} if new else {}


def _fitted(p: Preset, own: dict) -> dict:
    """With training sets of the size of other data, unless sizes are asked for: all of it; half, all and double."""
    if "data" not in own:
        return own
    n, _ = data_sets.image_numbers(own["data"])
    return {"train_size": n, "train_sizes": [max(1, n // 2), n, 2 * n]} | own


def _name(p: Preset, own: dict) -> str:
    parts = [p.name]
    for key, value in own.items():
        values = value if isinstance(value, list) else [value]
        parts += [key, *(f"{one:g}" if isinstance(one, float) else str(one) for one in values)]
    text = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(parts))
    if len(text) <= LONGEST_NAME and "data" not in own:
        return text
    digest = hashlib.sha256(json.dumps([p.name, own], sort_keys=True).encode()).hexdigest()[:8]
    return f"{text[:LONGEST_NAME]}-{digest}"


def _check_name(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) or name in RESERVED:
        raise StudyError(
            f"name={name!r} cannot name a grid of your own; choose up to 100 letters, digits, dots, dashes and "
            f"underscores, and none of {', '.join(RESERVED)}."
        )


def check(run: Run) -> None:
    """Raises `StudyError` where a run cannot be trained, before anything is read or written for it."""
    n, _ = data_sets.image_numbers(run.data)
    for name, value, works, remedy in (
        ("width", run.width, run.width > 0 and (32 * run.width) % 1 == 0, "a multiple of 1/32, such as 3/32"),
        ("epochs", run.epochs, run.epochs >= 1, "1 or more"),
        ("train_size", run.train_size, 1 <= run.train_size <= 4 * n, f"1 to {4 * n:,}: {run.data} has {n:,} images"),
        (
            "batch_size",
            run.batch_size,
            1 <= run.batch_size <= run.train_size,
            f"1 to {run.train_size:,}, the number of training images",
        ),
        ("learning_rate", run.learning_rate, 0 < run.learning_rate <= 1, "a number above 0, 1 at most, such as 0.01"),
        ("loss", run.loss, run.loss in LOSSES, f"one of {', '.join(LOSSES)}"),
        ("cell", run.cell, run.cell in CELLS, f"one of {', '.join(CELLS)}"),
        ("passes", run.iterations, 1 <= run.iterations <= MAX_ITERATIONS, f"1 to {MAX_ITERATIONS}"),
        ("seeds", run.seed, 0 <= run.seed < 2**32, "whole numbers from 0 to 4,294,967,295"),
    ):
        if not works:
            raise StudyError(f"{name}={value} cannot be trained; choose {remedy}.")


def _check_effect(run, study, own):
    """What is asked for and a study sets by itself would be lost without a word."""
    for key, value in own.items():
        field, _, several = PARAMETERS[key]
        if getattr(run, field) not in (value if several else [value]):
            raise StudyError(
                f"{key}={value} has no effect on the study {study.name}, which sets {field} to {getattr(run, field)}; "
                "leave it out."
            )


def _write(name, made):
    """Writes `grid.json`, or adds a study to the same grid's."""
    file = paths.own_grid(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(paths.runs() / f"{name}.grid.lock"):
        studies = made.studies
        if file.exists():
            stored = read_grid(file)
            if (stored["base"], stored["asked"]) != (made.base, dict(made.asked)):
                raise StudyError(
                    f"name={name!r} stands for another grid: {stored['base']} with {stored['asked']}, not {made.base} "
                    f"with {dict(made.asked)}. Choose another name, or remove {file.parent}."
                )
            studies = tuple(dict.fromkeys((*stored["studies"], *made.studies)))
        content = {"base": made.base, "studies": studies, "asked": dict(made.asked)}
        text = grid_text(content).encode()
        if not file.exists() or file.read_bytes() != text:
            atomic.write(file, text)
