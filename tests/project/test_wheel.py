"""The package alone, as pip installs it: codecs for files, and a word on what needs the repository."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from study.ground import paths


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel holds and nothing else. Built from a copy: setuptools leaves folders beside it."""
    if not importlib.util.find_spec("setuptools"):
        pytest.skip("setuptools is not installed, and a wheel is built without a network")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(paths.ROOT / "study", source / "study", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(paths.ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run([*command, "--wheel-dir", folder, source], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture
def run(installed, tmp_path):
    """Runs Python with that folder alone beside what the package depends on, in a folder of its own."""

    def run(*arguments):
        environment = os.environ | {"PYTHONPATH": str(installed)}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def test_it_holds_every_module_and_the_codecs(installed):
    def files(folder):
        found = (path.relative_to(folder).as_posix() for path in (folder / "study").rglob("*") if path.is_file())
        return {name for name in found if "__pycache__" not in name}

    assert files(installed) == files(paths.ROOT)


def test_it_compresses_and_decompresses(run, installed, tmp_path):
    where = run("-c", "import study; print(study.__file__)")
    assert where.stdout.strip() == str(installed / "study" / "__init__.py")
    helped = run("-m", "study", "--help")
    assert helped.returncode == 0 and "compress" in helped.stdout, helped.stderr
    picture = np.random.default_rng(0).integers(0, 256, (20, 35, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    done = run("-m", "study", "compress", "a.png", "a.rnn", "--iterations", "2")
    assert done.returncode == 0, done.stderr
    psnr = float(done.stdout.split(" dB")[0].split()[-1])
    told = run("-m", "study", "info", "a.rnn")
    assert told.returncode == 0 and "35x20" in told.stdout and "2 of 2 passes" in told.stdout, told.stderr
    done = run("-m", "study", "decompress", "a.rnn", "b.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "b.png") as image:
        apart = np.asarray(image, float) - picture
    assert psnr == pytest.approx(10 * np.log10(255**2 / np.mean(apart**2)), abs=0.006)


@pytest.mark.parametrize("command", ["plan", "all", "readme", "tables"])
def test_what_needs_the_repository_says_so_in_a_line(command, run, tmp_path):
    done = run("-m", "study", command)
    assert done.returncode == 2 and done.stderr.startswith("study: This command needs the repository")
    assert done.stderr.count("\n") == 1 and not done.stdout
    assert not list(tmp_path.iterdir())
