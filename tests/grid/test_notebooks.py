"""Notebooks as papermill runs them: strict names, the input untouched, and the whole grid at its smallest."""

import os
import subprocess
import sys

import nbformat
import papermill
import pytest

from study.__main__ import main
from study.experiments import runs, tables
from study.grid import notebooks
from study.ground import paths

NOTEBOOKS = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
PRESET = "smoke"


def study(output, *arguments):
    """The command line in a process of its own, with everything it makes below `output`."""
    environment = os.environ | {"STUDY_OUTPUT": str(output)}
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_an_unknown_parameter_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(
        ValueError, match="03_batch_size_study has no parameter batchsize; it has preset, studies, batch_sizes"
    ):
        notebooks.run_notebook("03_batch_size_study", tmp_path / "out.ipynb", {"batchsize": [32]})
    assert not list(tmp_path.iterdir())


def test_an_unknown_notebook_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no notebook '09_dreams'; choose one of 01_data_preparation"):
        notebooks.run_notebook("09_dreams", tmp_path / "out.ipynb", {})


def test_a_notebook_runs_with_parameters_and_stays_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    source = paths.NOTEBOOKS / "01_data_preparation.ipynb"
    before = source.read_bytes()
    notebooks.run_notebook(source.stem, tmp_path / "out.ipynb", {"preset": PRESET})
    assert source.read_bytes() == before
    assert tables.read(PRESET, "data").split.tolist() == ["train", "validation"]


def test_each_run_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'GPU 0: Tesla T4'\necho 'GPU 1: Tesla T4'\n")
    driver.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(notebooks.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    code = (
        "from study import launch\nwith notebooks.own_gpu():\n    import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    with notebooks.own_gpu():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
        environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        environment |= {"TMPDIR": str(tmp_path)}
        other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert other.stdout == "1\n", other.stderr
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with notebooks.own_gpu():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


def test_a_machine_without_a_gpu_is_told_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="no nvidia-smi here"), notebooks.own_gpu():
        pass
    with pytest.raises(SystemExit):
        main(["grid", "--preset", PRESET, "--profile", "local-gpu"])
    assert "no nvidia-smi here" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_parameters_are_typed_commented_literals(name):
    for parameter in papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{name}.ipynb")).values():
        assert parameter["inferred_type_name"] != "None" and parameter["help"], parameter


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_checked_cell_carries_its_output(name):
    notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    for cell in code:
        assert cell.execution_count, f"never executed, `make notebooks` does it: {cell.source}"
        assert "NBVAL_CHECK_OUTPUT" not in cell.source or cell.outputs, cell.source
        if cell.source.startswith("figures."):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
        assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs)


def test_the_grid_at_its_smallest_is_trained_once_and_shown(tmp_path):
    first = study(tmp_path, "all", "--preset", PRESET, "--cores", 2)
    assert first.returncode == 0, first.stderr[-3000:]
    results, figures = tmp_path / "results" / PRESET, tmp_path / "figures" / PRESET
    of_codecs = {
        "kodak",
        "rates",
        "targets",
        "photograph",
        "cells",
        "parts",
        "gains",
        "use",
    }  # at the preset `codec` alone
    assert {path.stem for path in results.glob("*.csv")} == set(tables.SCHEMA) - of_codecs
    assert {f"figure_{n}.{kind}" for n in range(1, 8) for kind in ("png", "pdf")} <= {p.name for p in figures.iterdir()}
    assert (tmp_path / "paper" / "report.pdf").read_bytes().startswith(b"%PDF")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results" / "runs").rglob("history.csv")}
    assert len(before) == len(runs.plan(PRESET))

    again = study(tmp_path, "all", "--preset", PRESET)
    assert again.returncode == 0 and "0 to train" in again.stdout and "notebook" not in again.stdout
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "results" / "runs").rglob("history.csv")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "--preset", "tiny"), "invalid choice: 'tiny'"),
        (("figures", "--preset", PRESET), "history.csv is not there. `make study PRESET=smoke` makes it"),
        (("train", PRESET, "batch_size", "nothing", "log.ipynb"), "no run 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, message, tmp_path):
    done = study(tmp_path, *arguments)
    assert done.returncode and message in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
