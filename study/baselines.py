"""Standard codecs, through Pillow, at the size of a recurrent code."""

import io

import numpy as np
from PIL import Image

QUALITIES = range(1, 96)  # above 95 Pillow's JPEG turns parts of the algorithm off


def jpeg(image: np.ndarray, quality: int) -> bytes:
    """An 8-bit image (h, w, 3) as a JPEG file, 4:2:0, with the standard's Huffman tables.

    Optimised tables would stand in the header, and hide bytes there when the payload alone is counted.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0", optimize=False)
    return file.getvalue()


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


def png(image: np.ndarray) -> bytes:
    """An 8-bit image (h, w, 3) as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()


def decode(file: bytes) -> np.ndarray:
    """An image file of any kind as an 8-bit image (h, w, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
