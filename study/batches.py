"""The batches of one training run. Subsets, rotations and flips are indices into the images, never copies."""

import keras
import numpy as np

from study.data import fixed_order

AUGMENTATIONS = ("rotation", "flip")


def training_index(n: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of n images, and in which of their four versions, are the `size` images of a training set.

    Returns int32 (size,) and uint8 (size,). The order is fixed, so smaller sets are subsets of larger ones;
    every image is used once as it is before any is turned or flipped. Raises `ValueError` for a size outside 1 to 4n.
    """
    if not 1 <= size <= 4 * n:
        raise ValueError(
            f"train_size={size} needs {size:,} images; the data have {n:,} ({4 * n:,} with rotations or flips). "
            f"Choose 1 to {4 * n:,}, or data with more images"
        )
    sequence = np.arange(size)
    return fixed_order(n)[sequence % n], (sequence // n).astype(np.uint8)


def take(images: np.ndarray, index: np.ndarray, versions: np.ndarray, augmentation: str = "rotation") -> np.ndarray:
    """The images at `index`, each in one of its four versions: a new uint8 (len(index), 32, 32, 3).

    Version 0 is the image itself. With "rotation" version k is turned by k quarters, as `numpy.rot90` turns; with
    "flip" 1 is left to right, 2 upside down, and 3 both. Raises `ValueError` for another augmentation.
    """
    if augmentation not in AUGMENTATIONS:
        raise ValueError(f"augmentation={augmentation!r} is not known; expected one of {', '.join(AUGMENTATIONS)}.")
    batch = images[index]
    pixels = batch.view("V3")[..., 0]  # pixels as units, which NumPy turns in half the time
    for version in (1, 2, 3):
        chosen = versions == version
        if augmentation == "rotation":
            pixels[chosen] = np.rot90(pixels[chosen], version, axes=(1, 2))
        else:
            pixels[chosen] = np.flip(pixels[chosen], axis=((2,), (1,), (1, 2))[version - 1])
    return batch


class Batches(keras.utils.PyDataset):
    """The batches of one run, without end: `fit(batches, steps_per_epoch=..., shuffle=False)`.

    Batch i, which is `batches[i]`, is step `first_step + i` of training: images, float32 (batch_size, 32, 32, 3) in
    [0, 1], twice, as input and as target. `steps` of them go through all images once, in an order that depends on the
    seed and on how often that was done before, on every backend, so a run that resumes after n steps, with
    `first_step=n`, sees what it would have seen. The images that do not fill a last batch are left out, others each
    time, because a batch of another size would be compiled again.

    Raises `ValueError` for sizes that the data or each other do not allow.
    """

    # Endless, as `fit` would otherwise shuffle the steps with Python's own generator, and as it calls
    # on_epoch_end once before the first epoch, so that epochs counted here would be wrong by one.
    # One worker, as TensorFlow prefetches by itself and Keras' queue of several may repeat batches.
    num_batches = None

    def __init__(self, images, size, batch_size, seed, first_step=0, augmentation="rotation"):
        super().__init__(workers=1)
        self.index, self.versions = training_index(len(images), size)
        if not 1 <= batch_size <= size:
            raise ValueError(
                f"batch_size={batch_size} does not fit train_size={size}: an epoch would have no full batch. "
                f"Choose a batch_size of 1 to {size} or a larger train_size"
            )
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.first_step, self.augmentation = first_step, augmentation
        self.steps = size // batch_size
        self._shuffled = (None, None)  # the last epoch asked for and its order

    def order(self, epoch: int) -> np.ndarray:
        """The order of an epoch, int32 (size,): positions in `index` and `versions`."""
        known, order = self._shuffled
        if known != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            order = rng.permutation(np.arange(len(self.index), dtype=np.int32))
            self._shuffled = (epoch, order)
        return order

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(self.first_step + i, self.steps)
        start = step * self.batch_size
        chosen = self.order(epoch)[start : start + self.batch_size]
        batch = take(self.images, self.index[chosen], self.versions[chosen], self.augmentation)
        images = np.divide(batch, 255, dtype=np.float32)
        # Each in memory of its own: TensorFlow takes over an array's memory as a tensor's, and of one array given twice
        # makes two tensors, of which either may be overwritten by a result (`images - 0.5`) while the other is in use.
        return images, images.copy()
