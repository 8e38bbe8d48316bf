"""The recurrent codec of Toderici et al. 2017 (T17, arXiv 1608.05148): encoder, binarizer, decoder, passes.

    r_t ─ conv /2 ─ cell /2 ─ cell /2 ─ cell /2 ─ 1x1 conv, tanh, binarize ─▶ bits, 32 for each 16x16 pixels
                                                                                 │
    x̂_t ◀─ conv, tanh/2 ◀─ (cell, depth-to-space) x 4 ◀─ 1x1 conv ◀─────────────┘

    additive:  x̂_t = D(b_t) + x̂_(t-1)        one-shot:  x̂_t = D(b_t)        all:  r_t = x - x̂_t,  r_0 = x
    residual scaling:  encodes g_t r_t,  x̂_t = D(b_t) / g_(t-1) + x̂_(t-1),  g_t = G(x̂_t),  g_0 = 1

Weights are shared by all passes; states are carried from one to the next. The binarizer has no state.
"""

from functools import partial
from itertools import islice

from study.architecture import BITS, CELLS, CODE_CHANNELS, DECODER, ENCODER, FIRST_CHANNELS, MAX_ITERATIONS, STRIDE
from study.engine import keras, ops
from study.ground.errors import StudyError
from study.layers import AssociativeConvLSTM, Binarizer, ConvGRU, ConvLSTM, ResidualConvGRU, ResidualScale

# The classes of `architecture.CELLS`, in encoder and decoder.
CELL_LAYERS = {
    "lstm": (ConvLSTM, ConvLSTM),
    "gru": (ConvGRU, ConvGRU),
    "residual_gru": (ResidualConvGRU, ResidualConvGRU),
    "associative_lstm": (ConvLSTM, AssociativeConvLSTM),
}
RECONSTRUCTIONS = ("additive", "one_shot", "residual_scaling")
ACTIVATIONS = ("linear", "leaky_relu")
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")  # of Keras: what is multiplied in 16 bits


class Codec(keras.Model):
    """Encoder, binarizer and decoder with shared weights, for any number of passes and any image size.

    Made by `build_codec`. Pixels are in [0, 1] outside and in [-0.5, 0.5] inside. Sizes that are no multiple of 16 are
    padded by repeating the last row and column, and cropped back.
    """

    def __init__(
        self, cell, width, reconstruction, activation, iterations, binarizer_gain, output_gain, policy, seed, priming
    ):
        super().__init__(name="codec", dtype=policy, autocast=False)  # images come in as they are
        encoder_cell, decoder_cell = (partial(kind, dtype=policy) for kind in CELL_LAYERS[cell])
        conv = partial(keras.layers.Conv2D, dtype=policy)
        self.additive = reconstruction != "one_shot"
        self.residual_scale = ResidualScale(dtype=policy) if reconstruction == "residual_scaling" else None
        self.iterations, self.priming = iterations, priming
        self.activation = (
            keras.layers.LeakyReLU(0.01, dtype=policy)
            if activation == "leaky_relu"
            else keras.layers.Identity(dtype=policy)
        )

        def channels(full):
            return round(full * width)

        self.encoder_conv = conv(channels(FIRST_CHANNELS), 3, 2, "same", name="encoder_conv")
        self.encoder_cells = [
            encoder_cell(channels(n), k, u, strides=2, name=f"encoder_rnn_{i}")
            for i, (n, k, u) in enumerate(ENCODER, 1)
        ]
        self.binarizer = Binarizer(BITS, gain=binarizer_gain, seed=seed, dtype=policy, name="binarizer")
        self.decoder_conv = conv(channels(CODE_CHANNELS), 1, name="decoder_conv")
        self.decoder_cells = [
            decoder_cell(channels(n), k, u, name=f"decoder_rnn_{i}") for i, (n, k, u) in enumerate(DECODER, 1)
        ]
        larger = keras.initializers.VarianceScaling(output_gain**2, "fan_avg", "uniform")  # than Glorot's, the usual
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
        if self.residual_scale:
            self.residual_scale.build((None, None, None, 3))
        self.built = True

    def train_one_pass_only(self):
        """Leaves out of training what only a later pass uses: in one pass it meets nothing and has no gradient."""
        later = [weight for cell in self.encoder_cells + self.decoder_cells for weight in cell.later_weights]
        for weight in later + (self.residual_scale.weights if self.residual_scale else []):
            weight.trainable = False

    def call(self, images, iterations=None, training=False):
        """Images (batch, h, w, 3) in [0, 1] to their reconstructions (batch, n, h, w, 3) after each of n passes.

        The result is in [0, 1], clipped; in training it is not clipped, because a clipped pixel has no gradient.

        Raises:
            StudyError: n is not from 1 to 16, or the images are integers.
        """
        passes = islice(self._passes(images, training), self._count(iterations))
        reconstructions = ops.stack([reconstruction for _, reconstruction in passes], axis=1)
        height, width = images.shape[1:3]
        return _to_unit_range(reconstructions[:, :, :height, :width], training)

    def encode(self, images, iterations=None):
        """Images (batch, h, w, 3) in [0, 1] to bits (batch, n, ceil(h/16), ceil(w/16), 32), each -1 or +1."""
        passes = islice(self._passes(images, training=False), self._count(iterations))
        return ops.stack([bits for bits, _ in passes], axis=1)

    def passes(self, images):
        """The passes over images (batch, h, w, 3) in [0, 1], one after another, as far as they are asked for.

        Yields up to 16 pairs: bits (batch, ceil(h/16), ceil(w/16), 32) and the reconstruction (batch, h, w, 3) so far.
        """
        height, width = images.shape[1:3]
        for bits, reconstruction in islice(self._passes(images, training=False), MAX_ITERATIONS):
            yield bits, _to_unit_range(reconstruction[:, :height, :width], training=False)

    def decode(self, bits):
        """Bits (batch, n, h/16, w/16, 32) to reconstructions (batch, n, h, w, 3) in [0, 1] after each pass.

        The height and width are those of the padded image, multiples of 16: the bits do not hold the true ones.
        """
        return ops.stack(list(self.decode_passes(bits)), axis=1)

    def decode_passes(self, bits):
        """Yields what `decode` returns, one pass after another: (batch, h, w, 3) each."""
        reconstruction, scale, state = 0.0, None, None
        for t in range(bits.shape[1]):
            if t:
                scale = self._scale(reconstruction)
            code = ops.cast(bits[:, t], self.compute_dtype)
            reconstruction, state = self._decode_pass(code, reconstruction, scale, state)
            yield _to_unit_range(reconstruction, training=False)

    def _count(self, iterations):
        n = self.iterations if iterations is None else iterations
        if not 1 <= n <= MAX_ITERATIONS:
            raise StudyError(f"iterations={n}: the codec runs from 1 to {MAX_ITERATIONS} passes; ask for one of those.")
        return n

    def _passes(self, images, training):
        """Each pass's bits and reconstruction, without end; the reconstruction is padded and in [-0.5, 0.5]."""
        if "float" not in keras.backend.standardize_dtype(images.dtype):
            raise StudyError(f"The images are {images.dtype}, not floats in [0, 1]; divide 8-bit images by 255.")
        target = _pad(ops.cast(images, "float32")) - 0.5  # what passes add up is in full precision
        residual, reconstruction, scale, encoder_state, decoder_state = target, 0.0, None, None, None
        while True:
            bits, encoder_state = self._encode_pass(residual, encoder_state, training)
            reconstruction, decoder_state = self._decode_pass(bits, reconstruction, scale, decoder_state)
            yield bits, reconstruction
            residual = target - reconstruction
            scale = self._scale(reconstruction)
            if scale is not None:
                residual = residual * scale

    def _encode_pass(self, residual, state, training):
        features = self.activation(self.encoder_conv(ops.cast(residual, self.compute_dtype)))
        x, state = self._run(self.encoder_cells, features, state, lambda x: x)
        return self.binarizer(x, training=training), state

    def _run(self, cells, features, state, after):
        """What the cells make of the features, and their states: in one turn, in the first pass after priming."""
        for _ in range(1 if state else 1 + self.priming):
            x, new_state = features, []
            for cell, cell_state in zip(cells, state or [None] * len(cells), strict=True):
                h, cell_state = cell(x, cell_state)
                x = after(self.activation(h))
                new_state.append(cell_state)
            state = new_state
        return x, state

    def _scale(self, reconstruction):
        """How much the next pass's residual is magnified; None without residual scaling."""
        if self.residual_scale is None:
            return None
        return ops.cast(self.residual_scale(ops.cast(reconstruction, self.compute_dtype)), "float32")

    def _decode_pass(self, bits, reconstruction, scale, state):
        features = self.activation(self.decoder_conv(bits))
        x, state = self._run(self.decoder_cells, features, state, lambda x: ops.depth_to_space(x, 2))
        decoded = ops.cast(self.output_conv(x), "float32") / 2
        if scale is not None:
            decoded = decoded / scale
        return decoded + reconstruction if self.additive else decoded, state


def build_codec(
    cell="lstm",
    width=1.0,
    reconstruction="additive",
    activation="linear",
    iterations=1,
    binarizer_gain=None,
    output_gain=None,
    policy="float32",
    seed=0,
    priming=0,
) -> Codec:
    """A codec with all its variables made.

    Args:
        cell: the recurrent cell, "lstm", "gru", "residual_gru" or "associative_lstm", the last in the decoder only.
        width: factor on every number of channels but the code's 32: a multiple of 1/32. 1.0 is T17's network:
            30,225,283 parameters with one bias a gate and a convolution, whatever the number of passes; 22,677,763 with
            GRUs.
        reconstruction: "additive", "one_shot" or "residual_scaling" (T17 sec. 2.2 to 2.4).
        activation: on the output of every layer but the binarizer and the last: "linear" as in T17, or "leaky_relu"
            with a slope of 0.01, the report's.
        iterations: passes where a call does not say.
        binarizer_gain, output_gain: how many times as large as usual the first weights of the binarizer and of the last
            convolution are, see `study.ground.recipe`; None for those that suit the cell.
        policy: Keras' dtype policy, one of POLICIES. Weights, reconstructions, losses and scores stay in float32.
        seed: of the binarizer's noise; the weights' is that of `keras.utils.set_random_seed`.
        priming: how often the cells of the encoder see the image, and those of the decoder the first bits, before they
            count: no bits are written for it (hidden-state priming, Johnston et al. 2018, arXiv 1703.10114).

    Raises:
        StudyError: a name that is not listed, a width that leaves a fraction of a channel, or a priming below 0.
    """
    _expect("cell", cell, CELL_LAYERS)
    _expect("reconstruction", reconstruction, RECONSTRUCTIONS)
    _expect("activation", activation, ACTIVATIONS)
    _expect("policy", policy, POLICIES)
    if width <= 0 or (32 * width) % 1:
        raise StudyError(f"width={width}: expected a multiple of 1/32, such as 0.125, 0.25 or 1.0.")
    if priming < 0:
        raise StudyError(f"priming={priming}: expected a number of turns before the first pass, 0 for none.")
    if binarizer_gain is None:
        binarizer_gain = CELLS[cell].binarizer_gain
    if output_gain is None:
        output_gain = CELLS[cell].output_gain
    codec = Codec(
        cell, width, reconstruction, activation, iterations, binarizer_gain, output_gain, policy, seed, priming
    )
    codec.build()
    return codec


def _expect(name, value, known):
    if value not in known:
        raise StudyError(f"{name}={value!r} is not known; expected one of {', '.join(known)}.")


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
