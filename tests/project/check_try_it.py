"""The page "Try it" in headless Chromium, beside Python: `make test-try-it`. Not part of `make test`.

PICTURES parts of photographs are dropped on the page, whose bits, files and pictures are held against `study`'s. They
are scikit-image's, and those of the folders that KODAK_DIR and PHOTOS_DIR name. `-s` prints what was found.
"""

import json
import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from study.codec import compression, context_model, file_format, weights

SITE = Path(os.environ.get("SITE", "build/site")).resolve()
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
PICTURES = int(os.environ.get("PICTURES", "20"))
WIDTH, HEIGHT = 312, 232  # of the parts; the second of each three pictures is turned, some sides are no multiple of 16
ALMOST_ZERO = 1e-4  # of what the binarizer takes the sign of, where a bit is the first to differ
SHIPPED = "astronaut.png chelsea.png coffee.png rocket.jpg motorcycle_left.png hubble_deep_field.jpg".split()

pytestmark = pytest.mark.skipif(
    not (BROWSER and (SITE / "docs" / "try_it.html").exists()), reason="needs Chromium, and a site with the page"
)

# What the browser does: drops each picture on the page, waits, moves the slider, sends what it sees and downloads.
DRIVER = """<!doctype html><title>check</title><iframe src="/docs/try_it.html" width="1280" height="2000"></iframe>
<script type="module">
const frame = document.querySelector("iframe");
const until = async (test) => { while (!test()) await new Promise((done) => setTimeout(done, 50)); };
const send = (name, body) => fetch(`/answer/${name}`, { method: "POST", body });
await until(() => frame.contentDocument?.getElementById("status")?.textContent === "No photograph yet.");
const page = frame.contentWindow;
const $ = (id) => frame.contentDocument.getElementById(id);
for (const name of NAMES) {
  const dataTransfer = new page.DataTransfer();
  dataTransfer.items.add(new page.File([await (await fetch(`/picture/${name}`)).blob()], name));
  $("drop").dispatchEvent(new page.DragEvent("drop", { dataTransfer, cancelable: true }));
  await until(() => /^(All|The network|This file)/.test($("status").textContent));
  for (const passes of COUNTS) {
    $("passes").value = passes;
    $("passes").dispatchEvent(new page.Event("input"));
    await until(() => $("chosen").textContent.startsWith(`${passes} `) && $("jpeg-bytes").textContent !== "…");
    await send(`${name}.${passes}.rnn`, await (await page.fetch($("download").href)).blob());
    await send(`${name}.${passes}.png`, await new Promise((done) => $("codec-picture").toBlob(done)));
    const cells = [...frame.contentDocument.querySelectorAll("#result td")].map((cell) => cell.textContent);
    await send(`${name}.${passes}.json`, JSON.stringify([$("status").textContent, ...cells]));
  }
}
await send("end", "");
</script>"""
COUNTS = (2, 16)


def pictures():
    """Parts of photographs by name, PICTURES of them."""
    files = [Path(skimage.data_dir) / name for name in SHIPPED]
    for variable, pattern in (("KODAK_DIR", "kodim*.png"), ("PHOTOS_DIR", "*.jpg")):
        if variable in os.environ:
            files += sorted(Path(os.environ[variable]).glob(pattern))[:: 3 if variable == "KODAK_DIR" else 12]
    found = {}
    for i, file in enumerate(files[:PICTURES]):
        width, height = (HEIGHT, WIDTH) if i % 3 == 1 else (WIDTH, HEIGHT - i)
        with Image.open(file) as image:
            left, top = (image.width - width) // 2, (image.height - height) // 2
            found[f"{file.stem}.png"] = np.asarray(image.convert("RGB").crop((left, top, left + width, top + height)))
    return found


class Handler(SimpleHTTPRequestHandler):
    """The site, the driver at /check.html, the pictures, and a box for answers."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path == "/check.html":
            names = f"<script>const NAMES = {json.dumps(list(self.server.pictures))}, COUNTS = {list(COUNTS)};</script>"
            self.reply((names + DRIVER).encode(), "text/html")
        elif self.path.startswith("/picture/"):
            made = BytesIO()
            Image.fromarray(self.server.pictures[self.path.rpartition("/")[2]]).save(made, "png")
            self.reply(made.getvalue(), "image/png")
        else:
            super().do_GET()

    def do_POST(self):
        name = self.path.rpartition("/")[2]
        self.server.answers[name] = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(b"", "text/plain")
        if name == "end":
            self.server.ended.set()

    def reply(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def originals():
    return pictures()


@pytest.fixture(scope="module")
def answers(originals, tmp_path_factory):
    """What the browser sent, by name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=SITE)) as server:
        server.pictures, server.answers, server.ended = originals, {}, threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = tmp_path_factory.mktemp("chromium")
        address = f"http://127.0.0.1:{server.server_port}/check.html"
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", address]
        with open(folder / "said.txt", "w") as said:
            browser = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            ended = server.ended.wait(timeout=180 * len(originals))
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
        assert ended, (sorted(server.answers), (folder / "said.txt").read_text()[-2000:])
        return server.answers


@pytest.fixture(scope="module")
def model():
    return weights.load(weights.DEFAULT)


def test_bits_are_those_of_python_but_for_signs_of_almost_nothing(answers, originals, model):
    differing, total, same_pictures = 0, 0, 0
    for name, original in originals.items():
        header, parts = file_format.read(answers[f"{name}.16.rnn"])
        bits = compression.decode_bits(model.context, header, parts)
        first = None
        for t, (ours, before_sign) in enumerate(ours_with_signs(model.codec, original)):
            different = bits[t] != ours
            differing, total = differing + different.sum(), total + different.size
            if first is None and different.any():
                first = t + 1, int(different.sum()), float(np.abs(before_sign[different]).max())
        same_pictures += first is None
        found = (
            "all bits equal" if first is None else "pass {}: {} bits are the first to differ, of {:.1e}".format(*first)
        )
        print(f"{name} {original.shape[1]}x{original.shape[0]}: {found}; {json.loads(answers[f'{name}.16.json'])}")
        assert first is None or first[2] < ALMOST_ZERO
    print(f"{differing:,} of {total:,} bits differ; {same_pictures} of {len(originals)} pictures have none")


def ours_with_signs(codec, picture):
    """Of each pass Python's bits, and the values whose signs they are; both (h / 16, w / 16, 32)."""
    values = []
    convolution, call = codec.binarizer.convolution, codec.binarizer.convolution.call
    convolution.call = lambda x: values.append(call(x)) or values[-1]
    for bits, _ in islice(compression.passes(codec, picture), 16):
        yield bits, np.asarray(values[-1])[0]
    convolution.call = call


def test_the_file_is_what_python_writes_of_the_same_bits(answers, originals, model):
    for name in originals:
        file = answers[f"{name}.16.rnn"]
        header, parts = file_format.read(file)
        bits = compression.decode_bits(model.context, header, parts)
        codes = [context_model.encode_pass(model.context, part, bits[:t]) for t, part in enumerate(bits)]
        assert file == file_format.write(header, codes, bits)


def test_python_decodes_the_picture_that_the_page_shows(answers, originals, model):
    for name, original in originals.items():
        for passes in COUNTS:
            file = answers[f"{name}.{passes}.rnn"]
            decoded = compression.decompress(model, file)
            shown = np.asarray(Image.open(BytesIO(answers[f"{name}.{passes}.png"])).convert("RGB"))
            assert decoded.shape == shown.shape == original.shape
            assert np.abs(decoded.astype(int) - shown).max() <= 1
            _, size, rate, psnr, jpeg_size, *_ = json.loads(answers[f"{name}.{passes}.json"])
            assert int(size.replace(",", "")) == len(file)
            assert float(rate) == pytest.approx(8 * len(file) / (original.size / 3), abs=6e-4)
            error = np.mean(np.square(shown.astype(float) - original))
            assert float(psnr) == pytest.approx(10 * np.log10(255**2 / error), abs=6e-3)
            assert int(jpeg_size.replace(",", "")) <= len(file) or passes == COUNTS[0]
