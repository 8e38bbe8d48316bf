"""The site: pages from docs/, notebooks from their stored outputs, the API from docstrings. `make site` builds it.

Its source is the whole repository, so that a link from a page to a notebook is the same on GitHub and here.
"""

import contextlib
import io
import os
import re
import sys
import tomllib
from pathlib import Path

import plotly
from docutils import nodes
from latex2mathml.converter import convert
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import hover  # noqa: E402
import try_it  # noqa: E402

from study.__main__ import main  # noqa: E402
from study.reporting.readings import READINGS  # noqa: E402

project = "Recurrent image compression"
author = "The authors of this study"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en"
highlight_language = "none"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "notebooks/*.ipynb",
    "results/README.md",
    "study/codec/FORMAT.md",
    "paper/model_card.md",
]
exclude_patterns = [".*", "build", "figures", "results/runs", "tests"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_render_markdown_format = "myst"  # CommonMark, the default, has no tables
nb_ipywidgets_js = {}  # pages show the stills that stand for widgets
default_role = "code"  # docstrings have names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures stay short; docstrings say shapes and ranges
napoleon_use_rtype = False

# The page "Try it" needs what docs/try_it.py makes, see there.
TRY_IT = ROOT / "build" / "try_it"
if not all((TRY_IT / "try_it" / name).exists() for name in try_it.MADE):
    exclude_patterns.append("docs/try_it.md")
    suppress_warnings = ["toc.not_readable"]  # the list of pages names it

html_theme = "furo"
html_title = project
html_favicon = "_static/favicon.svg"
html_static_path = [
    "_static",
    str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js"),
    *([str(TRY_IT)] if TRY_IT.exists() else []),
]
html_css_files = ["site.css"]
html_js_files = ["keyboard.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_extra_path = ["../paper/report.pdf", "_root"]  # and index.html, which leads to docs/
html_math_renderer = "mathml"
html_theme_options = {"top_of_page_buttons": []}


def helps():
    """What `python -m study --help` and the help of each command print."""

    def printed(*arguments):
        with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
            main([*arguments, "--help"])
        return text.getvalue()

    os.environ["COLUMNS"] = "100"
    names = re.findall(r"^    ([a-z]+) ", printed(), flags=re.MULTILINE)
    return "\n".join(f"### {name}\n\n```text\n{printed(name)}```\n" for name in names)


def add_helps(app, name, source):
    if name == "docs/commands":
        source[0] += helps()


def name_repository(app, name, source):
    """Addresses of notebooks elsewhere name the repository where one publishes the site: on GitHub, which says it."""
    if name == "docs/elsewhere":
        source[0] = source[0].replace("OWNER/REPOSITORY", os.environ.get("GITHUB_REPOSITORY", "OWNER/REPOSITORY"))


def add_hover(app, name, source):
    if name.startswith("docs/results"):
        source[0] = hover.insert(source[0])


def mend_docstring(app, what, name, obj, options, lines):
    """Docstrings are plain text: a drawing stays as it is, and a bar is no mark."""
    for i in reversed(range(1, len(lines))):
        if what == "module" and lines[i].startswith("    ") and not lines[i - 1].startswith("    "):
            lines[i:i] = ["", "::", ""] if lines[i - 1] else ["::", ""]
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", "; ")  # napoleon takes what stands before a colon for a type
    if "::" not in lines:
        lines[:] = [line.replace("|", r"\|") for line in lines]


def skip_fields(app, what, name, obj, skip, options):
    """Of a named tuple only the whole is described: Python calls each field "Alias for field number 0"."""
    return skip or type(obj).__name__ == "_tuplegetter"


def describe_images(app, doctree):
    """Gives every picture that a notebook drew an alternative text, and says which pictures are wide."""
    for image in doctree.findall(nodes.image):
        with Image.open(ROOT / image["uri"]) as picture:
            image["classes"] += ["wide"] * (picture.width > 800)
        if not image.get("alt"):
            image["alt"] = drawn_by(image.parent)


def drawn_by(cell):
    """What a cell of a notebook draws: the figure whose name its last line has, or the line itself."""
    while "cell" not in cell.get("classes", []):
        cell = cell.parent
    code = cell.children[0].astext().strip().splitlines()[-1]
    name = re.search(r'"(\w+)"', code)
    return READINGS[name[1]][0] if name and name[1] in READINGS else f"What this line draws: {code}"


def formula(node, display):
    # KaTeX and MathJax would have to be shipped; browsers draw MathML by themselves.
    return convert(node.astext(), display=display)


def inline_formula(writer, node):
    writer.body.append(formula(node, "inline"))
    raise nodes.SkipNode


def block_formula(writer, node):
    writer.body.append(f'<div class="math">{formula(node, "block")}</div>')
    raise nodes.SkipNode


def choose_scripts(app, page, template, context, doctree):
    if page.startswith(("docs/results", "docs/claims", "docs/speed")):
        app.add_js_file("sort.js")
    if page.startswith("docs/results"):
        app.add_js_file("plotly.min.js")
        app.add_js_file("hover.js")
    if page == "docs/try_it":
        app.add_css_file("try_it/page.css")


def setup(app):
    app.connect("source-read", add_helps)
    app.connect("source-read", name_repository)
    app.connect("source-read", add_hover)
    app.connect("autodoc-process-docstring", mend_docstring, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-read", describe_images)
    app.connect("html-page-context", choose_scripts)
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    return {"parallel_read_safe": True}
