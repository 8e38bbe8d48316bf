"""The names of the data sets, and how many images each has: `study.data` reads them.

The numbers of the named ones are known without reading any; a folder's own pictures are counted once read.
"""

import os
from functools import lru_cache
from pathlib import Path

from study.ground import folders
from study.ground.errors import StudyError
from study.ground.recipe import PART_SIZE

PARTS = ("everything", "vehicles", "largest_png", "smallest_png")  # of CIFAR-10's excerpt, see `study.data`
FOLDER = "folder:"
# Training and validation images by name.
NUMBERS = {
    "photographs": (3_259, 345),
    "excerpt": (9_453, 1_933),
    "recipe": (8_000, 1_453),
    "cifar": (99_920, 19_977),
    "cifar_all": (100_000, 20_000),
    "codec": (37_812, 1_933),
} | {f"cifar10:{part}": (PART_SIZE, 1_017) for part in PARTS}


def check(data: str) -> None:
    """Raises `StudyError` for a name that is none of NUMBERS and not `folder:PATH`, or that no table can hold."""
    if data not in NUMBERS and (not data.startswith(FOLDER) or data == FOLDER):
        raise StudyError(f"data={data!r} is not a data set; choose one of {', '.join(NUMBERS)}, folder:PATH.")
    if data != data.encode(errors="replace").decode():
        raise StudyError(f"data={data!r} has bytes that are no characters, which no table can hold; rename the folder.")


def image_numbers(data: str) -> tuple[int, int]:
    """How many training and how many validation images a data set has, before any is turned or flipped.

    The pictures of `folder:PATH` are read if they were not before, once a session. Raises `StudyError` for an unknown
    name, and where the folder is missing or has too few pictures.
    """
    data = absolute(data)
    check(data)
    return NUMBERS.get(data) or _of_folder(data.removeprefix(FOLDER))


@lru_cache(maxsize=16)
def _of_folder(path):
    train, validation = folders.read(Path(path))
    return len(train), len(validation)


def absolute(data: str) -> str:
    """The same name, a folder's with its whole path, because jobs and kernels run elsewhere."""
    if not data.startswith(FOLDER) or data == FOLDER:
        return data
    return f"{FOLDER}{Path(os.path.expanduser(data.removeprefix(FOLDER))).absolute()}"
