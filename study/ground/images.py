"""Pictures in files: read as they are to be seen, written without loss; as PNG text for tables; cut into squares."""

import base64
import io
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pillow_jxl  # noqa: F401, by which Pillow reads and writes JPEG XL
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from study.ground import atomic, colour, depth, jpeg_xl, walk
from study.ground.errors import StudyError, foreign

SIDE = 32  # pixels on a side of every training and validation image
LOSSLESS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".ppm": "PPM", ".webp": "WEBP"}
GREYS = {"1", "L", "LA", "La"}  # modes of Pillow
ORIENTATION = 0x0112  # of EXIF: how the camera was held
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SUBFILE, REDUCED = 254, 1  # a tag of TIFF, and what it says of a page that is a smaller copy of another
HEAD = 2**16  # bytes at the start of a file in which its depth stands
LARGEST_PIPE = 2**28  # bytes: a pipe may have no end

# Pillow refuses a PNG with a text or a colour profile above 1 MiB; all its texts together stay below 64 MiB as before.
PngImagePlugin.MAX_TEXT_CHUNK = 2**24


def suffixes() -> set[str]:
    """The endings, in small letters, of the names of all files that Pillow reads."""
    Image.init()
    read = {*Image.OPEN, "MPO"}  # which is opened as a JPEG
    return {suffix for suffix, kind in Image.registered_extensions().items() if kind in read}


def image_files(folder: Path) -> list[Path]:
    """The images in a folder and below it, by name, hidden ones left out.

    Raises `StudyError` where the folder is missing or holds no image.
    """
    known = suffixes()
    files = [path for path in walk.files_below(folder)[0] if path.suffix.lower() in known]
    if not files:
        raise StudyError(f"{folder} holds no image; expected files that end in one of {' '.join(sorted(known))}")
    return files


def read_picture(path: Path, check_size=lambda width, height: None) -> tuple[np.ndarray, list[str]]:
    """A picture as it is to be seen, uint8 (h, w, 3) in sRGB, and in words what was changed on the way.

    It is turned as its EXIF says, brought from its colour profile to sRGB, laid on white where it is transparent, and
    rounded to 8 bits a channel where it has more. Of several pages or frames it is the first.

    Raises:
        StudyError: there is no such file, it may not be read or does not decode as a picture, its white is not known,
            or `check_size` raises it: it is called before anything is decoded.
    """
    notes: list[str] = []
    with _open(path, check_size) as (image, start, again):
        _skip_thumbnail(image, notes)
        depth.mend_planes(image)
        if (bits := depth.bits(image, start)) > 8:
            notes.append(f"{bits} bits a channel, now 8")
        loaded = depth.load(image, again)
        check_size(*image.size)  # some kinds hold several sizes, and the largest is decoded
        pixels = loaded if isinstance(loaded, depth.Deep) else _split(loaded)

        def ask(what, otherwise, remark):
            """A piece of metadata; they may be so damaged that the decoder fails at them, with the pixels sound."""
            try:
                with _decoder(path):
                    return what()
            except StudyError:
                notes.append(remark)
                return otherwise

        profile, unfollowed = ask(
            lambda: colour.stated(image, start), (None, []), "colours as they stand, metadata damaged"
        )
        orientation = ask(lambda: _orientation(image), None, "not turned, as its EXIF is damaged")
        frames = ask(lambda: _frames(image, start), [], "the first page or frame, as what follows is damaged")
    shown, alpha = _split(depth.eight_bits(pixels)) if isinstance(pixels, depth.Deep) else pixels
    if shown.mode == "L":
        notes.append("grey, which comes back as RGB")
    shown, changed = colour.to_srgb(shown, profile)
    notes += [*unfollowed, *changed, *frames]
    if alpha and alpha.getextrema() != (255, 255):
        notes.append("transparent, now on white")
        shown = Image.composite(shown, Image.new("RGB", shown.size, "white"), alpha)
    if orientation in TURNS:
        shown = shown.transpose(TURNS[orientation])
    return np.asarray(shown), notes


def read_pixels(path: Path) -> np.ndarray:
    """The pixels of a picture as they stand in its file, uint8 (h, w, 3).

    Raises as `read_picture` does, and `StudyError` for more than 8 bits a channel.
    """
    with _open(path) as (image, start, _):
        if depth.bits(image, start) > 8:
            raise StudyError("it has more than 8 bits a channel; convert it to 8 bits first")
        return np.asarray(image.convert("RGB"))


def check_lossless(path: Path) -> None:
    """Raises `StudyError` for a name of a kind of file that does not keep all pixels."""
    if path.suffix.lower() not in LOSSLESS:
        raise StudyError(
            f"{path.name} would not keep all pixels; choose a name that ends in one of {' '.join(LOSSLESS)}"
        )


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a picture, uint8 (h, w, 3), whole or not at all. Raises `StudyError` for a file of a lossy kind."""
    check_lossless(path)
    kind = LOSSLESS[path.suffix.lower()]
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


@contextmanager
def _open(path, check_size=lambda width, height: None):
    """An image that is not decoded yet, the first bytes of its file, and a function that opens it once more."""
    with _file(path) as file, warnings.catch_warnings(), _decoder(path):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # what Pillow thinks of metadata
        start = file.read(HEAD)
        if jpeg_xl.is_jpeg_xl(start):  # which is decoded when it is opened
            start += file.read()
            header = jpeg_xl.read_header(start)
            check_size(header.width, header.height)
        with _image(path, file) as image:
            check_size(*image.size)

            def again():
                other = _image(path, file)
                if page := image.tell():
                    other.seek(page)
                return other

            yield image, start, again


def _image(path, file):
    try:
        return Image.open(file)
    except UnidentifiedImageError as error:
        said = "Pillow reads no such kind, or it is damaged"
        raise StudyError(f"{path} does not decode as an image ({said}); repair or remove it") from error


@contextmanager
def _file(path):
    """A file from which can be read at any place; a pipe is read whole first."""
    if not path.is_file() and not path.is_fifo():
        raise StudyError(f"There is no file {path}; name one that is there")
    try:
        file = path.open("rb")
    except OSError as error:
        raise StudyError(f"{path} cannot be opened ({error.strerror}); see to its permissions") from error
    with file:
        if not path.is_fifo():
            yield file
            return
        content = file.read(LARGEST_PIPE + 1)
    if len(content) > LARGEST_PIPE:
        raise StudyError(f"{path} is a pipe that gives more than {LARGEST_PIPE:,} bytes; save the picture first")
    yield io.BytesIO(content)


@contextmanager
def _decoder(path):
    """A block in which a file is decoded. Every `StudyError` names the file."""
    try:
        with foreign(f"{path} does not decode as an image", "repair or remove it"):
            yield
    except StudyError as error:
        raise error if str(path) in str(error) else StudyError(f"{path}: {error}") from error


def _skip_thumbnail(image, notes):
    """Goes to the first page of a TIFF that is not a smaller copy of another one, if there is any."""
    if image.format == "TIFF" and image.tag_v2.get(SUBFILE) == REDUCED:
        for page in range(1, image.n_frames):
            image.seek(page)
            if image.tag_v2.get(SUBFILE) != REDUCED:
                notes.append(f"page {page + 1}, as those before are thumbnails")
                return
        image.seek(0)
        notes.append("a thumbnail, as the file says")


def _orientation(image):
    """What EXIF says of how a loaded image is to be turned. JPEG XL says it elsewhere, and is turned when decoded."""
    return None if image.format == "JXL" and not image.jpeg else image.getexif().get(ORIENTATION)


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A loaded image of 8 bits a channel in mode L, RGB or CMYK, and its alpha channel or None."""
    if image.mode == "CMYK":
        return image, None
    alpha = None
    base = image
    if image.has_transparency_data:
        base = image.convert("RGBA")
        alpha = base.getchannel("A")
    if image.mode in GREYS:
        return (image.convert("LA") if image.mode == "La" else image).convert("L"), alpha
    return base.convert("RGB"), alpha


def _frames(image, start):
    """What is to be said of the pages or frames that follow the one that is shown."""
    if image.format == "PSD":  # which shows all its layers together
        return []
    if image.format == "JXL":
        return ["the first of several frames"] if jpeg_xl.read_header(start).animated else []
    kind, frames = "pages" if image.format in ("TIFF", "DCX") else "frames", getattr(image, "n_frames", 1)
    return [f"the first of {frames} {kind}"] if frames > 1 and not image.tell() else []
