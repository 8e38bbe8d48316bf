"""The network as the code of Donis & Brown built it, to be measured beside the study's own; nothing here is a codec."""

from study.engine import keras, ops

layers = keras.layers


def report_network(width=1.0, initializer="glorot_uniform"):
    """Images (batch, 32, 32, 3) to their reconstructions, in one pass of ConvLSTM2D stacks.

    Each ConvLSTM2D sees a sequence of length one, so its state is always zero, and is convolved all the same, with a
    kernel as large as the input's. LeakyReLU stands where Toderici et al. binarize: the code is 2x2x32 floats. More
    "iterations" were more such networks one after the other, none sharing a weight.

    Args:
        width: factor on the numbers of channels; 1.0 is the report's, 60,633,987 parameters.
        initializer: of every kernel but the recurrent ones, whose values have no effect and start at zero.
    """
    conv = {"kernel_initializer": initializer}

    def recurrent(x, filters, kernel, strides=1):
        sequence = layers.Reshape((1, *x.shape[1:]))(x)
        cell = layers.ConvLSTM2D(round(filters * width), kernel, strides, "same", recurrent_initializer="zeros", **conv)
        return layers.LeakyReLU(0.01)(cell(sequence))

    images = keras.Input((32, 32, 3))
    x = layers.LeakyReLU(0.01)(layers.Conv2D(round(64 * width), 3, 2, "same", **conv)(images))
    for filters in (256, 512, 512):
        x = recurrent(x, filters, 3, 2)
    x = layers.LeakyReLU(0.01)(layers.Conv2D(32, 1, **conv)(x))
    x = layers.LeakyReLU(0.01)(layers.Conv2D(round(512 * width), 1, **conv)(x))
    for filters, kernel in ((512, 2), (512, 3), (256, 3), (128, 3)):
        x = ops.depth_to_space(recurrent(x, filters, kernel), 2)
    return keras.Model(images, layers.Conv2D(3, 1, **conv)(x))
