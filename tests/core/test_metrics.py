import io
import os
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
import skimage.metrics
from PIL import Image, ImageFilter

from study import losses, metrics
from study.ground import paths
from study.ground.errors import StudyError

WEIGHTS = np.array(metrics.SCALE_WEIGHTS)
DATA = Path(os.environ.get("CIFAR_DIR") or paths.ROOT.parent / "shared" / "data")


def jpeg(image, quality=20):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def blur(image):
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1)))


def noise(image):
    spread = np.random.default_rng(0).normal(0, 12, image.shape)
    return np.clip(image + spread, 0, 255).astype(np.uint8)


DAMAGE = {"jpeg": jpeg, "blur": blur, "noise": noise}


def photographs(height, width):
    """Parts of three photographs, each with the same top left corner, 8-bit."""
    sources = skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()
    return np.stack([image[20 : 20 + height, 60 : 60 + width] for image in sources])


def pairs(height, width, damage):
    """Photographs and what the damage makes of them, 8-bit."""
    images = photographs(height, width)
    return images, np.stack([DAMAGE[damage](image) for image in images])


def unit(images):
    return images.astype(np.float32) / np.float32(255)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


# Written from the papers alone: float64, windows laid out one by one, variances from squared differences.


def slow_terms(x, y, weights, step=1, max_val=1.0):
    """Means of SSIM and of its contrast-structure part, each (channels,), for one image (h, w, channels)."""
    shape = weights.shape
    x, y = (np.lib.stride_tricks.sliding_window_view(np.float64(z), shape, axis=(0, 1))[::step, ::step] for z in (x, y))
    c1, c2 = (0.01 * max_val) ** 2, (0.03 * max_val) ** 2

    def mean(z):
        return (z * weights).sum((-2, -1), keepdims=True)

    dx, dy = x - mean(x), y - mean(y)
    contrast = (2 * mean(dx * dy) + c2) / (mean(dx**2) + mean(dy**2) + c2)
    luminance = (2 * mean(x) * mean(y) + c1) / (mean(x) ** 2 + mean(y) ** 2 + c1)
    return (luminance * contrast).mean((0, 1, 3, 4)), contrast.mean((0, 1, 3, 4))


def gaussian(size):
    line = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line)
    return window / window.sum()


def slow_halve(image):
    height, width, _ = image.shape
    image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return sum(image[i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4


def slow_ms_ssim(x, y, window, scales):
    x, y = np.float64(x), np.float64(y)
    powers = WEIGHTS if scales == 5 else WEIGHTS[:scales] / WEIGHTS[:scales].sum()
    product = 1.0
    for scale in range(scales):
        both, contrast = slow_terms(x, y, gaussian(window))
        product = product * np.maximum(both if scale == scales - 1 else contrast, 0) ** powers[scale]
        x, y = slow_halve(x), slow_halve(y)
    return product.mean()


@pytest.mark.parametrize("damage", DAMAGE)
def test_psnr_is_that_of_scikit_image_on_8_bit_images(damage):
    x, y = pairs(256, 256, damage)
    truth = [skimage.metrics.peak_signal_noise_ratio(a, b) for a, b in zip(x, y, strict=True)]
    # Two units in the last place of float32, 4e-6 dB: the logarithm's own error.
    np.testing.assert_array_max_ulp(array(metrics.psnr(unit(x), unit(y))), np.float32(truth), maxulp=2)


def test_psnr_is_measured_after_rounding_to_8_bits():
    x, y = map(unit, pairs(32, 32, "jpeg"))
    nudged = y + np.random.default_rng(0).uniform(-0.0019, 0.0019, y.shape).astype(np.float32)
    np.testing.assert_array_equal(array(metrics.psnr(x, nudged)), array(metrics.psnr(x, y)))
    beyond = np.where(y > 0.5, y + 1, y - 1)
    np.testing.assert_array_equal(array(metrics.psnr(x, beyond)), array(metrics.psnr(x, np.where(y > 0.5, 1.0, 0.0))))


def test_psnr_is_an_images_own():
    x = np.zeros((3, 16, 16, 3), np.float32)
    y = np.stack([x[0], x[0] + 1, x[0] + np.float32(51 / 255)])
    np.testing.assert_allclose(array(metrics.psnr(x, y)), [np.inf, 0, 20 * np.log10(5)], atol=1e-5)


def test_to_8_bit():
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    np.testing.assert_array_max_ulp(array(metrics.to_8_bit(levels)), levels)
    rounded = array(metrics.to_8_bit(np.array([-3.0, 0.4 / 255, 0.6 / 255, 1.7])))
    assert rounded.dtype == np.float32
    np.testing.assert_array_max_ulp(rounded, np.float32([0, 0, 1 / 255, 1]))


@pytest.mark.parametrize("max_val", [1.0, 2.0])
@pytest.mark.parametrize("damage", DAMAGE)
def test_ssim_is_that_of_scikit_image(damage, max_val):
    x, y = map(unit, pairs(256, 256, damage))
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    truth = []
    for a, b in zip(np.float64(x), np.float64(y), strict=True):
        _, full = skimage.metrics.structural_similarity(a, b, data_range=max_val, full=True, **settings)
        truth.append(full[5:-5, 5:-5].mean())
    np.testing.assert_allclose(array(metrics.ssim(x, y, max_val)), truth, atol=1e-6)


@pytest.mark.parametrize("size", [(256, 256), (255, 177), (161, 162), (175, 163)])
@pytest.mark.parametrize("damage", DAMAGE)
def test_ssim_and_ms_ssim_are_those_of_tf_image(damage, size):
    tf = pytest.importorskip("tensorflow")
    x, y = map(unit, pairs(*size, damage))
    # Flat parts cost tf.image.ssim, all float32, up to 3e-5 against scikit-image's float64; textures do not.
    np.testing.assert_allclose(array(metrics.ssim(x, y)), tf.image.ssim(x, y, 1.0).numpy(), atol=5e-5)
    truth = tf.image.ssim_multiscale(x, y, 1.0).numpy()
    np.testing.assert_allclose(array(metrics.ms_ssim(x, y)), truth, atol=1e-5)
    np.testing.assert_allclose(array(1 - losses.loss("ms_ssim")(x, y[:, None])), truth.mean(), atol=1e-5)


@pytest.mark.parametrize("damage", DAMAGE)
def test_ssim_of_textures_is_that_of_tf_image(damage):
    tf = pytest.importorskip("tensorflow")
    textures = skimage.data.grass(), skimage.data.gravel()
    images = np.stack([np.stack([z[:256, :256], z[:256, 256:], z[256:, :256]], axis=-1) for z in textures])
    x, y = unit(images), unit(np.stack([DAMAGE[damage](image) for image in images]))
    for max_val in 1.0, 2.0:
        truth = tf.image.ssim(x, y, max_val).numpy()
        np.testing.assert_allclose(array(metrics.ssim(x, y, max_val)), truth, atol=1e-5)


@pytest.mark.parametrize("damage", DAMAGE)
def test_ssim_and_ms_ssim_are_those_of_pytorch_msssim(damage):
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("pytorch_msssim")
    x, y = map(unit, pairs(256, 256, damage))
    a, b = (torch.tensor(z.transpose(0, 3, 1, 2)) for z in (x, y))
    for ours, theirs in (metrics.ssim, peer.ssim), (metrics.ms_ssim, peer.ms_ssim):
        truth = theirs(a, b, data_range=1.0, size_average=False).numpy()
        np.testing.assert_allclose(array(ours(x, y)), truth, atol=1e-5)


@pytest.mark.parametrize("window, scales", [(11, 2), (8, 3), (7, 3), (5, 3), (4, 4), (3, 4), (2, 5), (11, 1)])
@pytest.mark.parametrize("damage", DAMAGE)
def test_small_ms_ssim_is_what_the_paper_says(damage, window, scales):
    x, y = map(unit, pairs(32, 32, damage))
    truth = [slow_ms_ssim(a, b, window, scales) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(array(metrics.ms_ssim(x, y, window, scales)), truth, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (17, 18), (33, 47), (160, 200)])
def test_ms_ssim_of_small_images_is_the_variant_of_its_name(size):
    x, y = map(unit, pairs(*size, "jpeg"))
    assert metrics.ms_ssim_name(*size) == "MS-SSIM[w3,L4]"
    truth = [slow_ms_ssim(a, b, 3, 4) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(array(metrics.ms_ssim(x, y)), truth, atol=1e-5)


def test_ms_ssim_counts_negative_terms_as_0_as_tf_image_does():
    tf = pytest.importorskip("tensorflow")
    x = unit(photographs(176, 176))
    y = np.stack([1 - x[0], x[2], np.roll(x[2], 5, axis=0)])
    truth = tf.image.ssim_multiscale(x, y, 1.0).numpy()
    assert truth[0] == 0
    np.testing.assert_allclose(array(metrics.ms_ssim(x, y)), truth, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (8, 8), (39, 23)])
def test_ssim_blocks_takes_whole_blocks_side_by_side(size):
    x, y = map(unit, pairs(*size, "jpeg"))
    height, width = (side // 8 * 8 for side in size)
    uniform = np.full((8, 8), 1 / 64)
    crops = zip(x[:, :height, :width], y[:, :height, :width], strict=True)
    truth = [slow_terms(a, b, uniform, step=8)[0].mean() for a, b in crops]
    np.testing.assert_allclose(array(metrics.ssim_blocks(x, y)), truth, atol=1e-5)


# Measured apart from this project, with TensorFlow's own functions: PSNR, SSIM with max_val 1 and 2, and MS-SSIM with
# windows and scales 11/2, 7/3, 4/4, 3/4, 2/5.
MEASURED = {
    "q20": (25.6, 0.854, 0.886, 0.938, 0.955, 0.951, 0.939, 0.928),
    "q75": (30.5, 0.942, 0.956, 0.978, 0.985, 0.983, 0.978, 0.973),
    "blur": (25.7, 0.845, 0.874, 0.932, 0.959, 0.962, 0.954, 0.949),
}


@pytest.mark.parametrize("name", MEASURED)
def test_figures_on_cifar_are_those_known(name):
    file = DATA / "cifar-10-batches-py" / "test_batch"
    if not file.is_file():
        pytest.skip("no CIFAR images here; CIFAR_DIR names a folder that holds them")
    rows = pickle.loads(file.read_bytes(), encoding="bytes")[b"data"][:300]
    images = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    damage = {"q20": jpeg, "q75": lambda image: jpeg(image, 75), "blur": blur}[name]
    x, y = unit(images), unit(np.stack([damage(image) for image in images]))
    variants = (11, 2), (7, 3), (4, 4), (3, 4), (2, 5)
    figures = [metrics.psnr(x, y), metrics.ssim(x, y), metrics.ssim(x, y, 2.0)]
    figures += [metrics.ms_ssim(x, y, *variant) for variant in variants]
    figures = [array(figure).mean() for figure in figures]
    np.testing.assert_allclose(figures[0], MEASURED[name][0], atol=0.06)
    np.testing.assert_allclose(figures[1:], MEASURED[name][1:], atol=0.0012)


def test_report_score_flatters():
    x, y = map(unit, pairs(256, 256, "blur"))
    score, honest, lenient = (
        array(z) for z in (metrics.report_score(x, y), metrics.ssim(x, y), metrics.ssim(x, y, 2.0))
    )
    np.testing.assert_allclose(score, 1 - (1 - lenient) ** 2, atol=1e-6)
    assert (honest < lenient).all() and (lenient < score).all() and (score > 0.98).all()


def test_report_residual_loss_follows_n_and_nothing_else():
    x, y = map(unit, pairs(32, 32, "jpeg"))
    mae = np.abs(np.float64(x) - y).mean()
    for n in (1, 5, 9, 15):
        loss = losses.loss(f"residual_{n}")(x, y[:, None])
        np.testing.assert_allclose(array(loss), (mae / n) ** 2, rtol=1e-5)


def test_colour_spread():
    images = np.random.default_rng(0).random((4, 16, 16, 3), dtype=np.float32)
    images[1] = images[1, :, :, :1]
    images[2] = [1, 0, 0]
    spread = array(metrics.colour_spread(images))
    differences = np.float64(images) - images.mean(-1, keepdims=True)
    np.testing.assert_allclose(spread, differences.std((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(spread[1:3], [0, np.sqrt(2) / 3], atol=1e-6)


def test_residual_is_normalised_as_in_the_paper():
    x, y = map(unit, pairs(32, 32, "jpeg"))
    passes = np.stack([x * 0.5, y, x * 0.9 + 0.1 * y], axis=1)
    batch, n, height, width, channels = passes.shape
    beta = 1 / (batch * height * width * channels * n)
    total = sum(np.abs(np.float64(x) - passes[:, t]).sum() for t in range(n))
    for name in "residual", "l1":
        np.testing.assert_allclose(array(losses.loss(name)(x, passes)), beta * total, rtol=1e-6)
    each = np.mean([array(metrics.residual_l1(x, passes[:, t])).mean() for t in range(n)])
    np.testing.assert_allclose(each, beta * total, rtol=1e-6)


def test_log_l2_is_the_psnr_that_a_batch_lacks():
    """In decibels, by scikit-image of the batch as one picture, where the error is far above rounding's."""
    x, y = map(unit, pairs(32, 32, "jpeg"))
    passes = np.stack([y, x * 0.5 + 0.2], axis=1)
    known = [skimage.metrics.peak_signal_noise_ratio(x, passes[:, t], data_range=1) for t in range(2)]
    rounding = 10 * np.log10(12 * 255**2)
    lacking = array(losses.loss("log_l2")(x, passes)) * 10 / np.log(10)
    np.testing.assert_allclose(lacking, rounding - np.mean(known), atol=0.05)


def test_ssim_weighted_loss_goes_to_the_worst_blocks():
    """Johnston 2018: weights by SSIM block by block, in float64, constant in the gradient, 1 on average."""
    x, y = map(unit, pairs(32, 32, "jpeg"))
    weights = np.empty((3, 4, 4))
    for i, row, column in np.ndindex(weights.shape):
        block = np.s_[i, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        similarity, _ = slow_terms(x[block], y[block], np.full((8, 8), 1 / 64))
        weights[i, row, column] = 1 - similarity.mean()
    weights /= weights.mean(axis=(1, 2), keepdims=True)
    weights = weights.repeat(8, axis=1).repeat(8, axis=2)[..., None]
    np.testing.assert_allclose(
        array(losses.loss("ssim_weighted")(x, y[:, None])), (weights * np.abs(x - y)).mean(), rtol=1e-4
    )
    slope = gradient(lambda z: losses.loss("ssim_weighted")(x, z), y[:, None])[:, 0]
    np.testing.assert_allclose(slope, weights * np.sign(y - x) / x.size, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", losses.LOSSES)
class TestLoss:
    def test_is_0_for_perfect_reconstructions(self, name):
        x = unit(photographs(32, 32))
        assert abs(array(losses.loss(name)(x, np.stack([x, x], axis=1)))) < 1e-6

    def test_is_the_mean_over_images_and_passes(self, name):
        x, y = map(unit, pairs(32, 32, "jpeg"))
        passes = np.stack([y, x * 0.5 + 0.2], axis=1)
        root = np.sqrt if name.startswith("residual_") else np.asarray  # the square of a mean

        def loss(images, reconstructions):
            return root(array(losses.loss(name)(images, reconstructions)))

        whole = loss(x, passes)
        parts = [np.s_[:]] if name == "log_l2" else [np.s_[i : i + 1] for i in range(3)]  # the logarithm of a mean
        single = [loss(x[part], passes[part, t : t + 1]) for part in parts for t in (0, 1)]
        np.testing.assert_allclose(whole, np.mean(single), rtol=1e-5)
        twice = loss(np.repeat(x, 2, axis=0), np.tile(passes, (2, 1, 1, 1, 1))[[0, 3, 1, 4, 2, 5]])
        np.testing.assert_allclose(whole, twice, rtol=1e-5)

    @pytest.mark.parametrize("pair", ["inverted", "constant", "same_constant", "black_white", "identical", "noise"])
    def test_has_a_finite_gradient(self, name, pair):
        x = unit(photographs(32, 32))
        flat = np.full_like(x, 0.5)
        x, y = {
            "inverted": (x, 1 - x),
            "constant": (x, flat),
            "same_constant": (flat, flat),
            "black_white": (flat * 0, flat * 2),
            "identical": (x, x),
            "noise": (x, np.random.default_rng(0).random(x.shape, dtype=np.float32)),
        }[pair]
        slope = gradient(lambda z: losses.loss(name)(x, z), y[:, None])
        assert np.isfinite(slope).all()
        if pair not in ("same_constant", "identical"):
            assert all(np.abs(of_image).max() > 0 for of_image in slope)

    def test_trains_a_compiled_model(self, name):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((32, 32, 3))
        first = keras.layers.Conv2D(3, 1, activation="sigmoid")(inputs)
        second = keras.layers.Conv2D(3, 1, activation="sigmoid")(first)
        both = [keras.layers.Reshape((1, 32, 32, 3))(z) for z in (first, second)]
        model = keras.Model(inputs, keras.layers.Concatenate(axis=1)(both))
        model.compile(keras.optimizers.Adam(0.02), loss=losses.loss(name))
        x = unit(photographs(32, 32))
        before = array(losses.loss(name)(x, model(x)))
        history = model.fit(x, x, batch_size=3, epochs=20, verbose=0).history["loss"]
        np.testing.assert_allclose(history[0], before, rtol=1e-4)
        assert history[-1] < history[0]


def gradient(function, at):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        point = tf.constant(at)
        with tf.GradientTape() as tape:
            tape.watch(point)
            value = function(point)
        return tape.gradient(value, point).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(at))
    point = keras.ops.convert_to_tensor(at).requires_grad_()
    function(point).backward()
    return point.grad.cpu().numpy()


@pytest.mark.parametrize("metric", [metrics.ssim, metrics.ssim_blocks, metrics.ms_ssim, metrics.report_score])
def test_metrics_too_have_finite_gradients(metric):
    x = unit(photographs(32, 32))
    for y in x, 1 - x, np.full_like(x, 0.5), np.zeros_like(x):
        assert np.isfinite(gradient(lambda z: keras.ops.sum(metric(x, z)), y)).all()


def test_ms_ssim_loss_has_a_slope_where_the_metric_is_flat():
    x = unit(skimage.data.gravel()[None, :32, :32, None].repeat(3, axis=-1))
    y = 1 - x
    train = losses.loss("ms_ssim")
    assert array(metrics.ms_ssim(x, y)) == 0
    assert not gradient(lambda z: keras.ops.sum(metrics.ms_ssim(x, z)), y).any()
    slope = gradient(lambda z: train(x, z), y[:, None])
    step = y[:, None] - 0.01 * slope / np.abs(slope).max()
    assert array(train(x, step)) < array(train(x, y[:, None]))


def test_half_precision_is_widened():
    x, y = map(unit, pairs(32, 32, "jpeg"))
    coarse = keras.ops.cast(y, "bfloat16")
    widened = keras.ops.cast(coarse, "float32")
    np.testing.assert_array_equal(array(metrics.ms_ssim(x, coarse)), array(metrics.ms_ssim(x, widened)))


def blank(*shape):
    return np.zeros(shape, np.float32)


def test_ms_ssim_name():
    assert metrics.ms_ssim_name(161, 161) == "MS-SSIM"
    assert metrics.ms_ssim_name(160, 4000) == metrics.ms_ssim_name(17, 17) == "MS-SSIM[w3,L4]"
    with pytest.raises(StudyError, match="needs 17 pixels a side, these images are 16x40; use larger images"):
        metrics.ms_ssim_name(16, 40)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: metrics.ssim(blank(1, 10, 32, 3), blank(1, 10, 32, 3)),
            "needs 11 .* 10x32; use ssim_blocks",
        ),
        (lambda: metrics.ssim_blocks(blank(1, 32, 7, 3), blank(1, 32, 7, 3)), "needs 8 .* 32x7; use larger"),
        (lambda: metrics.ms_ssim(blank(1, 8, 8, 3), blank(1, 8, 8, 3)), "needs 17 .* 8x8; use larger"),
        (
            lambda: metrics.ms_ssim(blank(1, 32, 32, 3), blank(1, 32, 32, 3), 11, 5),
            "needs 161 .* neither: 17",
        ),
        (
            lambda: metrics.ms_ssim(blank(1, 32, 32, 3), blank(1, 32, 32, 3), window=7),
            "7 and 4 scales needs 49",
        ),
        (lambda: metrics.ms_ssim(blank(1, 32, 32, 3), blank(1, 32, 32, 3), 3, 6), "6 scales; give .* 1 to 5"),
        (lambda: metrics.psnr(blank(1, 8, 8, 3), blank(1, 8, 9, 3)), "8, 8, 3.*8, 9, 3.*crop"),
        (lambda: metrics.psnr(blank(2, 8, 8, 3), blank(1, 8, 8, 3)), "2, 8.*1, 8.*the same"),
        (lambda: metrics.psnr(blank(8, 8, 3), blank(8, 8, 3)), "8, 8, 3.*give .batch, h, w, 3"),
        (lambda: metrics.to_8_bit(np.zeros(3, np.uint8)), "uint8.*divide 8-bit images by 255"),
        (lambda: losses.loss("l1")(blank(1, 8, 8, 3), blank(1, 8, 8, 3)), "give .batch, n, h, w, 3"),
        (lambda: losses.loss("l1")(blank(1, 8, 8, 3), blank(1, 4, 8, 9, 3)), "8, 8, 3.*8, 9, 3.*crop"),
        (
            lambda: losses.loss("psnr"),
            "no loss 'psnr'; choose one of ms_ssim, report, l1, l2, log_l2, residual, ssim_weighted",
        ),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(call, message):
    with pytest.raises(StudyError, match=message):
        call()
