"""Training losses, made from the metrics.

Each takes images (batch, h, w, 3) and reconstructions (batch, n, h, w, 3), one a pass, in [0, 1] and not rounded.
Papers are named as in `study.metrics`; Johnston 2018 is arXiv 1703.10114.
"""

from functools import partial
from typing import Any

from study.engine import ops
from study.ground.errors import StudyError
from study.metrics import BLOCK, as_floats, as_images, ms_ssim_terms, same_shape, ssim, ssim_block_map

LOSS_FLOOR = 1e-3
ROUNDING = 1 / (12 * 255**2)  # the mean squared error of rounding to 8 bits
WEIGHT_FLOOR = 1e-6  # for images without an error, whose blocks all weigh the same


def loss(name):
    """The loss of this name, one of LOSSES, for `codec.compile(loss=...)`.

    It takes images (batch, h, w, 3) and reconstructions (batch, n, h, w, 3), one a pass, in [0, 1] and not
    rounded, and returns a scalar, 0 at best: a mean over images and passes, so that every pass learns and
    neither batch size nor n changes its scale. StudyError if there is no such loss.
    """
    if name not in LOSSES:
        raise StudyError(f"There is no loss {name!r}; choose one of {', '.join(LOSSES)}.")
    return LOSSES[name]


def l1_loss(images, reconstructions):
    """T17's loss (sec. 2, eq. 3), beta sum_t |r_t| with beta = 1 / (B H W C n): the mean absolute error."""
    images, reconstructions = _passes(images, reconstructions)
    return ops.mean(ops.abs(images - reconstructions))


def l2_loss(images, reconstructions):
    """The mean squared error."""
    images, reconstructions = _passes(images, reconstructions)
    return ops.mean(ops.square(images - reconstructions))


def log_l2_loss(images, reconstructions):
    """The logarithm of each pass's mean squared error over that of rounding to 8 bits, which is added to it.

    Late passes, of small errors, so weigh as much as the first. The error is that of a batch: the logarithm of each
    image's own, whose slope is that of the mean PSNR, would favour images that are easy.
    """
    images, reconstructions = _passes(images, reconstructions)
    errors = ops.mean(ops.square(images - reconstructions), axis=(0, 2, 3, 4))
    return ops.mean(ops.log1p(errors / ROUNDING))


def ssim_weighted_loss(images, reconstructions):
    """Johnston 2018's loss: the mean absolute error, where each 8x8 block weighs as much as it lacks similarity.

    The weight of a block is its 1 - SSIM over the mean of those of its image, and is taken as a constant: gradients go
    to the worst blocks, and an image as a whole weighs 1. Sides must be multiples of 8.
    """
    x, y = _flat(images, reconstructions)
    lacking = ops.stop_gradient(1.0 - ssim_block_map(x, y)) + WEIGHT_FLOOR
    weights = lacking / ops.mean(lacking, axis=(1, 2), keepdims=True)
    weights = ops.repeat(ops.repeat(weights, BLOCK, axis=1), BLOCK, axis=2)
    return ops.mean(weights[..., None] * ops.abs(x - y))


def residual_loss(images, reconstructions, n):
    """The report's residual loss at an n set by hand: (mean absolute residual of a batch / n)^2."""
    return ops.square(l1_loss(images, reconstructions) / n)


def report_loss(images, reconstructions):
    """The report's loss, (1 - SSIM)^2 with `max_val` 2, squared image by image as in its authors' code."""
    return ops.mean(ops.square(1.0 - ssim(*_flat(images, reconstructions), max_val=2.0)))


def ms_ssim_loss(images, reconstructions):
    """1 - MS-SSIM (W03, eq. 7), with a slope that neither explodes nor vanishes where contrast is lost.

    The product counts terms under LOSS_FLOOR as the floor, and what they lack of it is added, weighted as
    there. So it equals the metric where all terms reach the floor, is at most about 2, and falls as any term
    rises; the metric is flat where one is negative, as in 40 % of the channels of CIFAR images beside random
    8x8 blocks. StudyError as `ms_ssim`.
    """
    terms, weights = ms_ssim_terms(*_flat(images, reconstructions))
    floored = ops.maximum(terms, LOSS_FLOOR)
    products = ops.exp(ops.sum(weights * ops.log(floored), axis=-1))
    return ops.mean(1.0 - products + ops.sum(weights * (floored - terms), axis=-1))


LOSSES = {
    "ms_ssim": ms_ssim_loss,
    "report": report_loss,
    "l1": l1_loss,
    "l2": l2_loss,
    "log_l2": log_l2_loss,
    "residual": l1_loss,
    "ssim_weighted": ssim_weighted_loss,
}
LOSSES |= {f"residual_{n}": partial(residual_loss, n=n) for n in (1, 5, 9, 15)}


def _passes(images, reconstructions):
    """(batch, 1, h, w, 3) and (batch, n, h, w, 3)."""
    images, reconstructions = as_images(images), as_floats(reconstructions)
    shape = tuple(reconstructions.shape)
    if len(shape) != 5:
        raise StudyError(f"Reconstructions have shape {shape}; give (batch, n, h, w, 3), n passes.")
    same_shape(images.shape, shape[:1] + shape[2:])
    return images[:, None], reconstructions


def _flat(images, reconstructions) -> tuple[Any, Any]:
    """Each pass as an image of its own beside its target: (batch * n, h, w, 3) twice."""
    images, reconstructions = _passes(images, reconstructions)
    size = (-1, *images.shape[2:])
    targets = ops.broadcast_to(images, ops.shape(reconstructions))
    return ops.reshape(targets, size), ops.reshape(reconstructions, size)
