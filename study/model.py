"""The recurrent codec of Toderici et al. 2017 (T17, arXiv 1608.05148): encoder, binarizer, decoder, passes.

    r_t ─ conv /2 ─ cell /2 ─ cell /2 ─ cell /2 ─ 1x1 conv, tanh, binarize ─▶ bits, 32 for each 16x16 pixels
                                                                                 │
    x̂_t ◀─ conv, tanh/2 ◀─ (cell, depth-to-space) x 4 ◀─ 1x1 conv ◀─────────────┘

    additive:  x̂_t = D(b_t) + x̂_(t-1)        one-shot:  x̂_t = D(b_t)        both:  r_t = x - x̂_t,  r_0 = x

Weights are shared by all passes; states are carried from one to the next. The binarizer has no state.
"""

from functools import partial

import keras
from keras import ops

from study.layers import Binarizer, ConvGRU, ConvLSTM
from study.presets import GAIN, OUTPUT_GAINS

CELLS = {"lstm": ConvLSTM, "gru": ConvGRU}
RECONSTRUCTIONS = ("additive", "one_shot")
ACTIVATIONS = ("linear", "leaky_relu")
MAX_ITERATIONS = 16
BITS = 32  # for each cell of the code; T17, table in sec. 2
STRIDE = 16  # pixels on a side of the block that one cell of the code stands for
BPP = BITS / STRIDE**2  # bits a pixel of one pass: 1/8

# T17, Fig. 1: channels, kernel, hidden kernel. The encoder's each halve the resolution, the decoder's each double it.
ENCODER = ((256, 3, 1), (512, 3, 1), (512, 3, 1))
DECODER = ((512, 2, 1), (512, 3, 1), (256, 3, 3), (128, 3, 3))


class Codec(keras.Model):
    """Encoder, binarizer and decoder with shared weights, for any number of passes and any image size.

    Made by `build_codec`. Pixels are in [0, 1] outside and in [-0.5, 0.5] inside. Sizes that are no multiple of 16 are
    padded by repeating the last row and column, and cropped back.
    """

    def __init__(self, cell, width, reconstruction, activation, iterations, gain, policy, seed):
        super().__init__(name="codec", dtype=policy, autocast=False)  # images come in as they are
        make, conv = partial(CELLS[cell], dtype=policy), partial(keras.layers.Conv2D, dtype=policy)
        self.additive = reconstruction == "additive"
        self.iterations = iterations
        self.activation = (
            keras.layers.LeakyReLU(0.01, dtype=policy)
            if activation == "leaky_relu"
            else keras.layers.Identity(dtype=policy)
        )

        def channels(full):
            return round(full * width)

        self.encoder_conv = conv(channels(64), 3, 2, "same", name="encoder_conv")
        self.encoder_cells = [
            make(channels(n), k, u, strides=2, name=f"encoder_rnn_{i}") for i, (n, k, u) in enumerate(ENCODER, 1)
        ]
        self.binarizer = Binarizer(BITS, gain=gain, seed=seed, dtype=policy, name="binarizer")
        self.decoder_conv = conv(channels(512), 1, name="decoder_conv")
        self.decoder_cells = [
            make(channels(n), k, u, name=f"decoder_rnn_{i}") for i, (n, k, u) in enumerate(DECODER, 1)
        ]
        larger = keras.initializers.VarianceScaling(
            OUTPUT_GAINS[cell] ** 2, "fan_avg", "uniform"
        )  # than the usual, Glorot's
        self.output_conv = conv(3, 1, activation="tanh", kernel_initializer=larger, name="output_conv")

    def build(self, input_shape=None):
        """Makes every variable now, those that only a second pass uses too; `input_shape` changes nothing."""
        depth = 3
        for layer in (self.encoder_conv, *self.encoder_cells):
            layer.build((None, None, None, depth))
            depth = layer.filters
        self.binarizer.build((None, None, None, depth))
        self.decoder_conv.build((None, None, None, BITS))
        depth = self.decoder_conv.filters
        for cell in self.decoder_cells:
            cell.build((None, None, None, depth))
            depth = cell.filters // 4  # depth-to-space
        self.output_conv.build((None, None, None, depth))
        self.built = True

    def train_one_pass_only(self):
        """Leaves out of training what only a later pass uses: in one pass it meets nothing and has no gradient."""
        for cell in self.encoder_cells + self.decoder_cells:
            for weight in cell.later_weights:
                weight.trainable = False

    def call(self, images, iterations=None, training=False):
        """Images (batch, h, w, 3) in [0, 1] to their reconstructions (batch, n, h, w, 3) after each of n passes.

        The result is in [0, 1], clipped; in training it is not clipped, because a clipped pixel has no gradient.

        Raises:
            ValueError: n is not from 1 to 16, or the images are integers.
        """
        _, reconstructions = self._passes(images, iterations, training)
        height, width = images.shape[1:3]
        return _to_unit_range(reconstructions[:, :, :height, :width], training)

    def encode(self, images, iterations=None):
        """Images (batch, h, w, 3) in [0, 1] to bits (batch, n, ceil(h/16), ceil(w/16), 32), each -1 or +1."""
        bits, _ = self._passes(images, iterations, training=False)
        return bits

    def decode(self, bits):
        """Bits (batch, n, h/16, w/16, 32) to reconstructions (batch, n, h, w, 3) in [0, 1] after each pass.

        The height and width are those of the padded image, multiples of 16: the bits do not hold the true ones.
        """
        reconstruction, state, result = 0.0, None, []
        for t in range(bits.shape[1]):
            code = ops.cast(bits[:, t], self.compute_dtype)
            reconstruction, state = self._decode_pass(code, reconstruction, state)
            result.append(reconstruction)
        return _to_unit_range(ops.stack(result, axis=1), training=False)

    def _passes(self, images, iterations, training):
        n = self.iterations if iterations is None else iterations
        if not 1 <= n <= MAX_ITERATIONS:
            raise ValueError(f"iterations={n}: the codec runs from 1 to {MAX_ITERATIONS} passes; ask for one of those.")
        if "float" not in keras.backend.standardize_dtype(images.dtype):
            raise ValueError(f"The images are {images.dtype}, not floats in [0, 1]; divide 8-bit images by 255.")
        target = _pad(ops.cast(images, "float32")) - 0.5  # what passes add up is in full precision
        residual, reconstruction, encoder_state, decoder_state = target, 0.0, None, None
        all_bits, reconstructions = [], []
        for _ in range(n):
            bits, encoder_state = self._encode_pass(residual, encoder_state, training)
            reconstruction, decoder_state = self._decode_pass(bits, reconstruction, decoder_state)
            residual = target - reconstruction
            all_bits.append(bits)
            reconstructions.append(reconstruction)
        return ops.stack(all_bits, axis=1), ops.stack(reconstructions, axis=1)

    def _encode_pass(self, residual, state, training):
        x = self.activation(self.encoder_conv(ops.cast(residual, self.compute_dtype)))
        new_state = []
        for cell, cell_state in zip(self.encoder_cells, state or [None] * len(ENCODER), strict=True):
            h, cell_state = cell(x, cell_state)
            x = self.activation(h)
            new_state.append(cell_state)
        return self.binarizer(x, training=training), new_state

    def _decode_pass(self, bits, reconstruction, state):
        x = self.activation(self.decoder_conv(bits))
        new_state = []
        for cell, cell_state in zip(self.decoder_cells, state or [None] * len(DECODER), strict=True):
            h, cell_state = cell(x, cell_state)
            x = ops.depth_to_space(self.activation(h), 2)
            new_state.append(cell_state)
        decoded = ops.cast(self.output_conv(x), "float32") / 2
        return decoded + reconstruction if self.additive else decoded, new_state


def build_codec(
    cell="lstm",
    width=1.0,
    reconstruction="additive",
    activation="linear",
    iterations=1,
    gain=GAIN,
    policy="float32",
    seed=0,
):
    """A codec with all its variables made.

    Args:
        cell: the recurrent cell, "lstm" or "gru".
        width: factor on every number of channels but the code's 32: a multiple of 1/32. 1.0 is T17's network:
            30,225,283 parameters with one bias a gate and a convolution, whatever the number of passes; 22,677,763 with
            GRUs.
        reconstruction: "additive" or "one_shot" (T17 sec. 2.2 and 2.4).
        activation: on the output of every layer but the binarizer and the last: "linear" as in T17, or "leaky_relu"
            with a slope of 0.01, the report's.
        iterations: passes where a call does not say.
        gain: of the binarizer's first weights, see `study.presets.GAIN`.
        policy: Keras' dtype policy, such as "mixed_bfloat16"; see `study.precision`.
        seed: of the binarizer's noise; the weights' is that of `keras.utils.set_random_seed`.

    Raises:
        ValueError: a name that is not listed, or a width that leaves a fraction of a channel.
    """
    _expect("cell", cell, CELLS)
    _expect("reconstruction", reconstruction, RECONSTRUCTIONS)
    _expect("activation", activation, ACTIVATIONS)
    if width <= 0 or (32 * width) % 1:
        raise ValueError(f"width={width}: expected a multiple of 1/32, such as 0.125, 0.25 or 1.0.")
    codec = Codec(cell, width, reconstruction, activation, iterations, gain, policy, seed)
    codec.build()
    return codec


def layer_table(codec):
    """The codec's layers in order, as rows of `architecture.csv`, with what each makes of a 32x32 image in one pass."""
    kind = type(codec.encoder_cells[0]).__name__
    layers = [
        ("encoder", "conv", codec.encoder_conv, 16),
        *(("encoder", kind, cell, side) for cell, side in zip(codec.encoder_cells, (8, 4, 2), strict=True)),
        ("binarizer", "conv, tanh, binarize", codec.binarizer, 2),
        ("decoder", "conv", codec.decoder_conv, 2),
        *(("decoder", kind, cell, side) for cell, side in zip(codec.decoder_cells, (4, 8, 16, 32), strict=True)),
        ("decoder", "conv, tanh", codec.output_conv, 32),
    ]
    return [_layer_row(part, kind, layer, side) for part, kind, layer, side in layers]


def _layer_row(part, kind, layer, side):
    recurrent = kind.startswith("Conv")
    upsampled = recurrent and part == "decoder"
    kernel = layer.weights[0].shape[0]
    stride = " /2" if part == "encoder" else ""
    return {
        "part": part,
        "layer": f"{kind}, depth-to-space" if upsampled else kind,
        "kernel": f"{kernel}x{kernel}{stride}",
        "hidden_kernel": f"{layer.hidden_kernel_size}x{layer.hidden_kernel_size}" if recurrent else "",
        "height": side,
        "width": side,
        "channels": layer.filters // (4 if upsampled else 1),
        "parameters": layer.count_params(),
    }


def _expect(name, value, known):
    if value not in known:
        raise ValueError(f"{name}={value!r} is not known; expected one of {', '.join(known)}.")


def _to_unit_range(reconstructions, training):
    pixels = reconstructions + 0.5
    return pixels if training else ops.clip(pixels, 0.0, 1.0)


def _pad(images):
    """Repeats the last row and column up to a multiple of 16."""
    for axis in (1, 2):
        size = images.shape[axis]
        padded = -(-size // STRIDE) * STRIDE
        if padded != size:
            images = ops.take(images, ops.minimum(ops.arange(padded), size - 1), axis=axis)
    return images
