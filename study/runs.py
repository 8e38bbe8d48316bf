"""A run: its parameters, its name, its folder, and what is kept of it.

A run is wholly given by its parameters. Its folder holds `manifest.json` from the start, `checkpoint.npz` while it
trains, and `history.csv`, `weights.npz` once it is finished.
"""

import hashlib
import io
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from study import paths
from study.presets import GAIN, LEARNING_RATE, preset

FINISHED = ("done", "collapsed", "diverged")

# What each study varies: its fields in a run, by which notebook it is run and shown.
STUDIES = {
    "batch_size": ("03_batch_size_study", ("batch_size",)),
    "train_size": ("04_train_size_study", ("train_size",)),
    "loss": ("06_loss_study", ("loss", "gain")),
    "recipe": ("02_model_build", ("gain", "learning_rate", "batch_size")),
    "precision": ("02_model_build", ("precision",)),
}
SETTINGS = tuple(dict.fromkeys(field for _, fields in STUDIES.values() for field in fields))


@dataclass(frozen=True)
class Run:
    """The parameters of one training run; equal parameters give equal results on the same machine."""

    study: str
    data: str
    train_size: int
    batch_size: int
    epochs: int
    seed: int
    width: float
    loss: str = "ms_ssim"
    learning_rate: float = LEARNING_RATE
    cell: str = "lstm"
    reconstruction: str = "additive"
    activation: str = "leaky_relu"  # the report's
    iterations: int = 1
    gain: float = GAIN
    protocol: str = "equal_epochs"
    precision: str = "float32"

    @property
    def id(self) -> str:
        """A name to read, and a hash over all parameters: a changed one makes another run."""
        parameters = asdict(self)
        if self.precision == "float32":  # the first runs had no other, and keep their names
            del parameters["precision"]
        digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
        setting = "-".join(f"{getattr(self, field)}" for field in STUDIES[self.study][1])
        return f"{setting}-seed-{self.seed}-{digest}"

    @property
    def folder(self) -> Path:
        return paths.runs() / self.study / self.id


def plan(preset_name: str, study: str, **only) -> list[Run]:
    """The runs of a study at a preset, in a fixed order.

    Args:
        only: values to keep, by field of the run, such as `batch_size=[32, 64]`; an empty list keeps all.

    Raises:
        ValueError: an unknown preset or study, or a value that the preset's grid does not have.
    """
    p = preset(preset_name)
    if study not in STUDIES:
        raise ValueError(f"There is no study {study!r}; choose one of {', '.join(STUDIES)}.")
    base = {"batch_size": p.batch_size, "train_size": p.train_size}
    settings = {
        "batch_size": [{"batch_size": n} for n in p.batch_sizes],
        "train_size": [{"train_size": n} for n in p.train_sizes],
        "loss": [{"loss": loss, "gain": gain} for loss, gain in p.losses],
        "recipe": [dict(zip(STUDIES["recipe"][1], recipe, strict=True)) for recipe in p.recipes],
        "precision": [{"precision": name} for name in p.precisions],
    }[study]
    seeds = p.few_seeds if study in ("loss", "precision") else p.seeds
    same = {"study": study, "data": p.data, "width": p.width, "epochs": p.epochs}
    runs = [Run(**(same | base | setting), seed=seed) for setting in settings for seed in seeds]
    for field, values in only.items():
        known = {getattr(run, field) for run in runs}
        if unknown := [value for value in values if value not in known]:
            raise ValueError(
                f"{field}={unknown} is not in the grid of preset {preset_name!r}, which has {sorted(known)}; "
                "choose among these or add a preset to study/presets.py."
            )
    return [run for run in runs if all(not values or getattr(run, field) in values for field, values in only.items())]


def plan_all(preset_name: str) -> list[Run]:
    """The runs of every study at a preset."""
    return [run for study in STUDIES for run in plan(preset_name, study)]


def finished(run: Run) -> bool:
    """Whether the run's folder, on this machine, holds a finished run."""
    return (run.folder / "history.csv").exists() and read_manifest(run)["status"] in FINISHED


def read_manifest(run: Run) -> dict:
    return json.loads((run.folder / "manifest.json").read_text())


def write_manifest(run: Run, facts: dict) -> None:
    text = json.dumps({"run": run.id, **asdict(run), **facts}, indent=1)
    write(run.folder / "manifest.json", text.encode() + b"\n")


def parameters() -> list[str]:
    """The names of a run's parameters, in the order in which tables have them."""
    return [field.name for field in fields(Run)]


def write(path: Path, content: bytes) -> None:
    """A whole file or none: written beside its place, then moved into it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    os.replace(part, path)


def write_arrays(path: Path, arrays: dict) -> None:
    """Arrays by name as an .npz without pickles, whole or not at all."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)
    write(path, content.getvalue())
