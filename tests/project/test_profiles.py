"""Where the grid can run: Snakemake's profiles, and the scripts for machines of which each is something special."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from study.__main__ import PROFILES
from study.experiments import runs, tables
from study.experiments.presets import PRESETS
from study.experiments.studies import of_preset
from study.ground import paths

SCRIPTS = ("offline.sh", "t4-vm.sh")


def test_every_profile_is_offered_and_every_one_offered_is_there():
    assert sorted(folder.name for folder in paths.PROFILES.iterdir() if folder.is_dir()) == sorted(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_speaks_of_rules_that_there_are(name):
    profile = yaml.safe_load((paths.PROFILES / name / "config.yaml").read_text())
    rules = set(re.findall(r"^rule (\w+):", paths.SNAKEFILE.read_text(), flags=re.MULTILINE))
    for setting in profile.get("set-resources", []):
        assert setting.partition(":")[0] in rules
    if "default-storage-provider" in profile:  # whose jobs run in containers, which must know where runs go
        assert profile["envvars"] == ["STUDY_OUTPUT"]


def test_each_run_has_a_gpu_of_its_own_where_the_machine_has_some(output):
    """By Snakemake's dry run, of a preset that asks for none."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", output]
    command += ["--profile", paths.PROFILES / "local-gpu", "--config", "preset=smoke", "--dry-run", "--printshellcmds"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert all(f"-m study train --own-gpu smoke {run.id} > " in said for run in runs.plan("smoke"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_sound_and_says_what_it_can_do(name):
    script = paths.PROFILES / name
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    done = subprocess.run([script, "dance"], capture_output=True, text=True)
    commands = re.findall(rf"^#   profiles/{re.escape(name)} (\w+)", script.read_text(), flags=re.MULTILINE)
    assert done.returncode == 2 and commands
    assert all(re.search(rf"\b{command}\b", done.stdout + done.stderr) for command in commands)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_starts_with_a_preset_that_there_is(name):
    (default,) = re.findall(r"PRESET=\$\{PRESET:-([\w-]+)\}", (paths.PROFILES / name).read_text())
    assert default in PRESETS and PRESETS[default].gpu and of_preset(default)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes machines that have what `offline.sh prepare` carries, and runs commands of the script there."""

    def make(name):
        folder = tmp_path / name
        for part in ("study", "profiles"):
            shutil.copytree(paths.ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(paths.SNAKEFILE, folder)
        carried = folder / "build" / "offline"
        carried.mkdir(parents=True)
        (carried / "ready").touch()
        (carried / "commit").write_text("0123456789abcdef")

        def run(*arguments):
            monkeypatch.delenv("STUDY_OUTPUT", raising=False)
            environment = os.environ | {"PRESET": "smoke", "PYTHON": sys.executable, "KERAS_BACKEND": "tensorflow"}
            command = [folder / "profiles" / "offline.sh", *arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        return folder, run

    return make


def test_runs_are_trained_on_a_machine_without_a_network_and_carried_in_parts(machine, monkeypatch, finish):
    """Of two runs of a study one is finished there; the other one is trained; all else is left alone."""
    there, run_there = machine("there")
    monkeypatch.setenv("STUDY_OUTPUT", str(there))
    small, large = runs.plan("smoke", "train_size")
    finish(large)
    said = run_there("train", "train_size")
    assert f"{small.id} done" in said or f"{small.id} collapsed" in said
    assert f"smoke: {len(runs.plan('smoke'))} runs, 2 done" in said
    monkeypatch.setenv("STUDY_OUTPUT", str(there))
    assert runs.read_manifest(small)["commit"] == "0123456789abcdef"
    run_there("tables")
    monkeypatch.setenv("STUDY_OUTPUT", str(there))
    assert set(tables.read("smoke", "runs").run) == {small.id, large.id}
    run_there("bundle", "train_size")

    here, run_here = machine("here")
    parts = list((there / "build" / "offline" / "parts").iterdir())
    assert parts and all(part.name.startswith("train_size.tar.") for part in parts)
    shutil.copytree(there / "build" / "offline" / "parts", here / "build" / "offline" / "parts")
    run_here("restore", "train_size")
    for run in (small, large):
        for file in (there / "results" / "runs" / run.id).iterdir():
            assert (here / "results" / "runs" / run.id / file.name).read_bytes() == file.read_bytes()
    assert {folder.name for folder in (here / "results" / "runs").iterdir()} == {small.id, large.id}
