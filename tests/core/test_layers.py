"""The binarizer, and the gain of residual scaling."""

import keras
import numpy as np
import pytest
from gradients import gradients
from test_cells import array, convolve, normal

from study.layers import Binarizer, Gain


def test_gain_is_that_of_the_binarizers_first_weights():
    keras.utils.set_random_seed(0)
    for gain in 1.0, 300.0:
        binarizer = Binarizer(32, gain=gain)
        binarizer.build((None, None, None, 512))
        assert array(binarizer.convolution.kernel).std() == pytest.approx(gain / np.sqrt(512), rel=0.02)


def made_binarizer(values, seed=0):
    """A binarizer for features of one channel, each of whose bits has one of these values before it is drawn."""
    binarizer = Binarizer(len(values), seed=seed)
    binarizer.build((None, None, None, 1))
    binarizer.convolution.kernel.assign(np.zeros((1, 1, 1, len(values))))
    binarizer.convolution.bias.assign(np.arctanh(values))
    return binarizer


def test_bits_are_signs_when_not_training():
    keras.utils.set_random_seed(0)
    binarizer, x = Binarizer(32), normal(4, 6, 5, 48)
    bits = array(binarizer(x))
    value = convolve(x, array(binarizer.convolution.kernel))
    assert bits.shape == (4, 6, 5, 32)
    np.testing.assert_array_equal(bits, np.where(value < 0, -1, 1))


def test_sign_of_0_is_a_bit():
    nothing = np.zeros((1, 2, 2, 1), np.float32)
    np.testing.assert_array_equal(array(made_binarizer([0.0, -0.0, 1e-9, -1e-9])(nothing))[0, 0, 0], [1, 1, 1, -1])


VALUES = np.array([-0.97, -0.7, -0.5, -0.2, 0.0, 0.1, 0.3, 0.6, 0.9])


def drawn(n=2**16):
    """Bits (n, values) of as many places with equal features."""
    return array(made_binarizer(VALUES)(np.zeros((n // 64**2, 64, 64, 1), np.float32), training=True)).reshape(n, -1)


def test_bits_are_exact_in_training_too():
    np.testing.assert_array_equal(np.unique(drawn()), [-1, 1])


def test_bits_in_training_are_the_value_in_expectation():
    bits = drawn()
    deviation = np.sqrt((1 - VALUES**2) / len(bits))
    assert (np.abs(bits.mean(axis=0) - VALUES) < 5 * deviation).all()


def test_each_bit_has_its_own_noise():
    bits = drawn()
    correlation = np.corrcoef(bits.T) - np.eye(len(VALUES))
    assert np.abs(correlation).max() < 5 / np.sqrt(len(bits))
    neighbours = np.mean((bits[1:] - VALUES) * (bits[:-1] - VALUES), axis=0) / (1 - VALUES**2)
    assert np.abs(neighbours).max() < 5 / np.sqrt(len(bits))


@pytest.mark.parametrize("training", [True, False])
def test_gradient_passes_the_binarizer_unchanged(training):
    keras.utils.set_random_seed(0)
    binarizer, x, weight = Binarizer(8, seed=0), normal(2, 3, 4, 5), normal(2, 3, 4, 8, seed=1)
    binarizer.build(x.shape)
    convolution = binarizer.convolution
    convolution.bias.assign(normal(8, seed=2) / 2)
    found = gradients(
        lambda: keras.ops.sum(keras.ops.multiply(binarizer(x, training=training), weight)),
        [convolution.kernel, convolution.bias],
    )
    # By hand, for the sum of tanh(x K + b) times the weight.
    tanh = np.tanh(convolve(x, array(convolution.kernel)) + array(convolution.bias))
    slope = (1 - tanh**2) * weight
    np.testing.assert_allclose(found[0][0, 0], np.einsum("bhwc,bhwo->co", x, slope), atol=1e-4)
    np.testing.assert_allclose(found[1], slope.sum((0, 1, 2)), atol=1e-4)


def test_noise_is_that_of_the_seed():
    nothing = np.zeros((1, 8, 8, 1), np.float32)
    values = np.zeros(4)
    (first, again), other = (made_binarizer(values, seed=7) for _ in range(2)), made_binarizer(values, seed=8)
    noise = array(first(nothing, training=True))
    np.testing.assert_array_equal(array(again(nothing, training=True)), noise)
    assert (array(other(nothing, training=True)) != noise).any()
    assert (array(first(nothing, training=True)) != noise).any()


def slow_gain(gain, pictures):
    """T17 eq. 17 in float64: one gain for each 32x32 block, held over it."""
    x = np.float64(pictures)
    for layer in gain.convolutions:
        x = convolve(x, array(layer.kernel), 2) + array(layer.bias)
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return np.repeat(np.repeat(x + 2, 32, axis=1), 32, axis=2)[:, : pictures.shape[1], : pictures.shape[2]]


def test_gains_are_those_of_five_convolutions_held_over_their_blocks():
    keras.utils.set_random_seed(0)
    gain, pictures = Gain(), normal(2, 48, 64, 3) / 4
    gains = array(gain(pictures))
    assert gain.count_params() == 28_769
    assert gains.shape == (2, 48, 64, 1) and (gains > 1).all() and len(np.unique(gains[0])) == 4
    np.testing.assert_allclose(gains, slow_gain(gain, pictures), atol=1e-5)
