"""Where things are: below the output folder, and in one place for a process and its children."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from study.ground import paths
from study.ground.errors import StudyError

# A process, and a child that it starts in another folder, as the grid starts jobs and notebooks.
CHILD = """
import json, os, subprocess, sys
from study.ground import paths
here = {name: os.environ.get(name) for name in paths.FOLDERS} | {"output": str(paths.output())}
there = {}
if len(sys.argv) > 1:
    child = subprocess.run([sys.executable, "-c", sys.stdin.read()], cwd=sys.argv[1], capture_output=True, check=True)
    there = json.loads(child.stdout)
print(json.dumps({"here": here, "there": there.get("here")}))
"""


def in_a_process_and_its_child(tmp_path, environment):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, two],
        cwd=one,
        env={"PYTHONPATH": str(paths.ROOT), "HOME": str(tmp_path / "home"), **environment},
        input=CHILD,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["here"] == found["there"]
    return found["here"]


def test_a_relative_folder_is_the_same_in_a_child_elsewhere(tmp_path):
    relative = {"STUDY_OUTPUT": "made", "CIFAR_DIR": "../data", "PHOTOS_DIR": "./photos", "KODAK_DIR": "~/kodak"}
    found = in_a_process_and_its_child(tmp_path, relative)
    assert found == {
        "STUDY_OUTPUT": str(tmp_path / "one" / "made"),
        "output": str(tmp_path / "one" / "made"),
        "CIFAR_DIR": str(tmp_path / "data"),
        "PHOTOS_DIR": str(tmp_path / "one" / "photos"),
        "KODAK_DIR": str(tmp_path / "home" / "kodak"),
    }


def test_a_home_of_nobody_is_a_folder_of_that_name_as_in_a_shell(tmp_path):
    found = in_a_process_and_its_child(tmp_path, {"STUDY_OUTPUT": "~nobody-of-this-name/made"})
    assert found["output"] == str(tmp_path / "one" / "~nobody-of-this-name" / "made")


def test_a_folder_that_nobody_names_stays_so_and_output_is_the_repository(tmp_path):
    found = in_a_process_and_its_child(tmp_path, {"STUDY_OUTPUT": ""})
    assert found == dict.fromkeys(paths.FOLDERS) | {"STUDY_OUTPUT": "", "output": str(paths.ROOT)}


def test_what_is_made_goes_below_the_output_and_what_is_published_stays(output):
    made = [paths.tables("a"), paths.runs(), paths.tile_cache(), paths.executed_notebooks("a"), paths.figures("a")]
    made += [paths.paper("a", published=True), paths.paper("a", published=False)]
    assert all(path.is_relative_to(output) for path in made) and len(set(made)) == len(made)
    assert paths.published_tables("a") == paths.ROOT / "results" / "a"


def test_the_repositorys_own_files_are_there():
    for path in (paths.NOTEBOOKS, paths.SNAKEFILE, paths.PROFILES, paths.PAPER_SOURCE, paths.PRETRAINED):
        assert path.exists(), path
    for path in (paths.REPORTED, paths.QUANTITIES, paths.PUBLISHED_CURVES):
        assert path.is_file(), path
    paths.need_repository()


def test_a_package_without_its_repository_is_told_so(monkeypatch):
    monkeypatch.setattr(paths, "SNAKEFILE", Path("/nowhere/Snakefile"))
    with pytest.raises(StudyError, match="only the package is installed here. Clone the repository"):
        paths.need_repository()
