"""Parts of CIFAR-10's excerpt, as many images each: what training on some pictures does to a codec (notebook 09).

The report wonders about codecs trained on one kind of picture; T17 (sec. 4) trains on the tiles that PNG compresses
worst. A part has a few images less than there are vehicles.
"""

import numpy as np

from study import baselines, cifar
from study.presets import PART_SIZE

VEHICLES = (0, 1, 8, 9)  # classes: airplane, automobile, ship, truck
PARTS = ("everything", "vehicles", "largest_png", "smallest_png")


def read(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Training images of a part, uint8 (PART_SIZE, 32, 32, 3), and the validation images of all: CIFAR-10's test set.

    "everything" is drawn at random, the same for all runs; "largest_png" has the images of the largest PNG files.
    """
    if part not in PARTS:
        raise ValueError(f"part={part!r} is not known; choose one of {', '.join(PARTS)}.")
    (images, labels), (validation, _) = cifar.read_labelled_excerpt()
    order = np.random.default_rng(0).permutation(len(images))
    if part == "vehicles":
        order = order[np.isin(labels[order], VEHICLES)]
    if part.endswith("_png"):
        sizes = np.array([len(baselines.png(images[i])) for i in order])
        order = order[np.argsort(-sizes if part == "largest_png" else sizes, kind="stable")]
    return images[order[:PART_SIZE]], validation


def are_vehicles() -> np.ndarray:
    """Which of the validation images show vehicles: bool (m,)."""
    _, (_, labels) = cifar.read_labelled_excerpt()
    return np.isin(labels, VEHICLES)
