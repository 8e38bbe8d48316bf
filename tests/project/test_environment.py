"""The set of packages is said three times: in pyproject.toml, constraints.txt and environment.yml."""

import importlib.util
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def load_yaml(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def pins():
    """Name -> version of every line of constraints.txt that holds on this Python."""
    lines = [Requirement(line) for line in CONSTRAINTS]
    held = [line for line in lines if line.marker is None or line.marker.evaluate()]
    assert len({canonicalize_name(line.name) for line in held}) == len(held), "a package is pinned twice"
    return {canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in held}


def requirements(*extras):
    """Canonical name -> requirement, of what pyproject.toml asks for with these extras."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def missing_pins(found, extras, pinned, seen):
    """Names of installed packages that `found`, with `extras`, pulls in and that nothing pins."""
    if (found.name, extras) in seen:
        return set()
    seen.add((found.name, extras))
    missing = set() if canonicalize_name(found.name) in pinned else {found.name}
    for requirement in map(Requirement, found.requires or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            child = metadata.distribution(requirement.name)
            missing |= missing_pins(child, frozenset(requirement.extras), pinned, seen)
    return missing


def test_a_constraint_is_one_exact_version_and_no_address():
    pin = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ?; .+)?")
    assert [line for line in CONSTRAINTS if not pin.fullmatch(line)] == []


def test_no_front_door_names_an_address():
    for name in ("pyproject.toml", "constraints.txt", "environment.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|\s@\s|index.url|find.links", text), name


def test_what_pyproject_asks_for_is_pinned():
    asked = requirements(*EXTRAS)
    assert asked.keys() <= pins().keys(), "run `make constraints`"
    refused = {name for name, r in asked.items() if not r.specifier.contains(pins()[name], prereleases=True)}
    assert not refused, "run `make constraints`"


def test_what_is_installed_is_what_is_pinned():
    found = {canonicalize_name(d.name): Version(d.version).public for d in metadata.distributions()}
    assert requirements("dev").keys() <= found.keys(), "run `make test`, which installs what is missing"
    asked = requirements(*EXTRAS).keys() & found.keys()  # gpu, jax and torch need not be there
    # `public` leaves out the local part of a version, such as PyTorch's +cpu.
    assert {name: found[name] for name in asked} == {name: pins()[name] for name in asked}


@pytest.mark.skipif(sys.platform != "linux", reason="constraints.txt is resolved on Linux")
def test_what_is_installed_is_compiled_to_bytecode():
    """Else, where PYTHONDONTWRITEBYTECODE is set, every start compiles its modules again: seconds each time."""
    sources = [importlib.util.find_spec(name).origin for name in ("keras", "pandas", "scipy", "tensorflow")]
    assert [name for name in sources if not Path(importlib.util.cache_from_source(name)).exists()] == []


def test_what_comes_along_is_pinned_too():
    pinned, seen = pins(), set()
    missing = set()
    for name, requirement in requirements("dev").items():
        missing |= missing_pins(metadata.distribution(name), frozenset(requirement.extras), pinned, seen)
    assert not missing, "run `make constraints`"


def test_conda_installs_the_same_set():
    environment = load_yaml("environment.yml")
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert environment["channels"] == ["conda-forge"]
    assert environment["name"] == PROJECT["name"]
    assert pip[:2] == ["-c constraints.txt", "-e .[dev]"]
    assert dict(line.split("==") for line in pip[2:]) == {name: pins()[name] for name in requirements("dev")}


def test_python_versions_agree():
    supported = SpecifierSet(PROJECT["requires-python"])
    conda = load_yaml("environment.yml")["dependencies"][0]
    assert SpecifierSet(conda.removeprefix("python")) == supported
    matrix = load_yaml(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python-version"] == [f"3.{n}" for n in range(30) if f"3.{n}" in supported]


def test_pre_commit_runs_the_pinned_ruff():
    (hooks,) = load_yaml(".pre-commit-config.yaml")["repos"]
    assert hooks["rev"] == f"v{pins()['ruff']}"


def test_the_licence_of_every_package_that_is_asked_for_is_listed():
    """With the words that the package itself says, where it is installed and says them."""
    text = (ROOT / "LICENCES.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z][a-z0-9-]+) \| (.+) \|$", text, re.MULTILINE))
    assert listed.keys() - {"installed"} == requirements(*EXTRAS).keys()
    for name in requirements().keys() | requirements("dev").keys():
        said = metadata.metadata(name)
        classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith("License")]
        own = " ".join([said.get("License-Expression") or "", (said.get("License") or "")[:200], *classifiers])
        families = ("GPL", "MPL", "BSD", "MIT", "Apache")
        assert any(family in own and family in listed[name] for family in families) or "Python Software" in own, name
        assert ("GPL" in own) == ("GPL" in listed[name]), name
