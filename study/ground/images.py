"""Pictures in files: read as they are to be seen, written without loss; as PNG text for tables; cut into squares."""

import base64
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from study.ground import atomic
from study.ground.errors import StudyError

SIDE = 32  # pixels on a side of every training and validation image
IMAGE_SUFFIXES = {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
LOSSLESS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".ppm": "PPM", ".webp": "WEBP"}
# What Pillow raises for a damaged picture; ValueError and RuntimeError come from the decoders of PNG, PPM and AVIF.
BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, RuntimeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
BASE_MODES = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK"}  # of Pillow, without transparency; else RGB


def image_files(folder: Path) -> list[Path]:
    """The images in a folder and below it, by name, hidden ones left out.

    Raises `StudyError` where the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise StudyError(f"There is no folder {folder}; name one that holds images")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    hidden = [any(part.startswith(".") for part in name.split("/")) for name in names]
    files = [folder / name for name, skip in zip(names, hidden, strict=True) if not skip]
    files = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise StudyError(f"{folder} holds no image; expected files that end in one of {kinds}")
    return files


def read_picture(path: Path, check_size=lambda width, height: None) -> tuple[np.ndarray, list[str]]:
    """A picture as it is to be seen, uint8 (h, w, 3) in sRGB, and in words what was changed on the way.

    It is turned as its EXIF says, brought from its colour profile to sRGB, and laid on white where it is transparent.

    Raises:
        StudyError: there is no such file, it does not decode as a picture, has more than 8 bits per channel, or
            `check_size` raises it: it is called before anything is decoded.
    """

    def checked(image):
        check_size(*image.size)
        return _as_seen(image)

    return _read(path, checked)


def read_pixels(path: Path) -> np.ndarray:
    """The pixels of a picture as they stand in its file, uint8 (h, w, 3). Raises as `read_picture` does."""
    return _read(path, lambda image: np.asarray(image.convert("RGB")))


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a picture, uint8 (h, w, 3), whole or not at all. Raises `StudyError` for a file of a lossy kind."""
    kind = LOSSLESS.get(path.suffix.lower())
    if not kind:
        raise StudyError(
            f"{path.name} would not keep all pixels; choose a name that ends in one of {' '.join(LOSSLESS)}"
        )
    content = io.BytesIO()
    Image.fromarray(picture).save(content, kind, **({"lossless": True} if kind == "WEBP" else {}))
    atomic.write(path, content.getvalue())


def png(image: np.ndarray) -> bytes:
    """An 8-bit image (h, w, 3) as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG", optimize=True)
    return content.getvalue()


def decode(file: bytes) -> np.ndarray:
    """An image file of any kind that Pillow knows as an 8-bit image (h, w, 3)."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


def to_text(image: np.ndarray) -> str:
    """An 8-bit image (h, w, 3) as a PNG file in base64, as tables hold pictures."""
    return base64.b64encode(png(image)).decode()


def from_text(text: str) -> np.ndarray:
    """The inverse of `to_text`."""
    return decode(base64.b64decode(text))


def tiles(photograph: np.ndarray, stride: int) -> np.ndarray:
    """All whole 32x32 tiles whose corners are `stride` pixels apart, row by row: uint8 (n, 32, 32, 3)."""
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (SIDE, SIDE), axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride], 2, -1).reshape(-1, SIDE, SIDE, 3)


def random_crops(photographs: Sequence[np.ndarray], count: int, size: int, seed: int) -> np.ndarray:
    """Square crops from photographs drawn at random, uint8 (count, size, size, 3), the same for one seed.

    Raises `StudyError` where a photograph is smaller than a crop.
    """
    smallest = min((side for photograph in photographs for side in photograph.shape[:2]), default=0)
    if smallest < size:
        raise StudyError(
            f"size={size} does not fit into {len(photographs)} photographs whose shortest side is {smallest} "
            "pixels; choose smaller crops or larger photographs"
        )
    rng = np.random.default_rng(seed)
    crops = np.empty((count, size, size, 3), np.uint8)
    for crop in crops:
        photograph = photographs[int(rng.integers(len(photographs)))]
        top, left = (rng.integers(side - size + 1) for side in photograph.shape[:2])
        crop[...] = photograph[top : top + size, left : left + size]
    return crops


def _read(path, use):
    if not path.is_file():
        raise StudyError(f"There is no file {path}; name one that is there")
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path) as image,
        ):
            if image.mode.startswith(("I", "F")):  # Pillow would clip these to 255 without a word
                raise StudyError(f"{path} has more than 8 bits a channel; convert it to 8 bits first")
            return use(image)
    except StudyError:
        raise
    except BROKEN as error:
        raise StudyError(f"{path} does not decode as an image ({error}); repair or remove it") from error


def _as_seen(image):
    notes = []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"the first of {frames} frames")
    image = ImageOps.exif_transpose(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    profile = image.info.get("icc_profile")
    image = image.convert(BASE_MODES.get(image.mode, "RGB"))
    if image.mode == "L":
        notes.append("grey, which comes back as RGB")
    if profile:
        image = _to_srgb(image, profile, notes)
    image = image.convert("RGB")
    if alpha and alpha.getextrema() != (255, 255):
        notes.append("transparent, now on white")
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return np.asarray(image), notes


def _to_srgb(image, profile, notes):
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip()
        if "sRGB" in name:
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        notes.append(f"its colour profile was left out, which does not fit it ({error})")
        return image
    notes.append(f"brought from {name} to sRGB")
    return converted
