"""Subsets, rotations and flips, and the batches that a run sees."""

import tracemalloc

import keras
import numpy as np
import pytest

from study.data import Batches, take, training_index


def random_images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_take_turns_as_numpy_does():
    images = random_images(6)
    index, turns = np.array([5, 0, 0, 3, 2]), np.array([0, 1, 2, 3, 1])
    expected = np.stack([np.rot90(images[i], k) for i, k in zip(index, turns, strict=True)])
    np.testing.assert_array_equal(take(images, index, turns), expected)


def test_flips_are_numpys():
    images = random_images(4)
    index, versions = np.array([3, 1, 0, 2]), np.array([0, 1, 2, 3])
    expected = np.stack([images[3], np.fliplr(images[1]), np.flipud(images[0]), np.flipud(np.fliplr(images[2]))])
    np.testing.assert_array_equal(take(images, index, versions, "flip"), expected)
    with pytest.raises(ValueError, match="augmentation='mirror' is not known; expected one of rotation, flip"):
        take(images, index, versions, "mirror")


def test_training_sets_nest_and_turn_only_when_all_are_used():
    index, turns = training_index(1000, 4000)
    for size in (1, 500, 1000, 2500):
        smaller = training_index(1000, size)
        np.testing.assert_array_equal(smaller[0], index[:size])
        np.testing.assert_array_equal(smaller[1], turns[:size])
    assert not turns[:1000].any() and set(index[:1000]) == set(range(1000))
    assert len(set(zip(index.tolist(), turns.tolist(), strict=True))) == 4000
    assert index.dtype == np.int32 and turns.dtype == np.uint8


def test_order_of_images_and_epochs_is_the_published_runs():
    # recorded: other values would mean other training sets than those behind the tracked tables
    assert training_index(9453, 5)[0].tolist() == [3525, 3822, 4937, 8478, 7005]
    assert Batches(random_images(100), 100, 10, seed=3).order(2)[:5].tolist() == [72, 30, 97, 90, 10]


def test_leading_half_of_cifar_mixes_its_two_halves():
    index, _ = training_index(100_000, 50_000)
    assert np.mean(index < 50_000) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("size", [0, -1, 37_813, 50_000])
def test_train_size_that_the_data_do_not_allow(size):
    match = f"train_size={size} .*the data have 9,453 .37,812 with rotations.*Choose 1 to 37,812"
    with pytest.raises(ValueError, match=match):
        training_index(9453, size)


@pytest.mark.parametrize("batch_size", [0, 101])
def test_batch_size_that_the_train_size_does_not_allow(batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size} .*train_size=100.*1 to 100"):
        Batches(random_images(100), 100, batch_size, seed=0)


def test_an_epoch_shows_every_turn_of_every_image_once():
    images = random_images(10)
    batches = Batches(images, size=40, batch_size=8, seed=1)
    shown = np.concatenate([batches[i][0] for i in range(batches.steps)])
    assert shown.dtype == np.float32 and shown.min() >= 0 and shown.max() <= 1
    every = {np.rot90(image, k).tobytes() for image in images for k in range(4)}
    assert len(shown) == 40 and {np.uint8(np.round(image * 255)).tobytes() for image in shown} == every


def test_input_is_target_and_scaled_by_255():
    images = random_images(8)
    batches = Batches(images, size=8, batch_size=8, seed=0)
    inputs, targets = batches[0]
    np.testing.assert_array_equal(inputs, targets)
    assert not np.shares_memory(inputs, targets)  # or TensorFlow may overwrite one: on two devices 9 of 5,760 steps
    chosen = batches.index[batches.order(0)]
    np.testing.assert_array_equal(inputs, images[chosen].astype(np.float32) / np.float32(255))


def test_images_are_referenced_and_left_as_they_were():
    images = random_images(8)
    before = images.copy()
    batches = Batches(images, size=32, batch_size=4, seed=0)
    for i in range(2 * batches.steps):
        batches[i][0][:] = 0
    assert batches.images is images
    np.testing.assert_array_equal(images, before)


def test_order_depends_on_seed_and_epoch_alone():
    one, same = (Batches(random_images(50), 50, 8, seed=4) for _ in range(2))
    np.random.default_rng().random()
    orders = [one.order(epoch).tolist() for epoch in (0, 1, 2)]
    assert [same.order(epoch).tolist() for epoch in (2, 0, 1)] == [orders[2], orders[0], orders[1]]
    other = Batches(random_images(50), 50, 8, seed=5)
    assert len({tuple(order) for order in orders + [other.order(0).tolist()]}) == 4


def test_images_left_out_of_the_last_batch_differ_between_epochs():
    batches = Batches(random_images(50), 50, 8, seed=0)
    assert batches.steps == 6
    assert set(batches.order(0)[48:]) != set(batches.order(1)[48:])


def test_resuming_goes_on_with_the_same_batches():
    images = random_images(20)
    whole, resumed = (Batches(images, 60, 7, seed=2, first_step=step) for step in (0, 3 * 8 + 5))
    for i in range(2 * resumed.steps):
        np.testing.assert_array_equal(resumed[i][0], whole[3 * 8 + 5 + i][0])


class Recorder(keras.callbacks.Callback):
    """The image of each step, from the running mean of a loss that is the image's grey level."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.sums = [0.0]

    def on_train_batch_end(self, batch, logs=None):
        self.sums.append(logs["loss"] * (batch + 1))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(np.round(np.diff(self.sums) * 255).astype(int).tolist())


def images_that_fit_sees(batches, epoch, epochs, built):
    model = keras.Sequential([keras.layers.Conv2D(3, 1)])
    if built:
        model.build((None, 32, 32, 3))
    # on the mean of the target alone; the prediction is there so that a gradient exists
    model.compile("sgd", loss=lambda true, pred: keras.ops.mean(true) + 0 * keras.ops.mean(pred))
    recorder = Recorder()
    model.fit(
        batches,
        steps_per_epoch=batches.steps,
        shuffle=False,
        initial_epoch=epoch,
        epochs=epochs,
        verbose=0,
        callbacks=[recorder],
    )
    return recorder.epochs


@pytest.mark.parametrize("built", [True, False])
def test_fit_sees_each_epoch_in_its_order_from_any_start(built):
    images = np.tile(np.arange(24, dtype=np.uint8)[:, None, None, None], (1, 32, 32, 3))
    batches = Batches(images, 24, 1, seed=6)
    expected = [batches.index[batches.order(epoch)].tolist() for epoch in range(3)]
    assert images_that_fit_sees(batches, 0, 3, built) == expected
    resumed = Batches(images, 24, 1, seed=6, first_step=24)
    assert images_that_fit_sees(resumed, 1, 3, built) == expected[1:]


def peak_of_an_epoch(images, size):
    tracemalloc.reset_peak()
    batches = Batches(images, size, 128, seed=0)
    for i in range(0, batches.steps + 20, 40):  # into the next epoch, whose order is made anew
        batches[i]
    return tracemalloc.get_traced_memory()[1]


def test_rotations_take_no_memory():
    tracemalloc.start()
    try:
        images = np.zeros((100_000, 32, 32, 3), np.uint8)
        unturned = peak_of_an_epoch(images, 100_000)
        turned = peak_of_an_epoch(images, 400_000)
    finally:
        tracemalloc.stop()
    assert images.nbytes < unturned < turned < 1.05 * unturned
