"""The layers of a codec as tables: the sizes that it is built from, and what was built, for `architecture.csv`.

T17 = Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", arXiv 1608.05148.
"""

BITS = 32  # for each cell of the code; T17, table in sec. 2
FIRST_CHANNELS = 64  # of the encoder's convolution, which halves the resolution
CODE_CHANNELS = 512  # of the decoder's first convolution
# T17, Fig. 1: channels, kernel, hidden kernel. The encoder's each halve the resolution, the decoder's each double it.
ENCODER = ((256, 3, 1), (512, 3, 1), (512, 3, 1))
DECODER = ((512, 2, 1), (512, 3, 1), (256, 3, 3), (128, 3, 3))
# Pixels a side of what each layer makes of a 32x32 image, a decoder's cell before its depth-to-space.
ENCODER_SIDES = (8, 4, 2)
DECODER_SIDES = (2, 4, 8, 16)


def layer_table(codec):
    """The codec's layers in order, as rows of `architecture.csv`, with what each makes of a 32x32 image in one pass."""
    kind = type(codec.encoder_cells[0]).__name__
    upsampled_sides = [2 * side for side in DECODER_SIDES]
    layers = [
        ("encoder", "conv", codec.encoder_conv, 16),
        *(("encoder", kind, cell, side) for cell, side in zip(codec.encoder_cells, ENCODER_SIDES, strict=True)),
        ("binarizer", "conv, tanh, binarize", codec.binarizer, 2),
        ("decoder", "conv", codec.decoder_conv, 2),
        *(("decoder", kind, cell, side) for cell, side in zip(codec.decoder_cells, upsampled_sides, strict=True)),
        ("decoder", "conv, tanh", codec.output_conv, 32),
    ]
    return [_layer_row(part, kind, layer, side) for part, kind, layer, side in layers]


def _layer_row(part, kind, layer, side):
    recurrent = kind.startswith("Conv")
    upsampled = recurrent and part == "decoder"
    kernel = layer.weights[0].shape[0]
    stride = " /2" if part == "encoder" else ""
    return {
        "part": part,
        "layer": f"{kind}, depth-to-space" if upsampled else kind,
        "kernel": f"{kernel}x{kernel}{stride}",
        "hidden_kernel": f"{layer.hidden_kernel_size}x{layer.hidden_kernel_size}" if recurrent else "",
        "height": side,
        "width": side,
        "channels": layer.filters // (4 if upsampled else 1),
        "parameters": layer.count_params(),
    }
