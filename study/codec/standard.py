"""Standard codecs, through Pillow and pillow-jxl, at the size of a recurrent code."""

import io
from bisect import bisect_left
from functools import cache, partial

import numpy as np
import pillow_jxl  # noqa: F401  makes Pillow read and write JPEG XL
from PIL import Image

from study.ground.errors import StudyError
from study.ground.images import decode

QUALITIES = range(1, 96)  # above 95 Pillow's JPEG turns parts of the algorithm off


def jpeg(image: np.ndarray, quality: int, subsampling: str = "4:2:0") -> bytes:
    """An 8-bit image (h, w, 3) as a JPEG file with the standard's Huffman tables.

    Optimised tables would stand in the header, and hide bytes there when the payload alone is counted.
    """
    return _save(image, "JPEG", quality=quality, subsampling=subsampling, optimize=False)


def jpeg2000(image: np.ndarray, ratio: float) -> bytes:
    """A JPEG 2000 codestream with the lossy wavelet, at so many times fewer bytes than the pixels have."""
    settings = {"no_jp2": True, "irreversible": True, "quality_mode": "rates", "quality_layers": [ratio]}
    resolutions = min(6, int(np.log2(min(image.shape[:2]))) - 2)  # 3 on 32x32, where it does best
    return _save(image, "JPEG2000", num_resolutions=max(resolutions, 1), mct=1, **settings)


# From a setting to a file, and the settings from the smallest file to the largest.
CODECS = {
    "JPEG 4:2:0": (jpeg, list(QUALITIES)),
    "JPEG 4:4:4": (partial(jpeg, subsampling="4:4:4"), list(QUALITIES)),
    "JPEG 2000": (jpeg2000, np.geomspace(1000, 2, 80).round(2).tolist()),
    "WebP": (lambda image, quality: _save(image, "WEBP", quality=quality, method=6), list(range(101))),
    "AVIF": (lambda image, quality: _save(image, "AVIF", quality=quality, speed=6), list(range(101))),
    "JPEG XL": (lambda image, quality: _save(image, "JXL", quality=quality), list(range(1, 100))),
}


def payload(file: bytes) -> int:
    """Bytes of a file of one of CODECS without what stands before the coefficients; JPEG XL's, a few, are counted.

    JPEG: the scan and the end marker. JPEG 2000: what follows the start of data. WebP: the frame without its header of
    10 bytes. AVIF: the content of `mdat`. Raises `StudyError` for a file of another kind.
    """
    if file.startswith(b"\xff\xd8"):
        return jpeg_payload(file)
    if file.startswith(b"\xff\x0a"):
        return len(file)
    if file.startswith(b"\xff\x4f"):
        return len(file) - file.index(b"\xff\x93") - 4  # of which are the marker before it and the one at the end
    if file[8:16] == b"WEBPVP8 ":
        return int.from_bytes(file[16:20], "little") - 10
    if file[4:8] == b"ftyp":
        position = 0
        while file[position + 4 : position + 8] != b"mdat":
            position += int.from_bytes(file[position : position + 4], "big")
        return int.from_bytes(file[position : position + 4], "big") - 8
    raise StudyError(f"A file that starts with {file[:16]!r} is of none of {', '.join(CODECS)}.")


def jpeg_payload(file: bytes) -> int:
    """Bytes of a baseline JPEG file after its headers: the entropy-coded scan and the end marker."""
    position = 2  # after the start marker, segments: a marker of two bytes and the length of what follows
    while file[position : position + 2] != b"\xff\xda":
        position += 2 + int.from_bytes(file[position + 2 : position + 4], "big")
    return len(file) - position - 2 - int.from_bytes(file[position + 2 : position + 4], "big")


def nearest_jpeg(image: np.ndarray, payload: int) -> tuple[bytes, np.ndarray]:
    """The JPEG file whose payload is nearest to so many bytes, the better one of two, and its decoded image."""
    files = [jpeg(image, quality) for quality in QUALITIES]
    best = min(reversed(files), key=lambda file: abs(jpeg_payload(file) - payload))
    return best, decode(best)


def smallest(image: np.ndarray, codec: str, targets) -> dict[int, bytes]:
    """For each of the targets the file of a codec with the smallest payload of at least so many bytes.

    A target that the codec's largest file does not reach is left out. Searched by halving, as if a higher quality never
    made a smaller file.
    """
    encode, settings = CODECS[codec]
    file_at = cache(lambda i: encode(image, settings[i]))
    found = {}
    for target in targets:
        i = bisect_left(range(len(settings)), target, key=lambda i: payload(file_at(i)))
        if i < len(settings):
            found[target] = file_at(i)
    return found


def _save(image, kind, **settings):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **settings)
    return file.getvalue()
