"""The codecs that ship, whole: `make test-codec`. Not part of `make test`: it needs Kodak's images, JAX and PyTorch.

KODAK_DIR names the folder of kodim01.png to kodim24.png. `-s` prints what was found.
"""

import re
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
from elsewhere import decode_elsewhere
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from study.analysis import rate_distortion
from study.architecture import MAX_ITERATIONS
from study.codec import compression, weights
from study.ground import images

NAMES = weights.names()
RATE = 0.5  # bits a pixel
ODD_SIZES = [(1, 1), (17, 33), (31, 500), (2000, 1500)]  # width, height
FILES = 100
TOLD = re.compile(r"(\d+) passes, ([\d,]+) bytes, ([\d.]+) bpp, ([\d.]+) dB")


def study(folder, *arguments):
    """The command line in a process of its own, in a folder of its own: what it prints."""
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Kodak's 24 images, and some of them scaled to other sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    images = rate_distortion.kodak()
    for name, image in zip(rate_distortion.KODAK, images, strict=True):
        Image.fromarray(image).save(folder / name)
    for image, (width, height) in zip(images, ODD_SIZES, strict=False):
        Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS).save(folder / f"{width}x{height}.png")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_compressed_here_and_decompressed_elsewhere(name, photographs, tmp_path):
    (small := tmp_path / "small").mkdir()
    (back := tmp_path / "elsewhere" / "back").mkdir(parents=True)
    said = study(tmp_path, "compress", photographs, small, "--bpp", RATE, "--model", name).splitlines()
    study(back.parent, "decompress", small, back)
    model, rates = weights.load(name), []
    assert len(said) == len(rate_distortion.KODAK) + len(ODD_SIZES)
    for source in sorted(photographs.iterdir()):
        (line,) = [line for line in said if f"/{source.name}.rnn:" in line]
        passes, size, bpp, psnr = (float(part.replace(",", "")) for part in TOLD.search(line).groups())
        original, shown = (images.read_pixels(path) for path in (source, back / f"{source.name}.png"))
        assert original.shape == shown.shape and size == (small / f"{source.name}.rnn").stat().st_size
        assert bpp == pytest.approx(8 * size / (shown.shape[0] * shown.shape[1]), abs=6e-4)
        assert psnr == pytest.approx(peak_signal_noise_ratio(original, shown), abs=0.006)
        assert bpp <= RATE or passes == 1
        if bpp <= RATE and passes < MAX_ITERATIONS:
            next_one = compression.compress(model, original, iterations=int(passes) + 1)
            assert next_one.bpp > RATE or next_one.psnr <= psnr + 0.006
        rates.append(bpp)
    print(f"\n{name}: {len(rates)} images as promised, {np.median(rates):.3f} bpp in the middle")


@pytest.fixture(scope="module", params=NAMES)
def written(request, tmp_path_factory):
    """Parts of photographs of many sizes in up to 16 passes, compressed by TensorFlow: their bits and pictures."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    model, images, expected = weights.load(request.param), rate_distortion.kodak(), {}
    for i in range(FILES):
        height, width = rng.integers(1, 161, 2)
        image = images[i % len(images)][100 : 100 + height, 200 : 200 + width]
        made = compression.compress(model, image, iterations=int(rng.integers(1, 17)))
        (folder / f"{i:03}.rnn").write_bytes(made.file)
        passes = islice(compression.passes(model.codec, image), made.passes)
        expected[f"{i:03}"] = np.stack([bits for bits, _ in passes]), made.picture
    return request.param, folder, expected


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_engines_decode_the_same_bits_and_nearly_the_same_pictures(backend, written):
    name, folder, expected = written
    decode_elsewhere(backend, name, folder)
    differing = pixels = 0
    for key, (bits, picture) in expected.items():
        with np.load(folder / f"{key}.npz") as other:
            np.testing.assert_array_equal(other["bits"], bits)
            apart = np.abs(other["picture"].astype(int) - picture)
        assert apart.max() <= 1
        differing, pixels = differing + np.count_nonzero(apart), pixels + apart.size
    print(f"\n{name}, {backend}: {len(expected)} files, {differing} of {pixels:,} values differ by a grey level")
