"""Scores of what a codec makes of images: noise off, pixels rounded to 8 bits, one row an image and pass."""

from functools import cache

import numpy as np
import pandas as pd

from study import metrics
from study.architecture import BPP
from study.data import DataSet
from study.engine import keras

SCORES = ("psnr", "ssim", "ms_ssim", "report_score", "residual_l1")
SCORE_BATCH = 256  # images at a time


def reconstruct(codec: keras.Model, images: np.ndarray) -> np.ndarray:
    """uint8 images (m, h, w, 3) to reconstructions (m, n, h, w, 3) in [0, 1], rounded to 8 bits, as NumPy."""
    parts = [
        codec.predict_on_batch(images[i : i + SCORE_BATCH].astype("float32") / 255)
        for i in range(0, len(images), SCORE_BATCH)
    ]
    return np.asarray(metrics.to_8_bit(np.concatenate(parts)))


def score(images: np.ndarray, reconstructions: np.ndarray) -> pd.DataFrame:
    """Scores of each image and pass.

    Args:
        images: uint8 (m, h, w, 3).
        reconstructions: (m, n, h, w, 3) in [0, 1].

    Returns:
        A table of m n rows: image, bpp and the columns named in SCORES.
    """
    tables = []
    for i in range(0, len(images), SCORE_BATCH):
        x = images[i : i + SCORE_BATCH].astype("float32") / 255
        for t in range(reconstructions.shape[1]):
            y = reconstructions[i : i + SCORE_BATCH, t]
            scores = _scorer().predict_on_batch((x, y))
            tables.append(pd.DataFrame({"image": np.arange(i, i + len(x)), "bpp": BPP * (t + 1)} | scores))
    return pd.concat(tables, ignore_index=True)


class Scorer(keras.Model):
    """All scores in one compiled graph, where SSIM and the report's score share their averages."""

    def call(self, pair):
        return {name: getattr(metrics, name)(*pair) for name in SCORES}


@cache
def _scorer():
    scorer = Scorer()
    scorer.compile(jit_compile=keras.backend.backend() == "jax")
    return scorer


def mean_image_score(images: DataSet, pixels: np.ndarray) -> pd.DataFrame:
    """The scores of answering each of `pixels`, uint8 (m, 32, 32, 3), with the data set's mean training image."""
    mean = np.asarray(metrics.to_8_bit(images.mean_image()))
    return score(pixels, np.broadcast_to(mean, (len(pixels), 1, *mean.shape)))
