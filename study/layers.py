"""One-step recurrent convolutional cells with explicit state, and the binarizer.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
T15 = Toderici et al., "Variable Rate Image Compression with Recurrent Neural Networks", arXiv 1511.06085.
"""

from functools import cache

import keras
import numpy as np
from keras import ops

from study.presets import GAIN

SMALL_MAP = 4  # pixels a side of the output


class ConvLSTM(keras.layers.Layer):
    """One step of a convolutional LSTM (T17 sec. 2.1, eq. 4 to 6).

        i, j, o, f = sigmoid, tanh, sigmoid, sigmoid of (W x + U h + b)
        c' = f c + i j,    h' = o tanh(c')

    W is the input convolution, with the stride; U the hidden one, at the output's resolution. One bias a gate; the
    forget gate's starts at 1, the others at 0.

    The state before the first pass is zero, so U h and f c are zero too: with ``state=None`` neither the recurrent
    convolution nor the forget gate is computed. `later_weights` are those that only a later pass uses. The forget gate
    has variables of its own for that: the gradient of a slice of one kernel costs as much as the convolution.
    """

    def __init__(self, filters, kernel_size, hidden_kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.hidden_kernel_size = hidden_kernel_size
        self.strides = strides

    def build(self, input_shape):
        k, u, depth, n = self.kernel_size, self.hidden_kernel_size, input_shape[-1], self.filters
        self.input_kernel = self.add_weight((k, k, depth, 3 * n), "lecun_normal", name="input_kernel")
        self.forget_kernel = self.add_weight((k, k, depth, n), "lecun_normal", name="forget_kernel")
        self.hidden_kernel = self.add_weight((u, u, n, 4 * n), "glorot_uniform", name="hidden_kernel")
        self.bias = self.add_weight((3 * n,), "zeros", name="bias")
        self.forget_bias = self.add_weight((n,), "ones", name="forget_bias")

    @property
    def later_weights(self):
        """The variables that meet nothing but zeros in the first pass, and have no gradient there."""
        return [self.forget_kernel, self.hidden_kernel, self.forget_bias]

    def call(self, inputs, state=None):
        """Images or features (batch, h, w, c), and the state of the pass before or None.

        Returns:
            The output h' (batch, ceil(h / strides), ceil(w / strides), filters) and the new state (h', c').
        """
        if state is None:
            z = _convolve(inputs, self.input_kernel, self.strides) + self.bias
            i, j, o = ops.split(z, 3, axis=-1)
            c = ops.sigmoid(i) * ops.tanh(j)
        else:
            h, c = state
            kernel = ops.concatenate([self.input_kernel, self.forget_kernel], axis=-1)
            z = _convolve(inputs, kernel, self.strides) + _convolve(h, self.hidden_kernel, 1)
            i, j, o, f = ops.split(z + ops.concatenate([self.bias, self.forget_bias]), 4, axis=-1)
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(j)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (h, c)


class ConvGRU(keras.layers.Layer):
    """One step of a convolutional GRU (T17 sec. 2.1, eq. 11 to 13, with one bias a gate).

        z, r = sigmoid, sigmoid of (W x + U h + b),    n = tanh(W_n x + U_n (r h) + b_n)
        h' = (1 - z) h + z n

    Convolutions, state before the first pass and `later_weights` as in `ConvLSTM`; there the reset gate r has nothing
    to reset. All biases start at 0.
    """

    def __init__(self, filters, kernel_size, hidden_kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.hidden_kernel_size = hidden_kernel_size
        self.strides = strides

    def build(self, input_shape):
        k, u, depth, n = self.kernel_size, self.hidden_kernel_size, input_shape[-1], self.filters
        self.input_kernel = self.add_weight((k, k, depth, 2 * n), "lecun_normal", name="input_kernel")
        self.reset_kernel = self.add_weight((k, k, depth, n), "lecun_normal", name="reset_kernel")
        self.hidden_kernel = self.add_weight((u, u, n, 2 * n), "glorot_uniform", name="hidden_kernel")
        self.candidate_kernel = self.add_weight((u, u, n, n), "glorot_uniform", name="candidate_kernel")
        self.bias = self.add_weight((2 * n,), "zeros", name="bias")
        self.reset_bias = self.add_weight((n,), "zeros", name="reset_bias")

    @property
    def later_weights(self):
        """The variables that meet nothing but zeros in the first pass, and have no gradient there."""
        return [self.reset_kernel, self.hidden_kernel, self.candidate_kernel, self.reset_bias]

    def call(self, inputs, state=None):
        """As `ConvLSTM.call`; the new state is the output h' alone."""
        if state is None:
            x = _convolve(inputs, self.input_kernel, self.strides) + self.bias
            z, n = ops.split(x, 2, axis=-1)
            h = ops.sigmoid(z) * ops.tanh(n)
        else:
            kernel = ops.concatenate([self.input_kernel, self.reset_kernel], axis=-1)
            x = _convolve(inputs, kernel, self.strides) + ops.concatenate([self.bias, self.reset_bias])
            z, n, r = ops.split(x, 3, axis=-1)
            hidden_z, hidden_r = ops.split(_convolve(state, self.hidden_kernel, 1), 2, axis=-1)
            z, r = ops.sigmoid(z + hidden_z), ops.sigmoid(r + hidden_r)
            h = (1 - z) * state + z * ops.tanh(n + _convolve(r * state, self.candidate_kernel, 1))
        return h, h


def _convolve(x, kernel, strides):
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


class Binarizer(keras.layers.Layer):
    """Features to bits, each -1 or +1 (T15 sec. 3.2, eq. 4 to 7; the 1x1 convolution of T17 with tanh before it).

    In training a value x becomes +1 with probability (1 + x) / 2, so that the bit is x in expectation, and the gradient
    passes unchanged. Otherwise it is the sign, with 0 to +1: a code has no third value.
    """

    def __init__(self, bits, gain=GAIN, seed=None, **kwargs):
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
