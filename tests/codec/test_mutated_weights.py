"""Files of weights to which something happened, or that somebody made up: a codec or one clear line.

MUTATIONS=1000 .venv/bin/python -m pytest tests/codec/test_mutated_weights.py -s
"""

import io
import json
import random

import numpy as np
from mutations import EXAMPLES, Watch, clear, mutated
from small_codec import OPTIONS, small_codec

from study.codec import weights

VALUES = [None, True, -1, 0, 0.0625, 3, 1e300, float("nan"), float("inf"), "lstm", "gru", "", [], {}, "x" * 10_000]
KINDS = ["f2", "f4", "f8", "i2", "i8", "u2", "c8", "U3", "S3", "M8[s]", "?"]


def arrays():
    small = small_codec()
    found = {weight.path: np.asarray(weight).astype(np.float16) for weight in small.codec.weights}
    found |= {f"context/{name}": array for name, array in vars(small.context).items()}
    return found | {"options": np.array(json.dumps(OPTIONS, sort_keys=True))}


ARRAYS = arrays()


def packed(content):
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


WHOLE = packed(ARRAYS)


def test_mutated_files(tmp_path):
    path, watch = tmp_path / "some.npz", Watch()
    for number in range(EXAMPLES):
        path.write_bytes(mutated(WHOLE if number % 2 else WHOLE[-5000:], number))
        clear(lambda: weights.load(str(path)), watch)
    watch.check("bytes of weights")


def made_up(seed):
    """The small codec's arrays, one of them of another kind, form or content."""
    rng, content = random.Random(seed), dict(ARRAYS)
    name = rng.choice(
        ["options", "options", *[key for key in ARRAYS if "context" in key], *rng.sample(list(ARRAYS), 3)]
    )
    array = content[name]
    if name == "options":
        options = OPTIONS | {rng.choice([*weights.OPTIONS, "seed", "policy"]): rng.choice(VALUES)}
        content[name] = np.array(
            rng.choice([json.dumps(options), json.dumps(options)[:-5], json.dumps([options]), "NaN"])
        )
    elif (change := rng.randrange(5)) == 0:
        content[name] = array.astype(rng.choice(KINDS))
    elif change == 1:
        content[name] = array[: rng.randrange(len(array) + 1)]
    elif change == 2:
        content[name] = array.T
    elif change == 3:
        content[name] = array.copy()
        content[name].flat[rng.randrange(array.size)] = np.array(rng.choice([-(2**15), 2**15 - 1, 0, 1])).astype(
            array.dtype
        )
    else:
        content[f"{name}2"] = content.pop(name)
    return content


def test_made_up_weights(tmp_path):
    path, watch = tmp_path / "some.npz", Watch()
    weights.load(str(_written(path, ARRAYS)))  # what a whole one takes
    for number in range(EXAMPLES):
        _written(path, made_up(number))
        loaded = clear(lambda: weights.load(str(path)), watch)
        if loaded:
            assert 1 <= loaded.iterations <= 16 and all(
                np.isfinite(np.asarray(part)).all() for part in loaded.codec.weights
            )
    watch.check("arrays of weights")


def _written(path, content):
    path.write_bytes(packed(content))
    return path
