import keras
import numpy as np
import pytest
from gradients import gradients
from twin import array, lively, made, random_images, slow_codec

from study.architecture import BPP
from study.ground.errors import StudyError
from study.model import Codec, build_codec

FULL_SIZE = 30_225_283
RULES = [(r, a) for r in ("additive", "one_shot", "residual_scaling") for a in ("linear", "leaky_relu")]
KINDS = ["lstm", "gru", "residual_gru", "associative_lstm"]


@pytest.fixture(scope="module")
def small():
    return made()


# The network


@pytest.fixture(scope="module")
def full():
    return made(width=1.0)


# T17, Fig. 1 and sec. 2: kernel, input depth, output depth, hidden kernel of the layers in order.
T17_LAYERS = [
    (3, 3, 64, 0),
    (3, 64, 256, 1),
    (3, 256, 512, 1),
    (3, 512, 512, 1),
    (1, 512, 32, 0),
    (1, 32, 512, 0),
    (2, 512, 512, 1),
    (3, 128, 512, 1),
    (3, 128, 256, 3),
    (3, 64, 128, 3),
    (1, 32, 3, 0),
]


def t17_shapes(scale=1):
    """Of every variable, with channels divided by `scale`; the image's 3 and the code's 32 are not channels."""

    def channels(n, layer, side):
        fixed = {(0, "in"), (4, "out"), (5, "in"), (10, "out")}
        return n if (layer, side) in fixed else n // scale

    shapes = []
    for layer, (kernel, depth, filters, hidden) in enumerate(T17_LAYERS):
        depth, filters = channels(depth, layer, "in"), channels(filters, layer, "out")
        if hidden:
            # Of the four gates, the forget gate has its input kernel and its bias apart.
            shapes += [(kernel, kernel, depth, 3 * filters), (kernel, kernel, depth, filters)]
            shapes += [(hidden, hidden, filters, 4 * filters), (3 * filters,), (filters,)]
        else:
            shapes += [(kernel, kernel, depth, filters), (filters,)]
    return shapes


def shapes_of(layers):
    return [tuple(variable.shape) for layer in layers for variable in layer.weights]


def layers_of(codec):
    encoder = [codec.encoder_conv, *codec.encoder_cells]
    decoder = [codec.decoder_conv, *codec.decoder_cells, codec.output_conv]
    return encoder, [codec.binarizer], decoder


def test_layers_are_those_of_the_paper(full):
    encoder, binarizer, decoder = layers_of(full)
    assert shapes_of(encoder + binarizer + decoder) == t17_shapes()


@pytest.mark.parametrize("scale", [4, 32])
def test_width_scales_all_channels_but_the_code(scale):
    encoder, binarizer, decoder = layers_of(made(width=1 / scale))
    assert shapes_of(encoder + binarizer + decoder) == t17_shapes(scale)


def test_parts_have_the_papers_number_of_weights(full):
    weights, biases = [], 0
    for part in layers_of(full):
        shapes = shapes_of(part)
        weights.append(sum(int(np.prod(shape)) for shape in shapes if len(shape) > 1))
        biases += sum(shape[0] for shape in shapes if len(shape) == 1)
    assert weights == [17_106_624, 16_384, 13_090_912]
    assert sum(weights) == 30_213_920 and biases == FULL_SIZE - 30_213_920


def test_parameters_do_not_grow_with_the_passes(full):
    assert full.count_params() == FULL_SIZE  # before any call
    assert build_codec(iterations=16).count_params() == FULL_SIZE
    for n in 1, 16:
        full(random_images(32, 32, batch=1), iterations=n)
        assert full.count_params() == FULL_SIZE
        assert sum(int(np.prod(variable.shape)) for variable in full.trainable_variables) == FULL_SIZE


def test_no_call_makes_a_variable():
    codec = made()
    before = [id(variable) for variable in codec.variables]
    for n in 1, 2, 16:
        for training in False, True:
            codec(random_images(17, 33), iterations=n, training=training)
        codec.decode(codec.encode(random_images(17, 33), iterations=n))
    assert [id(variable) for variable in codec.variables] == before


# The passes, against the whole codec written from T17 alone, in float64


@pytest.mark.parametrize("reconstruction, activation", RULES)
def test_codec_is_that_of_the_paper(reconstruction, activation):
    codec, images, n = lively(reconstruction=reconstruction, activation=activation), random_images(32, 48), 4
    slope = {"linear": 1.0, "leaky_relu": 0.01}[activation]
    bits, pixels = slow_codec(codec, images, n, reconstruction != "one_shot", slope)
    assert 0.02 < np.mean(bits[:, 1:] != bits[:, :-1]) < 0.98  # each pass says something else
    np.testing.assert_array_equal(array(codec.encode(images, iterations=n)), bits)
    np.testing.assert_allclose(array(codec(images, iterations=n)), np.clip(pixels, 0, 1), atol=1e-5)


@pytest.mark.parametrize("priming", [1, 3])
def test_primed_cells_have_seen_what_they_are_given_before(priming):
    """Johnston et al. 2018: the first turns leave states, and neither bits nor a picture."""
    codec, images, n = lively(priming=priming), random_images(32, 48), 3
    bits, pixels = slow_codec(codec, images, n, additive=True, slope=1.0, priming=priming)
    unprimed, _ = slow_codec(codec, images, n, additive=True, slope=1.0)
    assert (bits[:, 0] != unprimed[:, 0]).any()
    np.testing.assert_array_equal(array(codec.encode(images, iterations=n)), bits)
    np.testing.assert_allclose(array(codec(images, iterations=n)), np.clip(pixels, 0, 1), atol=1e-5)
    np.testing.assert_allclose(array(codec.decode(bits)), np.clip(pixels, 0, 1), atol=1e-5)


@pytest.mark.parametrize("reconstruction, levels", [("additive", [1.0, 1.5, 2.0]), ("one_shot", [1.0, 1.0, 1.0])])
def test_result_is_clipped_except_in_training(reconstruction, levels):
    codec, images = made(reconstruction=reconstruction), random_images(16, 16)
    codec.output_conv.bias.assign([50.0, 50.0, 50.0])  # every pass answers 1/2, the most it can
    trained, used = (array(codec(images, iterations=3, training=training)) for training in (True, False))
    for t, level in enumerate(levels):
        np.testing.assert_allclose(trained[:, t], level, atol=1e-6)
        np.testing.assert_allclose(used[:, t], 1, atol=1e-6)


@pytest.mark.parametrize("reconstruction", ["additive", "one_shot", "residual_scaling"])
def test_first_passes_are_the_same_for_every_n(reconstruction):
    codec, images = made(reconstruction=reconstruction), random_images(32, 32)
    most = array(codec(images, iterations=16))
    for n in 1, 2, 5:
        np.testing.assert_allclose(array(codec(images, iterations=n)), most[:, :n], atol=1e-6)
    assert all(np.abs(most[:, t] - most[:, t - 1]).max() > 1e-3 for t in range(1, 16))


def test_images_of_a_batch_do_not_mix(small):
    images = random_images(32, 32, batch=3)
    together = array(small(images, iterations=3))
    apart = [array(small(images[i : i + 1], iterations=3))[0] for i in range(3)]
    np.testing.assert_allclose(together, apart, atol=1e-6)


def forget(monkeypatch, name, cell, part):
    """Makes h (part 0) or c (part 1) of a cell zero after each encoder's or decoder's pass."""
    run_pass = getattr(Codec, name)

    def forgetful(self, *args):
        result, states = run_pass(self, *args)
        state = list(states[cell])
        state[part] = keras.ops.zeros_like(state[part])
        states[cell] = tuple(state)
        return result, states

    monkeypatch.setattr(Codec, name, forgetful)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("cell", range(3))
def test_encoder_remembers(small, monkeypatch, cell, part):
    images = random_images(64, 64, batch=4)
    bits = array(small.encode(images, iterations=2))
    forget(monkeypatch, "_encode_pass", cell, part)
    changed = array(small.encode(images, iterations=2))
    np.testing.assert_array_equal(changed[:, 0], bits[:, 0])
    assert (changed[:, 1] != bits[:, 1]).any()


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("cell", range(4))
def test_decoder_remembers(small, monkeypatch, cell, part):
    bits = np.random.default_rng(0).choice(np.float32([-1, 1]), (2, 2, 2, 2, 32))
    pixels = array(small.decode(bits))
    forget(monkeypatch, "_decode_pass", cell, part)
    changed = array(small.decode(bits))
    np.testing.assert_array_equal(changed[:, 0], pixels[:, 0])
    assert np.abs(changed[:, 1] - pixels[:, 1]).max() > 1e-4


# Sizes, bits, and what is given


@pytest.mark.parametrize("n", [1, 3, 16])
@pytest.mark.parametrize("height, width", [(1, 1), (17, 33), (32, 32), (500, 333)])
def test_bits_alone_give_the_picture_at_its_own_size(small, height, width, n):
    images = random_images(height, width, batch=1 if height == 500 else 2)
    pixels, bits = array(small(images, iterations=n)), array(small.encode(images, iterations=n))
    assert pixels.shape == (len(images), n, height, width, 3)
    assert bits.shape == (len(images), n, -(-height // 16), -(-width // 16), 32)
    assert np.isin(bits, [-1, 1]).all()
    assert (pixels >= 0).all() and (pixels <= 1).all()  # and so no NaN
    np.testing.assert_allclose(array(small.decode(bits))[:, :, :height, :width], pixels, atol=1e-6)


@pytest.mark.parametrize("height, width", [(1, 1), (17, 33), (31, 16)])
def test_last_row_and_column_are_repeated(small, height, width):
    images = random_images(height, width)
    edges = (-height % 16, -width % 16)
    padded = np.pad(images, ((0, 0), (0, edges[0]), (0, edges[1]), (0, 0)), mode="edge")
    np.testing.assert_array_equal(array(small.encode(images, 3)), array(small.encode(padded, 3)))
    whole = array(small(padded, iterations=3))
    np.testing.assert_allclose(array(small(images, iterations=3)), whole[:, :, :height, :width], atol=1e-6)


def test_first_bits_give_the_first_pictures(small):
    bits = array(small.encode(random_images(32, 32), iterations=5))
    whole = array(small.decode(bits))
    for k in 1, 3:
        np.testing.assert_allclose(array(small.decode(bits[:, :k])), whole[:, :k], atol=1e-6)


@pytest.mark.parametrize("n", [1, 16])
def test_a_pass_is_an_eighth_of_a_bit_a_pixel(small, n):
    bits = array(small.encode(random_images(32, 32, batch=1), iterations=n))
    assert bits.size == 128 * n
    assert bits.size / 32**2 == BPP * n == n / 8


def test_bits_as_a_file_holds_them(small):
    bits = array(small.encode(random_images(32, 32), iterations=2))
    np.testing.assert_allclose(array(small.decode(np.int8(bits))), array(small.decode(bits)), atol=1e-6)


def test_double_precision_images(small):
    images = random_images(20, 32)
    np.testing.assert_array_equal(array(small.encode(np.float64(images), 2)), array(small.encode(images, 2)))
    np.testing.assert_allclose(
        array(small(np.float64(images), iterations=2)), array(small(images, iterations=2)), atol=1e-6
    )


def test_passes_are_those_of_the_build_unless_the_call_says():
    codec, images = made(iterations=3), random_images(16, 16)
    assert codec(images).shape[1] == codec.encode(images).shape[1] == 3
    assert codec(images, iterations=2).shape[1] == codec.encode(images, iterations=2).shape[1] == 2


# Chance


def test_same_answer_twice(small):
    images = random_images(32, 32)
    np.testing.assert_array_equal(array(small(images, iterations=3)), array(small(images, iterations=3)))


def test_noise_in_training_is_that_of_the_seed():
    images = random_images(32, 32)

    def answer(codec):
        return array(codec(images, training=True))

    (first, again), other = (made(seed=7) for _ in range(2)), made(seed=8)
    noisy = answer(first)
    np.testing.assert_allclose(answer(again), noisy, atol=1e-6)
    assert np.abs(answer(other) - noisy).max() > 1e-3
    assert np.abs(answer(first) - noisy).max() > 1e-3  # new noise in each call
    assert np.abs(array(first(images)) - noisy).max() > 1e-3


def weights(**options):
    return [array(variable) for variable in made(**options).weights]


@pytest.mark.parametrize(
    "options",
    [{"reconstruction": "one_shot"}, {"activation": "leaky_relu"}, {"iterations": 16}, {"seed": 1}],
    ids=str,
)
def test_first_weights_follow_the_seed_of_keras_alone(options):
    for one, other in zip(weights(), weights(**options), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", KINDS)
def test_first_weights_are_as_large_as_suits_the_cell_unless_the_call_says(cell):
    """Of the binarizer and of the last convolution, beside those of the usual size."""

    def spreads(**gains):
        codec = made(cell=cell, **gains)
        return [array(layer.kernel).std() for layer in (codec.binarizer.convolution, codec.output_conv)]

    usual = spreads(binarizer_gain=1.0, output_gain=1.0)
    known = {"lstm": (300, 4), "gru": (37.5, 1), "residual_gru": (37.5, 1), "associative_lstm": (300, 4)}[cell]
    np.testing.assert_allclose(np.divide(spreads(), usual), known, rtol=1e-5)
    np.testing.assert_allclose(np.divide(spreads(binarizer_gain=2.0, output_gain=3.0), usual), (2, 3), rtol=1e-5)


def test_other_seed_gives_other_weights():
    for one, other in zip(weights(weights=0), weights(weights=1), strict=True):
        if one.ndim > 1:  # biases start at 0 and 1
            assert (one != other).mean() > 0.99


# Gradients


def slopes(codec, n):
    images = keras.ops.convert_to_tensor(random_images(32, 32))

    def loss():
        return keras.ops.mean(keras.ops.abs(images[:, None] - codec(images, iterations=n, training=True)))

    return gradients(loss, codec.trainable_variables)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_gradients_are_those_of_the_formulas(n):
    """Beside differences of the slow codec in float64, where the binarizer adds what it added to the exact weights.

    Along random directions; an error is measured against the slope's length along a typical one.
    """
    codec, images = lively(), random_images(32, 32)  # linear: a difference across LeakyReLU's bend is no slope
    for variable in codec.output_conv.weights:  # small, so that no pixel is clipped
        variable.assign(0.02 * array(variable))
    rng = np.random.default_rng(0)
    weights = {v.path: np.float64(array(v)) for v in codec.trainable_variables}
    towards = rng.normal(size=(2, n, 32, 32, 3))

    def slow(values, rounding=None):
        codes, pixels = slow_codec(codec, images, n, True, 1.0, lambda variable: values[variable.path], rounding)
        return codes, np.mean(towards * pixels)

    # The rounding of each pass, from the bits so far: with them, the code before the next one is known.
    rounding = []
    for t in range(n):
        codes, _ = slow(weights, [*rounding, *[0.0] * (n - t)])
        rounding.append(np.where(codes[:, t] < 0, -1, 1) - codes[:, t])

    def loss():
        return keras.ops.mean(keras.ops.cast(towards, "float32") * codec(images, iterations=n))

    found = gradients(loss, codec.trainable_variables)
    for variable, slope in zip(codec.trainable_variables, found, strict=True):
        direction = rng.normal(size=slope.shape)
        ahead, behind = (weights | {variable.path: weights[variable.path] + e * direction} for e in (1e-6, -1e-6))
        expected = (slow(ahead, rounding)[1] - slow(behind, rounding)[1]) / 2e-6
        assert np.sum(slope * direction) == pytest.approx(expected, abs=1e-4 * float(np.linalg.norm(slope))), (
            variable.path
        )


# Gates side by side in a cell's variables.
GATES = {
    "lstm": {"input_kernel": 3, "bias": 3, "hidden_kernel": 4},
    "gru": {"input_kernel": 2, "bias": 2, "hidden_kernel": 2},
    "residual_gru": {"input_kernel": 2, "bias": 2, "hidden_kernel": 2},
    "associative_lstm": {},  # its encoder's cells are others
}


@pytest.mark.parametrize("reconstruction, activation", RULES)
@pytest.mark.parametrize("cell", KINDS)
def test_every_variable_learns_from_two_passes(cell, reconstruction, activation):
    codec = made(cell=cell, reconstruction=reconstruction, activation=activation)
    for variable, slope in zip(codec.trainable_variables, slopes(codec, 2), strict=True):
        assert np.isfinite(slope).all() and slope.any(), variable.path
        if "rnn" in variable.path and (gates := GATES[cell].get(variable.name)):
            assert all(gate.any() for gate in np.split(slope, gates, axis=-1)), variable.path


@pytest.mark.parametrize("cell", KINDS)
def test_one_pass_leaves_the_memory_alone(cell):
    codec = made(cell=cell, reconstruction="residual_scaling")
    everything = codec.trainable_variables
    codec.train_one_pass_only()
    trained = {id(weight) for weight in codec.trainable_variables}
    for variable in everything:
        variable.trainable = True
    for variable, slope in zip(codec.trainable_variables, slopes(codec, 1), strict=True):
        assert slope.any() == (id(variable) in trained), variable.path


# Errors


@pytest.mark.parametrize(
    "options, message",
    [
        ({"cell": "elman"}, "cell='elman' .* one of lstm, gru, residual_gru, associative_lstm"),
        ({"reconstruction": "adaptive"}, "reconstruction='adaptive' .* one of additive, one_shot, residual_scaling"),
        ({"activation": "relu"}, "activation='relu' .* one of linear, leaky_relu"),
        ({"width": 0.3}, "width=0.3: .* multiple of 1/32"),
        ({"width": 0}, "width=0: .* multiple of 1/32"),
        ({"width": -1}, "width=-1: .* multiple of 1/32"),
        ({"width": float("nan")}, "width=nan: .* multiple of 1/32"),
        ({"priming": -1}, "priming=-1: .* 0 for none"),
        ({"policy": "half"}, "policy='half' .* one of float32, mixed_bfloat16, mixed_float16"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(StudyError, match=message):
        build_codec(**options)


@pytest.mark.parametrize("n", [0, -1, 17])
def test_too_few_or_too_many_passes(small, n):
    for ask in small, small.encode:
        with pytest.raises(StudyError, match=f"iterations={n}: .* 1 to 16"):
            ask(random_images(16, 16), iterations=n)


def test_8_bit_images_are_refused(small):
    images = np.uint8(255 * random_images(16, 16))
    for ask in small, small.encode:
        with pytest.raises(StudyError, match=r"uint8.*divide .* by 255"):
            ask(images)
