"""What is coded comes back bit by bit, in about as many bytes as its probabilities say."""

from dataclasses import replace

import numpy as np
import pytest
from small_codec import random_bits, random_context_model

from study.codec import context_model

MODEL = random_context_model()


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 7), (5, 3), (8, 8)])
def test_every_pass_comes_back(shape):
    earlier = []
    for t in range(16):
        bits = random_bits(*shape, seed=t)
        coded = context_model.encode_pass(MODEL, bits, earlier)
        np.testing.assert_array_equal(context_model.decode_pass(MODEL, coded, shape, earlier), bits)
        earlier.append(bits)


def probabilities_one_by_one(model, bits, earlier):
    """The probability of each bit as it is, in Python's own integers, from the bits before it alone."""
    t, (height, width, channels) = len(earlier), bits.shape
    known = {}
    for k in range(channels):
        for phase, (row, column) in enumerate(context_model.PHASES):
            for y in range(row, height, 2):
                for x in range(column, width, 2):
                    total = int(model.bias[t, phase, k])
                    for dy in range(3):
                        for dx in range(3):
                            near = (y + dy - 1, x + dx - 1)
                            total += known.get((*near, k), 0) * int(model.own[t, phase, dy, dx, k])
                            for j in range(k):
                                total += known.get((*near, j), 0) * int(model.current[t, dy, dx, j, k])
                            if not (0 <= near[0] < height and 0 <= near[1] < width):
                                continue
                            for back in range(min(t, context_model.EARLIER)):
                                for j in range(channels):
                                    weight = int(model.earlier[t, back, dy, dx, j, k])
                                    total += int(earlier[t - 1 - back][near][j]) * weight
                    half = len(model.table) // 2
                    p = int(model.table[min(max(total // context_model.STEPS, -half), half) + half]) / 2**16
                    yield p if bits[y, x, k] > 0 else 1 - p
                    # Only now is the bit known; phases are coded whole, so one of the same phase is not used either.
            for y in range(row, height, 2):
                for x in range(column, width, 2):
                    known[y, x, k] = int(bits[y, x, k])


def test_size_is_what_the_probabilities_say():
    earlier = [random_bits(3, 4, seed=t) for t in range(3)]
    for t in range(3):
        bits = random_bits(3, 4, seed=10 + t)
        ideal = -np.log2(list(probabilities_one_by_one(MODEL, bits, earlier[:t]))).sum() / 8
        size = len(context_model.encode_pass(MODEL, bits, earlier[:t]))
        assert ideal - 1 <= size <= ideal + 1.5


def test_bits_that_are_known_beforehand_cost_little_but_never_less_than_the_bound():
    sure = replace(
        random_context_model(largest=0),
        bias=np.full((16, len(context_model.PHASES), context_model.CHANNELS), 30_000, np.int16),
    )
    for cells in (1, 100, 2500):
        bits = np.ones((cells, 1, context_model.CHANNELS), np.int8)
        size = len(context_model.encode_pass(sure, bits, []))
        assert context_model.fewest_bytes(cells) <= size + 1 <= cells * 4 / 20 + 3


def test_wrong_bits_under_a_sure_model_are_coded_too():
    sure = replace(
        random_context_model(largest=0),
        bias=np.full((16, len(context_model.PHASES), context_model.CHANNELS), 30_000, np.int16),
    )
    bits = random_bits(6, 6)
    coded = context_model.encode_pass(sure, bits, [])
    assert len(coded) > 6 * 6 * 4  # more than raw: a file stores such a pass raw
    np.testing.assert_array_equal(context_model.decode_pass(sure, coded, (6, 6), []), bits)


def test_code_is_the_same_everywhere():
    """Bytes written once, so that a change of arithmetic, of the coder's version or of the order of bits is seen."""
    assert context_model.encode_pass(MODEL, random_bits(2, 2), []).hex() == "98a23dec495f22de1e54b70c624932b121"


def test_any_bytes_give_bits_or_a_clear_refusal():
    rng = np.random.default_rng(0)
    for _ in range(50):
        try:
            bits = context_model.decode_pass(MODEL, rng.bytes(12), (2, 3), [])
        except ValueError as error:
            assert "no code" in str(error)
        else:
            assert set(np.unique(bits)) <= {-1, 1}


def test_table_is_the_sigmoid_in_whole_numbers():
    table = context_model.probability_table()
    half = len(table) // 2
    assert len(table) == 2 * half + 1 and table[half] == 2**15
    assert table.min() == 2**16 / 256 and table.max() == 2**16 - 2**16 / 256
    np.testing.assert_array_equal(table + table[::-1].astype(int), 2**16)
    logit = 50 * context_model.STEPS / context_model.UNIT
    assert table[half + 50] / 2**16 == pytest.approx(np.exp(logit) / (np.exp(logit) + 1), abs=2**-16)
