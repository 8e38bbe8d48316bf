"""From a finished run to a file of weights that compresses: shipped with the project, or of one's own pictures."""

from pathlib import Path

import numpy as np

from study import data, training
from study.codec import context_training, weights
from study.engine import keras
from study.ground import data_sets, folders, paths
from study.ground.errors import StudyError
from study.ground.images import random_crops

TILES = 20_000  # of the training images, whose codes are 2x2 cells
CROPS = (600, 144)  # of larger pictures: how many, and pixels a side
BATCH_PIXELS = 2**18


def ship(run, path=None):
    """Rounds a run's weights to half precision, trains the context model of its codes, and writes the file; its path.

    The codes are of the rounded network, as in use: of tiles of its training images, and of crops of larger pictures,
    which are its own for a run on `folder:PATH` and otherwise `data.halved_photographs`. Without a path the file is
    among those that ship with the project.

    Raises:
        StudyError: the run's weights or pictures are not here, a run on one's own pictures is given no path,
            or a path does not end in .npz.
    """
    own = run.data.startswith(data_sets.FOLDER)
    if own and not path:
        raise StudyError(
            f"Run {run.id} was trained on own pictures, and its codec is not to be among those that ship with the "
            "project; name the file of weights to write, which ends in .npz."
        )
    path = Path(path or paths.PRETRAINED / f"{name(run)}.npz")
    if path.suffix != ".npz":
        raise StudyError(f"{path} is no name for a file of weights; choose one that ends in .npz.")
    codec = training.trained_codec(run)
    for weight in codec.weights:
        weight.assign(np.asarray(weight).astype(np.float16).astype(np.float32))
    images = data.load(run.data).train
    groups = [images[data.fixed_order(len(images))[:TILES]], _own_crops(run) if own else _crops(run)]
    # Own pictures may all be smaller than a crop.
    model = context_training.train([_codes(codec, group) for group in groups if len(group)], run.seed)
    options = {name: getattr(run, name) for name in ("cell", "width", "reconstruction", "activation", "priming")}
    weights.save(path, codec, options, model)
    return path


def _crops(run):
    return random_crops(data.halved_photographs(), *CROPS, seed=run.seed)


def _own_crops(run):
    return folders.crops(Path(run.data.removeprefix(data_sets.FOLDER)), *CROPS, seed=run.seed)


def name(run):
    """What a run's codec is called: "lstm", "lstm-full" at the published width, "lstm-one_shot" if not additive."""
    rule = "" if run.reconstruction == "additive" else f"-{run.reconstruction}"
    return f"{run.cell}{'-full' if run.width == 1 else ''}{rule}"


def _codes(codec, images):
    """Bits of images, uint8 (m, h, w, 3), in the n passes that it was trained with: int8 (m, n, h/16, w/16, 32)."""
    size = max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    parts = [images[i : i + size].astype(np.float32) / 255 for i in range(0, len(images), size)]
    encoded = [keras.ops.convert_to_numpy(codec.encode(part)) for part in parts]
    return np.concatenate(encoded).astype(np.int8)
