"""Where things are: the only module in which a path is written.

Code, notebooks and the paper's text are read from the repository. Everything that is made goes below the output folder:
the repository itself or, where STUDY_OUTPUT names one, another folder, so that a study can be repeated beside its
tracked results.
"""

import os
from pathlib import Path

from study.ground.errors import StudyError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SNAKEFILE = ROOT / "Snakefile"
PROFILES = ROOT / "profiles"  # where the grid runs: a folder each, as Snakemake reads them
PAPER_SOURCE = ROOT / "paper" / "report.typ"
REPORTED = ROOT / "paper" / "reported.csv"  # the report's own curves, typed with their source
QUANTITIES = ROOT / "paper" / "quantities.csv"  # numbers that the report says in passing
PUBLISHED_CURVES = ROOT / "paper" / "published.csv"  # rate-distortion curves of others, with their source
PRETRAINED = ROOT / "study" / "codec" / "pretrained"  # the codecs that ship with the project
FRESH = ROOT / "build" / "fresh"  # the output folder of `make study FRESH=1`

FOLDERS = ("STUDY_OUTPUT", "CIFAR_DIR", "PHOTOS_DIR", "KODAK_DIR")  # variables that name a folder
# Jobs and kernels change the current folder, so a relative name is made absolute once, before they inherit it.
for _name in FOLDERS:
    if os.environ.get(_name):
        os.environ[_name] = str(Path(os.path.expanduser(os.environ[_name])).resolve())


def need_repository() -> None:
    """Raises `StudyError` where only the package is installed, without the notebooks and tables around it."""
    if not SNAKEFILE.exists():
        raise StudyError(
            "This command needs the repository, with its notebooks, tables and paper, and only the package is "
            "installed here. Clone the repository and run the command there. Without it compress, decompress and info "
            "work."
        )


def output() -> Path:
    """The folder below which results, figures and the printed paper are written."""
    return Path(os.environ.get("STUDY_OUTPUT") or ROOT).resolve()


def tables(preset: str) -> Path:
    return output() / "results" / preset


def own_grid(name: str) -> Path:
    """What says which runs a grid of one's own has."""
    return tables(name) / "grid.json"


def published_tables(preset: str) -> Path:
    """The repository's own tables, wherever output goes."""
    return ROOT / "results" / preset


def runs() -> Path:
    return output() / "results" / "runs"


def tile_cache() -> Path:
    """Where the tiles of folders of pictures are kept, a file each; it may be deleted."""
    return output() / "results" / "cache"


def executed_notebooks(preset: str) -> Path:
    return runs() / "notebooks" / preset


def figures(preset: str) -> Path:
    return output() / "figures" / preset


def paper(preset: str, published: bool) -> Path:
    """The PDF of a preset: the tracked file for the published one, a folder that git ignores for any other."""
    folder = output() / "paper"
    return folder / "report.pdf" if published else folder / preset / "report.pdf"
