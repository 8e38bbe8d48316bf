"""The network once more, in float64 NumPy, written from T17's equations alone; and small codecs to hold beside it.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
"""

import keras
import numpy as np

from study.model import build_codec

SMALL = 1 / 16


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolve(x, kernel, stride=1):
    """Output of ceil(size / stride); where the padding is odd, its last row and column are the longer side."""
    size, pads = kernel.shape[0], []
    for length in x.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    x = np.pad(np.float64(x), ((0, 0), *pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijco->bhwo", windows, np.float64(kernel), optimize=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(cell, x, h, c, values=array):
    """T17 eq. 4 to 6, all four gates in the order i, j, o, f, with the weights that `values` gives for a variable."""
    kernel = np.concatenate([values(cell.input_kernel), values(cell.forget_kernel)], axis=-1)
    bias = np.concatenate([values(cell.bias), values(cell.forget_bias)])
    gates = convolve(x, kernel, cell.strides) + convolve(h, values(cell.hidden_kernel)) + bias
    i, j, o, f = np.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(j)
    return sigmoid(o) * np.tanh(c), c


def slow_scale(layer, pictures):
    """T17 eq. 17 in float64: one scale for each 32x32 block, held over it."""
    x = np.float64(pictures)
    for convolution in layer.convolutions:
        x = convolve(x, array(convolution.kernel), 2) + array(convolution.bias)
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return np.repeat(np.repeat(x + 2, 32, axis=1), 32, axis=2)[:, : pictures.shape[1], : pictures.shape[2]]


def unfold(x):
    """Depth to space: of each cell's channels, the first quarter goes top left, the second top right."""
    batch, height, width, depth = x.shape
    x = x.reshape(batch, height, width, 2, 2, depth // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, 2 * height, 2 * width, depth // 4)


def slow_codec(codec, images, n, additive, slope, values=array, rounding=None, priming=0):
    """Codes and reconstructions, not clipped, of images whose sides are multiples of 16.

    Args:
        values: gives a variable's weights.
        rounding: what the binarizer adds to its input in each pass; without it, what makes bits of it.
        priming: how often the cells see the image, and the first code, before they count.
    """

    def conv(layer, x):
        return convolve(x, values(layer.kernel), layer.strides[0]) + values(layer.bias)

    def activate(x):
        return np.where(x < 0, slope * x, x)

    def blank(x, cell):
        return np.zeros((len(x), *(-(-side // cell.strides) for side in x.shape[1:3]), cell.filters))

    def step(cells, x, after):
        for cell in cells:
            h, c = states.get(cell.name, (blank(x, cell),) * 2)
            states[cell.name] = h, c = lstm(cell, x, h, c, values)
            x = after(activate(h))
        return x

    target = np.float64(images) - 0.5
    residual, total, scale, states, codes, results = target, 0.0, 1.0, {}, [], []
    for t in range(n):
        seen = activate(conv(codec.encoder_conv, residual * scale))
        for _ in range(priming if t == 0 else 0):
            step(codec.encoder_cells, seen, lambda x: x)
        features = step(codec.encoder_cells, seen, lambda x: x)
        code = np.tanh(conv(codec.binarizer.convolution, features))
        code = np.where(code < 0, -1, 1) if rounding is None else code + rounding[t]
        shown = activate(conv(codec.decoder_conv, code))
        for _ in range(priming if t == 0 else 0):
            step(codec.decoder_cells, shown, unfold)
        pixels = step(codec.decoder_cells, shown, unfold)
        decoded = np.tanh(conv(codec.output_conv, pixels)) / 2 / scale
        total = total + decoded if additive else decoded
        residual = target - total
        scale = slow_scale(codec.residual_scale, total) if codec.residual_scale else 1.0
        codes.append(code)
        results.append(total + 0.5)
    return np.stack(codes, axis=1), np.stack(results, axis=1)


def made(width=SMALL, weights=0, **options):
    """A codec with the same weights for the same seed."""
    keras.utils.set_random_seed(weights)
    return build_codec(width=width, **options)


def random_images(height, width, batch=2, seed=0):
    return np.random.default_rng(seed).random((batch, height, width, 3), dtype=np.float32)


def lively(**options):
    """A codec whose gates are far from linear, and whose biases are not 0, which would hide one that is left out."""
    codec, generator = made(binarizer_gain=4.0, **options), np.random.default_rng(1)
    for variable in codec.trainable_variables:
        if len(variable.shape) == 1:
            variable.assign(array(variable) + generator.normal(0, 0.1, variable.shape))
        elif variable.name in ("input_kernel", "forget_kernel"):
            variable.assign(4 * array(variable))
    return codec
