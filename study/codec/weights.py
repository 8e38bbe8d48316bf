"""Trained codecs as files: the network's weights in half precision, its context model, and how it is built.

One .npz without pickles: `options`, JSON of what `build_codec` takes; the network's weights by their paths, float16;
and the arrays of `ContextModel`, whole numbers, under "context/".
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from study.codec.context_model import ContextModel
from study.ground import atomic, paths
from study.ground.errors import StudyError
from study.model import Codec, build_codec

DEFAULT = "gru"
CONTEXT = "context/"


@dataclass(frozen=True)
class Pretrained:
    """A codec that compresses: `id`, 3 bytes, names it in the files that it writes."""

    name: str
    id: bytes
    codec: Codec
    context: ContextModel

    def passes(self, images):
        """`Codec.passes` over images (batch, h, w, 3), as many as the context model was made for."""
        return islice(self.codec.passes(images), len(self.context.bias))


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
        codec = build_codec(**json.loads(str(arrays["options"])))
        for weight in codec.weights:
            weight.assign(arrays[weight.path].astype("float32"))
        context = {key.removeprefix(CONTEXT): array for key, array in arrays.items() if key.startswith(CONTEXT)}
        return Pretrained(path.stem, _id(arrays), codec, ContextModel.from_arrays(context))
    except (KeyError, TypeError, ValueError) as error:
        raise _is_none(path, error) from error


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
    if not path.exists():
        raise StudyError(f"There is no file {path}; name a file of weights that is there.")
    content = io.BytesIO(path.read_bytes())  # of a cut file NumPy would leave the handle open
    try:
        return dict(np.load(content, allow_pickle=False))
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _is_none(path, error) from error


def _is_none(path, error):
    said = str(error).partition("\n")[0]
    return StudyError(f"{path} is no file of weights ({type(error).__name__}: {said}); get it again.")


def _id(arrays):
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.digest()[:3]
