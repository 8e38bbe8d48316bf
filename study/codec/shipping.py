"""From a finished run of the study `codec` to a file of weights that ships with the project."""

import numpy as np

from study import data, training
from study.codec import context_training, weights
from study.engine import keras
from study.ground import paths

TILES = 20_000  # of the training images, whose codes are 2x2 cells
CROPS = (600, 144)  # of the halved photographs: how many, and pixels a side
BATCH_PIXELS = 2**18


def ship(run, path=None):
    """Rounds a run's weights to half precision, trains the context model of its codes, and writes the file; its path.

    The codes are of the rounded network, as in use, and of training images alone. Without a path the file is among
    those that ship with the project.
    """
    codec = training.trained_codec(run)
    for weight in codec.weights:
        weight.assign(np.asarray(weight).astype(np.float16).astype(np.float32))
    images = data.load(run.data).train
    tiles = images[data.fixed_order(len(images))[:TILES]]
    crops = data.random_crops(data.halved_photographs(), *CROPS, seed=run.seed)
    model = context_training.train([_codes(codec, tiles), _codes(codec, crops)], run.seed)
    options = {name: getattr(run, name) for name in ("cell", "width", "reconstruction", "activation", "priming")}
    path = path or paths.PRETRAINED / f"{name(run)}.npz"
    weights.save(path, codec, options, model)
    return path


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
