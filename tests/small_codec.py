"""A small codec with a context model, untrained: enough for whatever does not depend on quality."""

from functools import cache

import keras
import numpy as np

from study.codec import context_model
from study.codec.weights import Pretrained
from study.model import build_codec

OPTIONS = {"cell": "lstm", "width": 1 / 16, "reconstruction": "additive"}


def random_context_model(passes=16, largest=12, seed=0):
    """A context model with random weights of a size that leaves probabilities on both sides."""
    rng = np.random.default_rng(seed)
    current, own = context_model.context_masks()

    def whole(*shape):
        return rng.integers(-largest, largest + 1, (passes, *shape))

    channels, phases = context_model.CHANNELS, len(context_model.PHASES)
    return context_model.ContextModel(
        current=(whole(3, 3, channels, channels) * current).astype(np.int16),
        earlier=whole(context_model.EARLIER, 3, 3, channels, channels).astype(np.int16),
        own=(whole(phases, 3, 3, channels) * own).astype(np.int16),
        bias=whole(phases, channels).astype(np.int16),
        table=context_model.probability_table(),
    )


@cache
def small_codec():
    """Built once: its weights do not change."""
    keras.utils.set_random_seed(0)
    return Pretrained("small", b"abc", build_codec(**OPTIONS), random_context_model())


def random_bits(height, width, seed=0):
    """int8 (h, w, 32), each -1 or +1."""
    rng = np.random.default_rng(seed)
    return (2 * rng.integers(0, 2, (height, width, context_model.CHANNELS)) - 1).astype(np.int8)
