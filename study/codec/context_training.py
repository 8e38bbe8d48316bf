"""Training of the context model: logistic regressions with shared, masked 3x3 windows, one per pass.

They are trained in floats and then rounded to whole numbers; what the rounding costs is part of every published rate,
because rates are those of files.
"""

import numpy as np

from study.codec import context_model
from study.engine import keras, ops

LEARNING_RATE = 0.01
EPOCHS = 12
CELLS = 1024  # a batch
DECAY = 1e-4  # of Adam: pulls weights that the bits say little about towards 0


class ContextLogits(keras.layers.Layer):
    """The logit of each bit of a pass, from what its context holds: the float twin of `context_model.ContextModel`.

    Bits (batch, h, w, 32 (1 + EARLIER)), those of the pass first, then those of the passes before it, 0 where there is
    none, to logits (batch, h, w, 32).
    """

    def build(self, input_shape):
        current, own = context_model.context_masks()
        self.current_mask = current.astype("float32")
        self.own_mask = np.moveaxis(own, 0, -1).astype("float32")  # (3, 3, 32, phase), as depthwise kernels are
        phases, channels = len(context_model.PHASES), context_model.CHANNELS
        self.current = self.add_weight(current.shape, "zeros", name="current")
        self.earlier = self.add_weight((3, 3, context_model.EARLIER * channels, channels), "zeros", name="earlier")
        self.own = self.add_weight(self.own_mask.shape, "zeros", name="own")
        self.bias = self.add_weight((phases, channels), "zeros", name="bias")

    def call(self, bits):
        bits, earlier = bits[..., : context_model.CHANNELS], bits[..., context_model.CHANNELS :]
        logits = ops.conv(bits, self.current * self.current_mask, padding="same")
        logits += ops.conv(earlier, self.earlier, padding="same")
        own = ops.depthwise_conv(bits, self.own * self.own_mask, padding="same")
        own = ops.reshape(own, (*ops.shape(bits), len(context_model.PHASES)))
        phase = _phase_map(*ops.shape(bits)[1:3])
        return logits + ops.einsum("bhwcp,hwp->bhwc", own, phase) + ops.einsum("pc,hwp->hwc", self.bias, phase)


def train(codes, seed=0, epochs=EPOCHS):
    """A context model for codes of images like these.

    Args:
        codes: a list of int8 arrays (m, n, h, w, 32), bits of m images of one size; n, the number of passes, is the
            same in all of them.
        seed: of the order of images.
        epochs: how often all images are shown.
    """
    sets = []
    for t in range(codes[0].shape[1]):
        keras.utils.set_random_seed(seed)
        batches = CodeBatches([_contexts(group, t) for group in codes], seed)
        layer = ContextLogits()
        model = keras.Sequential([layer])
        rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * len(batches))
        model.compile(keras.optimizers.AdamW(rate, weight_decay=DECAY), loss=_cross_entropy)
        model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
        sets.append(_whole_numbers(layer))
    stacked = {name: np.stack([weights[name] for weights in sets]) for name in sets[0]}
    return context_model.ContextModel(**stacked, table=context_model.probability_table())


class CodeBatches(keras.utils.PyDataset):
    """Batches of about CELLS cells, each from one group of images, all of which are shown once an epoch."""

    def __init__(self, groups, seed):
        super().__init__(workers=1)
        self.groups, self.rng = groups, np.random.default_rng(seed)
        self.on_epoch_end()
        # Keras takes the shape of all batches from the first two, so these must differ where groups do.
        others = [i for i, (group, _) in enumerate(self.batches) if group != self.batches[0][0]]
        if others:
            self.batches[1], self.batches[others[0]] = self.batches[others[0]], self.batches[1]

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        group, chosen = self.batches[i]
        bits = self.groups[group][chosen].astype("float32")
        return bits, bits[..., : context_model.CHANNELS]

    def on_epoch_end(self):
        self.batches = []
        for i, group in enumerate(self.groups):
            size = min(len(group), max(1, CELLS // (group.shape[1] * group.shape[2])))
            order = self.rng.permutation(len(group))[: len(group) // size * size]
            self.batches += [(i, part) for part in order.reshape(-1, size)]
        self.rng.shuffle(self.batches)


def _contexts(codes, t):
    """The bits of pass t and of those before it side by side: int8 (m, h, w, 32 (1 + EARLIER))."""
    none = np.zeros_like(codes[:, 0])
    return np.concatenate(
        [codes[:, i] if i >= 0 else none for i in range(t, t - 1 - context_model.EARLIER, -1)], axis=-1
    )


def _cross_entropy(bits, logits):
    """Bits a bit, of the probability that a table of integers gives: never nearer to 0 or 1 than SURE."""
    return ops.mean(ops.softplus(-bits * logits), axis=(1, 2, 3)) / np.log(2)


def _whole_numbers(layer):
    """The weights in units of 1 / UNIT, as `ContextModel` has them, without the axis of passes."""
    earlier = np.asarray(layer.earlier).reshape(
        3, 3, context_model.EARLIER, context_model.CHANNELS, context_model.CHANNELS
    )
    weights = {
        "current": np.asarray(layer.current) * layer.current_mask,
        "earlier": np.moveaxis(earlier, 2, 0),
        "own": np.moveaxis(np.asarray(layer.own) * layer.own_mask, -1, 0),
        "bias": np.asarray(layer.bias),
    }
    largest = context_model.LARGEST
    return {
        name: np.clip(np.round(array * context_model.UNIT), -largest, largest).astype(np.int16)
        for name, array in weights.items()
    }


def _phase_map(height, width):
    """1 where a cell is of a phase, else 0: float32 (h, w, 4)."""
    rows, columns = ops.arange(height)[:, None] % 2, ops.arange(width) % 2
    return ops.stack([ops.cast((rows == r) & (columns == c), "float32") for r, c in context_model.PHASES], axis=-1)
