"""Notebooks through papermill, with parameter names that they have: of a preset, or at their defaults."""

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from traitlets.config import Config

from study.experiments import studies, tables
from study.grid import gpus
from study.ground import atomic, locks, paths
from study.ground.errors import StudyError

WIDGET = "application/vnd.jupyter.widget-view+json"
# Variables by which kernels would take up other projects' settings.
FOREIGN = (
    *("PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH"),
    *("MPLBACKEND", "MATPLOTLIBRC"),
)
TABLES = ("history", "runs")  # of the preset's runs
LAST = "08_claims"  # shows what others have written
OF_THE_REPORT = ("01_data_preparation", "05_qualitative_samples", "08_claims")  # of presets with the report's studies


def names(preset: str | None = None) -> list[str]:
    """The notebooks in reading order: all, or those that have something to show of a preset."""
    known = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
    if preset is None:
        return known
    shown = {study.notebook for study in studies.of_preset(preset)}
    if studies.has_the_reports(preset):
        shown |= {"02_model_build", *OF_THE_REPORT}
    return [name for name in known if name in shown]


def execute_all(preset: str, cores: int = 1) -> None:
    """Executes the notebooks of a preset that have changed since they were, or whose code or runs have.

    So many are executed side by side. Once one is executed, so are those after it, as a later one may show what an
    earlier one has written. Raises `StudyError` where the preset's runs are not collected yet.
    """
    for table in TABLES:
        tables.read(preset, table)
    with locks.held(paths.executed_notebooks(preset) / "lock"):
        known = names(preset)
        changed = [name for name in known if not _is_executed(name, preset)]
        left = known[known.index(changed[0]) :] if changed else []
        with _own_settings() as folder, ThreadPoolExecutor(cores) as pool:
            for wave in ([name for name in left if name != LAST], [name for name in left if name == LAST]):
                list(pool.map(partial(_execute_anew, preset=preset, folder=folder), wave))


def _is_executed(name, preset):
    output, mark = _output(name, preset)
    return output.exists() and mark.exists() and mark.read_text(encoding="utf-8") == _fingerprint(name, preset)


def _execute_anew(name, preset, folder):
    print(f"notebook {name}\n", end="", flush=True)  # at one go, as others print theirs meanwhile
    output, mark = _output(name, preset)
    fingerprint = _fingerprint(name, preset)
    unfinished = output.with_stem(f"{name}.unfinished")
    with closing(ensure_event_loop()):  # this thread's, which Jupyter makes and leaves open
        _execute(name, unfinished, {"preset": preset}, folder)
    atomic.move(unfinished, output)
    atomic.write(mark, fingerprint.encode())


def _output(name, preset):
    """An executed notebook, and the file that says what it was made from."""
    return [paths.executed_notebooks(preset) / f"{name}.{kind}" for kind in ("ipynb", "sha256")]


def _fingerprint(name, preset):
    """Of all that a notebook's output depends on: itself and those before it, the package, and the preset's runs."""
    known = names(preset)
    files = [paths.NOTEBOOKS / f"{shown}.ipynb" for shown in known[: known.index(name) + 1]]
    files += sorted((paths.ROOT / "study").rglob("*.py"))
    files += [tables.path(preset, table) for table in TABLES]
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def refresh(name: str) -> None:
    """Executes a notebook at its defaults and stores the outputs in it, for those who read it without running it.

    What an engine prints on starting is left out: it is of one machine, and says nothing about the study. So are
    widgets, which only a kernel that runs can show: what stands in their place is kept.
    """
    path = paths.NOTEBOOKS / f"{name}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / path.name
        execute(name, executed, {})
        stored, notebook = nbformat.read(executed, 4), nbformat.read(path, 4)
    for cell, done in zip(notebook.cells, stored.cells, strict=True):
        if cell.cell_type == "code":
            cell.execution_count = done.execution_count
            cell.outputs = [output for output in done.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    atomic.write(path, nbformat.writes(notebook).encode())


def parameters(name: str) -> dict:
    """A notebook's parameters by name, as papermill knows them."""
    return papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{name}.ipynb"))


def execute(name: str, output: Path, settings: dict) -> None:
    """Executes `notebooks/<name>.ipynb` with parameters, into `output`; the notebook itself is not touched.

    Raises:
        StudyError: there is no such notebook, or it has no such parameter.
        papermill.PapermillExecutionError: a cell failed; `output` holds the notebook up to there, with the error.
    """
    with _own_settings() as folder:
        _execute(name, output, settings, folder)


def _execute(name, output, settings, folder):
    """`execute` within `_own_settings`, whose folder this is: that is the whole process's, and this may be a thread."""
    notebook = paths.NOTEBOOKS / f"{name}.ipynb"
    if not notebook.exists():
        raise StudyError(f"There is no notebook {name!r}; choose one of {', '.join(names())}.")
    # papermill only warns of an unknown name, and runs the defaults.
    known = parameters(name)
    if unknown := sorted(set(settings) - set(known)):
        raise StudyError(f"Notebook {name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}.")
    output.parent.mkdir(parents=True, exist_ok=True)
    # Kernels that start side by side race for TCP ports; and Jupyter's own name for a socket is the same for all.
    sockets_only = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/{name}"}})
    papermill.execute_notebook(
        str(notebook),
        str(output),
        settings,
        kernel_name="python3",
        cwd=str(paths.NOTEBOOKS),
        progress_bar=False,
        config=sockets_only,
    )


def _place_of_sockets():
    """Where temporary files are, or `/tmp` where names there are too long: that of a socket has 107 bytes at most."""
    place = tempfile.gettempdir()
    return place if len(os.fsencode(place)) < 80 else "/tmp"


@contextmanager
def _own_settings():
    """Within it kernels start without a person's settings of Python, IPython, Jupyter and Matplotlib; gives a folder.

    Those may run code of other projects in them, draw elsewhere, or name another Python for `python3`. Jupyter's own
    files go to that folder, which is of ours, as a home may be read-only; so do the kernels' sockets.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(dir=_place_of_sockets()) as folder:
        try:
            for name in FOREIGN:
                os.environ.pop(name, None)
            for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
                os.environ[name] = folder
            os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
            os.environ.setdefault("TQDM_DISABLE", "1")  # in a batch: one line an epoch, no bar
            gpus.one_thread()
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)
