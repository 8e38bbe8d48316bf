"""Pictures of cameras, phones, scanners and drawing programs are seen as they are meant, whatever else is in the file.

Files are made here, many by hand; colours are checked against NumPy and scikit-image, TIFFs against tifffile.
"""

import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin
from skimage.color import rgb2lab, xyz2lab

from study.codec import file_format
from study.ground import colour, images, jpeg_xl
from study.ground.errors import StudyError

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (6, 8, 3), np.uint8)
DEEP = RNG.integers(0, 2**16, (6, 8, 4), np.uint16)
ROUNDED = np.round(DEEP / 257).astype(np.uint8)


def read(folder, content, name="a"):
    """What becomes of a file of these bytes, without a warning."""
    (folder / name).write_bytes(content)
    with warnings.catch_warnings(action="error"):
        return images.read_picture(folder / name)


def saved(kind, picture=PICTURE, **options):
    content = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array, colour_type, *chunks):
    """A PNG file by hand: (h, w, c), uint8 or uint16; `chunks` come before the pixels."""
    rows = b"".join(b"\0" + row.astype(array.dtype.newbyteorder(">")).tobytes() for row in array)
    head = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 8 * array.itemsize, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(array, **options):
    content = io.BytesIO()
    tifffile.imwrite(content, array, **options)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(content.getvalue())).squeeze(), array)
    return content.getvalue()


def on_white(rgb, alpha):
    return rgb * (alpha[..., None] / 255) + 255 * (1 - alpha[..., None] / 255)


# --- metadata ----------


def exif(*entries, data=b""):
    """EXIF by hand: entries of a tag, a type, a count and four bytes, and what follows them."""
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    block += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + block + bytes(4) + data


TURNED = (0x112, 3, 1, struct.pack("<HH", 6, 0))
AFTER = struct.pack("<I", 8 + 2 + 2 * 12 + 4)  # where data of two entries go
ODD_FIELDS = {
    "none": exif(TURNED),
    "negative resolution": exif(TURNED, (0x11A, 10, 1, AFTER), data=struct.pack("<ii", -72, 1)),
    "resolution over 0": exif(TURNED, (0x11A, 5, 1, AFTER), data=struct.pack("<II", 72, 0)),
    "resolution that is no number": exif(TURNED, (0x11A, 12, 1, AFTER), data=struct.pack("<d", np.nan)),
    "copyright as a fraction": exif(TURNED, (0x8298, 5, 1, AFTER), data=struct.pack("<II", 1, 3)),
    "width as text": exif(TURNED, (0x100, 2, 4, b"abc\0")),
    "a maker's note beyond the end": exif(TURNED, (0x927C, 7, 2**31 - 1, struct.pack("<I", 2**31))),
    "a part that points at itself": exif(TURNED, (0x8769, 4, 1, struct.pack("<I", 8))),
    "an unknown type": exif(TURNED, (0x9999, 99, 1, bytes(4))),
    "a thumbnail beyond the end": exif(TURNED)[:-4] + struct.pack("<I", 10**6),
}


@pytest.mark.parametrize("field", ODD_FIELDS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
def test_turned_whatever_else_exif_says(tmp_path, kind, field):
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    upright, _ = read(tmp_path, saved(kind, **options))
    turned, notes = read(tmp_path, saved(kind, exif=ODD_FIELDS[field], **options))
    np.testing.assert_array_equal(turned, np.rot90(upright, -1))
    assert notes == []


NUMPY_TURNS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: np.rot90(x),
    0: lambda x: x,
    9: lambda x: x,
}


@pytest.mark.parametrize("orientation", NUMPY_TURNS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "16 bits", "AVIF"])
def test_all_ways_to_hold_a_camera(tmp_path, kind, orientation):
    block = Image.Exif()
    block[0x112] = orientation
    expected = ROUNDED[..., :3] if kind == "16 bits" else PICTURE
    if kind == "16 bits":
        content = tiff(DEEP[..., :3], photometric="rgb", extratags=[(0x112, 3, 1, orientation, True)])
    elif kind == "AVIF":
        expected, _ = read(tmp_path, saved(kind, quality=90))
        content = saved(kind, exif=block, quality=90)
    else:
        content = saved(kind, exif=block)
    np.testing.assert_array_equal(read(tmp_path, content)[0], NUMPY_TURNS[orientation](expected))


@pytest.mark.parametrize("length", range(6, 40, 3))
def test_exif_that_is_cut_leaves_the_picture(tmp_path, length):
    picture, _ = read(tmp_path, saved("PNG", exif=exif(TURNED)[:length]))
    assert picture.tobytes() in (PICTURE.tobytes(), np.rot90(PICTURE, -1).tobytes())


def test_large_texts_and_profiles_are_no_reason_to_refuse_a_small_picture(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "node " * 2_000_000, zip=True)
    text.add_itxt("caption", "ä" * 1_500_000, zip=True)
    profile = colour.icc(colour.OF_VIDEO[12])
    large = struct.pack(">I", 3_000_000) + profile[4:] + bytes(3_000_000 - len(profile))
    picture, notes = read(tmp_path, saved("PNG", pnginfo=text))
    np.testing.assert_array_equal(picture, PICTURE)
    assert notes == []
    for kind in ("PNG", "TIFF", "WEBP", "JPEG"):
        assert any("from Display P3" in note for note in read(tmp_path, saved(kind, icc_profile=large))[1])


# --- pages and frames ----------


def pages(**options):
    other = Image.fromarray(PICTURE).quantize(16)
    return saved("TIFF", save_all=True, append_images=[other, other], compression="tiff_lzw", **options)


def test_a_scan_that_is_cut_after_its_first_page_shows_that_page(tmp_path):
    whole = pages()
    assert read(tmp_path, whole)[1] == ["the first of 3 pages"]
    shown = 0
    for length in range(len(whole) // 3, len(whole), 7):
        try:
            picture, notes = read(tmp_path, whole[:length])
        except StudyError as error:
            assert "\n" not in str(error)
        else:
            np.testing.assert_array_equal(picture, PICTURE)
            shown += any("what follows is damaged" in note for note in notes)
    assert shown > 20


def test_a_next_page_beyond_the_end(tmp_path):
    one = bytearray(saved("TIFF"))
    (start,) = struct.unpack("<I", one[4:8])
    (count,) = struct.unpack("<H", one[start : start + 2])
    one[start + 2 + 12 * count : start + 6 + 12 * count] = struct.pack("<I", 0x7FFFFFFF)
    picture, notes = read(tmp_path, bytes(one))
    np.testing.assert_array_equal(picture, PICTURE)
    assert len(notes) == 1 and "what follows is damaged" in notes[0]


def test_a_thumbnail_before_the_picture_is_skipped(tmp_path):
    content = io.BytesIO()
    with tifffile.TiffWriter(content) as file:
        file.write(PICTURE[:2, :3], photometric="rgb", subfiletype=1)
        file.write(DEEP[..., :3], photometric="rgb")
        file.write(PICTURE[:3, :4], photometric="rgb", subfiletype=1)
    picture, notes = read(tmp_path, content.getvalue())
    np.testing.assert_array_equal(picture, ROUNDED[..., :3])
    assert notes[0].startswith("page 2")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
def test_the_first_of_several(tmp_path, kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    picture, notes = read(tmp_path, saved(kind, frames[0], save_all=True, append_images=frames[1:]))
    assert np.abs(picture.astype(int) - (255, 0, 0)).max() <= 4
    assert notes == [f"the first of 3 {'pages' if kind == 'TIFF' else 'frames'}"]


# --- depth ----------


@pytest.mark.parametrize(
    ("channels", "colour_type"), [(1, 0), (3, 2), (2, 4), (4, 6)], ids=["grey", "rgb", "grey alpha", "rgb alpha"]
)
def test_16_bits_of_a_png_are_rounded(tmp_path, channels, colour_type):
    picture, notes = read(tmp_path, png(DEEP[..., :channels], colour_type))
    base = ROUNDED[..., : channels - 1] if channels % 2 == 0 else ROUNDED[..., :channels]
    expected = np.broadcast_to(base, (6, 8, 3))
    if channels % 2 == 0:
        expected = on_white(expected, ROUNDED[..., channels - 1])
    np.testing.assert_allclose(picture, expected, atol=0 if channels % 2 else 1)
    assert notes[0] == "16 bits a channel, now 8"


def test_a_transparent_colour_of_16_bits(tmp_path):
    array = DEEP[..., :3].copy()
    array[:, :3] = 0x1234, 0x5678, 0x9ABC
    array[:, 3] = 0x1235, 0x5678, 0x9ABC  # nearly
    picture, notes = read(tmp_path, png(array, 2, chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC))))
    assert (picture[:, :3] == 255).all() and "transparent, now on white" in notes
    np.testing.assert_array_equal(picture[:, 3:], np.round(array[:, 3:] / 257))
    picture, notes = read(tmp_path, png(array[..., :1], 0, chunk(b"tRNS", struct.pack(">H", 0x1234))))
    assert (picture[:, :3] == 255).all() and "transparent, now on white" in notes
    assert (picture[:, 3] == round(0x1235 / 257)).all()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_16_bits_of_a_tiff_are_rounded(tmp_path, order, compression, planes):
    array = DEEP[..., :3] if planes == "contig" else np.moveaxis(DEEP[..., :3], -1, 0)
    content = tiff(array, photometric="rgb", planarconfig=planes, byteorder=order, compression=compression)
    picture, notes = read(tmp_path, content)
    # Of compressed planes Pillow has no way to the lower byte: what it shows is cut.
    error = 1 if compression and planes == "separate" else 0
    np.testing.assert_allclose(picture, ROUNDED[..., :3].astype(int), atol=error)
    assert notes == ["16 bits a channel, now 8"]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_greys_alpha_and_inks_of_16_bits_in_a_tiff(tmp_path, compression):
    grey = DEEP[..., 0]
    for order in "<>":
        picture, _ = read(tmp_path, tiff(grey, photometric="minisblack", byteorder=order, compression=compression))
        np.testing.assert_array_equal(picture, np.repeat(ROUNDED[..., :1], 3, axis=-1))
    picture, _ = read(tmp_path, tiff(grey, photometric="miniswhite", compression=compression))
    np.testing.assert_array_equal(picture, np.repeat(255 - ROUNDED[..., :1], 3, axis=-1))
    picture, _ = read(tmp_path, tiff(DEEP, photometric="rgb", extrasamples=["unassalpha"], compression=compression))
    np.testing.assert_allclose(picture, on_white(ROUNDED[..., :3], ROUNDED[..., 3]), atol=1)
    picture, _ = read(tmp_path, tiff(DEEP, photometric="rgb", extrasamples=["unspecified"], compression=compression))
    np.testing.assert_array_equal(picture, ROUNDED[..., :3])
    ink = np.zeros_like(DEEP)
    ink[..., 3] = 2**16 - 1
    picture, notes = read(tmp_path, tiff(ink, photometric="separated", compression=compression))
    assert (picture == 0).all() and "CMYK without a colour profile, by rule of thumb" in notes


def test_12_bits_of_grey_reach_white(tmp_path):
    content = bytearray(tiff(np.zeros((2, 12), np.uint8), photometric="minisblack"))
    values = np.array([[0, 4095, 2048, 1, 4094, 16, 7, 8], [5, 6, 9, 4000, 3000, 2000, 1000, 500]])
    tags = tifffile.TiffFile(io.BytesIO(content)).pages[0].tags
    for name, value in (("ImageWidth", 8), ("BitsPerSample", 12)):
        struct.pack_into("<H", content, tags[name].valueoffset, value)
    packed = b"".join(int(a << 12 | b).to_bytes(3) for a, b in values.reshape(-1, 2))
    content[tags["StripOffsets"].value[0] :][:24] = packed
    start = tags["StripOffsets"].value[0]
    content[start : start + 24] = packed
    picture, notes = read(tmp_path, bytes(content))
    np.testing.assert_array_equal(picture[..., 0], np.round(values * (255 / 4095)))
    assert notes[0] == "12 bits a channel, now 8"


@pytest.mark.parametrize(("white", "kind"), [(65535, b"P6"), (4095, b"P6"), (65535, b"P5"), (1023, b"P5")])
def test_deep_portable_pixmaps(tmp_path, white, kind):
    values = (DEEP[..., : 3 if kind == b"P6" else 1].astype(int) * white) // 65535
    picture, notes = read(tmp_path, kind + b" 8 6 %d\n" % white + values.astype(">u2").tobytes())
    np.testing.assert_allclose(picture, np.broadcast_to(values * (255 / white), picture.shape), atol=0.5001)
    assert notes[0] == "16 bits a channel, now 8"


def test_deep_jpeg_2000_and_sgi(tmp_path):
    grey = Image.fromarray(DEEP[..., 0])
    picture, notes = read(tmp_path, saved("JPEG2000", grey))
    np.testing.assert_array_equal(picture[..., 0], ROUNDED[..., 0])
    assert notes[0] == "16 bits a channel, now 8"
    _, notes = read(tmp_path, saved("SGI", bpc=2))
    assert notes == ["16 bits a channel, now 8"]


@pytest.mark.parametrize(
    "array", [DEEP[..., 0] / np.float32(65535), DEEP[..., 0].astype(np.int32)], ids=["fractions", "32 bits"]
)
def test_numbers_without_a_white_are_refused(tmp_path, array):
    with pytest.raises(StudyError, match="nothing says which is white"):
        read(tmp_path, tiff(array, photometric="minisblack"))


# --- colours ----------


def to_linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def from_linear(x):
    x = x.clip(0, 1)
    return 255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


P3_TO_SRGB = np.array(  # both with the white D65: CSS Color 4, by way of XYZ
    [[1.2249402, -0.2249404, 0], [-0.0420569, 1.0420571, 0], [-0.0196376, -0.0786361, 1.0982735]]
)
SRGB_TO_XYZ = np.array(  # under D50, as the ICC's sRGB profile has it
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = colour.icc(colour.OF_VIDEO[12]._replace(name="sRGB IEC61966-2.1"))  # by its name another
LINEAR = colour.icc(colour.Numbers("sRGB linear", colour.SRGB, gamma=1.0))
MUTED = (64 + PICTURE / 2).astype(np.uint8)  # colours that sRGB has, whatever they are taken for


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_profiles_are_judged_by_what_they_do(tmp_path, kind):
    options = {"WEBP": {"lossless": True}}.get(kind, {})
    plain, _ = read(tmp_path, saved(kind, MUTED, **options))
    picture, notes = read(tmp_path, saved(kind, MUTED, icc_profile=P3, **options))
    np.testing.assert_allclose(picture, from_linear(to_linear(plain / 255) @ P3_TO_SRGB.T), atol=1.5)
    assert notes == ["brought from sRGB IEC61966-2.1 to sRGB"]
    picture, _ = read(tmp_path, saved(kind, MUTED, icc_profile=LINEAR, **options))
    np.testing.assert_allclose(picture, from_linear(plain / 255), atol=1.5)
    renamed = colour.icc(colour.Numbers("my monitor", colour.SRGB))
    picture, notes = read(tmp_path, saved(kind, MUTED, icc_profile=renamed, **options))
    np.testing.assert_array_equal(picture, plain)
    assert notes == []


def test_profiles_of_greys(tmp_path):
    grey = PICTURE[..., 0] | 16
    picture, notes = read(tmp_path, saved("PNG", grey, icc_profile=SRGB_PROFILE))
    np.testing.assert_array_equal(picture[..., 0], grey)
    assert notes == ["grey, which comes back as RGB"]
    picture, notes = read(tmp_path, saved("PNG", grey, icc_profile=LINEAR))
    np.testing.assert_allclose(picture, np.repeat(from_linear(grey / 255)[..., None], 3, -1), atol=1.5)
    transparent = np.stack([grey, np.full_like(grey, 255)], -1)
    picture, _ = read(tmp_path, saved("PNG", transparent, icc_profile=GREY_LINEAR))
    np.testing.assert_allclose(picture, np.repeat(from_linear(grey / 255)[..., None], 3, -1), atol=1.5)


def grey_profile(gamma):
    """A profile of a grey, by hand."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(79)
    table, body = struct.pack(">I", 3), b""
    for tag, data in ((b"desc", name), (b"wtpt", white), (b"kTRC", curve)):
        table += tag + struct.pack(">II", 128 + 4 + 36 + len(body), len(data))
        body += data
    head = struct.pack(">I4xI", 132 + 36 + len(body), 0x02400000) + b"mntrGRAYXYZ " + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + white[8:] + bytes(48) + table + body


GREY_LINEAR = grey_profile(1.0)


def test_lab_is_a_colour_too(tmp_path):
    xyz = to_linear(MUTED / 255) @ SRGB_TO_XYZ.T
    lab = xyz2lab(xyz, illuminant="D50")
    stored = np.stack([lab[..., 0] * 2.55, lab[..., 1] % 256, lab[..., 2] % 256], -1).round().astype(np.uint8)
    picture, _ = read(tmp_path, tiff(stored, photometric="cielab"))
    grey = np.stack([np.linspace(0, 255, 8).round()] + [np.zeros(8)] * 2, -1)[None].astype(np.uint8)
    shown, _ = read(tmp_path, tiff(np.repeat(grey, 6, 0), photometric="cielab"))
    lightness = rgb2lab(shown[0] / 255)[:, 0]
    np.testing.assert_allclose(lightness, grey[0, :, 0] / 2.55, atol=0.6)
    np.testing.assert_allclose(picture, MUTED, atol=4)  # a step of a or b is up to two levels


@pytest.mark.parametrize("cut", [1, 100, 200, 400])
def test_broken_profiles_are_left_out(tmp_path, cut):
    picture, notes = read(tmp_path, saved("PNG", icc_profile=P3[:cut]))
    np.testing.assert_array_equal(picture, PICTURE)
    assert len(notes) == 1 and "left out" in notes[0]
    picture, notes = read(tmp_path, saved("PNG", icc_profile=grey_profile(1.8)))  # of a picture that has colours
    np.testing.assert_array_equal(picture, PICTURE)
    assert len(notes) == 1 and "left out" in notes[0]


def test_a_profiles_name_is_one_line(tmp_path):
    odd = SRGB_PROFILE.replace(b"rXYZ", b"?").replace(b"gXYZ", b"rXYZ").replace(b"?", b"gXYZ")
    odd = odd.replace("sRGB".encode("utf-16-be"), "a\nb\t".encode("utf-16-be"))
    assert read(tmp_path, saved("PNG", icc_profile=odd))[1] == ["brought from a b built-in to sRGB"]


def gamma(value):
    return chunk(b"gAMA", struct.pack(">I", round(100_000 * value)))


def test_a_pngs_gamma_and_primaries_count_where_it_has_no_profile(tmp_path):
    picture, notes = read(tmp_path, png(MUTED, 2, gamma(1.0)))
    np.testing.assert_allclose(picture, from_linear(MUTED / 255), atol=1.5)
    assert "brought from the gamma and primaries of the file" in notes[0]
    p3 = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    picture, _ = read(tmp_path, png(MUTED, 2, gamma(0.45455), p3))
    np.testing.assert_allclose(picture, from_linear(to_linear(MUTED / 255) @ P3_TO_SRGB.T), atol=1.5)
    srgb = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    for chunks in ((gamma(0.45455), srgb), (gamma(0.45455),), (chunk(b"sRGB", b"\0"), gamma(1.0), p3)):
        picture, notes = read(tmp_path, png(MUTED, 2, *chunks))
        np.testing.assert_array_equal(picture, MUTED)
        assert notes == []
    for chunks in ((gamma(1e-5),), (chunk(b"cHRM", bytes(32)),), (chunk(b"cHRM", struct.pack(">8I", *[2**31] * 8)),)):
        picture, _ = read(tmp_path, png(MUTED, 2, *chunks))
        np.testing.assert_array_equal(picture, MUTED)


def test_an_avifs_numbers_count_where_it_has_no_profile(tmp_path):
    content = saved("AVIF", MUTED, quality=100, subsampling="4:4:4")
    at = content.index(b"colrnclx") + 8
    plain, notes = read(tmp_path, content)
    assert notes == []
    picture, notes = read(tmp_path, content[:at] + struct.pack(">H", 12) + content[at + 2 :])
    assert notes == ["brought from Display P3 to sRGB"]
    np.testing.assert_allclose(picture, from_linear(to_linear(plain / 255) @ P3_TO_SRGB.T), atol=1.5)
    _, notes = read(tmp_path, content[:at] + struct.pack(">HH", 9, 16) + content[at + 4 :])
    assert notes == ["high dynamic range (PQ), its numbers as they stand"]


def test_a_camera_that_says_adobe_rgb_in_exif_alone(tmp_path):
    parts = [struct.pack("<I", 8 + n * (2 + 12 + 4)) for n in (1, 2)]
    inner = struct.pack("<HHHI", 1, 0xA005, 4, 1) + parts[1] + bytes(4)
    innermost = struct.pack("<HHHI", 1, 1, 2, 4) + b"R03\0" + bytes(4)
    block = exif((0x8769, 4, 1, parts[0]), data=inner + innermost)
    plain, _ = read(tmp_path, saved("JPEG", MUTED))
    picture, notes = read(tmp_path, saved("JPEG", MUTED, exif=block))
    assert notes == ["brought from Adobe RGB to sRGB"]
    to_srgb = np.array([[1.3983, -0.3983, 0], [0, 1, 0], [0, -0.0429, 1.0429]])
    np.testing.assert_allclose(picture, from_linear((plain / 255) ** (563 / 256) @ to_srgb.T), atol=1.5)
    _, notes = read(tmp_path, saved("JPEG", MUTED, exif=block.replace(b"R03", b"R98")))
    assert notes == []


# --- transparency ----------


def test_transparency_in_all_its_forms(tmp_path):
    alpha = RNG.integers(0, 256, (6, 8), np.uint8)
    rgba = np.dstack([PICTURE, alpha])
    expected = on_white(PICTURE, alpha)
    forms = {
        "PNG": (saved("PNG", rgba), expected, 0),
        "WebP": (saved("WEBP", rgba, lossless=True, exact=True), expected, 0),
        "TIFF": (saved("TIFF", rgba), expected, 0),
        "TGA": (saved("TGA", rgba), expected, 0),
        "DDS": (saved("DDS", rgba), expected, 0),
        "ICO": (saved("ICO", rgba, sizes=[(8, 6)]), expected, 0),
        "QOI": (saved("QOI", rgba), expected, 0),
        "JPEG 2000": (saved("JPEG2000", rgba), expected, 0),
        "SGI": (saved("SGI", rgba), expected, 0),
        "premultiplied TIFF": (
            tiff(
                np.dstack([(PICTURE * (alpha[..., None] / 255)).round().astype(np.uint8), alpha]),
                photometric="rgb",
                extrasamples=["assocalpha"],
            ),
            expected,
            2,
        ),
        "grey PNG": (
            saved("PNG", np.dstack([PICTURE[..., 0], alpha])),
            on_white(np.repeat(PICTURE[..., :1], 3, -1), alpha),
            0,
        ),
    }
    for name, (content, shown, error) in forms.items():
        picture, notes = read(tmp_path, content)
        np.testing.assert_allclose(picture, shown, atol=0.51 + error, err_msg=name)
        assert "transparent, now on white" in notes, name


def test_transparent_colours_of_palettes_greys_and_bits(tmp_path):
    palette = Image.fromarray(PICTURE).quantize(8)
    colours = np.asarray(palette.convert("RGB"))
    table = np.array([0, 64, 128, 192, 255, 255, 255, 255], np.uint8)
    picture, _ = read(tmp_path, saved("PNG", palette, transparency=bytes(table)))
    np.testing.assert_allclose(picture, on_white(colours, table[np.asarray(palette)]), atol=0.51)
    picture, _ = read(tmp_path, saved("GIF", palette, transparency=3))
    assert (picture[np.asarray(palette) == 3] == 255).all()
    one = Image.fromarray(PICTURE).convert("1")
    picture, notes = read(tmp_path, saved("PNG", one, transparency=0))
    assert (picture == 255).all() and "transparent, now on white" in notes
    grey = PICTURE[..., 0] // 64
    picture, _ = read(tmp_path, saved("PNG", grey, transparency=2))
    np.testing.assert_array_equal(picture[..., 1], np.where(grey == 2, 255, grey))
    picture, _ = read(tmp_path, png(PICTURE, 2, chunk(b"tRNS", struct.pack(">HHH", *PICTURE[2, 3].tolist()))))
    assert (picture[2, 3] == 255).all()


# --- kinds of files ----------

LOSSLESS_KINDS = "PNG APNG BMP DIB PCX PPM TGA SGI TIFF WEBP JPEG2000 DDS QOI ICO ICNS JXL GIF".split()


@pytest.mark.parametrize("kind", LOSSLESS_KINDS)
def test_every_kind_that_keeps_all_pixels_shows_them(tmp_path, kind):
    picture = np.kron(PICTURE[:4, :4], np.ones((8, 8, 1), np.uint8))  # 32x32 in 16 colours, as icons take them
    options = {"WEBP": {"lossless": True}, "JXL": {"lossless": True}, "ICO": {"sizes": [(32, 32)]}}.get(kind, {})
    content = saved("PNG" if kind == "APNG" else kind, Image.fromarray(picture), **options)
    shown, notes = read(tmp_path, content)
    if kind == "ICNS":  # which holds several sizes, the largest first
        shown = shown[:: len(shown) // 32, :: len(shown) // 32]
    np.testing.assert_allclose(shown, picture, atol=0 if kind != "ICNS" else 255)
    assert notes == []


def test_all_suffixes_of_what_is_read_are_images(tmp_path):
    known = images.suffixes()
    assert {".jpg", ".jfif", ".jpe", ".pnm", ".tga", ".apng", ".pgm", ".mpo", ".j2k", ".jxl", ".avif", ".ico"} <= known
    assert not known & {".pdf", ".txt", ".rnn", ".heic"}
    for number, suffix in enumerate(sorted(known)):
        (tmp_path / f"{number:03}{suffix.upper() if number % 2 else suffix}").touch()
    assert len(images.image_files(tmp_path)) == len(known)


# --- JPEG XL ----------


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (256, 256), (255, 256), (700, 400), (16, 9), (9, 1000), (4097, 3)])
@pytest.mark.parametrize("container", [False, True])
def test_the_head_of_a_jpeg_xl(size, container):
    content = saved("JXL", np.zeros((size[1], size[0], 3), np.uint8), use_container=container)
    assert jpeg_xl.is_jpeg_xl(content)
    assert jpeg_xl.read_header(content) == (*size, 8, False)
    deep = saved("JXL", Image.fromarray(np.zeros((size[1], size[0]), np.uint16)), lossless=True)
    assert jpeg_xl.read_header(deep) == (*size, 16, False)


def test_a_jpeg_xl_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    def bits(*parts):
        number = shift = 0
        for value, count in parts:
            number, shift = number | value << shift, shift + count
        return number.to_bytes(shift // 8 + 1, "little")

    huge = b"\xff\x0a" + bits((0, 1), (3, 2), (2**29 - 1, 30), (1, 3), (1, 1)) + bytes(40)
    assert jpeg_xl.read_header(huge) == (2**29, 2**29, 8, False)
    with pytest.raises(StudyError, match=f"{2**29}x{2**29} pixels"):
        (tmp_path / "a.jxl").write_bytes(huge)
        images.read_picture(tmp_path / "a.jxl", file_format.check_size)


def test_jpeg_xl_as_it_is_seen(tmp_path):
    picture, notes = read(tmp_path, saved("JXL", lossless=True))
    np.testing.assert_array_equal(picture, PICTURE)
    assert notes == []
    deep = DEEP[..., 0] | 0x1000
    picture, notes = read(tmp_path, saved("JXL", Image.fromarray(deep), lossless=True))
    np.testing.assert_allclose(picture[..., 0], from_linear(deep / 65535), atol=3)  # so its encoder takes 16 bits
    assert "16 bits a channel, now 8" in notes and "brought from Gra_D65_Rel_Lin to sRGB" in notes
    rgba = np.dstack([PICTURE, np.full((6, 8), 100, np.uint8)])
    picture, notes = read(tmp_path, saved("JXL", rgba, lossless=True))
    np.testing.assert_allclose(picture, on_white(PICTURE, rgba[..., 3]), atol=0.51)
    for length in (3, 20, 40):
        with pytest.raises(StudyError):
            read(tmp_path, saved("JXL", lossless=True)[:length])


def test_a_jpeg_within_a_jpeg_xl_is_turned_as_its_exif_says(tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved("JPEG", exif=exif(TURNED)))
    with warnings.catch_warnings(action="ignore"), Image.open(tmp_path / "a.jpg") as image:
        image.save(tmp_path / "a.jxl")
    picture, _ = images.read_picture(tmp_path / "a.jxl")
    np.testing.assert_array_equal(picture, images.read_picture(tmp_path / "a.jpg")[0])
    assert picture.shape == (8, 6, 3)


# --- places ----------


def test_a_pipe_is_read_whole_and_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    content = saved("PNG")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content))
    writer.start()
    picture, _ = images.read_picture(tmp_path / "pipe")
    writer.join()
    np.testing.assert_array_equal(picture, PICTURE)
    for name in (tmp_path, "/dev/zero", tmp_path / "none"):
        with pytest.raises(StudyError, match="no file"):
            images.read_picture(type(tmp_path)(name))


def test_a_fault_of_our_own_is_no_fault_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(DEEP[..., :3], 2))
    monkeypatch.setattr(images.depth, "eight_bits", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        images.read_picture(tmp_path / "a.png")
