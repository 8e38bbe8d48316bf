"""Runs one notebook through papermill, with parameter names that it has."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
import papermill
from traitlets.config import Config

from study import locks, paths, runs


def refresh(name: str) -> None:
    """Executes a notebook at its defaults and stores the outputs in it, for those who read it without running it.

    What an engine prints on starting is left out: it is of one machine, and says nothing about the study.
    """
    path = paths.NOTEBOOKS / f"{name}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / path.name
        run_notebook(name, executed, {})
        stored, notebook = nbformat.read(executed, 4), nbformat.read(path, 4)
    for cell, done in zip(notebook.cells, stored.cells, strict=True):
        if cell.cell_type == "code":
            cell.execution_count = done.execution_count
            cell.outputs = [output for output in done.outputs if output.get("name") != "stderr"]
    runs.write(path, nbformat.writes(notebook).encode())


def shown(name: str, preset: str) -> dict:
    """The parameters with which a notebook runs a preset and shows that preset's results, not the published ones."""
    return {parameter: preset for parameter in ("preset", "published") if parameter in parameters(name)}


def parameters(name: str) -> dict:
    """A notebook's parameters by name, as papermill knows them."""
    return papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{name}.ipynb"))


@contextmanager
def own_gpu():
    """Within it this process and its kernels see one of the machine's GPUs, which no other run has; waits for one.

    Where something else has chosen already, as Slurm does, and says so in CUDA_VISIBLE_DEVICES, that stands.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        yield
        return
    # Of this machine, whatever lies on a shared disk:
    folder = Path(tempfile.gettempdir()) / f"study-gpus-{os.getuid()}"
    slots = [folder / str(i) for i in range(count_gpus())]
    with locks.first_free(slots) as gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
        try:
            yield
        finally:
            del os.environ["CUDA_VISIBLE_DEVICES"]


def count_gpus() -> int:
    """This machine's NVIDIA GPUs. Raises `ValueError` where it has no driver for any."""
    if not shutil.which("nvidia-smi"):
        raise ValueError("Each run is to have a GPU, and there is no nvidia-smi here: no NVIDIA driver.")
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    return len(listed.splitlines())


def run_notebook(name: str, output: Path, settings: dict) -> None:
    """Executes `notebooks/<name>.ipynb` with parameters, into `output`; the notebook itself is not touched.

    Raises:
        ValueError: there is no such notebook, or it has no such parameter.
        papermill.PapermillExecutionError: a cell failed; `output` holds the notebook up to there, with the error.
    """
    notebook = paths.NOTEBOOKS / f"{name}.ipynb"
    if not notebook.exists():
        known = ", ".join(sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")))
        raise ValueError(f"There is no notebook {name!r}; choose one of {known}.")
    # papermill only warns of an unknown name, and runs the defaults.
    known = parameters(name)
    if unknown := sorted(set(settings) - set(known)):
        raise ValueError(f"Notebook {name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}.")
    output.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TQDM_DISABLE", "1")  # in a batch: one line an epoch, no bar
    for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # runs go side by side; and sums are the same however many cores there are
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # not all of a GPU's memory from the start
    with tempfile.TemporaryDirectory() as sockets:
        # Kernels that start side by side race for TCP ports; and Jupyter's own name for a socket is the same for all.
        sockets_only = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
        papermill.execute_notebook(
            str(notebook),
            str(output),
            settings,
            kernel_name="python3",
            cwd=str(paths.NOTEBOOKS),
            progress_bar=False,
            stdout_file=sys.stdout,
            config=sockets_only,
        )
