"""The page "Try it": its graph is the network, its JavaScript writes the project's files, its controls have names."""

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
from itertools import islice

import numpy as np
import pytest

from study.codec import compression, context_model, file_format, weights
from study.ground import paths
from study.ground.errors import StudyError

DOCS = paths.ROOT / "docs"
MODULES = DOCS / "_static" / "try_it"
PAGE = (DOCS / "try_it.md").read_text(encoding="utf-8")
with_node = pytest.mark.skipif(not shutil.which("node"), reason="runs JavaScript by Node.js, which is not installed")

# Writes a file of the passes on standard input and prints its bytes in hexadecimal digits.
WRITER = """
import { readFileSync } from "node:fs";
const { encodePass, packBits, readContext, writeFile } = await import(process.argv[1]);
const { context, table, model, width, height, rows, columns, passes } = JSON.parse(readFileSync(0, "utf8"));
const weights = readContext(Int16Array.from(context).buffer, passes.length, table);
const [earlier, written] = [[], []];
for (const bits of passes.map((pass) => Int8Array.from(pass))) {
  written.push({ code: encodePass(weights, bits, earlier, rows, columns), raw: packBits(bits) });
  earlier.push(bits);
}
const bytes = await writeFile(model, width, height, written).arrayBuffer();
console.log(Buffer.from(bytes).toString("hex"));
"""


@pytest.fixture(scope="module")
def builder():
    """docs/try_it.py as a module."""
    pytest.importorskip("onnx", reason="the extra `site` has ONNX, with which `make site` converts the network")
    spec = importlib.util.spec_from_file_location("try_it", DOCS / "try_it.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def arrays():
    return dict(np.load(paths.PRETRAINED / f"{weights.DEFAULT}.npz"))


def test_one_pass_of_the_graph_is_one_of_the_network(builder, arrays):
    from onnx.reference import ReferenceEvaluator

    graph = ReferenceEvaluator(builder.graph(arrays))
    picture = np.random.default_rng(0).random((1, 16, 32, 3), np.float32)
    after = {"shown": np.zeros_like(picture)}
    for name, channels, stride in builder.description(arrays)["states"]:
        after[name] = np.zeros((1, channels, 16 // stride, 32 // stride), np.float32)
    for bits, shown in islice(weights.load(weights.DEFAULT).passes(picture), 2):
        before = {f"{name}_before": array for name, array in after.items() if name != "bits"}
        names = [output.name for output in graph.proto_.graph.output]
        after = dict(zip(names, graph.run(names, {"picture": picture - 0.5, **before}), strict=True))
        np.testing.assert_array_equal(after["bits"], bits)
        np.testing.assert_allclose(np.clip(after["shown"] + 0.5, 0, 1), shown, atol=1e-5)


def test_a_codec_of_another_kind_is_refused(builder):
    with pytest.raises(ValueError, match="lstm"):
        builder.graph(dict(np.load(paths.PRETRAINED / "lstm.npz")))


def test_without_npm_or_with_an_archive_of_other_bytes_there_is_one_line(builder, monkeypatch, tmp_path):
    monkeypatch.setattr(builder.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="npm is not installed"):
        builder.make(tmp_path)
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho other > {builder.ENGINE}\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setattr(builder.shutil, "which", lambda name: str(npm))
    with pytest.raises(OSError, match="is not the file"):
        builder.make(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["npm"]


@with_node
@pytest.mark.parametrize(("width", "height"), [(1, 1), (33, 17), (70, 300), (320, 200)])
@pytest.mark.parametrize("kind", ["random", "plus", "minus", "likely", "carried"])
def test_javascript_writes_the_file_that_python_writes(arrays, width, height, kind):
    """Whatever the bits: long codes and short ones, some with carries, some that are stored raw."""
    model = context_model.ContextModel.from_arrays(
        {key.removeprefix("context/"): array for key, array in arrays.items() if key.startswith("context/")}
    )
    header = file_format.Header(b"abc", width, height, 3)
    passes = _bits(model, header.shape, kind)
    codes = [context_model.encode_pass(model, bits, passes[:t]) for t, bits in enumerate(passes)]
    told = {
        "context": np.concatenate(
            [getattr(model, name)[:3].ravel() for name in ("current", "earlier", "own", "bias")]
        ).tolist(),
        "table": model.table.tolist(),
        "model": list(header.model),
        "width": width,
        "height": height,
        "rows": header.shape[0],
        "columns": header.shape[1],
        "passes": [bits.ravel().tolist() for bits in passes],
    }
    command = ["node", "--input-type=module", "--eval", WRITER, "--", (MODULES / "file.mjs").as_uri()]
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, check=True)
    assert bytes.fromhex(done.stdout) == file_format.write(header, codes, passes)


def _bits(model, shape, kind):
    random = np.random.default_rng(sum(shape))
    if kind in ("plus", "minus"):
        return [np.full((*shape, context_model.CHANNELS), 1 if kind == "plus" else -1, np.int8)] * 3
    if kind == "random":
        return [(2 * random.integers(0, 2, (*shape, context_model.CHANNELS)) - 1).astype(np.int8) for _ in range(3)]
    made = []
    while len(made) < 3:  # what the model holds for likely: what it reads from a code, of which most can be read
        code = random.bytes(2**12)
        if kind == "carried":  # the encoder comes to the zeros from below, and carries through all of them
            code = code[:16] + bytes(16) + code[32:]
        with contextlib.suppress(StudyError):
            made.append(context_model.decode_pass(model, code, shape, made))
    return made


def test_every_control_has_a_name_and_the_script_finds_what_it_asks_for():
    ids = set(re.findall(r'\bid="([^"]+)"', PAGE))
    script = (MODULES / "page.mjs").read_text(encoding="utf-8")
    asked = set(re.findall(r'(?:element|draw)\("([^"]+)"', script))
    assert len(asked) > 10 and asked <= ids
    assert {f"{row}-{column}" for row in ("codec", "jpeg") for column in ("bytes", "bpp", "psnr")} <= ids
    for control in re.findall(r"<input [^>]+>", PAGE):
        named = re.search(r'id="([^"]+)"', control)[1]
        assert f'for="{named}"' in PAGE or re.search(rf"<label>{re.escape(control)}[^<]+</label>", PAGE), control
    assert all(re.search(r'aria-label="[^"]+"', canvas) for canvas in re.findall(r"<canvas [^>]+>", PAGE))


def test_the_page_names_the_limit_that_the_script_has_which_is_one_tile():
    script = (MODULES / "page.mjs").read_text(encoding="utf-8")
    longest = int(re.search(r"LONGEST = (\d+)", script)[1])
    assert longest <= compression.TILE
    assert f"more than {longest:,} pixels on a side" in PAGE


def test_no_script_of_the_page_names_an_address():
    for file in MODULES.glob("*.mjs"):
        assert not re.search(r"https?:|//cdn", file.read_text(encoding="utf-8")), file
