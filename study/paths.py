"""Where things are: the only module in which a path is written.

Code, notebooks and the paper's text are read from the repository. Everything that is made goes below the output folder:
the repository itself or, where STUDY_OUTPUT names one, another folder, so that a study can be repeated beside its
tracked results.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
SNAKEFILE = ROOT / "Snakefile"
PROFILES = ROOT / "profiles"  # where the grid runs: a folder each, as Snakemake reads them
PAPER_SOURCE = ROOT / "paper" / "report.typ"
REPORTED = ROOT / "paper" / "reported.csv"  # the report's own numbers, typed with their source
QUANTITIES = ROOT / "paper" / "quantities.csv"  # what the report says in passing
CLAIMS = ROOT / "paper" / "claims.csv"  # its claims in words
PRETRAINED = ROOT / "study" / "pretrained"  # the codecs that ship with the project
PUBLISHED = ROOT / "paper" / "published.csv"  # rate-distortion curves of others, with their source
FRESH = ROOT / "build" / "fresh"  # the output folder of `make study FRESH=1`


def output() -> Path:
    """The folder below which results, figures and the printed paper are written."""
    return Path(os.environ.get("STUDY_OUTPUT") or ROOT).resolve()


def tables(preset: str) -> Path:
    return output() / "results" / preset


def published_tables(preset: str) -> Path:
    """The repository's own tables, wherever output goes."""
    return ROOT / "results" / preset


def runs() -> Path:
    return output() / "results" / "runs"


def executed_notebooks(preset: str) -> Path:
    return runs() / "notebooks" / preset


def figures(preset: str) -> Path:
    return output() / "figures" / preset


def paper() -> Path:
    return output() / "paper" / "report.pdf"
