"""From a picture's own colours to sRGB, which is what pixels mean where nothing is said.

A colour profile is judged by what it does to colours: its name may say anything. Where there is none, a few numbers may
stand for it, and are made into one.
"""

import io
import struct
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from study.ground.errors import one_line

SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # by Pillow's mode, as profiles call what they start from
STEPS = 17  # shades of each channel on which a profile is tried
GRID = np.stack(np.meshgrid(*[np.linspace(0, 255, STEPS)] * 3, indexing="ij"), -1).reshape(1, -1, 3).round()
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)  # whites, as chromaticities x and y
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SAME_GAMMA = 0.01  # a PNG whose gamma is within this of 1/2.2 means sRGB's curve
INTEROPERABILITY = 0xA005  # a part of EXIF, in which cameras say Adobe RGB without a profile


class Numbers(NamedTuple):
    """What stands in for a profile."""

    name: str
    primaries: tuple  # red, green and blue, x and y each
    white: tuple = D65
    gamma: float | None = None  # by which light grows with numbers; None for sRGB's curve


SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB = Numbers("Adobe RGB", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), gamma=563 / 256)
# By the numbers of ITU-T H.273, with which AVIF says them.
OF_VIDEO = {
    9: Numbers("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: Numbers("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
HIGH_RANGE = {16: "PQ", 18: "HLG"}


def stated(image: Image.Image, start: bytes) -> tuple[bytes | Numbers | None, list[str]]:
    """What an opened image's file says of its colours, and in words what of it is not followed.

    `start` are the file's first bytes. A profile comes first; then what each kind of file has in its place.
    """
    if profile := image.info.get("icc_profile"):
        return profile, []
    if image.format == "PNG" and "srgb" not in image.info:
        gamma, where = image.info.get("gamma"), image.info.get("chromaticity")
        if gamma or where:
            gamma = None if not gamma or abs(gamma - 1 / 2.2) < SAME_GAMMA else 1 / gamma
            pairs = [tuple(where[i : i + 2]) for i in range(0, 8, 2)] if where else [D65, *SRGB]
            return Numbers("the gamma and primaries of the file", tuple(pairs[1:]), pairs[0], gamma), []
    if image.format == "AVIF" and (at := start.find(b"colrnclx")) >= 0:
        primaries, curve = struct.unpack(">HH", start[at + 8 : at + 12])
        if curve in HIGH_RANGE:
            return None, [f"high dynamic range ({HIGH_RANGE[curve]}), its numbers as they stand"]
        return OF_VIDEO.get(primaries), []
    of_camera = image.format in ("JPEG", "MPO") and "exif" in image.info
    return ADOBE_RGB if of_camera and image.getexif().get_ifd(INTEROPERABILITY).get(1) == "R03" else None, []


def to_srgb(image: Image.Image, profile: bytes | Numbers | None) -> tuple[Image.Image, list[str]]:
    """An image of mode L, RGB or CMYK in sRGB, and in words what was changed.

    `profile` is an ICC profile or what stands in for one. One that does not fit the image or is damaged is left out.
    One that changes no colour by more than a level leaves the pixels as they are, and that is not said.
    """
    if not profile:
        return image.convert("RGB"), ["CMYK without a colour profile, by rule of thumb"] if image.mode == "CMYK" else []
    try:
        space, name, transform = _transform(profile, image.mode)
        if not transform:
            return image.convert("RGB"), []
        image = image if SPACES[image.mode] == space else image.convert("RGB")
        return transform.apply(image), [f"brought from {name} to sRGB"]
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        return image.convert("RGB"), [f"its colour profile was left out, which does not fit it ({one_line(error)})"]


@lru_cache(maxsize=16)
def _transform(profile, mode):
    """What a profile's colours are made of, its name, and its transform to sRGB: None where that changes nothing."""
    if not isinstance(profile, bytes | Numbers):
        raise ValueError(f"a {type(profile).__name__}")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile if isinstance(profile, bytes) else icc(profile)))
    space = source.profile.xcolor_space.strip()
    if mode == "L" and space == "RGB":  # cameras say so of grey pictures
        mode = "RGB"
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    name = " ".join(ImageCms.getProfileDescription(source).split()) or "a profile without a name"
    if mode == "CMYK":
        return space, name, transform
    trial = Image.fromarray(GRID.astype(np.uint8)) if mode == "RGB" else Image.linear_gradient("L")
    change = np.asarray(transform.apply(trial)) - np.asarray(trial.convert("RGB"), int)
    return space, name, transform if np.abs(change).max() > 1 else None


def icc(numbers: Numbers) -> bytes:
    """An ICC profile, version 2, that says these numbers. Raises `ValueError` for those that no light has."""
    *primaries, white = (_xyz(*pair) for pair in (*numbers.primaries, numbers.white))
    matrix = np.stack(primaries, axis=1)
    matrix = matrix * np.linalg.solve(matrix, white)  # so that all three together are white
    cones = BRADFORD @ _xyz(*D50) / (BRADFORD @ white)
    matrix = np.linalg.inv(BRADFORD) @ (cones[:, None] * (BRADFORD @ matrix))
    if not np.abs(matrix).max() < 10 or not 0.1 < (numbers.gamma or 1) < 10:
        raise ValueError(f"{numbers}")
    if numbers.gamma:
        points = struct.pack(">H", round(256 * numbers.gamma))
    else:
        x = np.linspace(0, 1, 1024)
        curve = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        points = np.round(65535 * curve).astype(">u2").tobytes()
    text = numbers.name.encode("ascii") + b"\0"
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(text)) + text + bytes(78),
        b"wtpt": _tag(_xyz(*D50)),
        **{name: _tag(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv" + struct.pack(">II", 0, len(points) // 2) + points),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4xI", 128 + len(table) + len(body), 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + _tag(_xyz(*D50))[8:] + bytes(48) + table + body


def _tag(values):
    return b"XYZ " + struct.pack(">Iiii", 0, *(round(65536 * value) for value in values))


def _xyz(x, y):
    """The colour of luminance 1 with these chromaticities."""
    if not 0 < y <= 1:
        raise ValueError(f"chromaticity {x}, {y}")
    return np.array([x / y, 1, (1 - x - y) / y])
