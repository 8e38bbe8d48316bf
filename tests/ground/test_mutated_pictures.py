"""Pictures of every kind to which something happened: a picture or one clear line, whatever the bytes.

    MUTATIONS=1000 .venv/bin/python -m pytest tests/ground/test_mutated_pictures.py -s

does as many of each kind, and says how many were shown and how long the slowest took.
"""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from mutations import EXAMPLES, Watch, clear, mutated
from PIL import Image, ImageCms, PngImagePlugin

from study.codec import file_format
from study.ground import images

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 16, 3), np.uint8).repeat(2, 0).repeat(2, 1)
IMAGE = Image.fromarray(COLOURS)
ALPHA = Image.fromarray(np.dstack([COLOURS, COLOURS[..., 0]]))
PALETTE = IMAGE.quantize(16)
DEEP = COLOURS.astype(np.uint16) * 257
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = PROFILE.replace(b"rXYZ", b"?").replace(b"gXYZ", b"rXYZ").replace(b"?", b"gXYZ")
TEXT = PngImagePlugin.PngInfo()
TEXT.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
EXIF = Image.Exif()
EXIF.update({0x112: 6, 0x11A: 72.0, 0x8298: "nobody"})


def saved(kind, image=IMAGE, **options):
    content = io.BytesIO()
    if "append_images" in options:
        options["append_images"] = [frame.copy() for frame in options["append_images"]]
    image.copy().save(content, kind, **options)  # some kinds leave settings of theirs in an image
    return content.getvalue()


def tiff(array, **options):
    content = io.BytesIO()
    tifffile.imwrite(content, array, **options)
    return content.getvalue()


def by_hand():
    """Kinds that Pillow reads and does not write."""
    height, width, _ = COLOURS.shape
    planes = np.moveaxis(COLOURS, -1, 0).tobytes()
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3) + bytes(12) + b"\0\0" + planes
    sun = struct.pack(">8I", 0x59A66A95, width, height, 24, COLOURS.size, 1, 0, 0) + COLOURS.tobytes()
    dcx = struct.pack("<III", 987654321, 12, 0) + saved("PCX")
    cards = [f"SIMPLE  = {'T':>20}", f"BITPIX  = {8:>20}", f"NAXIS   = {2:>20}"]
    cards += [f"NAXIS1  = {width:>20}", f"NAXIS2  = {height:>20}", "END"]
    fits = "".join(card.ljust(80) for card in cards).ljust(2880).encode() + planes[: width * height]
    xpm = b'/* XPM */\nstatic char *a[] = {\n"2 2 2 1",\n"a c #ff0000",\n"b c None",\n"ab",\n"ba"\n};\n'
    return {"PSD": [psd], "SUN": [sun], "DCX": [dcx], "FITS": [fits], "XPM": [xpm]}


FRAMES = {"save_all": True, "append_images": [PALETTE.convert("RGB"), ALPHA.convert("RGB")]}
FILES = {
    "AVIF": [saved("AVIF", exif=EXIF), saved("AVIF", ALPHA), saved("AVIF", **FRAMES)],
    "BLP": [saved("BLP", PALETTE)],
    "BMP": [saved("BMP"), saved("BMP", PALETTE), saved("BMP", ALPHA)],
    "DDS": [saved("DDS", ALPHA), saved("DDS", ALPHA, pixel_format="DXT1"), saved("DDS", pixel_format="BC5")],
    "GIF": [saved("GIF", PALETTE, transparency=1), saved("GIF", **FRAMES)],
    "ICNS": [saved("ICNS", IMAGE.resize((32, 32)))],
    "ICO": [saved("ICO", ALPHA, sizes=[(16, 16), (32, 24)]), saved("ICO", bitmap_format="bmp")],
    "JPEG": [
        saved("JPEG", exif=EXIF, icc_profile=PROFILE),
        saved("JPEG", IMAGE.convert("L"), progressive=True),
        saved("JPEG", IMAGE.convert("CMYK")),
    ],
    "JPEG 2000": [
        saved("JPEG2000"),
        saved("JPEG2000", ALPHA, no_jp2=True),
        saved("JPEG2000", Image.fromarray(DEEP[..., 0])),
    ],
    "JPEG XL": [
        saved("JXL"),
        saved("JXL", ALPHA, lossless=True, use_container=True, exif=EXIF.tobytes()),
        saved("JXL", Image.fromarray(DEEP[..., 0]), lossless=True),
    ],
    "MPO": [saved("MPO", exif=EXIF, **FRAMES)],
    "PCX": [saved("PCX"), saved("PCX", PALETTE)],
    "PNG": [
        saved("PNG", exif=EXIF, icc_profile=PROFILE, pnginfo=TEXT),
        saved("PNG", PALETTE, transparency=bytes(range(16))),
        saved("PNG", Image.fromarray(DEEP[..., 0])),
        saved("PNG", **FRAMES),
        saved("PNG", IMAGE.convert("1"), transparency=0),
    ],
    "PPM": [
        saved("PPM"),
        b"P6 4 3 4095\n" + DEEP.tobytes()[:72],
        b"P3 2 1 255 1 2 3 4 5 6 ",
    ],
    **by_hand(),
    "XBM": [saved("XBM", IMAGE.convert("1"))],
    "MSP": [saved("MSP", IMAGE.convert("1"))],
    "QOI": [saved("QOI", ALPHA)],
    "SGI": [saved("SGI"), saved("SGI", ALPHA, bpc=2)],
    "TGA": [saved("TGA", ALPHA, compression="tga_rle"), saved("TGA", PALETTE)],
    "TIFF": [
        saved("TIFF", exif=EXIF, icc_profile=PROFILE),
        saved("TIFF", PALETTE, compression="tiff_lzw"),
        saved("TIFF", compression="jpeg"),
        saved("TIFF", **FRAMES),
        tiff(DEEP, photometric="rgb"),
        tiff(np.moveaxis(DEEP, -1, 0), photometric="rgb", planarconfig="separate", compression="zlib"),
        tiff(DEEP[..., 0], photometric="miniswhite"),
        tiff(COLOURS, photometric="cielab"),
        tiff(COLOURS, photometric="rgb", tile=(16, 16)),
    ],
    "WebP": [
        saved("WEBP", exif=EXIF, icc_profile=PROFILE),
        saved("WEBP", ALPHA, lossless=True),
        saved("WEBP", **FRAMES),
    ],
}


def with_checks(content):
    """A PNG whose chunks have right checksums again, as far as they can be told apart."""
    file, position = bytearray(content), 8
    while position + 12 <= len(file):
        length = int.from_bytes(file[position : position + 4])
        end = position + 8 + length
        if end + 4 > len(file):
            break
        file[end : end + 4] = struct.pack(">I", zlib.crc32(file[position + 4 : end]))
        position = end + 4
    return bytes(file)


@pytest.mark.parametrize("kind", FILES)
def test_mutated_pictures(kind, tmp_path):
    path = tmp_path / "picture"
    for content in FILES[kind]:
        path.write_bytes(content)
        images.read_picture(path, file_format.check_size)  # what a whole one takes
    watch = Watch()
    for number in range(EXAMPLES):
        content = mutated(FILES[kind][number % len(FILES[kind])], number)
        path.write_bytes(with_checks(content) if kind == "PNG" and number % 3 else content)
        with warnings.catch_warnings(action="error"):
            shown = clear(lambda: images.read_picture(path, file_format.check_size), watch)
        if shown:
            picture, notes = shown
            assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
            assert all("\n" not in note for note in notes)
    watch.check(kind)
