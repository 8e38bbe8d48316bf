"""What import-linter cannot see: what importing really loads; and that its contracts, in pyproject.toml, can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.ground import paths

LINTER = Path(sys.executable).with_name("lint-imports")
IMPORT_ALL = """
import importlib, pkgutil, sys
import study
print("at first:", *[name for name in sys.modules if name.startswith("study.")])
for name in ("ground", "architecture", "experiments", "grid", "reporting", "__main__"):
    module = importlib.import_module(f"study.{name}")
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"study.{name}."):
        importlib.import_module(found.name)
print("with Keras:", *sys.modules.keys() & {"keras", "tensorflow", "jax", "torch"})
print(*sys.modules)
"""


def test_plans_tables_figures_and_the_command_line_load_no_keras():
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, keras, modules = done.stdout.splitlines()
    assert (first, keras) == ("at first:", "with Keras:")  # and the package itself imports nothing
    for path in (paths.ROOT / "study").rglob("*.py"):
        name = ".".join(path.relative_to(paths.ROOT).with_suffix("").parts)
        if name.split(".")[1] in ("ground", "experiments", "grid", "reporting") and path.stem != "__init__":
            assert name in modules.split(), f"{name} was not tried"


def test_what_every_job_loads_is_loaded_fast():
    """Seconds for each run of a grid; what else a command needs it imports itself."""
    code = "import sys, study.__main__, study.experiments.tables, study.grid.gpus, study.grid.jobs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"papermill", "nbformat", "scipy.stats", "statsmodels", "matplotlib"} & set(done.stdout.split())


@pytest.fixture
def lint(tmp_path):
    """Changes a copy of the package and returns what import-linter then says of it."""
    shutil.copytree(paths.ROOT / "study", tmp_path / "study", ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    shutil.copy(paths.ROOT / "pyproject.toml", tmp_path)

    def lint(file=None, line=""):
        if file:
            with (tmp_path / "study" / file).open("a") as module:
                module.write(f"\n\n{line}\n")
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
        done = subprocess.run([LINTER, "--no-cache"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode == 0) == ("0 broken" in done.stdout), done.stdout + done.stderr
        return {line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if line.endswith(" BROKEN")}

    return lint


ONE_WAY, WITHOUT_KERAS, BELOW = "Imports go one way", "Plans, tables and figures need no Keras", "Nothing below Keras"


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        (None, "", set()),
        ("experiments/tables.py", "import study.ground.images", set()),
        ("ground/paths.py", "from study.experiments import runs", {ONE_WAY}),
        ("reporting/style.py", "def later():\n    from study.grid import plan", {ONE_WAY}),  # its neighbour
        ("newcomer.py", "", {ONE_WAY}),  # nobody has said where it stands
        ("grid/plan.py", "def later():\n    import keras", {WITHOUT_KERAS}),
        ("reporting/style.py", "from study.metrics import psnr", {WITHOUT_KERAS}),  # which imports Keras
        ("model.py", "import torch", {BELOW}),
        ("codec/weights.py", "from tensorflow import math", {BELOW}),
    ],
)
def test_a_wrong_import_breaks_its_contract_and_no_other(lint, file, line, broken):
    assert lint(file, line) == broken
