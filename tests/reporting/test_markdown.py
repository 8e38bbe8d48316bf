"""README and the site's pages say what the repository holds, and their tables what runs have left."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from study.experiments import runs, tables
from study.experiments.presets import PRESETS, PUBLISHED
from study.experiments.studies import STUDIES
from study.ground import paths
from study.ground.errors import StudyError
from study.reporting import markdown
from study.reporting.findings import FINDINGS

PAGES = {page.relative_to(paths.ROOT).as_posix(): page.read_text(encoding="utf-8") for page in markdown.pages()}
EVERY_PAGE = pytest.mark.parametrize("name", PAGES)


@EVERY_PAGE
def test_its_generated_parts_are_those_of_the_studies_the_presets_and_the_tracked_tables(name, monkeypatch):
    monkeypatch.delenv("STUDY_OUTPUT", raising=False)
    page = paths.ROOT / name
    assert markdown.fill(PAGES[name], page.parent) == PAGES[name], "make them anew: python -m study readme"


def test_all_that_can_be_generated_stands_on_a_page():
    marks = {mark for text in PAGES.values() for mark in re.findall(r"<!-- (\w+(?: [\w-]+)*) -->", text)} - {"end"}
    assert {mark.split()[0] for mark in marks} == markdown.SECTIONS.keys()
    assert {f"finding {name}" for name in FINDINGS} <= marks
    assert {f"{kind} {preset}" for kind in ("results", "state") for preset in PUBLISHED} <= marks


def test_readme_is_one_page_with_three_findings():
    assert len(PAGES["README.md"].splitlines()) <= 110
    assert PAGES["README.md"].count("<!-- finding ") == 3


def test_only_what_stands_between_marks_is_made_anew(monkeypatch):
    monkeypatch.setitem(markdown.SECTIONS, "presets", lambda: "| new |")
    old, none, new = (f"<!-- presets -->\n{rows}<!-- end -->\n" for rows in ("| old |\n", "", "| new |\n"))
    text = "before\n{}between\n{}after <!-- presets -->\n"
    assert markdown.fill(text.format(old, none)) == text.format(new, new)
    with pytest.raises(
        StudyError, match="A page has marks of 'dreams'; expected one of both_sizes, claims, codecs, figure"
    ):
        markdown.fill("<!-- dreams -->\n<!-- end -->")


def test_its_lists_have_every_notebook_study_and_preset():
    def first_cells(section):
        return [line.split("|")[1].strip() for line in markdown.SECTIONS[section]().splitlines()[2:]]

    assert first_cells("notebooks") == [f"`{path.stem}`" for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))]
    assert first_cells("studies") == [name.replace("_", " ") for name in STUDIES]
    assert first_cells("presets") == [f"`{name}`" for name in PRESETS]
    (line,) = [line for line in markdown.presets().splitlines() if line.startswith("| `recipe` |")]
    assert line.split(" | ")[2:4] == ["1/8", "15"]


def test_a_notebook_without_a_question_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    asks = {"cells": [{"source": ["# Title\n", "\n", "**Question:** how\n", "many? Many.\n"]}]}
    (tmp_path / "01_one.ipynb").write_text(json.dumps(asks))
    assert markdown.notebooks().splitlines()[2:] == ["| `01_one` | How many? |"]
    (tmp_path / "02_two.ipynb").write_text(json.dumps({"cells": [{"source": ["# Title"]}]}))
    with pytest.raises(StudyError, match="02_two.ipynb asks no question"):
        markdown.notebooks()


@EVERY_PAGE
def test_what_it_shows_and_links_to_is_there(name):
    for target in re.findall(r"\]\(([^)#]+)", PAGES[name]):
        assert ((paths.ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", [*PAGES, "results/README.md", "study/codec/FORMAT.md", "Makefile", "pyproject.toml"])
def test_every_file_of_the_repository_that_a_page_names_is_there(name):
    text = (paths.ROOT / name).read_text()
    for file in set(re.findall(r"\b(?:study|tests|paper|notebooks|profiles|docs)/[\w./-]*\.\w+", text)):
        assert (paths.ROOT / file).exists(), f"{name} names {file}"


@EVERY_PAGE
def test_every_make_target_it_names_exists(name):
    makefile = (paths.ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", PAGES[name], flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_makefile_offers_the_presets_there_are():
    makefile = (paths.ROOT / "Makefile").read_text()
    (offered,) = re.findall(r"which grid: (.*)\"", makefile)
    assert offered.split(", ") == list(PRESETS)


def test_links_go_out_from_the_page(monkeypatch):
    monkeypatch.setitem(markdown.SECTIONS, "presets", lambda: "![p](figures/a.png) [t](docs/t.md)")
    text = "<!-- presets -->\n<!-- end -->"
    assert "![p](figures/a.png) [t](docs/t.md)" in markdown.fill(text)
    assert "![p](../figures/a.png) [t](t.md)" in markdown.fill(text, paths.ROOT / "docs")


def test_every_target_of_make_has_its_words():
    lines = markdown.targets().splitlines()
    assert "| `make help` | this list |" in lines
    made = re.findall(r"^[a-z-]+:.* ## ", (paths.ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert len(lines) - 2 == len(made) > 20


def test_a_run_of_several_studies_stands_under_each(output, finish):
    first, *others = runs.plan("smoke")
    finish(first)
    tables.collect("smoke")
    for study, setting in (
        ("batch_size", "batch size 8"),
        ("train_size", "train size 512"),
        ("loss", "loss ms ssim, binarizer gain 300, schedule cosine"),
    ):
        (row,) = [[cell.strip() for cell in line.strip("|").split("|")] for line in _rows("smoke", study)]
        assert row == [setting, "1", "1", "20.00", "1.000", "1.000", "1 done"]
    assert markdown.state("smoke").startswith("1 of the grid's 5 runs so far.")
    for run in others:
        finish(run)
    tables.collect("smoke")
    assert markdown.state("smoke").startswith("All 5 runs of the grid.")


def _rows(preset, study):
    return markdown.ends(preset, study).splitlines()[2:]


def test_means_have_their_intervals_and_their_statuses(output, finish):
    for run in runs.plan("recipe", "precision"):
        finish(run, psnr=20.0 + run.seed)
    tables.collect("recipe")
    rows = [line.strip("| ").split(" | ") for line in _rows("recipe", "precision")]
    (row,) = [row for row in rows if row[0] == "precision mixed bfloat16"]
    half = 4.302653 / np.sqrt(3)  # Student's t with two degrees of freedom; the standard deviation is 1
    assert row[1] == "3" and row[3] == f"21.00\u00a0±\u00a0{half:.2f}" and row[-1] == "3 done"


def test_verdicts_have_numbers_where_there_are_any():
    claim = dict.fromkeys(tables.SCHEMA["claims"], 0) | {"preset": "smoke", "place": "II", "unit": "dB", "figure": ""}
    facts = [
        {"wording": "A.", "estimate": 1.23456, "low": 1.0, "high": 1.5, "n": 5, "over": "seeds", "verdict": "holds"},
        {
            "wording": "B.",
            "estimate": 27_000.4,
            "low": 27_000.4,
            "high": 27_000.4,
            "n": 1,
            "over": "",
            "verdict": "does not hold",
        },
        {
            "wording": "C.",
            "estimate": np.nan,
            "low": np.nan,
            "high": np.nan,
            "n": 0,
            "over": "seeds",
            "verdict": "could not be tested here",
        },
        {
            "wording": "D.",
            "estimate": 12.34,
            "low": np.nan,
            "high": np.nan,
            "n": 1,
            "over": "seeds",
            "verdict": "could not be tested here",
        },
    ]
    assert markdown.verdicts(pd.DataFrame([claim | fact for fact in facts])).splitlines()[2:] == [
        "| A. | II | 1.235 [1.000, 1.500] dB | 5 seeds | **holds** |",
        "| B. | II | 27,000 dB |  | does not hold |",
        "| C. | II |  |  | could not be tested here |",
        "| D. | II | 12.3 dB | one seed | could not be tested here |",
    ]


def test_codecs_have_a_cell_for_each_size_that_all_images_reach(output):
    row = dict.fromkeys(tables.SCHEMA["targets"], 0) | {"preset": "codec", "ssim_blocks": 0.5}
    reached = [("gru", 16, 16.2, 20.04), ("gru", 64, 64.4, 25.0), ("WebP", 64, 66.0, 22.0), ("WebP", 48, 48.0, 21.0)]
    rows = [row | {"codec": c, "target": t, "payload_bytes": size, "psnr": psnr} for c, t, size, psnr in reached]
    tables.write("codec", "targets", pd.DataFrame(rows))
    assert markdown.codecs("codec").splitlines() == [
        "| codec | 16 bytes | 64 bytes |",
        "| --- | --- | --- |",
        "| gru | 16: 20.0 dB, 0.500 | 64: 25.0 dB, 0.500 |",
        "| WebP |  | 66: 22.0 dB, 0.500 |",
    ]
