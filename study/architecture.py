"""The network's sizes, and what follows from them: parameters, multiplications, a table of layers. Without Keras.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
"""

from dataclasses import dataclass
from typing import NamedTuple

from study.ground.errors import StudyError
from study.ground.recipe import BINARIZER_GAIN, OUTPUT_GAIN

BITS = 32  # for each cell of the code; T17, table in sec. 2
STRIDE = 16  # pixels on a side of the block that one cell of the code stands for
BPP = BITS / STRIDE**2  # bits per pixel of one pass: 1/8
MAX_ITERATIONS = 16  # passes

FIRST_CHANNELS = 64  # of the encoder's convolution, which halves the resolution
CODE_CHANNELS = 512  # of the decoder's first convolution
# T17, Fig. 1: channels, kernel, hidden kernel. The encoder's each halve the resolution, the decoder's each double it.
ENCODER = ((256, 3, 1), (512, 3, 1), (512, 3, 1))
DECODER = ((512, 2, 1), (512, 3, 1), (256, 3, 3), (128, 3, 3))
# Pixels a side of what each layer makes of a 32x32 image, a decoder's cell before its depth-to-space.
ENCODER_SIDES = (8, 4, 2)
DECODER_SIDES = (2, 4, 8, 16)
RESIDUAL_SCALE_PARAMETERS = 28_769  # of residual scaling's network, at every width; its operations are not counted


class Gates(NamedTuple):
    """Convolutions and biases of a cell, in its channels; a complex gate is two of half the channels.

    The state before the first pass is zero: the forget gate and the reset gate are of later passes.
    """

    layer: str  # name of the layer's class in `study.layers`
    first_inputs: float  # convolutions of the input in the first pass
    inputs: float
    states: float
    first_biases: float
    biases: float


LSTM = Gates("ConvLSTM", 3, 4, 4, 3, 4)
GRU = Gates("ConvGRU", 2, 3, 3, 2, 3)
RESIDUAL_GRU = Gates("ResidualConvGRU", 3, 4, 4, 2, 3)
ASSOCIATIVE_LSTM = Gates("AssociativeConvLSTM", 4, 4.5, 4.5, 4, 4.5)


@dataclass(frozen=True)
class Cell:
    """What is to be known of a recurrent cell without building it."""

    label: str  # in figures and tables
    encoder: Gates
    decoder: Gates
    binarizer_gain: float = BINARIZER_GAIN  # of its first weights, see `study.ground.recipe`
    output_gain: float = OUTPUT_GAIN


# A GRU's one gate returns half of a small signal: after three cells eight times what LSTMs leave.
CELLS = {
    "lstm": Cell("LSTM", LSTM, LSTM),
    "gru": Cell("GRU", GRU, GRU, BINARIZER_GAIN / 8, 1.0),
    "residual_gru": Cell("residual GRU", RESIDUAL_GRU, RESIDUAL_GRU, BINARIZER_GAIN / 8, 1.0),
    # T17 found the associative LSTM of use in the decoder only.
    "associative_lstm": Cell("associative LSTM", LSTM, ASSOCIATIVE_LSTM),
}


class Layer(NamedTuple):
    """One layer of a network for one pass over a 32x32 image."""

    part: str  # encoder, binarizer or decoder
    layer: str
    kernel: int
    hidden_kernel: int  # 0 where the layer has no state
    stride: int
    side: int  # pixels a side of its output, before depth-to-space
    depth: int  # channels of its input
    channels: int  # of its output, before depth-to-space
    gates: Gates | None = None

    @property
    def upsampled(self):
        """Whether depth-to-space follows: four times fewer channels on four times as many pixels."""
        return self.part == "decoder" and self.gates is not None

    def parameters(self, first_pass=False):
        """All its weights and biases, or those alone that have a part in the first pass."""
        if not self.gates:
            return self.kernel**2 * self.depth * self.channels + self.channels
        gates = self.gates
        of_input = self.kernel**2 * self.depth * self.channels
        of_state = self.hidden_kernel**2 * self.channels**2
        if first_pass:
            return round(gates.first_inputs * of_input + gates.first_biases * self.channels)
        return round(gates.inputs * of_input + gates.states * of_state + gates.biases * self.channels)

    def multiplications(self, first_pass):
        """Of one pass over a 32x32 image, forwards."""
        of_input = self.kernel**2 * self.depth * self.channels * self.side**2
        if not self.gates:
            return of_input
        if first_pass:
            return round(self.gates.first_inputs * of_input)
        of_state = self.hidden_kernel**2 * self.channels**2 * self.side**2
        return round(self.gates.inputs * of_input + self.gates.states * of_state)


def layers(cell: str, width: float) -> list[Layer]:
    """The layers of a network in order. Raises `StudyError` for a cell that is not in CELLS."""
    if cell not in CELLS:
        raise StudyError(f"cell={cell!r} is not known; expected one of {', '.join(CELLS)}.")

    def channels(full):
        return round(full * width)

    found = [Layer("encoder", "conv", 3, 0, 2, 16, 3, channels(FIRST_CHANNELS))]
    gates = CELLS[cell].encoder
    for (n, kernel, hidden), side in zip(ENCODER, ENCODER_SIDES, strict=True):
        found.append(Layer("encoder", gates.layer, kernel, hidden, 2, side, found[-1].channels, channels(n), gates))
    found.append(Layer("binarizer", "conv, tanh, binarize", 1, 0, 1, 2, found[-1].channels, BITS))
    found.append(Layer("decoder", "conv", 1, 0, 1, 2, BITS, channels(CODE_CHANNELS)))
    gates, depth = CELLS[cell].decoder, channels(CODE_CHANNELS)
    for (n, kernel, hidden), side in zip(DECODER, DECODER_SIDES, strict=True):
        found.append(Layer("decoder", gates.layer, kernel, hidden, 1, side, depth, channels(n), gates))
        depth = channels(n) // 4  # depth-to-space
    found.append(Layer("decoder", "conv, tanh", 1, 0, 1, 32, depth, 3))
    return found


def multiplications(cell: str, width: float) -> tuple[int, int]:
    """Multiplications of one 32x32 image forwards: in the first pass, and in each later one."""
    found = layers(cell, width)
    return sum(layer.multiplications(True) for layer in found), sum(layer.multiplications(False) for layer in found)


def parameters(cell: str, width: float, iterations: int, reconstruction: str = "additive") -> tuple[int, int]:
    """All of a network's parameters, and those that training in this many passes changes."""
    found = layers(cell, width)
    everything = sum(layer.parameters() for layer in found)
    if reconstruction == "residual_scaling":
        everything += RESIDUAL_SCALE_PARAMETERS
    return everything, sum(layer.parameters(first_pass=True) for layer in found) if iterations == 1 else everything


def layer_table(cell: str = "lstm", width: float = 1.0) -> list[dict]:
    """The layers in order, as rows of `architecture.csv`, with what each makes of a 32x32 image in one pass."""
    return [
        {
            "part": layer.part,
            "layer": f"{layer.layer}, depth-to-space" if layer.upsampled else layer.layer,
            "kernel": f"{layer.kernel}x{layer.kernel}{' /2' if layer.part == 'encoder' else ''}",
            "hidden_kernel": f"{layer.hidden_kernel}x{layer.hidden_kernel}" if layer.hidden_kernel else "",
            "height": layer.side * (2 if layer.upsampled else 1),
            "width": layer.side * (2 if layer.upsampled else 1),
            "channels": layer.channels // (4 if layer.upsampled else 1),
            "parameters": layer.parameters(),
        }
        for layer in layers(cell, width)
    ]
