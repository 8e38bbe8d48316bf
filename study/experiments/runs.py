"""A run: its parameters, its name, its folder, and what is kept of it.

A run is wholly given by its parameters; which studies ask for it does not matter. Its folder holds `manifest.json` from
the start, `checkpoint.npz` while it trains, and `history.csv`, `weights.npz` once it is finished.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from study.experiments.presets import Preset, preset
from study.experiments.studies import STUDIES, Study
from study.ground import atomic, data_sets, paths, recipe
from study.ground.errors import StudyError, one_line

OUTPUT = "output.txt"  # what a job of the grid prints, in the run's folder
FINISHED = ("done", "collapsed", "diverged")
NO_MANIFEST = (ValueError, KeyError, TypeError, RecursionError)  # what reading a damaged one may end in
MOST_SECONDS = 1e10  # that a run may have taken: three hundred years


@dataclass(frozen=True)
class Run:
    """The parameters of one training run; equal parameters give equal results on the same machine."""

    data: str
    train_size: int
    batch_size: int
    epochs: int
    seed: int
    width: float
    loss: str = "ms_ssim"
    cell: str = "lstm"
    reconstruction: str = "additive"
    activation: str = "leaky_relu"  # the report's
    iterations: int = 1
    priming: int = 0  # turns of the cells before the first pass
    binarizer_gain: float = recipe.BINARIZER_GAIN  # how many times as large as usual its first weights are
    output_gain: float = recipe.OUTPUT_GAIN  # the same of the last convolution's
    learning_rate: float = recipe.LEARNING_RATE  # at its peak
    schedule: str = "cosine"  # of the learning rate, or "constant"
    warm_up: float = recipe.WARM_UP  # share of the steps
    clip_norm: float = recipe.CLIP_NORM  # of the whole gradient; 0 for none
    beta_2: float = recipe.BETA_2  # of Adam
    augmentation: str = "rotation"  # how a training set grows beyond its images, or "flip"
    steps: int = 0  # in all; an epoch is then an equal share of them. 0: as many as show all images in each epoch
    precision: str = "float32"  # Keras' policy

    def __post_init__(self):
        object.__setattr__(self, "data", data_sets.absolute(self.data))
        for field in fields(self):
            if field.type is float:  # 300 is 300.0, in the id too
                object.__setattr__(self, field.name, float(getattr(self, field.name)))

    @property
    def id(self) -> str:
        """A name to read, and a hash over all parameters: a changed one makes another run."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]
        data = re.sub(r"[^a-z0-9]+", "_", self.data.lower())[:20].strip("_")
        setting = f"{self.cell}-{self.loss}-batch-{self.batch_size}-images-{self.train_size}"
        return f"{data}-{setting}-seed-{self.seed}-{digest}"

    @property
    def images_seen(self) -> int:
        """How many images training shows, repeats included, but for those that do not fill a last batch."""
        return self.steps * self.batch_size or self.epochs * self.train_size

    @property
    def folder(self) -> Path:
        return paths.runs() / self.id


PARAMETERS = [field.name for field in fields(Run)]


def plan(preset_name: str, *studies: str, **only) -> list[Run]:
    """The runs that some studies ask for at a preset, or all studies if none is named: each once, in a fixed order.

    Args:
        studies: names in STUDIES.
        only: values to keep, by field of the run, such as `batch_size=[32, 64]`; an empty list keeps all.

    Raises:
        StudyError: an unknown preset or study, or a value that the preset's grid does not have.
    """
    p = preset(preset_name)
    if unknown := [name for name in studies if name not in STUDIES]:
        raise StudyError(f"There is no study {unknown[0]!r}; choose among {', '.join(STUDIES)}.")
    planned = of_studies(p, [STUDIES[name] for name in studies or STUDIES])
    for name, values in only.items():
        known = {getattr(run, name) for run in planned}
        if unknown := [value for value in values if value not in known]:
            raise StudyError(
                f"{name}={unknown} is not in the grid of preset {preset_name!r}, which has {sorted(known)}; "
                "choose among these or add a preset to study/experiments/presets.py."
            )
    return [run for run in planned if all(not values or getattr(run, name) in values for name, values in only.items())]


def of_studies(p: Preset, studies: list[Study]) -> list[Run]:
    """The runs that studies ask for at a preset, each once."""
    common = {name: getattr(p, name) for name in ("data", "width", "epochs", "batch_size", "train_size", "precision")}
    asked = [
        Run(**{"seed": seed, **common, **p.changes, **setting})
        for study in studies
        if study.seeds(p)
        for setting in study.settings(p)
        for seed in study.seeds(p)
    ]
    return list(dict.fromkeys(asked))


def studies_of(preset_name: str) -> dict[str, list[str]]:
    """The names of the studies that ask for each run of a preset, by the run's id."""
    found: dict[str, list[str]] = {}
    for name in STUDIES:
        for run in plan(preset_name, name):
            found.setdefault(run.id, []).append(name)
    return found


def find(preset_name: str, run_id: str) -> Run:
    """The run of a preset with that id. Raises `StudyError` where there is none."""
    planned = {run.id: run for run in plan(preset_name)}
    if run_id not in planned:
        raise StudyError(
            f"There is no run {run_id!r} in {preset_name}; its {len(planned)} runs are {', '.join(planned)}."
        )
    return planned[run_id]


def finished(run: Run) -> bool:
    """Whether the run's folder, on this machine, holds a finished run."""
    return (run.folder / "history.csv").exists() and read_manifest(run).get("status") in FINISHED


def read_manifest(run: Run, folder: Path | None = None) -> dict:
    """What the run's manifest says; nothing where there is none, or one that is damaged or of another run."""
    try:
        manifest = json.loads(((folder or run.folder) / "manifest.json").read_text(encoding="utf-8"))
        json.dumps(manifest, ensure_ascii=False).encode()  # raises where text has what no table can hold
        parameters = {name: manifest[name] for name in PARAMETERS}
        status, epochs, seconds = (manifest[name] for name in ("status", "epochs_done", "seconds"))
    except (FileNotFoundError, *NO_MANIFEST):
        return {}
    # By type, because True is an int too; and no number is between others.
    sound = status in ("running", *FINISHED) and type(epochs) is int and type(seconds) in (int, float)
    sound = sound and 0 <= epochs <= run.epochs and 0 <= seconds <= MOST_SECONDS
    return manifest if sound and parameters == asdict(run) else {}


def of_manifest(path: Path) -> Run:
    """The run whose manifest this is. Raises `StudyError` where it has not all the parameters of a run."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = {name: manifest[name] for name in PARAMETERS}
        numbers: Any = (int, float)
        kinds: dict[str, Any] = {field.name: numbers if field.type is float else field.type for field in fields(Run)}
        if odd := [name for name, value in found.items() if not isinstance(value, kinds[name])]:
            raise TypeError(f"{odd[0]} is {found[odd[0]]!r}")
        return Run(**found)
    except NO_MANIFEST as error:
        raise StudyError(
            f"{path} is no manifest of a run ({one_line(error)}); copy the run's folder again, or remove it."
        ) from error


def write_manifest(run: Run, facts: dict) -> None:
    text = json.dumps({"run": run.id, **asdict(run), **facts}, indent=1)
    atomic.write(run.folder / "manifest.json", text.encode() + b"\n")


def log(run: Run, line: str) -> None:
    """Adds a line to the run's `log.txt`, with when and where: an epoch each, so that one done twice would show."""
    path = run.folder / "log.txt"
    before = path.read_bytes() if path.exists() else b""
    said = f"{datetime.now():%Y-%m-%d %H:%M:%S} {platform.node()} {os.getpid()}  {line}\n"
    atomic.write(path, before + said.encode())


def commit() -> str:
    """The repository's commit, a plus where files differ from it; of a copy without it, what STUDY_COMMIT says.

    Also where there is no git. Raises `StudyError` where git cannot read the repository.
    """
    if not (paths.ROOT / ".git").exists():
        return os.environ.get("STUDY_COMMIT", "")
    # Whoever the clone belongs to: its code is running already.
    command = ["git", "-c", f"safe.directory={paths.ROOT}", "-C", str(paths.ROOT)]
    # Without tags, of which `describe` would give the name instead.
    command += ["describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=+"]
    # A hook of git's names another repository, and a person's settings may name programs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=True
        ).stdout.strip()
    except FileNotFoundError:
        return os.environ.get("STUDY_COMMIT", "")
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise StudyError(
            f"git cannot say at which commit {paths.ROOT} is ({said}), which every run records. "
            "Mend that, or name the commit in STUDY_COMMIT and move .git away."
        ) from error


def machine() -> str:
    """What this machine's processor calls itself."""
    cpuinfo = Path("/proc/cpuinfo")  # on Linux, where `platform` knows the architecture alone
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    names = {line.partition(": ")[2].strip() for line in lines if line.startswith("model name")}
    return ", ".join(sorted(names)) or platform.processor() or platform.machine()


def digest(content: bytes) -> str:
    """By which a manifest knows the history that it belongs to."""
    return hashlib.sha256(content).hexdigest()
