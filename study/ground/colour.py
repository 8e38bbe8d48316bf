"""From a picture's own colours to sRGB, which is what pixels mean where nothing is said.

A colour profile is judged by what it does to colours: its name may say anything.
"""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # by Pillow's mode, as profiles call what they start from
STEPS = 17  # shades of each channel on which a profile is tried
GRID = np.stack(np.meshgrid(*[np.linspace(0, 255, STEPS)] * 3, indexing="ij"), -1).reshape(1, -1, 3).round()


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """An image of mode L, RGB or CMYK in sRGB, and in words what was changed.

    `profile` is an ICC profile. One that does not fit the image or is damaged is left out. One that changes no colour
    by more than a level leaves the pixels as they are, and that is not said.
    """
    if not profile:
        return image.convert("RGB"), ["CMYK without a colour profile, by rule of thumb"] if image.mode == "CMYK" else []
    try:
        space, name, transform = _transform(profile, image.mode)
        if not transform:
            return image.convert("RGB"), []
        image = image if SPACES[image.mode] == space else image.convert("RGB")
        return ImageCms.applyTransform(image, transform), [f"brought from {name} to sRGB"]
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        return image.convert("RGB"), [f"its colour profile was left out, which does not fit it ({error})"]


@lru_cache(maxsize=16)
def _transform(profile, mode):
    """What a profile's colours are made of, its name, and its transform to sRGB: None where that changes nothing."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    if mode == "L" and space == "RGB":  # cameras say so of grey pictures
        mode = "RGB"
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    name = " ".join(ImageCms.getProfileDescription(source).split()) or "a profile without a name"
    if mode == "CMYK":
        return space, name, transform
    trial = Image.fromarray(GRID.astype(np.uint8)) if mode == "RGB" else Image.linear_gradient("L")
    change = np.asarray(ImageCms.applyTransform(trial, transform)) - np.asarray(trial.convert("RGB"), int)
    return space, name, transform if np.abs(change).max() > 1 else None
