"""Image quality, one figure an image.

Images are floats in [0, 1], shaped (batch, h, w, 3), h and w known. Only `psnr` rounds to 8 bits by itself: a loss must
not, and images whose scores are published go through `to_8_bit` first. What is no image, or does not
match its partner, raises StudyError everywhere.

W03, W04: Wang et al., "Multi-Scale Structural Similarity for Image Quality Assessment", 2003, and "Image
Quality Assessment: From Error Visibility to Structural Similarity", 2004. T15, T17: Toderici et al., arXiv
1511.06085v5 and 1608.05148v2. The report: Donis and Brown, "Image Compression with Deep Neural Networks",
2020.
"""

import math
from typing import Any

from study.engine import keras, ops
from study.ground.errors import StudyError

K1, K2 = 0.01, 0.03  # W04, sec. III-C
SIGMA = 1.5  # W04, sec. III-C; the same at every window size, as in tf.image
SSIM_WINDOW = 11
BLOCK = 8  # T15, sec. 4
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # W03, sec. 3.2
STANDARD, SMALL = (11, 5), (3, 4)  # window and number of scales; SMALL is a practice of the field on CIFAR


def to_8_bit(images):
    """Images of any shape, clipped to [0, 1] and rounded to the nearest k/255 as in a PNG: float32."""
    return _levels(as_floats(images)) / 255.0


def psnr(x, y):
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / MSE), both rounded to 8 bits first.

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), +inf where both are the same. Its mean is not the PSNR of
    the batch: they differ by decibels. StudyError if the shapes differ.
    """
    x, y = _pair(x, y)
    return 10.0 * ops.log10(255.0**2 / ops.mean(ops.square(_levels(x) - _levels(y)), axis=(1, 2, 3)))


def ssim(x, y, max_val=1.0):
    """Structural similarity (W04, eq. 13, windows of sec. III-C), as `tf.image.ssim` defines it.

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), in (-1, 1]. Gaussian window of 11x11, sigma 1.5, no
    padding; each RGB channel by itself, then the mean. `max_val` is the range its constants are made for, 1
    for such images; the report took 2. StudyError if the shapes differ or a side is under 11 pixels.
    """
    x, y = _pair(x, y)
    _at_least(SSIM_WINDOW, x.shape[1:3], "SSIM", "use ssim_blocks, from 8 pixels on, or larger images")
    luminance, contrast = _similarity(x, y, lambda z: _blur(z, SSIM_WINDOW), max_val)
    return ops.mean(luminance * contrast, axis=(1, 2, 3))


def ssim_blocks(x, y):
    """SSIM over 8x8 blocks side by side, all pixels of a block weighing the same (T15, sec. 4).

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), in (-1, 1]. Each RGB channel by itself, then the mean; what
    is beyond the last whole block is left out. StudyError if the shapes differ or a side is under 8 pixels.
    """
    return ops.mean(ssim_block_map(x, y), axis=(1, 2))


def ssim_block_map(x, y):
    """The SSIM of each 8x8 block: (batch, h, w, 3) twice, in [0, 1] -> (batch, h // 8, w // 8); see `ssim_blocks`."""
    x, y = _pair(x, y)
    _at_least(BLOCK, x.shape[1:3], "SSIM over 8x8 blocks", "use larger images")
    luminance, contrast = _similarity(x, y, lambda z: _average(z, BLOCK), 1.0)
    return ops.mean(luminance * contrast, axis=3)


def ms_ssim(x, y, window=None, scales=None):
    """Multi-scale SSIM (W03, eq. 7), as `tf.image.ssim_multiscale` defines it.

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), in [0, 1]. From 161 pixels a side on, the standard: window
    11, 5 scales. Smaller images get "MS-SSIM[w3,L4]", window 3 and 4 scales: another number, published under
    that name only (`ms_ssim_name`). `window` (pixels) and `scales` (1 to 5) overrule either. The weights are
    W03's five as printed, which sum to 1.0001, or the first of them, made to sum to 1; sigma stays 1.5. Each
    RGB channel by itself, then the mean.

    A negative term counts as 0, as in tf.image; unlike there its gradient is 0, not NaN. Train with
    `loss("ms_ssim")`, which has a slope there. StudyError if the shapes differ or the images are too small.
    """
    terms, weights = ms_ssim_terms(*_pair(x, y), window, scales)
    # The logarithm too must be finite where it is dropped: the gradient sees both branches of a `where`.
    logs = ops.log(ops.where(terms > 0, terms, 1.0))
    products = ops.where(ops.all(terms > 0, axis=-1), ops.exp(ops.sum(weights * logs, axis=-1)), 0.0)
    return ops.mean(products, axis=-1)


def ms_ssim_name(height, width):
    """What `ms_ssim` is on images of this size in pixels: "MS-SSIM", from 161 a side on, or "MS-SSIM[w3,L4]".

    StudyError under 17 pixels a side, where neither fits.
    """
    window, scales = _variant(height, width)
    return "MS-SSIM" if (window, scales) == STANDARD else f"MS-SSIM[w{window},L{scales}]"


def report_score(x, y):
    """What the report calls accuracy and MS-SSIM: 1 - (1 - SSIM)^2, single-scale, `max_val` 2.

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), in (-3, 1]. From its authors' code; it
    flatters: a blur of radius 1 has .98. StudyError as `ssim`.
    """
    return 1.0 - ops.square(1.0 - ssim(x, y, max_val=2.0))


def residual_l1(x, y):
    """Mean absolute residual, one pass of T17's loss (sec. 2, eq. 3): the sum of |r_t| over h w 3.

    (batch, h, w, 3) twice, in [0, 1] -> (batch,), in [0, 1]. StudyError if the shapes differ.
    """
    x, y = _pair(x, y)
    return ops.mean(ops.abs(x - y), axis=(1, 2, 3))


def colour_spread(images):
    """Standard deviation of the colour, each channel less the pixel's mean, over pixels and channels.

    (batch, h, w, 3) in [0, 1] -> (batch,), from 0 (grey) to sqrt(2)/3. A pixel's differences sum to 0, so
    nothing is left to centre. StudyError if these are no images.
    """
    images = as_images(images)
    colour = images - ops.mean(images, axis=-1, keepdims=True)
    return ops.sqrt(ops.mean(ops.square(colour), axis=(1, 2, 3)))


def as_floats(images):
    """Half precision is widened, since SSIM's constants drown in it."""
    images = ops.convert_to_tensor(images)
    kind = keras.backend.standardize_dtype(images.dtype)
    if "float" not in kind:
        raise StudyError(f"Images are {kind}, not floats in [0, 1]; divide 8-bit images by 255.")
    return ops.cast(images, "float32")


def as_images(images):
    images = as_floats(images)
    shape = tuple(images.shape)
    if len(shape) != 4 or None in shape[1:]:
        raise StudyError(f"Images have shape {shape}; give (batch, h, w, 3), all known but the batch.")
    return images


def same_shape(a, b):
    """Sizes that a graph does not know yet pass."""
    if any(None not in pair and pair[0] != pair[1] for pair in zip(a, b, strict=True)):
        raise StudyError(f"Images have shapes {tuple(a)} and {tuple(b)}; crop them to the same.")


def _pair(x, y) -> tuple[Any, Any]:
    x, y = as_images(x), as_images(y)
    same_shape(x.shape, y.shape)
    return x, y


def _levels(images):
    """0 to 255 in whole numbers, so that sums of squares are exact up to 2^24, 11 dB on 32x32 pixels."""
    return ops.round(255.0 * ops.clip(images, 0.0, 1.0))


def _at_least(minimum, size, name, remedy):
    height, width = size
    if min(height, width) < minimum:
        raise StudyError(f"{name} needs {minimum} pixels a side, these images are {height}x{width}; {remedy}.")


def _similarity(x, y, average, max_val):
    """Maps of W04's luminance term (eq. 6) and contrast-structure term (eq. 9, 10, 12), from local averages.

    Both as 1 less a fraction, from d = x - y and s = x + y - 1: the textbook form takes small variances from
    large squares and is off by 1e-4 on a flat 8x8 block in float32. Here 1 is exact for the same images.
    """
    c1, c2 = (K1 * max_val) ** 2, (K2 * max_val) ** 2
    s, d = x + y - 1.0, x - y
    mean_s, mean_d = average(s), average(d)
    square_d = mean_d * mean_d
    variance_s, variance_d = average(s * s) - mean_s * mean_s, average(d * d) - square_d
    luminance = 1.0 - 2.0 * square_d / (ops.square(mean_s + 1.0) + square_d + 2.0 * c1)
    return luminance, 1.0 - 2.0 * variance_d / (variance_s + variance_d + 2.0 * c2)


def _blur(images, window):
    """Gaussian averages without padding: (batch, h - window + 1, w - window + 1, channels).

    Depthwise, not dense or a matrix product: those TensorFlow computes in TensorFloat-32 on a GPU, whose 10
    bits are too few for a variance that is a difference of squares.
    """
    taps = [math.exp(-0.5 * ((i - (window - 1) / 2) / SIGMA) ** 2) for i in range(window)]
    kernel = ops.convert_to_tensor([tap / sum(taps) for tap in taps], "float32")
    for shape in (window, 1, 1, 1), (1, window, 1, 1):
        axis = ops.tile(ops.reshape(kernel, shape), (1, 1, images.shape[-1], 1))
        images = ops.depthwise_conv(images, axis, padding="valid", data_format="channels_last")
    return images


def _average(images, size):
    return ops.average_pool(images, size, size, padding="valid", data_format="channels_last")


def _halve(images):
    """Means of 2x2 pixels; an odd last row or column is repeated first, as in tf.image."""
    if images.shape[1] % 2:
        images = ops.concatenate([images, images[:, -1:]], axis=1)
    if images.shape[2] % 2:
        images = ops.concatenate([images, images[:, :, -1:]], axis=2)
    return _average(images, 2)


def _variant(height, width, window=None, scales=None):
    def minimum(window, scales):  # for the last scale to hold one window
        return (window - 1) * 2 ** (scales - 1) + 1

    defaults = STANDARD if min(height, width) >= minimum(*STANDARD) else SMALL
    window, scales = defaults[0] if window is None else window, defaults[1] if scales is None else scales
    if window < 1 or not 1 <= scales <= len(SCALE_WEIGHTS):
        raise StudyError(f"Window {window} and {scales} scales; give a window of 1 or more, 1 to 5 scales.")
    remedy = "use larger images, a smaller window or fewer scales"
    if (window, scales) != SMALL:
        remedy += f", or give neither: {minimum(*SMALL)} pixels are then enough"
    name = f"MS-SSIM with window {window} and {scales} scales"
    _at_least(minimum(window, scales), (height, width), name, remedy)
    return window, scales


def ms_ssim_terms(x, y, window=None, scales=None):
    """MS-SSIM's factors before their powers, (batch, channels, scales), negative ones too, and the powers."""
    height, width = x.shape[1:3]
    window, scales = _variant(height, width, window, scales)
    terms = []
    for scale in range(scales):
        if scale:
            x, y = _halve(x), _halve(y)
        luminance, contrast = _similarity(x, y, lambda z: _blur(z, window), 1.0)
        if scale == scales - 1:  # W03 compares luminance at the coarsest scale alone
            contrast = luminance * contrast
        terms.append(ops.mean(contrast, axis=(1, 2)))
    weights = SCALE_WEIGHTS[:scales]
    if scales < len(SCALE_WEIGHTS):
        weights = tuple(weight / sum(weights) for weight in weights)
    return ops.stack(terms, axis=-1), ops.convert_to_tensor(weights, "float32")
