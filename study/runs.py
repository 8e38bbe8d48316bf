"""A run: its parameters, its name, its folder, and what is kept of it.

A run is wholly given by its parameters. Its folder holds `manifest.json` from the start, `checkpoint.npz` while it
trains, and `history.csv`, `weights.npz` once it is finished.
"""

import hashlib
import io
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from study import paths
from study.presets import GAIN, LEARNING_RATE, preset
from study.settings import STUDIES, seeds_of, settings_of

FINISHED = ("done", "collapsed", "diverged")

# What the first runs did not have as a parameter is left out of a name at these values, so that they keep theirs.
FIRST = {
    "precision": "float32",
    "schedule": "cosine",
    "augmentation": "rotation",
    "steps": 0,
    "devices": 1,
    "priming": 0,
}


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
    schedule: str = "cosine"  # of the learning rate: our own, or "constant"
    augmentation: str = "rotation"  # how a training set grows beyond its images, or "flip"
    steps: int = 0  # in all, where the protocol is "equal_steps"; an epoch is then an equal share of them
    devices: int = 1  # between which each batch is shared out
    priming: int = 0  # turns of the cells before the first pass

    @property
    def id(self) -> str:
        """A name to read, and a hash over all parameters: a changed one makes another run."""
        parameters = asdict(self)
        parameters = {name: value for name, value in parameters.items() if FIRST.get(name) != value}
        digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
        setting = "-".join(f"{getattr(self, field)}" for field in STUDIES[self.study][1]).replace(":", "-")
        return f"{setting}-seed-{self.seed}-{digest}"

    @property
    def images_seen(self) -> int:
        """How many images training shows, repeats included, but for those that do not fill a last batch."""
        return self.steps * self.batch_size or self.epochs * self.train_size

    @property
    def folder(self) -> Path:
        return paths.runs() / self.study / self.id


def plan(preset_name: str, *studies: str, **only) -> list[Run]:
    """The runs of some studies at a preset, in a fixed order.

    Args:
        studies: names in STUDIES.
        only: values to keep, by field of the run, such as `batch_size=[32, 64]`; an empty list keeps all.

    Raises:
        ValueError: an unknown preset or study, or a value that the preset's grid does not have.
    """
    p = preset(preset_name)
    if unknown := [name for name in studies if name not in STUDIES]:
        raise ValueError(f"There is no study {unknown[0]!r}; choose among {', '.join(STUDIES)}.")
    common = ("data", "width", "epochs", "batch_size", "train_size", "precision", "devices")
    base = {name: getattr(p, name) for name in common}
    runs = [
        Run(**{"study": study, "seed": seed} | base | setting)
        for study in studies
        for setting in settings_of(p, study)
        for seed in seeds_of(p, study)
    ]
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
    return plan(preset_name, *STUDIES)


def finished(run: Run) -> bool:
    """Whether the run's folder, on this machine, holds a finished run."""
    return (run.folder / "history.csv").exists() and read_manifest(run)["status"] in FINISHED


def read_manifest(run: Run) -> dict:
    return json.loads((run.folder / "manifest.json").read_text())


def of_manifest(path: Path) -> Run:
    """The run whose manifest this is; parameters that it was written before have their first values."""
    manifest = json.loads(path.read_text())
    return Run(**{name: manifest[name] for name in parameters() if name in manifest})


def write_manifest(run: Run, facts: dict) -> None:
    text = json.dumps({"run": run.id, **asdict(run), **facts}, indent=1)
    write(run.folder / "manifest.json", text.encode() + b"\n")


def log(run: Run, line: str) -> None:
    """Adds a line to the run's `log.txt`, with when and where: an epoch each, so that one done twice would show."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "log.txt").open("a") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {platform.node()} {os.getpid()}  {line}\n")


def commit() -> str:
    """The repository's commit, a plus where files differ from it; of a copy without it, what STUDY_COMMIT says."""
    if not (paths.ROOT / ".git").exists():
        return os.environ.get("STUDY_COMMIT", "")
    command = ["git", "-C", str(paths.ROOT), "describe", "--always", "--abbrev=40", "--dirty=+"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def parameters() -> list[str]:
    """The names of a run's parameters, in the order in which tables have them."""
    return [field.name for field in fields(Run)]


def digest(content: bytes) -> str:
    """By which a manifest knows the history that it belongs to."""
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes) -> None:
    """A whole file or none: written beside its place, then moved into it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    os.replace(part, path)


def write_arrays(path: Path, arrays: dict, compressed: bool = False) -> None:
    """Arrays by name as an .npz without pickles, whole or not at all. Compression takes longer than a GPU's epoch."""
    import numpy as np

    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)
    write(path, content.getvalue())
