"""What is known of a network without building it, beside the network that is built."""

import keras
import numpy as np
import pytest
from twin import made, random_images

from study import architecture
from study.ground.errors import StudyError
from study.model import CELL_LAYERS

CELLS = list(architecture.CELLS)
WIDTHS = (1.0, 1 / 8)
SIZE = {"lstm": 30_225_283, "gru": 22_677_763}  # parameters at full width


@pytest.fixture(scope="module", params=[(cell, width) for cell in CELLS for width in WIDTHS], ids=str)
def built(request):
    cell, width = request.param
    return cell, width, made(cell=cell, width=width)


def in_order(codec):
    """Its layers, each with what it makes of a 32x32 image in one pass, before and after depth-to-space."""
    x = codec.encoder_conv(random_images(32, 32, batch=1))
    yield codec.encoder_conv, x, x
    for cell in codec.encoder_cells:
        x, _ = cell(x)
        yield cell, x, x
    x = codec.binarizer(x)
    yield codec.binarizer.convolution, x, x
    x = codec.decoder_conv(x)
    yield codec.decoder_conv, x, x
    for cell in codec.decoder_cells:
        h, _ = cell(x)
        x = keras.ops.depth_to_space(h, 2)
        yield cell, h, x
    yield codec.output_conv, codec.output_conv(x), codec.output_conv(x)


def kernels(layer):
    return [weight for weight in layer.weights if len(weight.shape) == 4]


def test_the_layer_table_is_that_of_the_network(built):
    cell, width, codec = built
    rows = architecture.layer_table(cell, width)
    for row, (layer, _, x) in zip(rows, in_order(codec), strict=True):
        assert row["parameters"] == layer.count_params()
        assert (row["height"], row["width"], row["channels"]) == tuple(x.shape[1:])
        hidden = getattr(layer, "hidden_kernel", None)
        assert row["hidden_kernel"] == ("" if hidden is None else f"{hidden.shape[0]}x{hidden.shape[1]}")
        size = getattr(layer, "input_kernel", kernels(layer)[0]).shape
        assert row["kernel"].split(" ")[0] == f"{size[0]}x{size[1]}"
        assert row["kernel"].endswith("/2") == (layer.strides in (2, (2, 2)))
        assert "conv" in row["layer"].lower() and (hidden is None or type(layer).__name__ == row["layer"].split(",")[0])
        assert ("depth-to-space" in row["layer"]) == (hidden is not None and row["part"] == "decoder")
    assert [row["part"] for row in rows] == ["encoder"] * 4 + ["binarizer"] + ["decoder"] * 6
    assert sum(row["parameters"] for row in rows) == codec.count_params()


def test_multiplications_are_the_networks_weights_at_every_pixel(built):
    """A later pass has every weight of a convolution meet every pixel of its output; the first has no state."""
    cell, width, codec = built
    first = later = 0
    for layer, output, _ in in_order(codec):
        pixels = output.shape[1] * output.shape[2]
        only_later = {id(weight) for weight in getattr(layer, "later_weights", ())}
        for weight in kernels(layer):
            of_image = int(np.prod(weight.shape)) * pixels
            later += of_image
            first += 0 if id(weight) in only_later else of_image
    assert architecture.multiplications(cell, width) == (first, later)


@pytest.mark.parametrize(
    ("width", "reconstruction"), [(1.0, "additive"), (1 / 8, "additive"), (1 / 8, "residual_scaling")]
)
@pytest.mark.parametrize("cell", CELLS)
def test_parameters_are_those_of_the_network_and_of_its_training(cell, width, reconstruction):
    codec = made(cell=cell, width=width, reconstruction=reconstruction)
    everything = codec.count_params()
    assert architecture.parameters(cell, width, 2, reconstruction) == (everything, everything)
    codec.train_one_pass_only()
    trained = sum(int(np.prod(weight.shape)) for weight in codec.trainable_variables)
    assert architecture.parameters(cell, width, 1, reconstruction) == (everything, trained)


def test_the_layer_table_is_that_of_the_paper():
    rows = architecture.layer_table()
    assert sum(row["parameters"] for row in rows) == SIZE["lstm"]
    # T17, Fig. 1: kernel, hidden kernel, side at 32x32 and depth after depth-to-space.
    assert [(row["kernel"], row["hidden_kernel"], row["height"], row["channels"]) for row in rows] == [
        ("3x3 /2", "", 16, 64),
        ("3x3 /2", "1x1", 8, 256),
        ("3x3 /2", "1x1", 4, 512),
        ("3x3 /2", "1x1", 2, 512),
        ("1x1", "", 2, 32),
        ("1x1", "", 2, 512),
        ("2x2", "1x1", 4, 128),
        ("3x3", "1x1", 8, 128),
        ("3x3", "3x3", 16, 64),
        ("3x3", "3x3", 32, 32),
        ("1x1", "", 32, 3),
    ]
    assert all(row["width"] == row["height"] for row in rows)


@pytest.mark.parametrize(
    ("cell", "matrices", "biases"),
    [
        ("lstm", 30_213_920, SIZE["lstm"] - 30_213_920),
        ("gru", 22_669_088, SIZE["gru"] - 22_669_088),
        ("residual_gru", 30_213_920, SIZE["gru"] - 22_669_088),  # its two further convolutions have none
    ],
)
def test_cells_have_the_papers_number_of_weights_and_one_bias_a_gate_and_a_convolution(cell, matrices, biases):
    codec = made(cell=cell, width=1.0)
    assert sum(int(np.prod(weight.shape)) for weight in codec.weights if len(weight.shape) == 4) == matrices
    assert architecture.parameters(cell, 1.0, 1)[0] == codec.count_params() == matrices + biases


def test_multiplications_are_those_that_are_known_at_full_width():
    first, later = architecture.multiplications("lstm", 1.0)
    assert later == pytest.approx(718e6, rel=1e-3)
    assert first * 4 / 3 == pytest.approx(357e6, rel=2e-3)  # an LSTM's first pass needs three of its four gates


def test_an_associative_lstm_costs_more_in_the_decoder_alone():
    """A complex gate is as many channels as a real one of an LSTM: nine halves for four, in four of seven cells."""
    lstm, associative = (architecture.multiplications(cell, 1.0)[1] for cell in ("lstm", "associative_lstm"))
    decoder = sum(
        4 * kernel**2 * depth * n * side**2 + 4 * hidden**2 * n**2 * side**2
        for kernel, depth, n, side, hidden in (
            (2, 512, 512, 2, 1),
            (3, 128, 512, 4, 1),
            (3, 128, 256, 8, 3),
            (3, 64, 128, 16, 3),
        )
    )  # T17, fig. 1
    assert associative - lstm == decoder / 8


def test_a_block_of_16_pixels_a_side_is_32_bits():
    assert architecture.BPP == architecture.BITS / architecture.STRIDE**2 == 1 / 8


def test_cells_have_their_layers_and_names_of_their_own():
    assert list(CELL_LAYERS) == CELLS
    for cell, (encoder, decoder) in CELL_LAYERS.items():
        known = architecture.CELLS[cell]
        assert (encoder.__name__, decoder.__name__) == (known.encoder.layer, known.decoder.layer)
    assert len({cell.label for cell in architecture.CELLS.values()}) == len(CELLS)


def test_an_unknown_cell_is_refused_with_the_known_ones():
    for count in (architecture.multiplications, architecture.layer_table, architecture.layers):
        with pytest.raises(StudyError, match="cell='rnn' is not known; expected one of lstm, gru, residual_gru, assoc"):
            count("rnn", 1.0)
