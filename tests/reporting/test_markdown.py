"""The README says what the repository holds."""

import re

from study.experiments.presets import PRESETS
from study.ground import paths
from study.reporting import markdown

README = (paths.ROOT / "README.md").read_text()


def test_its_results_are_those_of_the_tracked_tables(monkeypatch):
    monkeypatch.delenv("STUDY_OUTPUT", raising=False)
    assert markdown.results("excerpt") in README, "print the table again: python -m study results --preset excerpt"
    assert markdown.verdicts("excerpt") in README, "print the table again: python -m study results --preset excerpt"
    assert markdown.codecs("codec") in README, "print the table again: python -m study results --preset codec"
    assert markdown.speed() in README, "print the table again: python -m study speed"


def test_what_it_names_is_there():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (paths.ROOT / name).exists(), name
    for name in re.findall(r"^\| `(\d\d_\w+)`", README, flags=re.MULTILINE):
        assert (paths.NOTEBOOKS / f"{name}.ipynb").exists(), name
    table = README[README.index("## Presets") : README.index("## The figures")]
    assert set(re.findall(r"^\| `([\w-]+)`", table, flags=re.MULTILINE)) == set(PRESETS)


def test_every_make_target_it_names_exists():
    makefile = (paths.ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
