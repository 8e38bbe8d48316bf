"""Trained codecs as files: the network's weights in half precision, its context model, and how it is built.

One .npz without pickles: `options`, JSON of what `build_codec` takes; the network's weights by their paths, float16;
and the arrays of `ContextModel`, whole numbers, under "context/".
"""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from study import architecture
from study.codec.context_model import ContextModel
from study.ground import atomic, paths
from study.ground.errors import StudyError, foreign
from study.model import Codec, build_codec

DEFAULT = "gru"
CONTEXT = "context/"
OPTIONS = {"activation", "cell", "priming", "reconstruction", "width"}
WIDEST, MOST_PRIMING = 4, 16  # of a codec that is read from a file; those that ship have 1/4 and none
LARGEST = 2**28  # bytes of a file's arrays; those of a network of the published width are 61 million


@dataclass(frozen=True)
class Pretrained:
    """A codec that compresses: `id`, 3 bytes, names it in the files that it writes."""

    name: str
    id: bytes
    codec: Codec
    context: ContextModel

    @property
    def iterations(self):
        """How many passes it has: as many as the context model was made for."""
        return len(self.context.bias)

    def passes(self, images):
        """`Codec.passes` over images (batch, h, w, 3), as many as it has."""
        return islice(self.codec.passes(images), self.iterations)


def names() -> list[str]:
    """The codecs that ship with the project."""
    return sorted(path.stem for path in paths.PRETRAINED.glob("*.npz"))


def load(name: str) -> Pretrained:
    """A codec by its name among `names()`, or by the path of its file, which ends in .npz.

    Raises:
        StudyError: there is no codec of that name, no such file, or it holds none.
    """
    path = Path(name) if name.endswith(".npz") else paths.PRETRAINED / f"{name}.npz"
    if not path.exists() and not name.endswith(".npz"):
        raise StudyError(
            f"There is no model {name!r}; choose one of {', '.join(names())}, or a path that ends in .npz."
        )
    arrays = _read(path)
    try:
        options = _options(arrays)
        codec = build_codec(**options)
        for weight in codec.weights:
            weight.assign(arrays[weight.path].astype("float32"))
        context = {key.removeprefix(CONTEXT): array for key, array in arrays.items() if key.startswith(CONTEXT)}
        return Pretrained(path.stem, _id(arrays), codec, ContextModel.from_arrays(context))
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(f"{path} is no file of weights ({_said(error)}); get it again.") from error


def find(model_id: bytes) -> str:
    """The name of the codec of that id. Raises `StudyError` where none that ships with the project has it."""
    known = {_id(_read(paths.PRETRAINED / f"{name}.npz")): name for name in names()}
    if model_id not in known:
        listed = ", ".join(f"{name} ({key.hex()})" for key, name in known.items())
        raise StudyError(
            f"it was written by model {model_id.hex()}, which is not here; here are {listed}. "
            "Name the file of its weights with --model."
        )
    return known[model_id]


def save(path: Path, codec: Codec, options: dict, context: ContextModel) -> None:
    """A codec's file, whole or not at all. `options` are those of `build_codec` that it was built with."""
    arrays = {weight.path: np.asarray(weight).astype(np.float16) for weight in codec.weights}
    arrays |= {f"{CONTEXT}{name}": array for name, array in asdict(context).items()}
    arrays["options"] = np.array(json.dumps(options, sort_keys=True))
    atomic.write_arrays(path, arrays, compressed=True)


def _read(path):
    """The arrays of a file, which may be anybody's: nothing is taken on trust, and no more memory than LARGEST."""
    if not path.exists():
        raise StudyError(f"There is no file {path}; name a file of weights that is there.")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    with foreign(f"{path} is no file of weights", "get it again."):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if max(size, len(content)) > LARGEST:
            raise StudyError(f"{path} is no file of weights: it has more than {LARGEST:,} bytes; get it again.")
        return dict(np.load(io.BytesIO(content), allow_pickle=False))


def _options(arrays):
    """How the codec is built. Raises `ValueError` where that is not what the other arrays are the weights of."""
    options = json.loads(str(arrays["options"]))
    if not isinstance(options, dict) or set(options) - OPTIONS:
        raise StudyError(f"options {options}: expected some of {', '.join(sorted(OPTIONS))}")
    width, priming = options.get("width", 1), options.get("priming", 0)
    if not isinstance(width, int | float) or not 0 < width <= WIDEST:
        raise StudyError(f"width {width}: expected a number above 0, at most {WIDEST}")
    if not isinstance(priming, int) or not 0 <= priming <= MOST_PRIMING:
        raise StudyError(f"priming {priming}: expected a whole number from 0 to {MOST_PRIMING}")
    network = {name: array for name, array in arrays.items() if name != "options" and not name.startswith(CONTEXT)}
    expected, _ = architecture.parameters(
        options.get("cell", "lstm"), width, architecture.MAX_ITERATIONS, options.get("reconstruction", "additive")
    )
    if (count := sum(array.size for array in network.values())) != expected:
        raise StudyError(f"{count:,} weights: a network with these options has {expected:,}")
    for name, array in network.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise StudyError(f"{name}: expected finite fractions")
    return options


def _said(error):
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _id(arrays):
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.digest()[:3]
