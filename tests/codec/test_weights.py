"""The files of weights: what is in them, and that every engine decodes the same with them."""

import io
import json
import zipfile

import numpy as np
import pytest
from elsewhere import decode_elsewhere
from small_codec import OPTIONS, random_context_model, small_codec

from study.codec import compression, weights
from study.ground import paths
from study.ground.errors import StudyError

NAMES = weights.names()


def test_they_are_small_and_the_default_is_among_them():
    assert weights.DEFAULT in NAMES
    assert sum((paths.PRETRAINED / f"{name}.npz").stat().st_size for name in NAMES) < 8e6


@pytest.mark.parametrize("name", NAMES)
def test_files_hold_half_precision_weights_and_no_pickles(name):
    with np.load(paths.PRETRAINED / f"{name}.npz", allow_pickle=False) as arrays:
        kinds = {key: array.dtype.name for key, array in arrays.items()}
    assert kinds.pop("options").startswith("str")
    context = {kind for key, kind in kinds.items() if key.startswith("context/")}
    network = {kind for key, kind in kinds.items() if not key.startswith("context/")}
    assert network == {"float16"} and context == {"int16", "uint16"}


@pytest.mark.parametrize("name", NAMES)
def test_loaded_by_name_and_found_by_id(name):
    model = weights.load(name)
    assert model.name == name and len(model.id) == 3
    assert weights.find(model.id) == name


def test_what_is_saved_is_loaded(tmp_path):
    small = small_codec()
    path = tmp_path / "small.npz"
    weights.save(path, small.codec, OPTIONS, small.context)
    loaded = weights.load(str(path))
    for weight, other in zip(loaded.codec.weights, small.codec.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other).astype(np.float16).astype(np.float32))
    for name, array in vars(small.context).items():
        np.testing.assert_array_equal(getattr(loaded.context, name), array)
    again = tmp_path / "again.npz"
    weights.save(again, loaded.codec, OPTIONS, loaded.context)
    assert weights.load(str(again)).id == loaded.id and again.read_bytes() == path.read_bytes()
    weights.save(again, loaded.codec, OPTIONS, random_context_model(seed=1))
    assert weights.load(str(again)).id != loaded.id


def saved(**changed):
    """The bytes of the small codec's file, with some arrays changed, and without those that are None."""
    small, content = small_codec(), io.BytesIO()
    arrays = {weight.path: np.asarray(weight).astype(np.float16) for weight in small.codec.weights}
    arrays |= {f"context/{name}": array for name, array in vars(small.context).items()}
    arrays |= {"options": np.array(json.dumps(OPTIONS, sort_keys=True))} | changed
    np.savez_compressed(content, **{name: array for name, array in arrays.items() if array is not None})
    return content.getvalue()


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return content.getvalue()


def array_alone():
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


def flipped(content, at):
    """With one byte changed."""
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def with_one(array, value):
    """With another value in the first place."""
    changed = array.copy()
    changed.flat[0] = value
    return changed


WHOLE = saved()
PASSES = {name: array for name, array in vars(small_codec().context).items() if name != "table"}
SECOND = small_codec().codec.weights[1]
TURNED = next(
    weight for weight in small_codec().codec.weights if weight.ndim == 4 and weight.shape[2] != weight.shape[3]
)
NO_CODECS = {
    "an empty file": b"",
    "text": b"no weights",
    "the start of a zip file alone": b"PK\x03\x04",
    **{f"cut after {share:.0%}": WHOLE[: int(share * len(WHOLE))] for share in (0.1, 0.5, 0.9, 0.999)},
    "cut by a byte": WHOLE[:-1],
    "a byte changed within": flipped(WHOLE, len(WHOLE) // 2),
    "an empty zip file": zipped(),
    "a zip file of text": zipped(options="{}"),
    "arrays of something else": saved(options=None),
    "a network's weight that lacks": saved(**{small_codec().codec.weights[3].path: None}),
    "a context model's weights that lack": saved(**{"context/bias": None}),
    "an array alone": array_alone(),
    "a pickle": saved(options=np.array({"cell": "lstm"}, dtype=object)),
    "options that are no JSON": saved(options=np.array("lstm")),
    "options that no codec has": saved(options=np.array('{"colour": "red"}')),
    "a weight of another shape": saved(**{small_codec().codec.weights[3].path: np.zeros(3, np.float16)}),
    "a weight turned on its side": saved(**{TURNED.path: np.asarray(TURNED).astype(np.float16).swapaxes(-1, -2)}),
    "a weight that is no number": saved(**{SECOND.path: with_one(np.asarray(SECOND).astype(np.float16), np.nan)}),
    "a weight without end": saved(**{SECOND.path: with_one(np.asarray(SECOND).astype(np.float16), np.inf)}),
    "whole numbers for weights": saved(**{SECOND.path: np.zeros(SECOND.shape, np.int16)}),
    "words for weights": saved(**{SECOND.path: np.full(SECOND.shape, "a")}),
    "a weight too many": saved(another=np.zeros(3, np.float16)),
    "a list for options": saved(options=np.array("[1]")),
    "options of hundreds of gigabytes": saved(options=np.array('{"cell": "lstm", "width": 1024}')),
    "a width that is no number": saved(options=np.array('{"cell": "lstm", "width": NaN}')),
    "a width in words": saved(options=np.array('{"cell": "lstm", "width": "wide"}')),
    "turns without end": saved(options=np.array('{"cell": "lstm", "width": 0.0625, "priming": 1000000}')),
    "no passes": saved(**{f"context/{name}": array[:0] for name, array in PASSES.items()}),
    "too many passes": saved(**{f"context/{name}": np.repeat(array, 2, 0) for name, array in PASSES.items()}),
    "passes that differ": saved(**{"context/bias": PASSES["bias"][:3]}),
    "fractions for a context's weights": saved(**{"context/bias": PASSES["bias"] / 2}),
    "weights of a context that are too large": saved(**{"context/bias": with_one(PASSES["bias"], 2**13 + 1)}),
    "weights of what comes later": saved(**{"context/current": with_one(PASSES["current"], 1)}),
    "weights of the bit itself": saved(**{"context/own": PASSES["own"] + np.int16(1)}),
    "a table of an even length": saved(**{"context/table": small_codec().context.table[1:]}),
    "a table of no entries": saved(**{"context/table": small_codec().context.table[:0]}),
    "a table of certainty": saved(**{"context/table": with_one(small_codec().context.table, 0)}),
    "a table of fractions": saved(**{"context/table": small_codec().context.table / 2}),
    "a table of rows": saved(**{"context/table": small_codec().context.table[None]}),
}


def test_a_whole_file_by_hand_is_the_one_that_is_saved(tmp_path):
    """So that what is refused below is refused for what was changed."""
    small = small_codec()
    weights.save(tmp_path / "a.npz", small.codec, OPTIONS, small.context)
    (tmp_path / "b.npz").write_bytes(WHOLE)
    assert weights.load(str(tmp_path / "a.npz")).id == weights.load(str(tmp_path / "b.npz")).id


@pytest.mark.parametrize("what", NO_CODECS)
def test_a_file_that_holds_no_codec_is_one_line(what, tmp_path):
    path = tmp_path / "some.npz"
    path.write_bytes(NO_CODECS[what])
    with pytest.raises(StudyError, match="some.npz is no file of weights") as refused:
        weights.load(str(path))
    assert "\n" not in str(refused.value)


def test_a_small_file_of_gigabytes_is_refused_before_they_are_read(tmp_path):
    path = tmp_path / "some.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(5):
            file.writestr(f"{number}.npy", bytes(2**26))
    assert path.stat().st_size < 10**6
    with pytest.raises(StudyError, match="has more than 268,435,456 bytes"):
        weights.load(str(path))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_engines_decode_the_same_bits_and_nearly_the_same_picture(backend, tmp_path):
    pytest.importorskip(backend)
    from skimage.data import astronaut

    done = compression.compress(weights.load("gru"), astronaut()[100:190, 180:300], iterations=4)
    (tmp_path / "a.rnn").write_bytes(done.file)
    decode_elsewhere(backend, "gru", tmp_path)
    with np.load(tmp_path / "a.npz") as other:
        assert np.abs(other["picture"].astype(int) - done.picture).max() <= 1
        assert other["bits"].shape == (4, 6, 8, 32)  # that they are right is what the file's checks say
