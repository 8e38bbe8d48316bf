"""Notebooks as papermill runs them: strict names, the input untouched, anew when something changed."""

import ast
import os
import sys
import time

import nbformat
import papermill
import pytest
from filelock import FileLock

from study.experiments import runs, studies, tables
from study.experiments.presets import PRESETS
from study.grid import notebooks
from study.ground import locks, paths
from study.ground.errors import StudyError

NOTEBOOKS = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
PRESET = "smoke"
OF_THE_REPORT = ["01_data_preparation", "02_model_build", "03_batch_size_study", "04_train_size_study"]
OF_THE_REPORT += ["05_qualitative_samples", "06_loss_study"]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("smoke", [*OF_THE_REPORT, "08_claims"]),
        ("excerpt", [*OF_THE_REPORT, "07_rate_distortion", "08_claims", "10_learning_rate_study"]),
        ("report-float16", [*OF_THE_REPORT, "08_claims"]),
        ("codec", ["07_rate_distortion", "09_uses"]),
        ("codec-full", ["07_rate_distortion"]),
        ("recipe", ["02_model_build"]),
        (None, NOTEBOOKS),
    ],
)
def test_a_preset_is_shown_by_the_notebooks_of_its_studies_in_reading_order(preset, expected):
    assert notebooks.names(preset) == expected


def test_every_study_has_a_notebook_and_every_notebook_is_of_some_preset():
    assert {study.notebook for study in studies.STUDIES.values()} <= set(NOTEBOOKS)
    assert {name for preset in PRESETS for name in notebooks.names(preset)} == set(NOTEBOOKS)


PARAMETERS = 'preset: str = "smoke"  # words\npublished: str = "excerpt"  # words'


def write_notebook(folder, name, parameters, source="1 + 1"):
    cells = [nbformat.v4.new_code_cell(text) for text in (parameters, source)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # else it is a random one
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture
def repository(tmp_path, output, monkeypatch, finish):
    """A repository of its own: a module, the notebooks of the recipe and the report's studies, and a finished run."""
    root = tmp_path / "repository"
    (root / "study" / "wing").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "study" / "wing" / "module.py").write_text("a = 1\n")
    for name in NOTEBOOKS:
        write_notebook(root / "notebooks", name, PARAMETERS)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "NOTEBOOKS", root / "notebooks")
    finish(runs.plan(PRESET)[0])
    tables.collect(PRESET)
    return root


@pytest.fixture
def executed(monkeypatch):
    """Which notebooks are executed, with which parameters: instead of papermill, which takes its time."""
    done = {}

    def execute(name, output, settings, folder):
        done[name] = settings
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(f"executed {len(done)}")

    monkeypatch.setattr(notebooks, "_execute", execute)
    return done


def test_notebooks_are_executed_once_and_show_their_preset(repository, executed):
    notebooks.execute_all(PRESET)
    assert list(executed) == notebooks.names(PRESET)
    assert all(settings == {"preset": PRESET} for settings in executed.values())
    folder = paths.executed_notebooks(PRESET)
    assert sorted(path.name for path in folder.glob("*.ipynb")) == [f"{name}.ipynb" for name in notebooks.names(PRESET)]
    executed.clear()
    notebooks.execute_all(PRESET)
    assert not executed


def test_the_claims_are_shown_after_all_that_they_may_show(repository, executed, monkeypatch):
    """However many notebooks are executed side by side, and whichever takes longest."""
    whole = notebooks._execute

    def takes_its_time(name, output, settings, folder):
        time.sleep({"01_data_preparation": 0.5}.get(name, 0))
        whole(name, output, settings, folder)

    monkeypatch.setattr(notebooks, "_execute", takes_its_time)
    notebooks.execute_all(PRESET, cores=8)
    assert set(executed) == set(notebooks.names(PRESET))
    assert list(executed)[-2:] == ["01_data_preparation", "08_claims"]


def test_two_notebooks_run_side_by_side(repository):
    """Through papermill, each in a kernel of its own: the first two wait for each other."""
    for name, other in (("01_data_preparation", "02_model_build"), ("02_model_build", "01_data_preparation")):
        text = f"import pathlib, time\npathlib.Path('{repository / name}').touch()\n"
        text += f"while not pathlib.Path('{repository / other}').exists():\n    time.sleep(0.1)"
        write_notebook(repository / "notebooks", name, PARAMETERS, text)
    before = dict(os.environ)
    notebooks.execute_all(PRESET, cores=2)
    assert all((paths.executed_notebooks(PRESET) / f"{name}.ipynb").exists() for name in notebooks.names(PRESET))
    assert dict(os.environ) == before


def change_a_notebook(repository):
    write_notebook(repository / "notebooks", "04_train_size_study", 'preset: str = "smoke"  # words', "2 + 2")


def change_a_module(repository):
    (repository / "study" / "wing" / "module.py").write_text("a = 2\n")


def add_a_module(repository):
    (repository / "study" / "other.py").write_text("")


def collect_another_run(repository):
    first, second = runs.plan(PRESET)[:2]
    manifest = runs.read_manifest(first)
    runs.write_manifest(second, {name: manifest[name] for name in manifest if name not in ("run", *runs.PARAMETERS)})
    (second.folder / "history.csv").write_bytes((first.folder / "history.csv").read_bytes())
    tables.collect(PRESET)


def remove_what_one_made(repository):
    (paths.executed_notebooks(PRESET) / "04_train_size_study.ipynb").unlink()


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (change_a_notebook, "04_train_size_study"),
        (remove_what_one_made, "04_train_size_study"),
        (change_a_module, "01_data_preparation"),
        (add_a_module, "01_data_preparation"),
        (collect_another_run, "01_data_preparation"),
    ],
)
def test_what_has_changed_is_executed_anew_and_those_after_it(change, first, repository, executed):
    notebooks.execute_all(PRESET)
    executed.clear()
    change(repository)
    notebooks.execute_all(PRESET)
    known = notebooks.names(PRESET)
    assert list(executed) == known[known.index(first) :]
    executed.clear()
    notebooks.execute_all(PRESET)
    assert not executed


def test_dates_of_files_that_stay_as_they_are_do_not_matter(repository, executed):
    notebooks.execute_all(PRESET)
    executed.clear()
    for path in (*repository.rglob("*.*"), tables.path(PRESET, "history"), tables.path(PRESET, "runs")):
        os.utime(path, (1, 1))
    (repository / "notebooks" / "10_other.txt").write_text("no notebook")
    change_a_notebook(repository)
    write_notebook(repository / "notebooks", "04_train_size_study", PARAMETERS)
    notebooks.execute_all(PRESET)
    assert not executed


def test_after_one_that_failed_it_and_those_after_it_are_executed(repository, executed, monkeypatch):
    """Those after it too, though they have not changed: they may show what one before them has written."""
    notebooks.execute_all(PRESET)
    executed.clear()
    change_a_notebook(repository)
    whole = notebooks._execute

    def fails(name, output, settings, folder):
        if name == "05_qualitative_samples":
            raise RuntimeError("it failed")
        whole(name, output, settings, folder)

    monkeypatch.setattr(notebooks, "_execute", fails)
    before = (paths.executed_notebooks(PRESET) / "05_qualitative_samples.ipynb").read_text()
    with pytest.raises(RuntimeError, match="it failed"):
        notebooks.execute_all(PRESET)
    assert (paths.executed_notebooks(PRESET) / "05_qualitative_samples.ipynb").read_text() == before
    assert list(executed)[0] == "04_train_size_study" and "08_claims" not in executed
    executed.clear()
    monkeypatch.setattr(notebooks, "_execute", whole)
    notebooks.execute_all(PRESET)
    assert list(executed) == ["05_qualitative_samples", "06_loss_study", "08_claims"]


def test_notebooks_of_a_preset_without_tables_are_refused_with_the_command(repository, executed):
    with pytest.raises(StudyError, match="is not there. `make study PRESET=laptop` makes it"):
        notebooks.execute_all("laptop")
    assert not executed


def test_an_unknown_parameter_is_refused_with_the_known_ones(repository, tmp_path):
    with pytest.raises(StudyError, match="03_batch_size_study has no parameter presets, x; it has preset, published"):
        notebooks.execute("03_batch_size_study", tmp_path / "out" / "out.ipynb", {"presets": 1, "preset": 2, "x": 3})
    assert not (tmp_path / "out").exists()


def test_an_unknown_notebook_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(StudyError, match="no notebook '09_dreams'; choose one of 01_data_preparation, 02_model_build"):
        notebooks.execute("09_dreams", tmp_path / "out" / "out.ipynb", {})
    assert not list(tmp_path.iterdir())


def test_a_notebook_runs_with_its_parameters_and_stays_as_it_was(repository, tmp_path):
    source = repository / "notebooks" / "01_data_preparation.ipynb"
    write_notebook(source.parent, source.stem, "size: int = 3  # words", "import os\nprint(size, os.getcwd())")
    before = source.read_bytes()
    notebooks.execute(source.stem, tmp_path / "out" / "out.ipynb", {"size": 7})
    assert source.read_bytes() == before
    done = nbformat.read(tmp_path / "out" / "out.ipynb", 4)
    assert done.cells[-1].outputs[0].text == f"7 {source.parent}\n"
    assert notebooks.parameters(source.stem)["size"]["default"] == "3"


def test_a_notebook_runs_without_a_persons_own_settings(repository, tmp_path, monkeypatch):
    """Of Python, IPython, Jupyter and Matplotlib; in a home that is none, and with a long name for temporary files."""
    for name, text in {
        "startup.py": "raise SystemExit('started')",
        "ipython/profile_default/startup/00.py": "started = 'by IPython'",
        "ipython/profile_default/ipython_kernel_config.py": "c.InteractiveShellApp.exec_lines = ['started = 2']",
        "jupyter/kernels/python3/kernel.json": '{"argv": ["false"], "display_name": "of another project"}',
        "matplotlibrc": "font.size: 40\n",
    }.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    long = tmp_path / ("scratch-of-job-" * 8)
    long.mkdir()
    settings = {"PYTHONSTARTUP": "startup.py", "IPYTHONDIR": "ipython", "JUPYTER_PATH": "jupyter"}
    settings |= {"JUPYTER_DATA_DIR": "jupyter", "MATPLOTLIBRC": "matplotlibrc"}
    for variable, name in settings.items():
        monkeypatch.setenv(variable, str(tmp_path / "own" / name))
    for variable, value in {"HOME": "/proc/none", "MPLBACKEND": "TkAgg", "PYTHONOPTIMIZE": "2"}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(notebooks.tempfile, "tempdir", str(long))
    before = dict(os.environ)
    source = repository / "notebooks" / "01_data_preparation.ipynb"
    text = "import sys, matplotlib\nprint('started' in globals(), sys.flags.optimize, sys.executable)\n"
    text += "print(matplotlib.rcParams['font.size'], matplotlib.get_backend())"
    write_notebook(source.parent, source.stem, "size: int = 3  # words", text)
    notebooks.execute(source.stem, tmp_path / "out.ipynb", {})
    outputs = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    done = "".join(output.text for output in outputs if output.name == "stdout").splitlines()
    assert done[0] == f"False 0 {sys.executable}"
    assert float(done[1].split()[0]) == 10 and "inline" in done[1]
    assert {name: os.environ.get(name) for name in before} == before and not list(long.iterdir())


def test_two_processes_execute_the_notebooks_one_after_the_other(repository, executed, monkeypatch):
    """The second finds what the first has made."""
    said = []
    first = FileLock(paths.executed_notebooks(PRESET) / "lock")

    def end_the_first(text, **_):
        said.append(text)
        first.release()

    first.acquire()
    monkeypatch.setattr(locks, "print", end_the_first, raising=False)
    notebooks.execute_all(PRESET)
    assert len(said) == 1 and said[0].startswith("Another process is at work")
    assert list(executed) == notebooks.names(PRESET)


def test_a_notebook_is_refreshed_with_its_outputs_and_without_what_an_engine_says(repository):
    source = repository / "notebooks" / "01_data_preparation.ipynb"
    text = "import sys\nprint('engine starts', file=sys.stderr)\nsize + 1"
    write_notebook(source.parent, source.stem, "size: int = 3  # words", text)
    before = [cell.source for cell in nbformat.read(source, 4).cells]
    notebooks.refresh(source.stem)
    refreshed = nbformat.read(source, 4)
    assert [cell.source for cell in refreshed.cells] == before  # no cell of papermill's own
    (shown,) = refreshed.cells[1].outputs
    assert shown.data["text/plain"] == "4" and refreshed.cells[1].execution_count


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_parameters_are_typed_commented_literals(name):
    for parameter in papermill.inspect_notebook(str(paths.NOTEBOOKS / f"{name}.ipynb")).values():
        assert parameter["inferred_type_name"] != "None" and parameter["help"], parameter


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_parameter_is_declared_and_forgotten(name):
    code = [cell for cell in nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    rest = ast.parse("\n".join(cell.source for cell in code if "parameters" not in cell.metadata.get("tags", [])))
    used = {node.id for node in ast.walk(rest) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert set(notebooks.parameters(name)) <= used


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_checked_cell_carries_its_output(name):
    notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("NBVAL_CHECK_OUTPUT" in cell.source for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    for cell in code:
        assert cell.execution_count, f"never executed, `make notebooks` does it: {cell.source}"
        assert "NBVAL_CHECK_OUTPUT" not in cell.source or cell.outputs, cell.source
        if cell.source.startswith("figures."):
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
        assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs)


# A value that no preset has, for each notebook: as small as it can be, so that it takes seconds to train.
TINY = {"width": "1/32", "epochs": 1}
OUTSIDE = {
    "01_data_preparation": {"train_sizes": "[300]"},
    "03_batch_size_study": TINY | {"train_size": 40, "seeds": [5], "batch_sizes": "20"},
    "04_train_size_study": TINY | {"seeds": [5], "train_sizes": [40, 48]},
    "05_qualitative_samples": TINY | {"train_size": 40, "seed": 5, "batch_size": 20},
    "06_loss_study": TINY | {"train_size": 40, "seeds": [5], "losses": ["log_l2"]},
    "07_rate_distortion": TINY | {"train_size": 40, "seeds": [5], "pass_counts": [2], "cells": ["gru"]},
    "10_learning_rate_study": TINY | {"train_size": 40, "seeds": [5], "learning_rates": [0.003]},
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_notebook_answers_for_values_that_no_preset_has(name, output):
    done = output / "out.ipynb"
    notebooks.execute(name, done, OUTSIDE[name])
    answers = [cell for cell in nbformat.read(done, 4).cells if "answers." in cell.source and cell.outputs]
    assert all("text/markdown" in cell.outputs[-1].data for cell in answers) and answers
    (own,) = output.glob("results/*/grid.json")
    assert own.parent.name.startswith("smoke-")
