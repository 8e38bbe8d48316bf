"""Gradients on whichever backend Keras runs on."""

import keras


def gradients(function, variables):
    """The slope of a function, without arguments and with one number as its result, at each Keras variable.

    As NumPy; 0 where the result does not depend on the variable.
    """
    values = [variable.value for variable in variables]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            result = function()
        slopes = tape.gradient(result, values, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        def at(values):
            with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
                return function()

        slopes = jax.grad(at)(values)
    else:
        import torch

        slopes = torch.autograd.grad(function(), values, allow_unused=True, materialize_grads=True)
    return [keras.ops.convert_to_numpy(slope) for slope in slopes]
