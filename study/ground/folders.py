"""Folders of one's own pictures: 32x32 tiles to train on and to validate with, kept in a file once they were read."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from study.ground import atomic, images, paths
from study.ground.errors import StudyError, one_line
from study.ground.images import SIDE

MOST = 120_000  # tiles in all, as many as CIFAR-10 and CIFAR-100 have images
RULE = 1  # by which tiles are taken from pictures; with another number every cache is made anew
NAMED = 5  # of the files that were skipped, so many are named


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation images from the pictures in a folder and below it: uint8 (n, 32, 32, 3) each.

    They are the whole tiles of each picture, side by side from its upper left corner; what is left over at its right
    and lower edge is cut off. Pictures are taken as `compress` takes them: upright, in sRGB, on white. They are not
    made smaller, as a codec of one's own is to compress them as they are.

    There are at most MOST tiles, each file with an equal share of them. Of a picture with more tiles than its share so
    many are drawn at random, the same at each reading: one photograph of twelve megapixels has 11,625, and the tiles of
    a few hundred would fill the memory, and take hours to score after each epoch.

    The last tenth of the pictures by name, at least one, is for validation, so that none is on both sides. Pictures
    smaller than a tile and files that do not decode are skipped, which is printed. The tiles are kept in a file of
    `paths.tile_cache()`, which may be deleted, until a file in the folder changes its name, size or date.

    Raises:
        StudyError: there is no such folder, it holds no picture, or fewer than two can be used.
    """
    folder = folder.resolve()
    files = images.image_files(folder)
    cache = paths.tile_cache() / f"{hashlib.sha256(bytes(folder)).hexdigest()[:16]}.npz"
    listing = _listing(folder, files)
    if kept := _kept(cache, listing):
        return kept
    share = max(1, MOST // len(files))
    parts, notes = _pieces(folder, files, lambda picture: _tiles(picture, share))
    if any(len(part) == share for part in parts):
        notes.append(f"Of each picture {share:,} tiles are taken at most, so that there are no more than {MOST:,}.")
    for note in notes:
        print(note.encode(errors="replace").decode(), flush=True)  # a name may have bytes that are no characters
    train, validation = (np.concatenate(side) for side in _sides(parts))
    atomic.write_arrays(cache, {"listing": np.array(listing), "train": train, "validation": validation})
    return train, validation


def crops(folder: Path, count: int, size: int, seed: int) -> np.ndarray:
    """Square crops at random places in the training pictures, uint8 (n, size, size, 3), the same for one seed.

    Each picture in which one fits has an equal number, by which all files together would have `count` or a few more.
    Raises as `read` does.
    """
    folder = folder.resolve()
    files = images.image_files(folder)
    share = math.ceil(count / len(files))

    def cut(picture):
        if min(picture.shape[:2]) < size:
            return np.empty((0, size, size, 3), np.uint8)
        return images.random_crops([picture], share, size, seed)

    parts, _ = _pieces(folder, files, cut)
    return np.concatenate(_sides(parts)[0])


def _listing(folder, files):
    """By which a cache is known to be of the files as they are now."""
    found = [(file.relative_to(folder).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps({"rule": RULE, "most": MOST, "files": found})


def _kept(cache, listing):
    """The images in the cache; None where there is none, where it is of other files, and where it is damaged."""
    if not cache.exists():
        return None
    try:
        with cache.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return (arrays["train"], arrays["validation"]) if str(arrays["listing"]) == listing else None
    except Exception as error:  # a damaged archive raises almost anything
        print(f"{cache} is damaged ({one_line(error)}); the pictures are read anew.", flush=True)
        return None


def _tiles(picture, share):
    tiles = images.tiles(picture, SIDE)
    if len(tiles) <= share:
        return tiles
    return tiles[np.sort(np.random.default_rng(0).choice(len(tiles), share, replace=False))]


def _pieces(folder: Path, files: list[Path], cut: Callable[[np.ndarray], np.ndarray]) -> tuple[list, list[str]]:
    """What `cut` makes of each picture that can be used, read one at a time; and in words, which files are skipped."""
    from tqdm.auto import tqdm  # reads TQDM_DISABLE once, which the command line sets

    parts, small, unreadable, notes = [], [], {}, []
    for file in tqdm(files, desc=folder.name, unit="picture", leave=False):
        name = file.relative_to(folder).as_posix()
        try:
            picture, _ = images.read_picture(file)
        except StudyError as error:
            unreadable[name] = error
            continue
        if min(picture.shape[:2]) < SIDE:
            small.append(name)
        else:
            parts.append(cut(picture))
    if small:
        verbs = (
            "is smaller than {0}x{0} pixels and was" if len(small) == 1 else "are smaller than {0}x{0} pixels and were"
        )
        notes.append(f"{len(small)} of {len(files)} pictures {verbs.format(SIDE)} skipped: {_listed(small)}.")
    if unreadable:
        were = "was" if len(unreadable) == 1 else "were"
        first = next(iter(unreadable.values()))
        notes.append(
            f"{len(unreadable)} of {len(files)} files could not be read as pictures and {were} skipped: "
            f"{_listed(list(unreadable))}. The first: {first}."
        )
    if len(parts) < 2:
        raise StudyError(
            f"{folder} has {'one picture' if parts else 'no picture'} that can be used; expected at least two, as one "
            f"is set aside for validation. Add pictures of at least {SIDE}x{SIDE} pixels. {' '.join(notes)}".rstrip()
        )
    return parts, notes


def _listed(names):
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _sides(parts):
    """Those for training, and the last tenth, at least one, for validation."""
    first = len(parts) - max(1, len(parts) // 10)
    return parts[:first], parts[first:]
