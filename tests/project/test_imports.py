"""One direction of imports, read from the source; Keras only where it is needed, and nothing below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "study").glob("*.py")}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}

# What each module may import of the package. A module that is not listed here yet: say where it stands.
BASE = {"paths", "presets"}
ALLOWED = {
    "__init__": set(),
    "__main__": SOURCES.keys() - {"__main__"},
    "architecture": set(),
    "archive": {"paths", "runs", "tables"},
    "baselines": set(),
    "batches": {"data"},
    "bitstream": {"entropy"},
    "canvas": BASE | {"runs"},
    "cells": set(),
    "check": BASE | {"runs", "tables"},
    "cifar": BASE,
    "claims": BASE | {"evidence", "settings", "statistics"},
    "compression": {"bitstream", "entropy", "metrics", "model"},
    "comparison": {"paths", "statistics"},
    "context": {"entropy"},
    "curves": {"baselines", "bitstream", "compression", "entropy", "files", "metrics", "samples"},
    "data": BASE | {"cifar", "files", "subsets"},
    "entropy": set(),
    "cost": {"architecture", "paths", "runs"},
    "devices": set(),
    "evaluation": {"metrics", "model"},
    "evidence": BASE | {"statistics", "tables"},
    "figures": BASE | {"canvas", "findings", "pictures", "rates", "statistics", "tables"},
    "files": {"runs"},
    "findings": {"canvas", "statistics", "tables"},
    "launch": {"locks", "paths", "runs"},
    "jobs": BASE | {"cost", "launch", "runs", "tables"},
    "layers": BASE,
    "locks": set(),
    "losses": {"metrics"},
    "metrics": BASE,
    "model": BASE | {"architecture", "cells", "layers"},
    "paths": set(),
    "pictures": {"baselines", "canvas"},
    "precision": set(),
    "presets": set(),
    "pretrained": BASE | {"entropy", "model", "runs"},
    "rates": BASE | {"baselines", "canvas"},
    "progress": {"cost", "locks", "runs", "tables"},
    "readme": {"runs", "tables"},
    "reported": set(),
    "runs": BASE | {"settings"},
    "settings": {"presets"},
    "samples": {"baselines", "evaluation", "training"},
    "shipping": BASE | {"context", "data", "pretrained", "training"},
    "statistics": set(),
    "subsets": {"baselines", "cifar", "presets"},
    "uses": {"baselines", "curves", "metrics", "statistics", "subsets"},
    "tool": {"bitstream", "compression", "files", "pretrained", "runs"},
    "tables": BASE | {"runs", "statistics"},
    "recording": BASE | {"batches", "devices", "evaluation", "metrics", "precision", "runs"},
    "training": BASE | {"batches", "data", "devices", "locks", "losses", "model", "precision", "recording", "runs"},
}
WITHOUT_KERAS = [
    "__main__",
    "architecture",
    "archive",
    "baselines",
    "bitstream",
    "canvas",
    "comparison",
    "entropy",
    "cost",
    "figures",
    "files",
    "jobs",
    "launch",
    "locks",
    "paths",
    "pictures",
    "presets",
    "progress",
    "readme",
    "runs",
    "settings",
    "statistics",
    "tables",
]
MOST_LINES = 260


def imported(tree):
    """Dotted names that a file imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(filter(None, ["study" if node.level else "", node.module]))
            yield from (f"{package}.{alias.name}" for alias in node.names)


def test_reader_finds_every_kind_of_import():
    source = """
import keras, study.runs as r
from study.ground import paths
def later():
    from study.tables import collect
    from . import data
    from .model import build_codec
"""
    assert list(imported(ast.parse(source))) == [
        "keras",
        "study.runs",
        "study.paths",
        "study.tables.collect",
        "study.data",
        "study.model.build_codec",
    ]


def test_every_module_has_its_place():
    assert ALLOWED.keys() == SOURCES.keys()


@pytest.mark.parametrize("name", SOURCES)
def test_imports_point_one_way(name):
    names = [name.split(".") for name in imported(TREES[name])]
    assert {parts[1] for parts in names if parts[0] == "study"} <= ALLOWED.get(name, set())


def test_package_itself_imports_nothing():
    assert list(imported(TREES["__init__"])) == []


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_below_keras(name):
    packages = {name.partition(".")[0] for name in imported(TREES[name])}
    below = {"tensorflow"} if name == "devices" else set()  # its strategy for several devices is not in Keras
    assert packages & {"tensorflow", "jax", "torch"} == below


def test_figures_and_tables_need_no_keras():
    modules = ", ".join(f"study.{name}" for name in WITHOUT_KERAS)
    code = f"import sys, {modules}; print(*{{'keras', 'tensorflow', 'jax', 'torch'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("name", SOURCES)
def test_modules_are_short(name):
    assert len(SOURCES[name].splitlines()) <= MOST_LINES
