"""Standard codecs: payloads counted by hand and by other means, and the files of a wanted size."""

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from study.codec import standard
from study.ground import images
from study.ground.errors import StudyError

PICTURE = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 48), Image.BICUBIC)
)


@pytest.mark.parametrize("codec", standard.CODECS)
def test_standard_codecs_make_files_that_grow(codec):
    encode, settings = standard.CODECS[codec]
    files = [encode(PICTURE, settings[i]) for i in (len(settings) // 10, len(settings) // 2, -1)]
    sizes = [len(file) for file in files]
    quality = [peak_signal_noise_ratio(PICTURE, images.decode(file)) for file in files]
    assert sizes == sorted(sizes) and quality == sorted(quality)
    for file in files:
        assert 0 < standard.payload(file) <= len(file)


def test_payloads_by_other_means():
    """WebP's and AVIF's parts as their containers say them; JPEG 2000's tile length as its own header says it."""
    webp = standard.CODECS["WebP"][0](PICTURE, 50)
    assert standard.payload(webp) in (len(webp) - 30, len(webp) - 31)  # a chunk of odd length is padded
    avif = standard.CODECS["AVIF"][0](PICTURE, 50)
    assert avif.index(b"mdat") + 4 + standard.payload(avif) == len(avif)
    j2k = standard.CODECS["JPEG 2000"][0](PICTURE, 20)
    start = j2k.index(b"\xff\x90")  # start of tile: marker, length 10, tile, length of the tile-part
    tile = int.from_bytes(j2k[start + 6 : start + 10], "big")
    assert standard.payload(j2k) == tile - (j2k.index(b"\xff\x93") + 2 - start)
    with pytest.raises(StudyError, match="of none of"):
        standard.payload(b"nothing that anyone knows")


def test_smallest_is_the_smallest():
    encode, settings = standard.CODECS["JPEG 4:2:0"]
    payloads = [standard.payload(encode(PICTURE, setting)) for setting in settings]
    found = standard.smallest(PICTURE, "JPEG 4:2:0", (1, 300, 10**6))
    expected = {target: min(size for size in payloads if size >= target) for target in (1, 300)}
    assert {target: standard.payload(file) for target, file in found.items()} == expected


def test_a_jpeg_of_the_nearest_payload_is_found():
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    payloads = [standard.jpeg_payload(standard.jpeg(image, quality)) for quality in standard.QUALITIES]
    file, decoded = standard.nearest_jpeg(image, 500)
    assert abs(standard.jpeg_payload(file) - 500) == min(abs(payload - 500) for payload in payloads)
    assert decoded.shape == image.shape


def test_a_jpeg_payload_is_what_follows_the_scan_header():
    file = standard.jpeg(np.zeros((32, 32, 3), np.uint8), 50)
    assert len(file) - standard.jpeg_payload(file) == file.index(b"\xff\xda") + 14  # three components: a header of 12
