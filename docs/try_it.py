"""Makes what the page "Try it" loads: `python docs/try_it.py FOLDER`. `make site` does it and docs/conf.py takes it up.

The network of the codec that ships becomes an ONNX graph of one pass, its context model a file of whole numbers. ONNX
Runtime Web, which runs the graph in a browser, comes from npm, once; without npm or a network the page is left out.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage.data import hubble_deep_field

from study.architecture import BITS, DECODER, ENCODER, STRIDE
from study.codec import weights
from study.ground import atomic, paths

ENGINE = "onnxruntime-web-1.30.0.tgz"
ENGINE_SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
# The runtime without parts for graphics cards; it is the same on every machine.
ENGINE_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
CONTEXT = ("current", "earlier", "own", "bias")  # in this order in context.bin
MADE = ("codec.onnx", "codec.json", "context.bin", "example.png", *ENGINE_FILES)


def make(folder: Path) -> None:
    """Writes all of MADE into the folder. Raises OSError where the runtime cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / name).exists() for name in ENGINE_FILES):
        fetch_engine(folder)
    arrays = dict(np.load(paths.PRETRAINED / f"{weights.DEFAULT}.npz"))
    atomic.write(folder / "codec.onnx", graph(arrays).SerializeToString())
    context = [np.ascontiguousarray(arrays[f"context/{name}"], "<i2").tobytes() for name in CONTEXT]
    atomic.write(folder / "context.bin", b"".join(context))
    atomic.write(folder / "codec.json", json.dumps(description(arrays)).encode())
    # NASA's, in the public domain, and none of those that the network was trained on.
    Image.fromarray(hubble_deep_field()[:480, :640]).save(folder / "example.png")


def fetch_engine(folder):
    """Gets the files of ONNX Runtime Web that the page needs. Raises OSError where that fails."""
    name, version = ENGINE.removesuffix(".tgz").rsplit("-", 1)
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", "--silent", "--fetch-retries=0", "--fetch-timeout=60000", f"{name}@{version}"]
        if subprocess.run(command, cwd=scratch, capture_output=True).returncode:
            raise OSError(f"npm could not get {name} {version}, as without a network")
        content = (Path(scratch) / ENGINE).read_bytes()
    if hashlib.sha512(content).hexdigest() != ENGINE_SHA512:
        raise OSError(f"{ENGINE} is not the file that docs/try_it.py expects")
    with tarfile.open(fileobj=io.BytesIO(content)) as members:
        for wanted in ENGINE_FILES:
            atomic.write(folder / wanted, members.extractfile(f"package/dist/{wanted}").read())


def description(arrays):
    """What the page must know beside the graph, for JSON."""
    return {
        "model": list(weights.load(weights.DEFAULT).id),
        "passes": len(arrays["context/bias"]),
        "table": arrays["context/table"].tolist(),
        "states": states(arrays),
    }


def states(arrays):
    """The cells in order: the name of each, channels of its state, pixels of the picture for one of the state's."""
    strides = [STRIDE >> 2 - i for i in range(len(ENCODER))] + [STRIDE >> i for i in range(len(DECODER))]
    names = [f"encoder_rnn_{i}" for i in range(1, len(ENCODER) + 1)]
    names += [f"decoder_rnn_{i}" for i in range(1, len(DECODER) + 1)]
    depths = [arrays[f"codec/{name}/reset_bias"].size for name in names]
    return list(zip(names, depths, strides, strict=True))


def graph(arrays):
    """One pass of the network as an ONNX model; the first pass has zeros for `shown_before` and the states.

    In: `picture` and `shown_before` (1, h, w, 3) in [-0.5, 0.5], h and w multiples of 16, and the state of each cell,
    `<cell>_before`, (1, channels, h / stride, w / stride). Out: `bits` (1, h / 16, w / 16, 32), each -1 or +1, `shown`,
    the picture after this pass, and the states, `<cell>`. Weights are in half precision, as in the file that ships.

    Raises ValueError for a codec that is no additive one of GRUs.
    """
    options = json.loads(str(arrays["options"]))
    if options != {"activation": "linear", "cell": "gru", "reconstruction": "additive", "width": options["width"]}:
        raise ValueError(f"The page runs additive codecs of GRUs, linear between layers, and no {options}.")
    made = Graph(arrays)
    residual = made.add("Sub", ["picture", "shown_before"])
    x = made.add("Transpose", [residual], perm=[0, 3, 1, 2])
    x = made.convolve(x, "encoder_conv", stride=2)
    for i in range(1, len(ENCODER) + 1):
        x = made.gru(x, f"encoder_rnn_{i}", stride=2)
    x = made.convolve(x, "binarizer/convolution")  # its tanh keeps the sign, which is all that is asked
    bits = made.add("Where", [made.add("GreaterOrEqual", [x, "zero"]), "one", "minus_one"])
    made.add("Transpose", [bits], "bits", perm=[0, 2, 3, 1])
    x = made.convolve(bits, "decoder_conv")
    for i in range(1, len(DECODER) + 1):
        x = made.add("DepthToSpace", [made.gru(x, f"decoder_rnn_{i}")], blocksize=2)
    x = made.add("Tanh", [made.convolve(x, "output_conv")])
    decoded = made.add("Transpose", [made.add("Mul", [x, "half"])], perm=[0, 2, 3, 1])
    made.add("Add", [decoded, "shown_before"], "shown")
    return made.model(states(arrays))


class Graph:
    """The nodes and weights of an ONNX graph, as they are added. Maps are (1, channels, height, width)."""

    def __init__(self, arrays):
        self.arrays, self.nodes, self.weights = arrays, [], []
        for name, value in (("zero", 0), ("one", 1), ("minus_one", -1), ("half", 0.5)):
            self.weights.append(numpy_helper.from_array(np.float32(value), name))

    def add(self, kind, inputs, output=None, outputs=1, **attributes):
        """A node. Returns the name of its output, or of its several outputs."""
        names = [output or f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def weight(self, name, array):
        """Weights in half precision, which the runtime turns into 32 bits as it starts."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}_16"))
        return self.add("Cast", [f"{name}_16"], name, to=TensorProto.FLOAT)

    def convolve(self, x, layer, stride=1, kernels=("kernel",), biases=("bias",)):
        """A layer's convolution with "same" padding; kernels and biases that are several are laid side by side."""
        kernel = np.concatenate([self.arrays[f"codec/{layer}/{name}"] for name in kernels], axis=-1)
        inputs = [x, self.weight(f"{layer}/{'+'.join(kernels)}", kernel.transpose(3, 2, 0, 1))]
        if biases:
            bias = np.concatenate([self.arrays[f"codec/{layer}/{name}"] for name in biases])
            inputs.append(self.weight(f"{layer}/{'+'.join(biases)}", bias))
        total = len(kernel) - stride  # of the padding, the odd pixel comes after; sides are multiples of the stride
        pads = [total // 2, total // 2, -(-total // 2), -(-total // 2)] if total > 0 else [0] * 4
        return self.add("Conv", inputs, strides=[stride, stride], pads=pads)

    def gru(self, x, cell, stride=1):
        """A `study.layers.ConvGRU`, with its formulas and names."""
        state = f"{cell}_before"
        x = self.convolve(x, cell, stride, ("input_kernel", "reset_kernel"), ("bias", "reset_bias"))
        z, n, r = self.add("Split", [x], outputs=3, axis=1, num_outputs=3)
        hidden = self.convolve(state, cell, kernels=("hidden_kernel",), biases=())
        hidden_z, hidden_r = self.add("Split", [hidden], outputs=2, axis=1, num_outputs=2)
        z, r = (self.add("Sigmoid", [self.add("Add", pair)]) for pair in ([z, hidden_z], [r, hidden_r]))
        reset = self.add("Mul", [r, state])
        candidate = self.convolve(reset, cell, kernels=("candidate_kernel",), biases=())
        n = self.add("Tanh", [self.add("Add", [n, candidate])])
        kept = self.add("Mul", [self.add("Sub", ["one", z]), state])
        return self.add("Add", [kept, self.add("Mul", [z, n])], cell)

    def model(self, cells):
        """The finished model, checked."""

        def value(name, *shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape])

        pictures = [value(name, "h", "w", 3) for name in ("picture", "shown_before", "shown")]
        before = [value(f"{name}_before", depth, f"h/{n}", f"w/{n}") for name, depth, n in cells]
        after = [value(name, depth, f"h/{n}", f"w/{n}") for name, depth, n in cells]
        bits = value("bits", f"h/{STRIDE}", f"w/{STRIDE}", BITS)
        inputs, outputs = [*pictures[:2], *before], [bits, pictures[2], *after]
        made = helper.make_model(
            helper.make_graph(self.nodes, "one_pass", inputs, outputs, self.weights),
            opset_imports=[helper.make_opsetid("", 18)],
            ir_version=10,
        )
        onnx.checker.check_model(made)
        return made


if __name__ == "__main__":
    try:
        make(Path(sys.argv[1]))
    except OSError as error:
        print(f'The site is built without the page "Try it": {error}.')
