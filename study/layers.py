"""The layers of a codec: four recurrent convolutional cells with explicit state, the binarizer, the residual scale.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
T15 = Toderici et al., "Variable Rate Image Compression with Recurrent Neural Networks", arXiv 1511.06085.

In all cells (T17 sec. 2.1) W is an input convolution, with the stride; U a hidden one, at the output's resolution; s
the sigmoid; a product of two maps is taken element by element. One bias per gate and channel.

The state before the first pass is zero, so what meets it is zero too: with ``state=None`` neither the recurrent
convolutions nor the gates that they feed are computed. `later_weights` are those that only a later pass uses; they are
variables of their own, because the gradient of a slice of one kernel costs as much as the whole convolution.
"""

from functools import cache

import numpy as np

from study.engine import keras, ops
from study.ground.errors import StudyError
from study.ground.recipe import BINARIZER_GAIN

SMALL_MAP = 4  # pixels a side of the output
RESIDUAL = 0.1  # alpha_h and alpha_x of the residual GRU


class Cell(keras.layers.Layer):
    """What the cells share: channels of the output, kernel sizes, stride, and how they are called.

    `call` takes images or features (batch, h, w, c) and the state of the pass before, or None. It returns the output
    (batch, ceil(h / strides), ceil(w / strides), filters) and the new state.
    """

    def __init__(self, filters, kernel_size, hidden_kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.hidden_kernel_size = hidden_kernel_size
        self.strides = strides

    def input_weight(self, name, depth, channels):
        shape = (self.kernel_size, self.kernel_size, depth, channels)
        return self.add_weight(shape, "lecun_normal", name=name)

    def hidden_weight(self, name, channels):
        shape = (self.hidden_kernel_size, self.hidden_kernel_size, self.filters, channels)
        return self.add_weight(shape, "glorot_uniform", name=name)


class ConvLSTM(Cell):
    """A convolutional LSTM (T17 eq. 4 to 6); its state is (h, c).

        i, j, o, f = s, tanh, s, s of (W x + U h + b)
        c' = f c + i j,    h' = o tanh(c')

    The forget gate's bias starts at 1, the others at 0.
    """

    def build(self, input_shape):
        depth, n = input_shape[-1], self.filters
        self.input_kernel = self.input_weight("input_kernel", depth, 3 * n)
        self.forget_kernel = self.input_weight("forget_kernel", depth, n)
        self.hidden_kernel = self.hidden_weight("hidden_kernel", 4 * n)
        self.bias = self.add_weight((3 * n,), "zeros", name="bias")
        self.forget_bias = self.add_weight((n,), "ones", name="forget_bias")

    @property
    def later_weights(self):
        return [self.forget_kernel, self.hidden_kernel, self.forget_bias]

    def call(self, inputs, state=None):
        if state is None:
            z = convolve(inputs, self.input_kernel, self.strides) + self.bias
            i, j, o = ops.split(z, 3, axis=-1)
            c = ops.sigmoid(i) * ops.tanh(j)
        else:
            h, c = state
            kernel = ops.concatenate([self.input_kernel, self.forget_kernel], axis=-1)
            z = convolve(inputs, kernel, self.strides) + convolve(h, self.hidden_kernel, 1)
            i, j, o, f = ops.split(z + ops.concatenate([self.bias, self.forget_bias]), 4, axis=-1)
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(j)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (h, c)


class AssociativeConvLSTM(Cell):
    """A convolutional associative LSTM (T17 eq. 7 to 10); its state is (h, c), c as real and imaginary part.

        i, o, f = s of (W x + U h + b), real;    j, r_i, r_o = bound of (W x + U h + b), complex
        c' = f c + r_i i j,    h' = o bound(r_o c'),    output: real and imaginary part of h' side by side

    bound(z) = z where |z| <= 1, else z / |z|. The paper does not say how channels are shared out: here `filters`, an
    even number, are those of the output, so half as many are complex. The biases of the real parts of r_i and r_o
    start at 1, as the forget gate's: with 0 the keys, and with them all that is stored, would start at 0.
    """

    def build(self, input_shape):
        if self.filters % 2:
            raise StudyError(f"filters={self.filters}: half of them are real parts; expected an even number.")
        depth, m = input_shape[-1], self.filters // 2
        self.input_kernel = self.input_weight("input_kernel", depth, 8 * m)
        self.forget_kernel = self.input_weight("forget_kernel", depth, m)
        self.hidden_kernel = self.hidden_weight("hidden_kernel", 9 * m)
        self.bias = self.add_weight((8 * m,), keras.initializers.Constant(_key_bias(m)), name="bias")
        self.forget_bias = self.add_weight((m,), "ones", name="forget_bias")

    @property
    def later_weights(self):
        return [self.forget_kernel, self.hidden_kernel, self.forget_bias]

    def call(self, inputs, state=None):
        if state is None:
            z = convolve(inputs, self.input_kernel, self.strides) + self.bias
            i, o, *complex_parts = ops.split(z, 8, axis=-1)
        else:
            h, kept = state
            kernel = ops.concatenate([self.input_kernel, self.forget_kernel], axis=-1)
            z = convolve(inputs, kernel, self.strides) + convolve(h, self.hidden_kernel, 1)
            i, o, *complex_parts, f = ops.split(z + ops.concatenate([self.bias, self.forget_bias]), 9, axis=-1)
        j, r_i, r_o = (_bound(*complex_parts[k : k + 2]) for k in (0, 2, 4))
        c = [ops.sigmoid(i) * part for part in _times(r_i, j)]
        if state is not None:
            c = [ops.sigmoid(f) * old + new for old, new in zip(kept, c, strict=True)]
        h = ops.concatenate([ops.sigmoid(o) * part for part in _bound(*_times(r_o, c))], axis=-1)
        return h, (h, tuple(c))


class ConvGRU(Cell):
    """A convolutional GRU (T17 eq. 11 to 13); its state is h, the output. All biases start at 0.

    z, r = s of (W x + U h + b),    n = tanh(W_n x + U_n (r h) + b_n)
    h' = (1 - z) h + z n
    """

    def build(self, input_shape):
        depth, n = input_shape[-1], self.filters
        self.input_kernel = self.input_weight("input_kernel", depth, 2 * n)
        self.reset_kernel = self.input_weight("reset_kernel", depth, n)
        self.hidden_kernel = self.hidden_weight("hidden_kernel", 2 * n)
        self.candidate_kernel = self.hidden_weight("candidate_kernel", n)
        self.bias = self.add_weight((2 * n,), "zeros", name="bias")
        self.reset_bias = self.add_weight((n,), "zeros", name="reset_bias")

    @property
    def later_weights(self):
        return [self.reset_kernel, self.hidden_kernel, self.candidate_kernel, self.reset_bias]

    def call(self, inputs, state=None):
        if state is None:
            x = convolve(inputs, self.input_kernel, self.strides) + self.bias
            z, n = ops.split(x, 2, axis=-1)
            h = ops.sigmoid(z) * ops.tanh(n)
        else:
            kernel = ops.concatenate([self.input_kernel, self.reset_kernel], axis=-1)
            x = convolve(inputs, kernel, self.strides) + ops.concatenate([self.bias, self.reset_bias])
            z, n, r = ops.split(x, 3, axis=-1)
            hidden_z, hidden_r = ops.split(convolve(state, self.hidden_kernel, 1), 2, axis=-1)
            z, r = ops.sigmoid(z + hidden_z), ops.sigmoid(r + hidden_r)
            h = (1 - z) * state + z * ops.tanh(n + convolve(r * state, self.candidate_kernel, 1))
        return h, h


class ResidualConvGRU(ConvGRU):
    """A convolutional residual GRU (T17 eq. 14 and 15); its state is h, which is not the output h_o.

    h' = GRU(x, h) + alpha_h W_h h,    h_o = h' + alpha_x W_ox x,    alpha_h = alpha_x = 0.1
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.skip_kernel = self.input_weight("skip_kernel", input_shape[-1], self.filters)
        self.state_kernel = self.hidden_weight("state_kernel", self.filters)

    @property
    def later_weights(self):
        return [*super().later_weights, self.state_kernel]

    def call(self, inputs, state=None):
        h, _ = super().call(inputs, state)
        if state is not None:
            h = h + RESIDUAL * convolve(state, self.state_kernel, 1)
        return h + RESIDUAL * convolve(inputs, self.skip_kernel, self.strides), h


def convolve(x, kernel, strides):
    """The convolution of channels-last maps with "same" padding; small maps as two products of matrices."""
    if kernel.shape[0] > 1 and max(-(-side // strides) for side in x.shape[1:3]) <= SMALL_MAP:
        return _product(x, kernel, strides)
    return ops.conv(x, kernel, strides=strides, padding="same", data_format="channels_last")


def _product(x, kernel, strides):
    """The same convolution as two products of matrices: one gathers what each output pixel sees, the other weighs it.

    On maps this small libraries for convolutions are at a fraction of their speed, because they share out the work by
    pixels. Gathering by a matrix of 0 and 1 has a simple gradient, and costs little: to the weighing as the input's
    pixels to the filters.
    """
    (height, width), (size, depth, filters) = x.shape[1:3], kernel.shape[1:]
    views = ops.cast(_views(height, width, size, strides), x.dtype)
    seen = ops.matmul(views, ops.reshape(x, (-1, height * width, depth)))
    z = ops.matmul(ops.reshape(seen, (-1, size * size * depth)), ops.reshape(kernel, (-1, filters)))
    return ops.reshape(z, (-1, -(-height // strides), -(-width // strides), filters))


@cache
def _views(height, width, size, strides):
    """Which input pixel (a column) each tap of the kernel at each output pixel (a row) sees; none for padding."""

    def axis(side):
        steps = -(-side // strides)
        before = max((steps - 1) * strides + size - side, 0) // 2  # of the padding, the odd one comes after
        seen = strides * np.arange(steps)[:, None] + np.arange(size) - before
        return (seen[..., None] == np.arange(side)).astype("float32")

    return np.einsum("rih,cjw->rcijhw", axis(height), axis(width)).reshape(-1, height * width)


def _key_bias(m):
    """Of i, o, and real and imaginary parts of j, r_i and r_o: 1 for the real parts of both keys."""
    return np.repeat(np.array([0, 0, 0, 0, 1, 0, 1, 0], np.float32), m)


def _bound(real, imaginary):
    larger = ops.maximum(1.0, ops.square(real) + ops.square(imaginary))  # no root of 0, whose slope has no end
    scale = ops.rsqrt(larger)
    return real * scale, imaginary * scale


def _times(a, b):
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


class Binarizer(keras.layers.Layer):
    """Features to bits, each -1 or +1 (T15 sec. 3.2, eq. 4 to 7; the 1x1 convolution of T17 with tanh before it).

    In training a value x becomes +1 with probability (1 + x) / 2, so that the bit is x in expectation, and the gradient
    passes unchanged. Otherwise it is the sign, with 0 to +1: a code has no third value.
    """

    def __init__(self, bits, gain=BINARIZER_GAIN, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = bits
        scaled = keras.initializers.VarianceScaling(gain**2, "fan_in", "truncated_normal")
        self.convolution = keras.layers.Conv2D(
            bits, 1, activation="tanh", kernel_initializer=scaled, dtype=self.dtype_policy, name="convolution"
        )
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self.convolution.build(input_shape)

    def call(self, inputs, training=False):
        """Features (batch, h, w, c) to bits (batch, h, w, bits)."""
        x = self.convolution(inputs)
        if training:
            threshold = keras.random.uniform(ops.shape(x), -1.0, 1.0, dtype=x.dtype, seed=self.seed_generator)
        else:
            threshold = ops.zeros_like(x)
        bits = ops.where(x >= threshold, 1.0, -1.0)
        return ops.cast(bits, x.dtype) + (x - ops.stop_gradient(x))  # exactly the bit: x + (bit - x) would be rounded


class ResidualScale(keras.layers.Layer):
    """How much the residual of the next pass is magnified, from the picture so far (T17 sec. 2.4, eq. 17).

    Five convolutions of stride 2 with ELU, four of 3x3x32 and one of 2x2x1, plus 2: one scale, above 1, for each block
    of 32x32 pixels, held over its block. 28,769 parameters.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        sizes = ((32, 3), (32, 3), (32, 3), (32, 3), (1, 2))
        self.convolutions = [
            keras.layers.Conv2D(n, size, 2, "same", activation="elu", dtype=self.dtype_policy, name=f"scale_{i}")
            for i, (n, size) in enumerate(sizes, 1)
        ]

    def build(self, input_shape):
        depth = input_shape[-1]
        for convolution in self.convolutions:
            convolution.build((None, None, None, depth))
            depth = convolution.filters

    def call(self, pictures):
        """Pictures (batch, h, w, 3), inside the network, to scales (batch, h, w, 1), each above 1."""
        x = pictures
        for convolution in self.convolutions:
            x = convolution(x)
        held = ops.repeat(ops.repeat(x + 2, 32, axis=1), 32, axis=2)
        return held[:, : pictures.shape[1], : pictures.shape[2]]
