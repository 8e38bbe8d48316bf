"""The binarizer, and the gain of residual scaling.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
T15 = Toderici et al., "Variable Rate Image Compression with Recurrent Neural Networks", arXiv 1511.06085.
"""

import keras
from keras import ops

from study.presets import GAIN


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


class Gain(keras.layers.Layer):
    """How much the residual of the next pass is magnified, from the picture so far (T17 sec. 2.4, eq. 17).

    Five convolutions of stride 2 with ELU, four of 3x3x32 and one of 2x2x1, plus 2: one gain, above 1, for each block
    of 32x32 pixels, held over its block. 28,769 parameters.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        sizes = ((32, 3), (32, 3), (32, 3), (32, 3), (1, 2))
        self.convolutions = [
            keras.layers.Conv2D(n, size, 2, "same", activation="elu", dtype=self.dtype_policy, name=f"gain_{i}")
            for i, (n, size) in enumerate(sizes, 1)
        ]

    def build(self, input_shape):
        depth = input_shape[-1]
        for convolution in self.convolutions:
            convolution.build((None, None, None, depth))
            depth = convolution.filters

    def call(self, pictures):
        """Pictures (batch, h, w, 3), inside the network, to gains (batch, h, w, 1), each above 1."""
        x = pictures
        for convolution in self.convolutions:
            x = convolution(x)
        held = ops.repeat(ops.repeat(x + 2, 32, axis=1), 32, axis=2)
        return held[:, : pictures.shape[1], : pictures.shape[2]]
