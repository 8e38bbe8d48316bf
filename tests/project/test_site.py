"""The site as `make site` built it: links lead somewhere, pictures have words, nothing is loaded from elsewhere."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from study.experiments import tables
from study.experiments.presets import PUBLISHED
from study.ground import paths
from study.reporting import figures
from study.reporting.readings import READINGS

SITE = Path(os.environ.get("SITE", "")).resolve()
built = pytest.mark.skipif("SITE" not in os.environ, reason="`make site` builds the site with Sphinx and checks it")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}


class Page(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, file):
        super().__init__()
        self.file, self.tags = file, []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    @property
    def ids(self):
        return {found[key] for _, found in self.tags for key in ("id", "name") if key in found}

    @property
    def loaded(self):
        """What a browser fetches by itself to show the page."""
        addresses = [found.get(LOADED[tag]) for tag, found in self.tags if tag in LOADED]
        addresses += [found["href"] for tag, found in self.tags if tag == "link" and found["rel"] != "canonical"]
        return [address for address in addresses if address]

    @property
    def linked(self):
        return [found["href"] for tag, found in self.tags if tag == "a" and "href" in found]


@pytest.fixture(scope="module")
def pages():
    found = {file: Page(file) for file in sorted(SITE.rglob("*.html")) if "_static" not in file.parts}
    assert len(found) > 40
    return found


@built
def test_every_link_within_the_site_leads_somewhere(pages):
    broken = []
    for file, page in pages.items():
        for address in page.linked + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            fragment = unquote(parts.fragment)
            is_there = target.is_file() and SITE in target.parents
            if not is_there or (fragment and target in pages and fragment not in pages[target].ids):
                broken.append(f"{file.relative_to(SITE)}: {address}")
    assert not broken


@built
def test_every_picture_has_an_alternative_text(pages):
    images = [(file, found) for file, page in pages.items() for tag, found in page.tags if tag == "img"]
    assert len(images) > 60
    assert [(file, found["src"]) for file, found in images if not (found.get("alt") or "").strip()] == []
    assert [found["alt"] for _, found in images if found["alt"].endswith((".png", ".jpg"))] == []


@built
def test_nothing_is_loaded_from_elsewhere(pages):
    for file, page in pages.items():
        assert [address for address in page.loaded if urlsplit(address).netloc] == [], file
    styles = [file.read_text(encoding="utf-8") for file in SITE.rglob("*.css")]
    assert len(styles) > 3
    for text in styles:
        assert "@import" not in text and "url(http" not in text and "url(//" not in text


@built
def test_every_published_figure_and_notebook_is_shown(pages):
    for preset in PUBLISHED:
        page = pages[SITE / "docs" / f"results_{preset}.html"]
        shown = {found["alt"] for tag, found in page.tags if tag == "img"}
        assert {READINGS[name][0] for name in figures.names(preset, published=True)} <= shown
    assert {file.stem for file in (SITE / "notebooks").glob("*.html")} == {
        path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")
    }


@built
def test_every_study_of_a_results_page_has_curves_to_point_at(pages):
    for preset in PUBLISHED:
        page = pages[SITE / "docs" / f"results_{preset}.html"]
        drawn = [tag for tag, found in page.tags if tag == "div" and found.get("class") == "hover"]
        made = tables.read(preset, "runs", published=True).studies.str.split().explode().unique()
        assert len(drawn) == len(made)
        assert {"plotly.min.js", "hover.js"} <= {urlsplit(address).path.rpartition("/")[2] for address in page.loaded}


@built
def test_formulas_are_drawn_by_the_browser_alone(pages):
    page = pages[SITE / "docs" / "explanation.html"]
    assert sum(tag == "math" for tag, _ in page.tags) >= 3
    assert "\\hat" not in page.file.read_text(encoding="utf-8")


@built
def test_no_table_was_left_as_text(pages):
    """As those that notebooks print in Markdown."""
    assert [file for file in pages if re.search(r"<p>\s*\|", file.read_text(encoding="utf-8"))] == []


@built
def test_the_page_that_compresses_has_all_that_it_loads(pages):
    if SITE / "docs" / "try_it.html" not in pages:
        pytest.skip("the page was left out, as without npm")
    folder = SITE / "_static" / "try_it"
    scripts = [folder / name for name in ("page.mjs", "worker.mjs", "file.mjs")]
    loaded = {name for file in scripts for name in re.findall(r'"(?:\./)?([\w.-]+\.[a-z]+)"', file.read_text("utf-8"))}
    assert len(loaded) >= 8 and loaded <= {file.name for file in folder.iterdir()}


def test_every_figure_has_a_reading_of_one_sentence():
    names = {name for preset in PUBLISHED for name in figures.names(preset, published=True)}
    assert names <= READINGS.keys(), "say in study/reporting/readings.py how to read them"
    alternatives = [instead for instead, _ in READINGS.values()]
    assert len(set(alternatives)) == len(alternatives)
    for instead, reading in READINGS.values():
        assert instead[0].isupper() and not instead.endswith(".")
        assert reading.endswith((".", "?")) and not re.search(r"[.?] [A-Z]", reading)


def test_every_module_of_the_package_is_described():
    pages = [file.read_text(encoding="utf-8") for file in (paths.ROOT / "docs").glob("api*.md")]
    described = re.findall(r"automodule:: (study[\w.]*)", "".join(pages))
    modules = [file.relative_to(paths.ROOT).with_suffix("") for file in (paths.ROOT / "study").rglob("*.py")]
    named = {".".join(module.parts) for module in modules if not module.name.startswith("__")}
    assert sorted(described) == sorted({"study"} | named)
