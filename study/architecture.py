"""The layers of a codec as a table, for `architecture.csv`."""


def layer_table(codec):
    """The codec's layers in order, as rows of `architecture.csv`, with what each makes of a 32x32 image in one pass."""
    kind = type(codec.encoder_cells[0]).__name__
    layers = [
        ("encoder", "conv", codec.encoder_conv, 16),
        *(("encoder", kind, cell, side) for cell, side in zip(codec.encoder_cells, (8, 4, 2), strict=True)),
        ("binarizer", "conv, tanh, binarize", codec.binarizer, 2),
        ("decoder", "conv", codec.decoder_conv, 2),
        *(("decoder", kind, cell, side) for cell, side in zip(codec.decoder_cells, (4, 8, 16, 32), strict=True)),
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
