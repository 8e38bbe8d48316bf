"""Entropy coding of a pass's bits: a context model in integers, and the arithmetic coder of `constriction`.

The idea is T17's BinaryRNN (sec. 3): the probability of a bit from its neighbours in the code, from the other bits of
its cell and from earlier passes. Here it is a logistic regression, so that its arithmetic is exact: bits are -1 and +1,
weights whole numbers, and a table turns their sum into a probability. Encoder and decoder agree on every machine.

Bits are coded channel by channel, and within a channel in four phases, a quarter of the cells each, so that a decoder
works on whole maps: at a bit of channel k, all cells of channels before k are known, and of channel k those of earlier
phases. Where T17 goes through the cells line by line, a cell here sees neighbours on all sides.

    phases:  0 2 0 2      context of a bit: 3x3 cells of each channel before its own, of its own channel those of
             3 1 3 1      earlier phases, and 3x3 cells of all channels in the EARLIER passes before its own
             0 2 0 2
"""

from dataclasses import dataclass, fields

import constriction
import numpy as np

from study.architecture import BITS, MAX_ITERATIONS
from study.ground.errors import StudyError

CHANNELS = BITS  # of the code
EARLIER = 2  # passes before a bit's own that its context takes in
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))  # row and column, odd or even, in the order in which they are coded
UNIT = 128  # a sum of weights, divided by this, is a logit
LARGEST = 2**13  # of a weight: sums of all that a context has then stay below 2^24, where float32 is exact
STEPS = 8  # a probability's table has one entry for so many sums
PRECISION = 16  # bits of a probability
SURE = 1 / 256  # no probability is nearer to 0 or 1 than this
SPARED = 8  # trailing bytes that the encoder may leave out


@dataclass(frozen=True)
class ContextModel:
    """The weights of the context model, whole numbers, one set a pass (leading axis n); 0 outside a bit's context."""

    current: np.ndarray  # int16 (n, 3, 3, 32, 32): of the pass's own channels before k, to channel k
    earlier: np.ndarray  # int16 (n, EARLIER, 3, 3, 32, 32): of the pass before, the one before that
    own: np.ndarray  # int16 (n, 4, 3, 3, 32): of channel k itself, by phase
    bias: np.ndarray  # int16 (n, 4, 32)
    table: np.ndarray  # uint16, odd length: probability of +1, in 2^-16, by sum // STEPS, the middle entry for 0

    @classmethod
    def from_arrays(cls, arrays):
        """The model whose arrays a mapping holds by name.

        Raises `StudyError` for arrays of other shapes or types, or with numbers with which encoder and decoder would
        not agree. Raises KeyError where one lacks.
        """
        model = cls(**{field.name: np.asarray(arrays[field.name]) for field in fields(cls)})
        model._check()
        return model

    def _check(self):
        n = len(self.bias) if self.bias.ndim else 0
        if not 1 <= n <= MAX_ITERATIONS:
            raise StudyError(f"a context model of {n} passes; expected 1 to {MAX_ITERATIONS}")
        current, own = context_masks()
        phases, cells = len(PHASES), (3, 3)
        for name, shape, mask in (
            ("current", (n, *cells, CHANNELS, CHANNELS), current),
            ("earlier", (n, EARLIER, *cells, CHANNELS, CHANNELS), True),
            ("own", (n, phases, *cells, CHANNELS), own),
            ("bias", (n, phases, CHANNELS), True),
        ):
            array = getattr(self, name)
            if array.shape != shape or array.dtype.kind not in "iu":
                raise StudyError(f"{name}: {array.dtype} {array.shape}; expected whole numbers, {shape}")
            if array.min() < -LARGEST or array.max() > LARGEST or np.any(array[:, ~np.broadcast_to(mask, shape[1:])]):
                raise StudyError(f"{name}: numbers beyond {LARGEST} or outside a bit's context")
        table, least = self.table, round(SURE * 2**PRECISION)
        if table.ndim != 1 or table.dtype.kind not in "iu" or table.size % 2 == 0 or table.size > 2**PRECISION:
            raise StudyError(f"table: {table.dtype} {table.shape}; expected whole numbers, an odd number of them")
        if table.min() < least or table.max() > 2**PRECISION - least:
            raise StudyError(f"table: probabilities nearer to 0 or 1 than {SURE:g}")


def context_masks():
    """Which weights of a set may differ from 0: `current` (3, 3, 32, 32) and `own` (4, 3, 3, 32), as booleans."""
    before = np.arange(CHANNELS)[:, None] < np.arange(CHANNELS)
    own = np.zeros((len(PHASES), 3, 3), bool)
    for phase, (row, column) in enumerate(PHASES):
        for y in range(3):
            for x in range(3):
                own[phase, y, x] = PHASES.index(((row + y + 1) % 2, (column + x + 1) % 2)) < phase
    return np.broadcast_to(before, (3, 3, *before.shape)), np.repeat(own[..., None], CHANNELS, axis=-1)


def probability_table():
    """The probability of +1 by sum of weights, uint16, never nearer to 0 or 1 than SURE."""
    half = int(np.ceil(np.log(1 / SURE - 1) * UNIT / STEPS))
    logits = np.arange(-half, half + 1) * STEPS / UNIT
    return np.round(np.clip(1 / (1 + np.exp(-logits)), SURE, 1 - SURE) * 2**PRECISION).astype(np.uint16)


def fewest_bytes(cells):
    """No pass of so many cells is coded in fewer: SURE says what a bit costs at least, SPARED what is then left out."""
    return max(1, int(cells * CHANNELS * -np.log2(1 - SURE) / 8) - SPARED)


def encode_pass(model, bits, earlier):
    """The bytes of one pass.

    Args:
        model: a `ContextModel` with a set of weights for this pass.
        bits: int8 (h, w, 32), each -1 or +1.
        earlier: the bits of all passes before it, in order.
    """
    sums = _known_sums(model, bits.shape[:2], earlier) + _convolve(bits, model.current[len(earlier)])
    symbols, probabilities = [], []
    for phase, cells in enumerate(_phase_cells(bits.shape)):
        phase_sums = sums[cells] + model.bias[len(earlier), phase]
        phase_sums = phase_sums + _own(bits, model.own[len(earlier), phase])[cells]
        symbols.append(bits[cells] > 0)
        probabilities.append(_probability(model, phase_sums))
    # From (cells, 32) a phase to channel by channel, phase by phase.
    symbols = np.concatenate([part[:, k] for k in range(CHANNELS) for part in symbols])
    probabilities = np.concatenate([part[:, k] for k in range(CHANNELS) for part in probabilities])
    return _shortest(symbols.astype(np.int32), probabilities)


def decode_pass(model, coded, shape, earlier):
    """The bits, int8 (h, w, 32), of a pass of that shape (h, w) that was coded in those bytes.

    Most wrong bytes give bits too: that they are right is for a checksum to say. The others raise `StudyError`.
    """
    decoder = _decoder(coded)
    current, own, bias = (part[len(earlier)] for part in (model.current, model.own, model.bias))
    sums = _known_sums(model, shape, earlier)
    bits = np.zeros((*shape, CHANNELS), np.int8)
    phase_cells = _phase_cells(bits.shape)
    for k in range(CHANNELS):
        channel = bits[..., k : k + 1]
        for phase, cells in enumerate(phase_cells):
            phase_sums = (
                sums[..., k][cells] + bias[phase, k] + _own(channel, own[phase, :, :, k : k + 1])[..., 0][cells]
            )
            decoded = _decode(decoder, _probability(model, phase_sums))
            if decoded is None:
                raise StudyError("these bytes are no code of a pass")
            channel[..., 0][cells] = 2 * decoded - 1
        sums[..., k + 1 :] += _convolve(channel, current[:, :, k : k + 1, k + 1 :])
    return bits


_BERNOULLI = constriction.stream.model.Bernoulli(perfect=False)


def _known_sums(model, shape, earlier):
    """What earlier passes add to the sums, float32 (h, w, 32) of whole numbers."""
    sums = np.zeros((*shape, CHANNELS), np.float32)
    for weights, bits in zip(model.earlier[len(earlier)], reversed(earlier[-EARLIER:]), strict=False):
        sums += _convolve(bits, weights)
    return sums


def _convolve(bits, weights):
    """A 3x3 convolution in float32, which is exact here: all sums are whole numbers below 2^24."""
    return sum(part @ weights[y, x].astype(np.float32) for y, x, part in _neighbours(bits))


def _own(bits, weights):
    """Each channel's own 3x3 neighbours: bits (h, w, c), weights (3, 3, c)."""
    return sum(part * weights[y, x].astype(np.float32) for y, x, part in _neighbours(bits))


def _neighbours(bits):
    height, width, _ = bits.shape
    padded = np.pad(bits.astype(np.float32), ((1, 1), (1, 1), (0, 0)))
    return [(y, x, padded[y : y + height, x : x + width]) for y in range(3) for x in range(3)]


def _phase_cells(shape):
    """Index arrays of the cells of each phase, row by row."""
    rows, columns = np.indices(shape[:2])
    return [np.nonzero((rows % 2 == row) & (columns % 2 == column)) for row, column in PHASES]


def _probability(model, sums):
    half = len(model.table) // 2
    index = np.clip(np.floor_divide(sums, STEPS), -half, half).astype(np.int64)
    return model.table[index + half] / 2**PRECISION


def _shortest(symbols, probabilities):
    """The fewest bytes that decode to these symbols.

    The coder counts in words of 4 bytes, much for a code of 16. Its decoder reads zeros past the end, so trailing bytes
    go as long as what is left, or the next larger number of as many bytes, still decodes.
    """
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(symbols, _BERNOULLI, probabilities)
    coded = encoder.get_compressed().astype(">u4").tobytes()
    for length in range(max(len(coded) - SPARED, 0), len(coded)):
        cut = int.from_bytes(coded[:length])
        for number in range(cut, min(cut + 2, 256**length)):
            shorter = number.to_bytes(length)
            if np.array_equal(_decode(_decoder(shorter), probabilities), symbols):
                return shorter
    return coded


def _decoder(coded):
    words = np.frombuffer(coded + bytes(-len(coded) % 4), ">u4").astype(np.uint32)
    return constriction.stream.queue.RangeDecoder(words)


def _decode(decoder, probabilities):
    """The next symbols, or None where the bytes are none that an encoder writes, as `constriction` asserts."""
    try:
        return decoder.decode(_BERNOULLI, probabilities)
    except AssertionError:
        return None
