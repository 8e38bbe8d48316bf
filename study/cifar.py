"""CIFAR-10 and CIFAR-100 from their original pickles, which are checked before they are trusted.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import hashlib
import os
import pickle
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from study.ground import atomic, locks
from study.ground.errors import StudyError, one_line

# The md5 sums are those that the authors publish for the original files, as torchvision lists them. Beside
# each stands how many of the file's leading images belong to the excerpt.
TRAIN_FILES = {
    "cifar-10-batches-py/data_batch_1": ("c99cafc152244af753f735de768cd75f", 4000),
    "cifar-10-batches-py/data_batch_2": ("d4bba439e000b95fd0a9bffe97cbabec", 1017),
    "cifar-10-batches-py/data_batch_3": ("54ebc095f3ab1f0389bbae665268c751", 1017),
    "cifar-10-batches-py/data_batch_4": ("634d18415352ddfa80567beed471001a", 1285),
    "cifar-10-batches-py/data_batch_5": ("482c414d41f54cd18b22e5b47cb7c3cb", 1017),
    "cifar-100-python/train": ("16019d7e3df5f24257cddd939b257f8d", 1117),
}
TEST_FILES = {
    "cifar-10-batches-py/test_batch": ("40351d587109b95175f43aff81a1287e", 1017),
    "cifar-100-python/test": ("f0ef6b0ae62326f3e7ffdfab6717acfc", 916),
}
# How many images each file has.
IMAGES = dict.fromkeys((*TRAIN_FILES, *TEST_FILES), 10_000) | {"cifar-100-python/train": 50_000}
# sha256 of the excerpt's pixels as stored, uint8 (n, 3072), file after file in the order above.
EXCERPT_TRAIN = "4be24fb26b4e90ba4fc4088b9793056c4eaa7b554fff066b2c54f80637bda2db"
EXCERPT_TEST = "933765390be9338266181ee6b7661193e855d11f8a4d5d3e88bb4d4da6466a20"

# Nearly all of CIFAR: without these images of CIFAR-10, counted through data_batch_1 to 5 and within test_batch, of
# which a copy that other copies confirm was not to be had. Ships but for six horses.
MISSING_TRAIN = (
    *(4298, 5949, 7066, 7237, 7248, 7630, 8006, 8831, 8968, 9415, 11027, 12762, 12834, 13546, 21493, 25728, 26098),
    *(26927, 27621, 28435, 28670, 28728, 29694, 29747, 31367, 31462, 31625, 31663, 32777, 33446, 33641, 33661, 34067),
    *(34276, 34387, 34471, 34825, 35160, 35646, 36733, 37329, 37474, 37567, 38089, 38384, 38925, 39069, 39358, 39385),
    *(39613, 39840, 39888, 39971, 41761, 41779, 42004, 42389, 42611, 43357, 43883, 44420, 44882, 45168, 45240, 46175),
    *(46435, 46538, 46624, 47393, 47597, 48081, 48124, 48333, 48821, 48836, 49321, 49429, 49631, 49830, 49857),
)
MISSING_TEST = (
    *(1259, 1369, 1422, 1556, 2245, 2737, 2935, 3630, 3695, 3718, 4085, 4496, 5791, 5896, 6286, 7580, 7707, 7724, 7832),
    *(8117, 8541, 8551, 9254),
)
# sha256 of the others' pixels as stored, CIFAR-10 in file order and then CIFAR-100.
NEARLY_ALL_TRAIN = "dcd0e8b41f7dc9dd4b1d7302ba1be4e84a773bcab9010ce63276d7a14cfdb41c"
NEARLY_ALL_TEST = "a4c1ecc63a095f979f93ab55b140572a32b349418776cf670a68bc106d65af1c"

# Name in Keras' cache, origin and sha256 are those of `keras.datasets`, so that one download serves both.
ARCHIVES = {
    "cifar-10-batches-py": (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "cifar-100-python": (
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
}
REMEDY = (
    "Unpack cifar-10-python.tar.gz and cifar-100-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html into "
    "one folder and name it in CIFAR_DIR, or unset CIFAR_DIR and let Keras download them."
)
ARRAY_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # how Python 3 writes bytes at protocol 2
}


def read_full() -> tuple[np.ndarray, np.ndarray]:
    """All of CIFAR-10, then all of CIFAR-100: uint8 (100000, 32, 32, 3) for training, (20000, ...) for test.

    Raises `StudyError` where a file is missing, the download fails or a file is not the original, which is seen before
    anything is unpickled.
    """
    train = [_read(file, md5=md5) for file, (md5, _) in TRAIN_FILES.items()]
    test = [_read(file, md5=md5) for file, (md5, _) in TEST_FILES.items()]
    return _as_images(np.concatenate(train)), _as_images(np.concatenate(test))


def read_nearly_all() -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 without 103 images, then CIFAR-100: uint8 (99920, 32, 32, 3) for training, (19977, ...) for test.

    Full archives, and a folder in which those 103 images have any pixels, give the same arrays. Errors as in
    `read_excerpt`.
    """
    return (
        _whole_files(TRAIN_FILES, MISSING_TRAIN, NEARLY_ALL_TRAIN),
        _whole_files(TEST_FILES, MISSING_TEST, NEARLY_ALL_TEST),
    )


def _whole_files(files, missing, expected):
    """All images of some files without the missing ones, read file after file, so that they are in memory once."""
    images = np.empty((sum(IMAGES[file] for file in files) - len(missing), 32, 32, 3), np.uint8)
    digest, first, filled = hashlib.sha256(), 0, 0
    for file in files:
        pixels = _leading(file, IMAGES[file])
        kept = np.delete(pixels, [i - first for i in missing if first <= i < first + len(pixels)], axis=0)
        digest.update(kept.data)
        images[filled : filled + len(kept)] = kept.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        first, filled = first + len(pixels), filled + len(kept)
    _check_pixels("CIFAR-10 without 103 images, and CIFAR-100", digest, expected)
    return images


def read_excerpt() -> tuple[np.ndarray, np.ndarray]:
    """The leading images of each file: uint8 (9453, 32, 32, 3) for training and (1933, 32, 32, 3) for test.

    A full archive and a folder that holds these images only give the same arrays. Errors as in `read_full`,
    and where a file has fewer images or other pixels than the excerpt.
    """
    train = np.concatenate([_leading(file, count) for file, (_, count) in TRAIN_FILES.items()])
    test = np.concatenate([_leading(file, count) for file, (_, count) in TEST_FILES.items()])
    _check_pixels("the training images of the CIFAR excerpt", hashlib.sha256(train.data), EXCERPT_TRAIN)
    _check_pixels("the test images of the CIFAR excerpt", hashlib.sha256(test.data), EXCERPT_TEST)
    return _as_images(train), _as_images(test)


def _check_pixels(what, digest, expected):
    if digest.hexdigest() != expected:
        raise StudyError(
            f"The images read for {what} are not the published ones: the sha256 of their pixels is "
            f"{digest.hexdigest()}, expected {expected}. {REMEDY}"
        )


def read_labelled_excerpt() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """CIFAR-10's part of the excerpt, training and test: images as in `read_excerpt`, and their classes.

    uint8 (8336, 32, 32, 3) with int64 (8336,), and (1017, ...). Classes are CIFAR-10's, from 0, airplane, to 9, truck.
    Errors as in `read_excerpt`, and where a file has no classes.
    """
    train, test = read_excerpt()
    return _labelled(train, TRAIN_FILES), _labelled(test, TEST_FILES)


def _labelled(images, files):
    """Those of the excerpt's images that are of CIFAR-10, which come first, and their classes."""
    of_cifar_10 = {file: count for file, (_, count) in files.items() if file.startswith("cifar-10-")}
    labels = np.concatenate([_labels(file)[:count] for file, count in of_cifar_10.items()])
    return images[: len(labels)], labels


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of plain values and NumPy arrays, and refuses whatever else could run code."""

    def find_class(self, module, name):
        if (module, name) not in ARRAY_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return super().find_class(module, name)


def read_pixels(path: Path, md5: str | None = None) -> np.ndarray:
    """The pixels of one CIFAR file as stored: uint8 (n, 3072), 1,024 red, green and blue values, row by row.

    Given an md5, the file must have it, or `StudyError` is raised before it is unpickled. It is also raised where the
    file is missing or damaged, asks for more than arrays or is no CIFAR file.
    """
    content = _content(path, md5)
    pixels = content.get(b"data") if isinstance(content, dict) else None
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise StudyError(f'{path} is no CIFAR file: it has no b"data" of uint8 (n, 3072). {REMEDY}')
    return pixels


def _content(path, md5=None):
    if not path.is_file():
        raise StudyError(f"{path} is missing. {REMEDY}")
    with open(path, "rb") as file:
        if md5:
            _check_md5(path, file, md5)
        try:
            return ArrayUnpickler(file, encoding="bytes").load()
        except Exception as error:  # a damaged pickle raises almost anything
            raise StudyError(f"{path} could not be read as a CIFAR file: {one_line(error)}. {REMEDY}") from error


def _check_md5(path, file, expected):
    found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        raise StudyError(
            f"{path} is damaged, or not the original file: its md5 is {found}, expected {expected}. {REMEDY} "
            'For a folder that holds only the excerpt, choose the data "excerpt".'
        )
    file.seek(0)


def _path(file: str) -> Path:
    folder = os.environ.get("CIFAR_DIR")
    root = Path(folder) if folder else _download(file.split("/")[0])
    return root / file


def _read(file: str, md5: str | None = None) -> np.ndarray:
    return read_pixels(_path(file), md5)


def _labels(file: str) -> np.ndarray:
    labels = np.asarray(_content(_path(file)).get(b"labels", ()))
    if labels.ndim != 1 or labels.dtype.kind != "i" or not set(labels) <= set(range(10)):
        raise StudyError(f'{file} has no b"labels" from 0 to 9. {REMEDY}')
    return labels


def _leading(file: str, count: int) -> np.ndarray:
    pixels = _read(file)
    if len(pixels) < count:
        raise StudyError(f"{file} holds {len(pixels):,} images, but the data set takes its first {count:,}. {REMEDY}")
    return pixels[:count]


def _download(archive: str) -> Path:
    """A folder in Keras' cache that holds this archive's folder: downloaded and unpacked once, by one process."""
    origin, sha256 = ARCHIVES[archive]
    cache = Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras"))
    # Apart from where Keras unpacks it for others, each time that they ask, over what is being read.
    folder = cache / "datasets" / "study"
    try:
        with locks.held(cache / "datasets" / f"{archive}.study.lock"):
            if not (folder / archive).is_dir():
                _unpack(_fetched(archive, origin, sha256, cache), folder, archive)
    except Exception as error:  # Keras raises a bare Exception where the network fails
        raise StudyError(
            f"{origin} could not be downloaded and unpacked into {cache} ({one_line(error)}), and CIFAR_DIR is not "
            "set. Connect, or unpack both archives elsewhere and name their folder in CIFAR_DIR; the data "
            '"photographs" need no download.'
        ) from error
    return folder


def _fetched(archive, origin, sha256, cache):
    from study.engine import keras

    return keras.utils.get_file(f"{archive}-target_archive", origin, file_hash=sha256, cache_dir=cache)


def _unpack(packed, folder, archive):
    """Puts an archive's folder, whole and synced, into `folder`."""
    atomic.make_folder(folder)
    for left in folder.glob(".unpack-*"):  # by a process that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpack-") as part, tarfile.open(packed) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:  # None for a folder
                atomic.write(Path(part, member.name), file.read())
        os.replace(Path(part, archive), folder / archive)


def _as_images(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
