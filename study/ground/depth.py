"""Pictures of more than 8 bits a channel, rounded to 8. Pillow itself cuts colours off and clips greys to 255."""

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from study.ground import jpeg_xl
from study.ground.errors import StudyError

WHITE = {"I;12": 2**12 - 1}  # of greys, by how they are stored; else 2**16 - 1, to which Pillow brings other depths
OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # by the ending of a raw mode
PLANES, DEPTHS, GREYS = 284, 258, 262  # tags of TIFF
SEPARATE, WHITE_IS_ZERO = 2, 0  # what they may say


def bits(image: ImageFile.ImageFile, start: bytes) -> int:
    """How many bits a channel has in the file of an image that is opened and not loaded; `start` are its first bytes.

    Raises `StudyError` for fractions and for numbers of 32 bits, of which no format says what is white.
    """
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        kind = "fractions" if image.mode == "F" else "numbers of 32 bits"
        raise StudyError(f"its pixels are {kind}, and nothing says which is white; save it with 8 or 16 bits a channel")
    if found := re.search(r";(12|16)", _raw_mode(image)):
        return int(found[1])
    if image.format == "PPM" and image.tile[0].codec_name.startswith("ppm"):
        return 16 if _arguments(image.tile[0])[1] > 255 else 8
    if image.format == "SGI":
        return 8 * start[3]
    if image.format == "JPEG2000" and (at := start.find(b"\xff\x4f\xff\x51")) >= 0:
        return start[at + 42] % 128 + 1
    if image.format == "AVIF" and (at := start.find(b"av1C")) >= 0:
        return {0x40: 10, 0x60: 12}.get(start[at + 6] & 0x60, 8)
    if image.format == "JXL":
        return jpeg_xl.read_header(start).bits
    return 16 if image.mode.startswith("I") else 8


def mend_planes(image: ImageFile.ImageFile) -> None:
    """Has channels of 16 bits that stand one after another in a TIFF read as such: Pillow takes them for 8 bits."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags = image.tag_v2
    if tags.get(PLANES) == SEPARATE and max(tags.get(DEPTHS, (8,))) == 16:
        order = "B" if tags.prefix == b"MM" else "L"
        image.tile = [
            tile._replace(args=(f"{plane};16{order}", *rest)) if len(plane) == 1 else tile
            for tile in image.tile
            for plane, *rest in [_arguments(tile)]
        ]


class Deep(NamedTuple):
    """Pixels of more than 8 bits a channel as they were decoded."""

    mode: str  # of Pillow, once there are 8 bits
    upper: np.ndarray  # uint8 (h, w, c), the upper bytes; or a grey's whole numbers (h, w)
    lower: np.ndarray | None  # uint8 (h, w, c); None of a grey
    white: int  # of a grey
    transparent: int | tuple | None  # the one colour that is


def load(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> Image.Image | Deep:
    """Decodes an opened image, the second time with the other byte of numbers of 16 bits, of which Pillow keeps one.

    Where Pillow has no way to the lower byte, what it shows counts. `again` opens the same image once more.
    """
    raw = _raw_mode(image)
    image.load()
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        values, white = np.asarray(image).astype(int), WHITE.get(raw, 2**16 - 1)
        if getattr(image, "tag_v2", {}).get(GREYS) == WHITE_IS_ZERO:
            values = white - values
        return Deep("L", values, None, white, transparent)
    if not raw.endswith((";16B", ";16L", ";16N")) or raw.startswith("RGBa"):
        return image
    other = again()
    mend_planes(other)
    other.tile = [tile._replace(args=_other_byte(tile.args)) for tile in other.tile]
    upper, lower = np.asarray(image), np.asarray(other)
    if raw == "LA;16B":  # in `other` both bytes of the grey, then both of alpha
        lower = lower[..., [1, 1, 1, 3]]
    return Deep(image.mode, upper, lower, 2**16 - 1, transparent if image.mode == "RGB" else None)


def eight_bits(deep: Deep) -> Image.Image:
    """Rounded to 8 bits a channel; the transparent colour, compared in all its bits, becomes an alpha channel."""
    if deep.lower is None:
        values = deep.upper
        rounded = ((510 * values + deep.white) // (2 * deep.white)).clip(0, 255)
    else:
        upper, lower = deep.upper.astype(np.int16), deep.lower.astype(np.int16)
        values = 256 * upper.astype(int) + lower
        rounded = upper + (lower - upper > 128) - (upper - lower > 128)  # of values / 257
    image = Image.fromarray(rounded.astype(np.uint8), deep.mode)
    if deep.transparent is not None:
        seen = (values != deep.transparent).reshape(*values.shape[:2], -1).any(-1)
        image.putalpha(Image.fromarray((255 * seen).astype(np.uint8)))
    return image


def _other_byte(arguments):
    """Arguments of a decoder that make it take the lower byte of each number for the upper one."""
    if isinstance(arguments, tuple):
        return _other_byte(arguments[0]), *arguments[1:]
    return "RGBA" if arguments == "LA;16B" else arguments[:-1] + OTHER_BYTE[arguments[-1]]


def _raw_mode(image):
    return str(_arguments(image.tile[0])[0]) if image.tile else ""


def _arguments(tile):
    """Arguments of the decoder, the raw mode first; Pillow leaves out the brackets around a single one."""
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)
