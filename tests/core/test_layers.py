"""Each cell against a twin in float64 NumPy, written from the paper's equations alone; binarizer and residual scale."""

import keras
import numpy as np
import pytest
from gradients import gradients
from twin import array, convolve, lstm, normal, sigmoid, slow_scale

from study.ground.errors import StudyError
from study.layers import AssociativeConvLSTM, Binarizer, ConvGRU, ConvLSTM, ResidualConvGRU, ResidualScale

# The cells


def made_cell(kernel, hidden, strides, depth=5, filters=6):
    """A cell whose biases are random too, so that no two gates are alike."""
    keras.utils.set_random_seed(0)
    cell = ConvLSTM(filters, kernel, hidden, strides=strides)
    cell.build((None, None, None, depth))
    cell.bias.assign(normal(3 * filters))
    cell.forget_bias.assign(normal(filters, seed=1))
    return cell


# Kernel, hidden kernel, stride, height and width.
SIZES = [
    (2, 1, 1, (4, 6)),
    (2, 3, 2, (6, 5)),
    (3, 1, 1, (1, 1)),
    (3, 1, 2, (8, 6)),
    (3, 1, 2, (7, 9)),
    (3, 3, 1, (5, 4)),
    (3, 3, 2, (2, 8)),
]


@pytest.mark.parametrize("kernel, hidden, strides, size", SIZES)
def test_lstm_without_state_is_that_with_a_state_of_zeros(kernel, hidden, strides, size):
    cell, x = made_cell(kernel, hidden, strides), normal(2, *size, 5, seed=1)
    output, (h, c) = cell(x)
    zeros = np.zeros((2, *(-(-side // strides) for side in size), 6))
    expected_h, expected_c = lstm(cell, x, zeros, zeros)
    np.testing.assert_allclose(array(h), expected_h, atol=1e-5)
    np.testing.assert_allclose(array(c), expected_c, atol=1e-5)
    np.testing.assert_array_equal(array(output), array(h))


@pytest.mark.parametrize("kernel, hidden, strides, size", SIZES)
def test_lstm_with_a_state_follows_the_equations(kernel, hidden, strides, size):
    cell, x = made_cell(kernel, hidden, strides), normal(2, *size, 5, seed=1)
    shape = 2, *(-(-side // strides) for side in size), 6
    h, c = normal(*shape, seed=2), 3 * normal(*shape, seed=3)
    expected_h, expected_c = lstm(cell, x, h, c)
    output, (h, c) = cell(x, (h, c))
    np.testing.assert_allclose(array(h), expected_h, atol=1e-5)
    np.testing.assert_allclose(array(c), expected_c, atol=1e-5)
    np.testing.assert_array_equal(array(output), array(h))


def gru(cell, x, h):
    """T17 eq. 11 to 13, with the gates in the order z, n, r and one bias each."""
    kernel = np.concatenate([array(cell.input_kernel), array(cell.reset_kernel)], axis=-1)
    bias = np.concatenate([array(cell.bias), array(cell.reset_bias)])
    z, n, r = np.split(convolve(x, kernel, cell.strides) + bias, 3, axis=-1)
    hidden_z, hidden_r = np.split(convolve(h, array(cell.hidden_kernel)), 2, axis=-1)
    z, r = sigmoid(z + hidden_z), sigmoid(r + hidden_r)
    return (1 - z) * h + z * np.tanh(n + convolve(r * h, array(cell.candidate_kernel)))


@pytest.mark.parametrize("kernel, hidden, strides, size", SIZES)
def test_gru_follows_the_equations_from_nothing_on(kernel, hidden, strides, size):
    keras.utils.set_random_seed(0)
    cell, state = ConvGRU(6, kernel, hidden, strides=strides), None
    cell.build((None, None, None, 5))
    cell.bias.assign(normal(12))
    cell.reset_bias.assign(normal(6, seed=1))
    h = np.zeros((2, *(-(-side // strides) for side in size), 6))
    for step in range(3):
        x = normal(2, *size, 5, seed=step)
        output, state = cell(x, state)
        h = gru(cell, x, h)
        np.testing.assert_allclose(array(output), h, atol=1e-5)
        np.testing.assert_array_equal(array(output), array(state))


def test_lstm_takes_back_the_state_it_gave():
    cell = made_cell(3, 3, 2)
    state, h, c = None, np.zeros((2, 4, 4, 6)), np.zeros((2, 4, 4, 6))
    for step in range(4):
        x = normal(2, 8, 8, 5, seed=step)
        output, state = cell(x, state)
        h, c = lstm(cell, x, h, c)
        np.testing.assert_allclose(array(output), h, atol=1e-5)


def test_lstm_forgets_nothing_at_first():
    cell = ConvLSTM(6, 3, 1)
    cell.build((None, None, None, 5))
    np.testing.assert_array_equal(array(cell.bias), [0] * 18)
    np.testing.assert_array_equal(array(cell.forget_bias), [1] * 6)
    # With nothing to see and no output to remember, the gate alone decides what is left of the cell.
    c = normal(1, 4, 4, 6)
    _, (_, kept) = cell(np.zeros((1, 4, 4, 5), np.float32), (np.zeros_like(c), c))
    np.testing.assert_allclose(array(kept), c / (1 + np.exp(-1)), atol=1e-6)


def test_lstm_first_weights_keep_the_size_of_what_comes_in():
    keras.utils.set_random_seed(0)
    cell = ConvLSTM(64, 3, 1)
    cell.build((None, None, None, 64))
    for kernel in cell.input_kernel, cell.forget_kernel:
        assert array(kernel).std() == pytest.approx(1 / np.sqrt(3 * 3 * 64), rel=0.02)
    assert np.abs(array(cell.hidden_kernel)).max() == pytest.approx(np.sqrt(6 / (64 + 256)), rel=0.01)


def test_lstm_has_its_hidden_weights_before_a_second_step():
    cell = ConvLSTM(6, 3, 1)
    cell(normal(1, 4, 4, 5))
    shapes = [(3, 3, 5, 18), (3, 3, 5, 6), (1, 1, 6, 24), (18,), (6,)]
    assert [variable.shape for variable in cell.variables] == shapes


def made(kind, kernel, hidden, strides, depth=5, filters=6):
    """A cell whose biases are random too, and whose kernels are large, so that bounds are met and no gate is alike."""
    keras.utils.set_random_seed(0)
    cell = kind(filters, kernel, hidden, strides=strides)
    cell.build((None, None, None, depth))
    for k, variable in enumerate(cell.variables):
        scale = 1.0 if len(variable.shape) == 1 else 0.4
        variable.assign(scale * normal(*variable.shape, seed=10 + k))
    return cell


@pytest.mark.parametrize("kernel, hidden, strides, size", SIZES)
def test_residual_gru_follows_the_equations_from_nothing_on(kernel, hidden, strides, size):
    cell, state = made(ResidualConvGRU, kernel, hidden, strides), None
    h = np.zeros((2, *(-(-side // strides) for side in size), 6))
    for step in range(3):
        x = normal(2, *size, 5, seed=step)
        output, state = cell(x, state)
        h = gru(cell, x, h) + 0.1 * convolve(h, array(cell.state_kernel))
        np.testing.assert_allclose(array(state), h, atol=1e-5)
        skip = convolve(x, array(cell.skip_kernel), cell.strides)
        np.testing.assert_allclose(array(output), h + 0.1 * skip, atol=1e-5)


def bound(z):
    return np.where(np.abs(z) <= 1, z, z / np.maximum(np.abs(z), 1e-300))


@pytest.mark.parametrize("kernel, hidden, strides, size", SIZES)
def test_associative_lstm_follows_the_equations_from_nothing_on(kernel, hidden, strides, size):
    """T17 eq. 7 to 10 in complex numbers: gates in the order i, o, j, r_i, r_o, f, real parts before imaginary ones."""
    cell, state = made(AssociativeConvLSTM, kernel, hidden, strides), None
    weights = np.concatenate([array(cell.input_kernel), array(cell.forget_kernel)], axis=-1)
    bias = np.concatenate([array(cell.bias), array(cell.forget_bias)])
    sides = [-(-side // strides) for side in size]
    h, c = np.zeros((2, *sides, 6)), np.zeros((2, *sides, 3), complex)
    for step in range(3):
        x = normal(2, *size, 5, seed=step)
        output, state = cell(x, state)
        z = convolve(x, weights, strides) + convolve(h, array(cell.hidden_kernel)) + bias
        i, o, *parts, f = np.split(z, 9, axis=-1)
        j, r_i, r_o = (bound(parts[k] + 1j * parts[k + 1]) for k in (0, 2, 4))
        c = sigmoid(f) * c + r_i * sigmoid(i) * j
        out = sigmoid(o) * bound(r_o * c)
        h = np.concatenate([out.real, out.imag], axis=-1)
        np.testing.assert_allclose(array(output), h, atol=1e-5)
        np.testing.assert_allclose(array(state[1][0]) + 1j * array(state[1][1]), c, atol=1e-5)


def test_associative_lstm_starts_with_open_keys():
    cell = AssociativeConvLSTM(6, 3, 1)
    cell.build((None, None, None, 5))
    assert array(cell.bias).reshape(8, 3).tolist() == [[v] * 3 for v in (0, 0, 0, 0, 1, 0, 1, 0)]
    with pytest.raises(StudyError, match="filters=5: half of them are real parts; expected an even number"):
        AssociativeConvLSTM(5, 3, 1).build((None, None, None, 5))


# The binarizer


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


# The residual scale


def test_scales_are_those_of_five_convolutions_held_over_their_blocks():
    keras.utils.set_random_seed(0)
    layer, pictures = ResidualScale(), normal(2, 48, 64, 3) / 4
    scales = array(layer(pictures))
    assert layer.count_params() == 28_769
    assert scales.shape == (2, 48, 64, 1) and (scales > 1).all() and len(np.unique(scales[0])) == 4
    np.testing.assert_allclose(scales, slow_scale(layer, pictures), atol=1e-5)
