"""Data sets of 32x32 images.

Images stay uint8 until `study.batches` makes a batch of them.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from study import cifar, files, subsets

SIDE = 32  # pixels on a side of every training and validation image
ORDER_SEED = 0  # of the one fixed order of a data set's images; not a run's seed
SET_ASIDE = 1453  # of the excerpt's training images, to choose the recipe by
CIFAR_10_TEST = 1017  # of the excerpt's validation images, the first, are of CIFAR-10
CROPS = 28_359  # of photographs among the training images of `codec`: three times as many as of CIFAR
NAMES = '"photographs", "excerpt", "recipe", "cifar", "codec", "cifar10:PART" or "folder:PATH"'

# Whole photographs are on one side only. The JPEG is among the training images, because a codec must not be
# measured on another codec's artefacts.
TRAIN_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
VALIDATION_PHOTOGRAPHS = ("motorcycle_left.png",)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Training and validation images, which share no image."""

    name: str
    train: np.ndarray  # uint8 (n, 32, 32, 3), read-only
    validation: np.ndarray  # uint8 (m, 32, 32, 3), read-only: the data set's own test images, all of them
    source: str  # in words: where the pixels came from

    def fingerprint(self) -> str:
        """sha256, in hex, over the training and then the validation images.

        Of each, the shape as text, such as `(9453, 32, 32, 3)`, and then the pixels' bytes, row by row.
        """
        digest = hashlib.sha256()
        for images in (self.train, self.validation):
            digest.update(str(images.shape).encode())
            digest.update(np.ascontiguousarray(images))
        return digest.hexdigest()

    def mean_image(self) -> np.ndarray:
        """The mean training image, float32 (32, 32, 3) in [0, 1]: what a collapsed network answers."""
        return (self.train.mean(axis=0) / 255).astype(np.float32)


def load(name: str) -> DataSet:
    """The data set of that name, read once a session.

    - `photographs`: tiles of photographs that scikit-image ships; needs no download
    - `excerpt`: 9,453 + 1,933 images of CIFAR-10 and CIFAR-100, by index
    - `recipe`: the training images of `excerpt`, 8,000 + 1,453 of them set aside as validation images
    - `cifar`: CIFAR-10 and CIFAR-100 joined, 100,000 + 20,000 images
    - `codec`: the training images of `excerpt` and three times as many crops of `halved_photographs`; the validation
      images of `excerpt`
    - `cifar10:PART`: one of `study.subsets.PARTS` of the excerpt's CIFAR-10
    - `folder:PATH`: tiles of the images in a folder and the folders below it

    CIFAR comes from the folder named in the environment variable CIFAR_DIR, else from Keras' download and
    cache. Raises `ValueError` for an unknown name and for data that are not what they should be,
    `FileNotFoundError` for missing ones, `ConnectionError` where the download fails.
    """
    return _load(name, os.environ.get("CIFAR_DIR"), os.environ.get("PHOTOS_DIR"))


@lru_cache(maxsize=4)
def _load(name: str, *_folders: str | None) -> DataSet:  # the folders are here to be part of the cache's key
    kind, _, path = name.partition(":")
    if name == "photographs":
        train, validation = _photographs()
        names = ", ".join(TRAIN_PHOTOGRAPHS), ", ".join(VALIDATION_PHOTOGRAPHS)
        source = "tiles of photographs in scikit-image: {} for training, {} for validation".format(*names)
    elif name == "excerpt":
        train, validation = cifar.read_excerpt()
        source = "CIFAR excerpt: the leading images of each file of CIFAR-10 and CIFAR-100 (Krizhevsky 2009)"
    elif name == "recipe":
        images, _ = cifar.read_excerpt()
        images = images[fixed_order(len(images))]
        train, validation = images[:-SET_ASIDE], images[-SET_ASIDE:]
        source = "CIFAR excerpt, training images alone (Krizhevsky 2009)"
    elif name == "codec":
        train, validation = cifar.read_excerpt()
        photographs = halved_photographs()
        train = np.concatenate([train, random_crops(photographs, CROPS, SIDE, ORDER_SEED)])
        source = f"CIFAR excerpt (Krizhevsky 2009) and crops of {len(photographs)} photographs, halved"
    elif kind == "cifar10":
        train, validation = subsets.read(path)
        source = f"CIFAR excerpt, CIFAR-10 alone (Krizhevsky 2009): {path.replace('_', ' ')}"
    elif name == "cifar":
        train, validation = cifar.read_full()
        source = "CIFAR-10 and CIFAR-100 (Krizhevsky 2009), all images"
    elif kind == "folder" and path:
        train, validation = _folder_tiles(Path(path).expanduser())
        source = f"tiles of the images in {path}; validation is the last tenth of its files by name"
    else:
        raise ValueError(f"data={name!r} is not a data set; choose {NAMES}")
    for images in (train, validation):
        images.flags.writeable = False  # the cache hands the same arrays to everyone
    return DataSet(name, train, validation, source)


def tiles(photograph: np.ndarray, stride: int) -> np.ndarray:
    """All whole 32x32 tiles whose corners are `stride` pixels apart, row by row: uint8 (n, 32, 32, 3)."""
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (SIDE, SIDE), axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride], 2, -1).reshape(-1, SIDE, SIDE, 3)


def random_crops(photographs: Sequence[np.ndarray], count: int, size: int, seed: int) -> np.ndarray:
    """Square crops from photographs drawn at random, uint8 (count, size, size, 3), the same for one seed.

    Raises `ValueError` where a photograph is smaller than a crop.
    """
    smallest = min((side for photograph in photographs for side in photograph.shape[:2]), default=0)
    if smallest < size:
        raise ValueError(
            f"size={size} does not fit into {len(photographs)} photographs whose shortest side is {smallest} "
            "pixels; choose smaller crops or larger photographs"
        )
    rng = np.random.default_rng(seed)
    crops = np.empty((count, size, size, 3), np.uint8)
    for crop in crops:
        photograph = photographs[rng.integers(len(photographs))]
        top, left = (rng.integers(side - size + 1) for side in photograph.shape[:2])
        crop[...] = photograph[top : top + size, left : left + size]
    return crops


def halved_photographs() -> list[np.ndarray]:
    """The training photographs in scikit-image and all in the folder that the environment variable PHOTOS_DIR names.

    Halved, each pixel the mean of 2x2, so that what a JPEG left of its blocks is gone. uint8 (h, w, 3) each. Raises
    `FileNotFoundError` where no such folder is named or there.
    """
    if not (folder := os.environ.get("PHOTOS_DIR")):
        raise FileNotFoundError(
            "The codec trains on photographs too: name a folder of them in the environment variable PHOTOS_DIR. The "
            "published codecs took the 100 of BSDS500's validation split (paper/model_card.md)"
        )
    paths = [shipped(name) for name in TRAIN_PHOTOGRAPHS] + files.image_files(Path(folder).expanduser())
    return [np.asarray(Image.fromarray(files.read_pixels(path)).reduce(2)) for path in paths]


def shipped(name: str) -> Path:
    """Where the photograph of that name is that scikit-image ships."""
    import skimage.data

    # Read in place: skimage.data's own functions may try to download what a release leaves out.
    return Path(skimage.data.__file__).parent / name


def _photographs() -> tuple[np.ndarray, np.ndarray]:
    train = np.concatenate([tiles(files.read_pixels(shipped(name)), SIDE // 2) for name in TRAIN_PHOTOGRAPHS])
    validation = np.concatenate([tiles(files.read_pixels(shipped(name)), SIDE) for name in VALIDATION_PHOTOGRAPHS])
    return train[fixed_order(len(train))], validation  # shuffled: leading subsets mix the photographs


def _folder_tiles(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    paths = files.image_files(folder)
    if len(paths) < 2:
        raise ValueError(f"{folder} holds one image; it takes two, as one is set aside for validation")
    parts = []
    for path in paths:
        image = files.read_pixels(path)
        if min(image.shape[:2]) < SIDE:
            height, width = image.shape[:2]
            raise ValueError(f"{path} is {width}x{height} pixels, under {SIDE} on a side; remove it")
        parts.append(tiles(image, SIDE))
    first = len(parts) - max(1, len(parts) // 10)
    return np.concatenate(parts[:first]), np.concatenate(parts[first:])


def fixed_order(n: int) -> np.ndarray:
    """The one order of n images, the same for every run: int32 (n,)."""
    return np.random.default_rng(ORDER_SEED).permutation(np.arange(n, dtype=np.int32))
