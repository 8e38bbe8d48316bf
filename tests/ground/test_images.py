"""Pictures are read as they are to be seen, and what that took is said."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from study.codec import file_format
from study.ground import images
from study.ground.errors import StudyError

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (5, 7, 3), np.uint8)


def saved(folder, image, name="a.png", **options):
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("suffix", sorted(images.LOSSLESS))
def test_what_is_written_is_read_again(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    images.write_picture(path, PICTURE)
    read, notes = images.read_picture(path)
    np.testing.assert_array_equal(read, PICTURE)
    assert notes == []


def test_text_of_a_picture_is_its_png():
    text = images.to_text(PICTURE)
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), PICTURE)
    np.testing.assert_array_equal(images.from_text(text), PICTURE)


@pytest.mark.parametrize("suffix", [".jpg", ".avif", ".rnn", ""])
def test_lossy_and_unknown_kinds_are_not_written(tmp_path, suffix):
    with pytest.raises(StudyError, match=r"would not keep all pixels.*\.png"):
        images.write_picture(tmp_path / f"a{suffix}", PICTURE)
    assert not list(tmp_path.iterdir())


def test_grey(tmp_path):
    read, notes = images.read_picture(saved(tmp_path, Image.fromarray(PICTURE[..., 0])))
    np.testing.assert_array_equal(read, np.repeat(PICTURE[..., :1], 3, axis=2))
    assert "grey" in notes[0]


def test_transparency_goes_onto_white(tmp_path):
    alpha = np.zeros((5, 7, 1), np.uint8)
    alpha[:, 3:] = 255
    read, notes = images.read_picture(saved(tmp_path, Image.fromarray(np.concatenate([PICTURE, alpha], axis=2))))
    assert (read[:, :3] == 255).all()
    np.testing.assert_array_equal(read[:, 3:], PICTURE[:, 3:])
    assert "white" in notes[0]
    palette = Image.fromarray(PICTURE).quantize(4)
    read, notes = images.read_picture(saved(tmp_path, palette, "b.png", transparency=0))
    assert (read[np.asarray(palette) == 0] == 255).all() and "white" in notes[0]


def test_opaque_alpha_changes_nothing(tmp_path):
    image = Image.fromarray(PICTURE).convert("RGBA")
    read, notes = images.read_picture(saved(tmp_path, image))
    np.testing.assert_array_equal(read, PICTURE)
    assert notes == []


def test_turned_by_exif(tmp_path):
    image = Image.fromarray(PICTURE)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    read, _ = images.read_picture(saved(tmp_path, image, exif=exif))
    np.testing.assert_array_equal(read, np.rot90(PICTURE, -1))


def test_colour_profiles_are_brought_to_srgb(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    read, notes = images.read_picture(saved(tmp_path, Image.fromarray(PICTURE), icc_profile=srgb))
    np.testing.assert_array_equal(read, PICTURE)
    assert notes == []
    # A profile whose red is sRGB's green, and the other way round.
    other = srgb.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    other = other.replace(b"rXYZ", b"?").replace(b"gXYZ", b"rXYZ").replace(b"?", b"gXYZ")
    read, notes = images.read_picture(saved(tmp_path, Image.fromarray(PICTURE), "b.png", icc_profile=other))
    np.testing.assert_allclose(read.astype(int), PICTURE[..., [1, 0, 2]], atol=1)
    assert "from mine built-in to sRGB" in notes[0]


def test_colour_profiles_that_do_not_fit_are_left_out_and_that_is_said(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for name, unfit in (("a.png", profile), ("b.png", b"nothing")):
        read, notes = images.read_picture(saved(tmp_path, Image.fromarray(PICTURE), name, icc_profile=unfit))
        np.testing.assert_array_equal(read, PICTURE)
        assert "left out" in notes[0]


def test_cmyk_and_animations(tmp_path):
    read, _ = images.read_picture(saved(tmp_path, Image.new("CMYK", (3, 2)), "a.tif"))
    assert (read == 255).all()  # no ink
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    read, notes = images.read_picture(saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:]))
    assert (read == (255, 0, 0)).all() and "the first of 2 frames" in notes


def test_more_than_8_bits_are_no_pixels_as_they_stand(tmp_path):
    with pytest.raises(StudyError, match="more than 8 bits"):
        images.read_pixels(saved(tmp_path, Image.fromarray(np.full((4, 4), 40_000, np.uint16))))


@pytest.mark.parametrize(
    ("side", "message"), [(6_000, "6000x6000 pixels"), (10_000, "exceeds limit"), (30_000, "exceeds limit")]
)
def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, side, message):
    """The file is a PNG's header alone: decoding it would fail otherwise, and take gigabytes if it were whole."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk)) + end)
    with pytest.raises(StudyError, match=message):
        images.read_picture(path, file_format.check_size)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\x05IHDR\0\0\0\x05\0" + struct.pack(">I", zlib.crc32(b"IHDR\0\0\0\x05\0"))),
        ("a.ppm", b"P6 5 7 " + b"1" * 20),
        ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(60)),
        ("a.gif", b"GIF89a" + bytes(20)),
        ("a.jpg", b"\xff\xd8\xff\xe0"),
    ],
)
def test_a_damaged_picture_of_any_kind_is_said_to_be_one(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyError, match=rf"{name} does not decode as an image \(.*\); repair or remove it"):
        images.read_picture(tmp_path / name)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(StudyError, match="does not decode"):
        images.read_picture(tmp_path / "text.png")
    whole = saved(tmp_path, Image.fromarray(np.repeat(PICTURE, 40, axis=0))).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match="does not decode"):
        images.read_picture(tmp_path / "cut.png")
    with pytest.raises(StudyError, match="no file"):
        images.read_picture(tmp_path / "none.png")
