"""Several devices in one run: each batch is shared out evenly between them, and all make one and the same step.

TensorFlow has a replica of the network on each (`tf.distribute.MirroredStrategy`); all draw the same noise, each for
its share of the batch. JAX has one network whose batches lie on all (`keras.distribution.DataParallel`): there noise
too is that of one device. Either way sums are rounded otherwise than on one device.
"""

from contextlib import contextmanager, nullcontext

import keras
from keras import ops


def spread(n: int):
    """Within it a network is made on n devices, with its optimizer; with n = 1 it changes nothing.

    Raises:
        ValueError: this machine has fewer, or the backend cannot.
    """
    if n == 1:
        return nullcontext()
    if keras.backend.backend() == "tensorflow":
        return _mirrored(n)
    return _parallel(n)


def feeding(n: int):
    """Within it batches are shared out to a network made on n devices; on TensorFlow it does that by itself."""
    return nullcontext() if n == 1 or keras.backend.backend() == "tensorflow" else _parallel(n)


def _enough(n, names):
    if len(names) < n:
        raise ValueError(
            f"devices={n}, and this machine has {len(names)}: {', '.join(map(str, names))}. Ask for fewer."
        )
    return names[:n]


def _mirrored(n):
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    return tf.distribute.MirroredStrategy(_enough(n, names)).scope()


@contextmanager
def _parallel(n):
    if keras.backend.backend() != "jax":
        raise ValueError(f"devices={n}: with {keras.backend.backend()} a run has one; use TensorFlow or JAX.")
    devices = _enough(n, keras.distribution.list_devices())
    with _distribution(keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)):
        yield


def alone():
    """Within it batches are not shared out, so that they may have any size: for scoring."""
    return _distribution(None) if keras.backend.backend() == "jax" else nullcontext()


@contextmanager
def _distribution(new):
    old = keras.distribution.distribution()
    keras.distribution.set_distribution(new)
    try:
        yield
    finally:
        keras.distribution.set_distribution(old)


def on_one(n: int, codec):
    """A codec of n devices as a model that answers on one: TensorFlow's replicas would each answer a whole batch."""
    return _Single(codec) if n > 1 and keras.backend.backend() == "tensorflow" else codec


def mean_over(n: int, loss):
    """A loss that is a mean over images, for n devices: TensorFlow's replicas have a share each, as they are summed.

    The report's residual loss at a fixed n squares the mean: there each replica squares its own.
    """
    if n == 1 or keras.backend.backend() != "tensorflow":
        return loss
    return lambda images, reconstructions: loss(images, reconstructions) / n


def adam(n: int, *args, **options):
    """Keras' Adam; on several of TensorFlow's devices one that clips the whole batch's gradient, as one device does."""
    if n == 1 or keras.backend.backend() != "tensorflow":
        return keras.optimizers.Adam(*args, **options)
    return TogetherClippedAdam(*args, **options)


class TogetherClippedAdam(keras.optimizers.Adam):
    """Keras clips each replica's gradient before it sums them, and so makes larger steps than one device does."""

    def apply(self, grads, trainable_variables=None):
        import tensorflow as tf

        replicas = tf.distribute.get_replica_context()
        n = replicas.num_replicas_in_sync
        grads = replicas.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
        if self.global_clipnorm:
            norm = ops.sqrt(sum(ops.sum(ops.square(grad)) for grad in grads))
            grads = [grad * ops.minimum(1.0, self.global_clipnorm / norm) for grad in grads]
        super().apply([grad / n for grad in grads], trainable_variables)  # which sums them again


class _Single(keras.Model):
    def __init__(self, codec):
        super().__init__(name="single")
        self.codec = codec

    def call(self, images):
        return self.codec(images)
