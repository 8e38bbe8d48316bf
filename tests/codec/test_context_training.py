"""The context model finds what there is to find: coded sizes against the entropy of codes made to measure."""

import numpy as np
import pytest

from study.codec import context_model, context_training

SIDE = 4


def made_to_measure(images, seed):
    """Two passes, int8 (m, 2, 4, 4, 32), and the bits that each holds a cell.

    In the first, odd channels repeat the even one before them but for a tenth of the bits; the second repeats the first
    but for a twentieth, upside down.
    """
    rng = np.random.default_rng(seed)

    def signs(share, shape):
        return np.where(rng.random(shape) < share, -1, 1)

    first = signs(0.5, (images, SIDE, SIDE, 32))
    first[..., 1::2] = first[..., ::2] * signs(0.1, first[..., ::2].shape)
    second = -first * signs(0.05, first.shape)
    return np.stack([first, second], axis=1).astype(np.int8)


def binary_entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


@pytest.fixture(scope="module")
def model():
    return context_training.train([made_to_measure(2000, 0), made_to_measure(200, 1)[:, :, :2, :2]], epochs=25)


def test_sizes_are_those_of_the_entropy(model):
    codes = made_to_measure(40, 2)
    for t, ideal in enumerate((16 + 16 * binary_entropy(0.1), 32 * binary_entropy(0.05))):
        sizes = [len(context_model.encode_pass(model, image[t], list(image[:t]))) for image in codes]
        bits_a_cell = 8 * np.mean(sizes) / SIDE**2
        # Above it by half a byte of rounding up, and by some 900 weights learnt from 32,000 cells: 0.6 bits a cell.
        assert 0.97 * ideal < bits_a_cell < 1.05 * ideal + 0.25 + 0.8


def test_few_images_are_one_batch_of_their_own():
    """As of a small folder of pictures: fewer than fill a batch must not be left out."""
    few, many = np.zeros((3, 2, 2, 96), np.int8), np.ones((500, 2, 2, 96), np.int8)
    batches = context_training.CodeBatches([few, many], seed=0)
    sizes = sorted((group, len(part)) for group, part in batches.batches)
    assert sizes == [(0, 3), (1, 256)]


@pytest.mark.parametrize("seed", range(8))
def test_the_first_two_batches_are_of_both_groups(seed):
    """From them Keras takes the shape of all, and refuses others: one group of a hundred batches, one of two."""
    groups = [np.zeros((25_600, 2, 2, 96), np.int8), np.ones((128, 4, 4, 96), np.int8)]
    batches = context_training.CodeBatches(groups, seed)
    assert {group for group, _ in batches.batches[:2]} == {0, 1} and len(batches) == 102
    shown = [image for group, part in batches.batches for image in part if group == 0]
    assert sorted(shown) == list(range(25_600))


def test_what_was_trained_decodes(model):
    code = made_to_measure(1, 3)[0]
    coded = context_model.encode_pass(model, code[1], [code[0]])
    np.testing.assert_array_equal(context_model.decode_pass(model, coded, (SIDE, SIDE), [code[0]]), code[1])


def test_weights_are_whole_and_stay_within_their_context(model):
    current, own = context_model.context_masks()
    assert model.current.dtype == model.earlier.dtype == np.int16
    assert not model.current[:, ~current].any() and not model.own[:, ~own].any()
    assert not model.earlier[0].any()  # nothing comes before the first pass


def test_floats_and_whole_numbers_agree(model):
    """The trained layer's logits and the sums of the rounded weights, on bits neither has seen."""
    layer = context_training.ContextLogits()
    layer.build((None, None, None, 96))
    layer.current.assign(model.current[1] / context_model.UNIT)
    layer.earlier.assign(np.concatenate(list(model.earlier[1]), axis=2) / context_model.UNIT)
    layer.own.assign(np.moveaxis(model.own[1], 0, -1) / context_model.UNIT)
    layer.bias.assign(model.bias[1] / context_model.UNIT)
    code = made_to_measure(1, 4)[0]
    bits = np.concatenate([code[1], code[0], np.zeros_like(code[0])], axis=-1)[None].astype("float32")
    logits = np.asarray(layer(bits))[0]
    cost = np.log2(1 + np.exp(-code[1] * np.clip(logits, -5.5, 5.5))).sum() / 8
    assert len(context_model.encode_pass(model, code[1], [code[0]])) == pytest.approx(cost, abs=1.5)
