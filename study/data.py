"""Data sets of 32x32 images, and the batches of a run.

Images stay uint8 until a batch is made of them. Subsets, rotations and flips are indices into the images, never copies.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from study import cifar
from study.engine import keras
from study.ground import data_sets, folders
from study.ground import images as pictures
from study.ground.errors import StudyError
from study.ground.images import SIDE, random_crops, tiles
from study.ground.recipe import PART_SIZE

ORDER_SEED = 0  # of the one fixed order of a data set's images; not a run's seed
SET_ASIDE = 1453  # of the excerpt's training images, to choose the recipe by
CIFAR_10_TEST = 1017  # of the excerpt's validation images, the first, are of CIFAR-10
CROPS = 28_359  # of photographs among the training images of `codec`: three times as many as of CIFAR
AUGMENTATIONS = ("rotation", "flip")

# Whole photographs are on one side only. The JPEG is among the training images, because a codec must not be
# measured on another codec's artefacts.
TRAIN_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
VALIDATION_PHOTOGRAPHS = ("motorcycle_left.png",)

VEHICLES = (0, 1, 8, 9)  # classes of CIFAR-10: airplane, automobile, ship, truck


@dataclass(frozen=True, eq=False)
class DataSet:
    """Training and validation images; as published, CIFAR's share 12."""

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
            digest.update(np.ascontiguousarray(images).data)
        return digest.hexdigest()

    def in_training(self) -> np.ndarray:
        """Which validation images are, to the pixel, training images too: bool (m,)."""
        known = {hashlib.sha256(image.data).digest() for image in np.ascontiguousarray(self.train)}
        validation = np.ascontiguousarray(self.validation)
        return np.array([hashlib.sha256(image.data).digest() in known for image in validation])

    def mean_image(self) -> np.ndarray:
        """The mean training image, float32 (32, 32, 3) in [0, 1]: what a collapsed network answers."""
        return (self.train.mean(axis=0) / 255).astype(np.float32)


def load(name: str) -> DataSet:
    """The data set of that name, read once a session.

    - `photographs`: tiles of photographs that scikit-image ships; needs no download
    - `excerpt`: 9,453 + 1,933 images of CIFAR-10 and CIFAR-100, by index
    - `recipe`: the training images of `excerpt`, 8,000 + 1,453 of them set aside as validation images
    - `cifar`: CIFAR-10 but for 103 images, and CIFAR-100, 99,920 + 19,977 images; 12 of the latter are among the former
    - `cifar_all`: CIFAR-10 and CIFAR-100, 100,000 + 20,000 images
    - `codec`: the training images of `excerpt` and three times as many crops of `halved_photographs`; the validation
      images of `excerpt`
    - `cifar10:PART`: one of `data_sets.PARTS` of the excerpt's CIFAR-10
    - `folder:PATH`: tiles of the pictures in a folder and the folders below it (`study.ground.folders`)

    CIFAR comes from the folder named in the environment variable CIFAR_DIR, else from Keras' download and cache. Raises
    `StudyError` for an unknown name, for data that are missing or not what they should be, and for a failed download.
    """
    return _load(data_sets.absolute(name), os.environ.get("CIFAR_DIR"), os.environ.get("PHOTOS_DIR"))


@lru_cache(maxsize=4)
def _load(name: str, *_folders: str | None) -> DataSet:  # the folders are here to be part of the cache's key
    data_sets.check(name)
    kind, _, detail = name.partition(":")
    train, validation, source = READERS[kind](detail) if detail else READERS[kind]()
    for images in (train, validation):
        images.flags.writeable = False  # the cache hands the same arrays to everyone
    return DataSet(name, train, validation, source)


def _photographs():
    train = np.concatenate([tiles(pictures.read_pixels(shipped(name)), SIDE // 2) for name in TRAIN_PHOTOGRAPHS])
    validation = np.concatenate([tiles(pictures.read_pixels(shipped(name)), SIDE) for name in VALIDATION_PHOTOGRAPHS])
    names = ", ".join(TRAIN_PHOTOGRAPHS), ", ".join(VALIDATION_PHOTOGRAPHS)
    source = "tiles of photographs in scikit-image: {} for training, {} for validation".format(*names)
    return train[fixed_order(len(train))], validation, source  # shuffled: leading subsets mix the photographs


def _excerpt():
    source = "CIFAR excerpt: the leading images of each file of CIFAR-10 and CIFAR-100 (Krizhevsky 2009)"
    return *cifar.read_excerpt(), source


def _recipe():
    images, _ = cifar.read_excerpt()
    images = images[fixed_order(len(images))]
    return images[:-SET_ASIDE], images[-SET_ASIDE:], "CIFAR excerpt, training images alone (Krizhevsky 2009)"


def _codec():
    train, validation = cifar.read_excerpt()
    photographs = halved_photographs()
    train = np.concatenate([train, random_crops(photographs, CROPS, SIDE, ORDER_SEED)])
    source = f"CIFAR excerpt (Krizhevsky 2009) and crops of {len(photographs)} photographs, halved"
    return train, validation, source


def _cifar():
    return *cifar.read_nearly_all(), "CIFAR-10 and CIFAR-100 but for 103 images of CIFAR-10 (Krizhevsky 2009)"


def _cifar_all():
    return *cifar.read_full(), "CIFAR-10 and CIFAR-100 (Krizhevsky 2009), all images"


def _part(part):
    """PART_SIZE training images of CIFAR-10's excerpt, and all its test images as validation images.

    "everything" is drawn at random, the same for all runs; "largest_png" has the images of the largest PNG files, as
    Toderici et al. (2017, sec. 4) train on the tiles that PNG compresses worst.
    """
    (images, labels), (validation, _) = cifar.read_labelled_excerpt()
    order = np.random.default_rng(0).permutation(len(images))
    if part == "vehicles":
        order = order[np.isin(labels[order], VEHICLES)]
    if part.endswith("_png"):
        sizes = np.array([len(pictures.png(images[i])) for i in order])
        order = order[np.argsort(-sizes if part == "largest_png" else sizes, kind="stable")]
    source = f"CIFAR excerpt, CIFAR-10 alone (Krizhevsky 2009): {part.replace('_', ' ')}"
    return images[order[:PART_SIZE]], validation, source


def _folder(path):
    return *folders.read(Path(path)), f"tiles of the pictures in {path}; validation is the last tenth of them by name"


READERS: dict[str, Callable[..., tuple]] = {
    "photographs": _photographs,
    "excerpt": _excerpt,
    "recipe": _recipe,
    "cifar": _cifar,
    "cifar_all": _cifar_all,
    "codec": _codec,
    "cifar10": _part,
    "folder": _folder,
}


def are_vehicles() -> np.ndarray:
    """Which of the validation images of `cifar10:PART` show vehicles: bool (m,)."""
    _, (_, labels) = cifar.read_labelled_excerpt()
    return np.isin(labels, VEHICLES)


def halved_photographs() -> list[np.ndarray]:
    """The training photographs in scikit-image and all in the folder that the environment variable PHOTOS_DIR names.

    Halved, each pixel the mean of 2x2, so that what a JPEG left of its blocks is gone. uint8 (h, w, 3) each. Raises
    `StudyError` where no such folder is named or there.
    """
    if not (folder := os.environ.get("PHOTOS_DIR")):
        raise StudyError(
            "The codec trains on photographs too: name a folder of them in the environment variable PHOTOS_DIR. The "
            "published codecs took the 100 of BSDS500's validation split (paper/model_card.md)"
        )
    paths = [shipped(name) for name in TRAIN_PHOTOGRAPHS] + pictures.image_files(Path(folder))
    return [np.asarray(Image.fromarray(pictures.read_pixels(path)).reduce(2)) for path in paths]


def shipped(name: str) -> Path:
    """Where the photograph of that name is that scikit-image ships."""
    import skimage.data

    # Read in place: skimage.data's own functions may try to download what a release leaves out.
    return Path(skimage.data.__file__).parent / name


def fixed_order(n: int) -> np.ndarray:
    """The one order of n images, the same for every run: int32 (n,)."""
    return np.random.default_rng(ORDER_SEED).permutation(np.arange(n, dtype=np.int32))


def training_index(n: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of n images, and in which of their four versions, are the `size` images of a training set.

    Returns int32 (size,) and uint8 (size,). The order is fixed, so smaller sets are subsets of larger ones;
    every image is used once as it is before any is turned or flipped. Raises `StudyError` for a size outside 1 to 4n.
    """
    if not 1 <= size <= 4 * n:
        raise StudyError(
            f"train_size={size} needs {size:,} images; the data have {n:,} ({4 * n:,} with rotations or flips). "
            f"Choose 1 to {4 * n:,}, or data with more images"
        )
    sequence = np.arange(size)
    return fixed_order(n)[sequence % n], (sequence // n).astype(np.uint8)


def take(images: np.ndarray, index: np.ndarray, versions: np.ndarray, augmentation: str = "rotation") -> np.ndarray:
    """The images at `index`, each in one of its four versions: a new uint8 (len(index), 32, 32, 3).

    Version 0 is the image itself. With "rotation" version k is turned by k quarters, as `numpy.rot90` turns; with
    "flip" 1 is left to right, 2 upside down, and 3 both. Raises `StudyError` for another augmentation.
    """
    _check_augmentation(augmentation)
    batch = images[index]
    pixels = batch.view("V3")[..., 0]  # pixels as units, which NumPy turns in half the time
    for version in (1, 2, 3):
        chosen = versions == version
        if augmentation == "rotation":
            pixels[chosen] = np.rot90(pixels[chosen], version, axes=(1, 2))
        else:
            pixels[chosen] = np.flip(pixels[chosen], axis=((2,), (1,), (1, 2))[version - 1])
    return batch


def _check_augmentation(augmentation):
    if augmentation not in AUGMENTATIONS:
        raise StudyError(f"augmentation={augmentation!r} is not known; expected one of {', '.join(AUGMENTATIONS)}.")


class Batches(keras.utils.PyDataset):
    """The batches of one run, without end: `fit(batches, steps_per_epoch=..., shuffle=False)`.

    Batch i, which is `batches[i]`, is step `first_step + i` of training: images, float32 (batch_size, 32, 32, 3) in
    [0, 1], twice, as input and as target. `steps` of them go through all images once, in an order that depends on the
    seed and on how often that was done before, on every backend, so a run that resumes after n steps, with
    `first_step=n`, sees what it would have seen. The images that do not fill a last batch are left out, others each
    time, because a batch of another size would be compiled again.

    Raises `StudyError` for sizes that the data or each other do not allow.
    """

    # Endless, as `fit` would otherwise shuffle the steps with Python's own generator, and as it calls
    # on_epoch_end once before the first epoch, so that epochs counted here would be wrong by one.
    # One worker, as TensorFlow prefetches by itself and Keras' queue of several may repeat batches.
    num_batches = None

    def __init__(self, images, size, batch_size, seed, first_step=0, augmentation="rotation"):
        super().__init__(workers=1)
        _check_augmentation(augmentation)
        self.index, self.versions = training_index(len(images), size)
        if not 1 <= batch_size <= size:
            raise StudyError(
                f"batch_size={batch_size} does not fit train_size={size}: an epoch would have no full batch. "
                f"Choose a batch_size of 1 to {size} or a larger train_size"
            )
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.first_step, self.augmentation = first_step, augmentation
        self.steps = size // batch_size
        self._shuffled = (-1, np.empty(0, np.int32))  # the last epoch asked for and its order

    def order(self, epoch: int) -> np.ndarray:
        """The order of an epoch, int32 (size,): positions in `index` and `versions`."""
        known, order = self._shuffled
        if known != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            order = rng.permutation(np.arange(len(self.index), dtype=np.int32))
            self._shuffled = (epoch, order)
        return order

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(self.first_step + i, self.steps)
        start = step * self.batch_size
        chosen = self.order(epoch)[start : start + self.batch_size]
        batch = take(self.images, self.index[chosen], self.versions[chosen], self.augmentation)
        images = np.divide(batch, 255, dtype=np.float32)
        # Each in memory of its own: TensorFlow takes over an array's memory as a tensor's, and of one array given twice
        # makes two tensors, of which either may be overwritten by a result (`images - 0.5`) while the other is in use.
        return images, images.copy()
