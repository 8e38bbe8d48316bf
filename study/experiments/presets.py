"""Presets: on which data, how wide and how long studies are run. `study.experiments.studies` says what is varied.

A grid of one's own (`study.experiments.own`) is a preset too: what differs from the one that it goes out from stands in
its folder's `grid.json`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from study.architecture import CELLS
from study.ground import paths
from study.ground.errors import StudyError


@dataclass(frozen=True)
class Preset:
    """What all studies of one grid have in common; the rest are the defaults of `study.experiments.runs.Run`."""

    name: str
    purpose: str  # for README's table
    images: str  # the same, in words
    data: str  # a name that `study.data.load` knows
    width: float  # factor on the network's channels
    epochs: int
    batch_size: int  # where a study does not vary it
    train_size: int
    batch_sizes: tuple[int, ...] = ()  # of the studies of batch size
    train_sizes: tuple[int, ...] = ()  # of the studies of training sets; beyond the data's own number by rotation
    losses: tuple[tuple[str, bool], ...] = ()  # and whether each is trained in the report's way, not in ours
    equal_steps: int = 0  # of every batch size in the study of equal steps
    equal_epochs: int = 15  # into which they are divided, a score after each
    codec_rate: float = 0.001  # learning rate of the codecs that ship
    learning_rates: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01)  # of the study of learning rates
    cells: tuple[str, ...] = ("lstm", "gru")  # of the study of passes
    pass_counts: tuple[int, ...] = (1, 2, 4, 8)  # of the same
    precision: str = "float32"
    gpu: bool = False  # whether its runs ask for GPUs
    # Of a grid of one's own:
    base: str = ""  # the preset that it goes out from
    studies: tuple[str, ...] = ()  # the studies that it has
    seeds: tuple[int, ...] = ()  # in place of each study's own
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # fields of its runs
    asked: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # all of it, as grid.json has it


LOSSES = tuple((loss, theirs) for theirs in (False, True) for loss in ("ms_ssim", "report", "l1", "l2"))

_REPORT = Preset(
    name="report",
    purpose="the report's own grid, and the two training sets that did not fit its memory: days of one T4",
    images="CIFAR-10 + CIFAR-100, up to 400,000 images by rotation",
    data="cifar_all",
    width=1.0,
    epochs=15,
    batch_size=128,
    train_size=100_000,
    batch_sizes=(32, 64, 128, 512, 1024),
    train_sizes=(50_000, 100_000, 200_000, 300_000, 400_000),
    losses=LOSSES,
    gpu=True,
)
_CODEC = Preset(
    name="codec",
    purpose="the codecs that ship, of 16 passes; at width 1/8, every cell with every reconstruction rule, 8 passes",
    images="CIFAR's excerpt and crops of photographs",
    data="codec",
    width=1 / 4,
    epochs=4,
    batch_size=32,
    train_size=37812,
)
_ALL = (
    Preset(
        name="smoke",
        purpose="tests, and the notebooks' defaults: seconds per run",
        images="tiles of photographs that scikit-image ships",
        data="photographs",
        width=1 / 8,
        epochs=6,
        batch_size=8,
        train_size=512,
        batch_sizes=(8, 16),
        train_sizes=(256, 512),
        losses=(("ms_ssim", False), ("l1", False), ("l1", True)),
    ),
    Preset(
        name="laptop",
        purpose="a first look without any download: minutes on two cores",
        images="the same",
        data="photographs",
        width=1 / 8,
        epochs=15,
        batch_size=32,
        train_size=2048,
        batch_sizes=(8, 16, 32, 64, 128),
        train_sizes=(1024, 2048, 4096),
        losses=LOSSES[:4],
    ),
    Preset(
        name="excerpt",
        purpose="the published results: the report's grid on a tenth of its images",
        images="9,453 + 1,933 images cut by index from CIFAR-10 and CIFAR-100",
        data="excerpt",
        width=1 / 4,
        epochs=15,
        batch_size=128,
        train_size=9453,
        batch_sizes=(32, 64, 128, 256, 512, 1024),
        train_sizes=(4726, 9453, 18906, 28359, 37812),
        losses=LOSSES,
        equal_steps=600,
    ),
    Preset(
        name="cifar",
        purpose="the report's grid on its own number of images, but for 103",
        images="99,920 + 19,977 images: CIFAR-10 without 103 images, and CIFAR-100",
        data="cifar",
        width=1 / 4,
        epochs=15,
        batch_size=128,
        train_size=99_920,
        batch_sizes=(32, 64, 128, 256, 512, 1024),
        # The report's 50 k to 400 k, as halves and multiples of what there is.
        train_sizes=(49_960, 99_920, 199_840, 299_760, 399_680),
        losses=LOSSES,
        equal_steps=2000,
        equal_epochs=5,
    ),
    _CODEC,
    Preset(
        name="recipe",
        purpose="how the learning rate and the first weights were chosen; what 16 bits do to quality",
        images="8,000 + 1,453 of the excerpt's training images",
        data="recipe",
        width=1 / 8,
        epochs=15,
        batch_size=64,
        train_size=8000,
    ),
    _REPORT,
    replace(
        _REPORT,
        name="report-float16",
        purpose="the same with products in 16 bits, as a T4 has units for: a quarter of the hours, runs of their own",
        images="the same",
        precision="mixed_float16",
    ),
    replace(
        _CODEC,
        name="codec-full",
        purpose="an LSTM and a GRU codec of the published width, in bfloat16 on a GPU; nobody has run it yet",
        images="those of `codec`",
        width=1.0,
        epochs=200,
        codec_rate=0.0005,  # as 1ZB's network of this width was trained
        precision="mixed_bfloat16",
        gpu=True,
    ),
)
PRESETS = {preset.name: preset for preset in _ALL}
DEFAULT = "laptop"  # where nobody names one
PUBLISHED = ("excerpt", "cifar", "recipe", "codec")  # whose tables are tracked, the paper's first


def preset(name: str) -> Preset:
    """The preset, or the grid of one's own, of that name. Raises `StudyError`, with the names there are."""
    if name in PRESETS:
        return PRESETS[name]
    if (file := paths.own_grid(name)).exists():
        stored = read_grid(file)
        return changed(stored["base"], name, tuple(stored["studies"]), stored["asked"])
    own = sorted(path.parent.name for path in paths.own_grid("*").parent.parent.glob("*/grid.json"))
    raise StudyError(
        f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}"
        + (f", or a grid of your own: {', '.join(own)}." if own else ".")
    )


def read_grid(file: Path) -> dict:
    """What a `grid.json` says. Raises `StudyError` where it is not as it was written, which its digest shows."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        whole = json.loads(grid_text(stored)) == stored and {"base", "studies", "asked"} <= stored.keys()
    except (ValueError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise StudyError(
            f"{file} is damaged, or was edited. Remove it and ask for that grid once more; what it has trained stays."
        )
    return stored


def grid_text(content: dict) -> str:
    """What a `grid.json` holds: base, studies and what is asked for, and the digest of these."""
    content = {name: value for name, value in content.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content | {"sha256": digest}, indent=1) + "\n"


def changed(base: str, name: str, studies: tuple[str, ...], asked: Mapping[str, Any]) -> Preset:
    """The preset `base` under another name, with some studies and with what is asked for in place of its own.

    Args:
        asked: by name, what `study.experiments.own.PARAMETERS` lists.
    """
    p = preset(base)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in asked.items()}
    if "losses" in values:
        ways = sorted({theirs for _, theirs in p.losses} or {False})
        values["losses"] = tuple((loss, theirs) for theirs in ways for loss in values["losses"])
    if unknown := [cell for cell in (*values.get("cells", ()), values.get("cell", "lstm")) if cell not in CELLS]:
        raise StudyError(f"There is no cell {unknown[0]!r}; choose one of {', '.join(CELLS)}.")
    known = {field.name for field in fields(Preset)}
    changes = {key: value for key, value in values.items() if key not in known}
    if "passes" in changes:
        changes["iterations"] = changes.pop("passes")
    if "cell" in changes:
        cell = CELLS[changes["cell"]]
        changes |= {"binarizer_gain": cell.binarizer_gain, "output_gain": cell.output_gain}
    return replace(
        p,
        name=name,
        base=p.base or p.name,
        purpose="a grid of one's own",
        studies=studies,
        asked=MappingProxyType(dict(asked)),
        changes=MappingProxyType(changes),
        **{key: value for key, value in values.items() if key in known},
    )
