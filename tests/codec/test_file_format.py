"""The file format: every byte has its meaning, and a file that is not whole says so."""

import struct
import zlib

import numpy as np
import pytest
from small_codec import random_bits

from study.codec import file_format
from study.codec.file_format import Header

HEADER = Header(b"abc", width=40, height=20, passes=3)  # 3x2 cells, 24 bytes raw
BITS = [random_bits(2, 3, seed=t) for t in range(3)]
CODES = [b"12345678", bytes(30), b""]  # a short one, one longer than raw, an empty one
FILE = file_format.write(HEADER, CODES, BITS)


def test_a_file_comes_back():
    header, passes = file_format.read(FILE)
    assert header == HEADER and header.shape == (2, 3)
    assert [(part.body, part.raw) for part in passes] == [
        (b"12345678", False),
        (np.packbits(BITS[1] > 0).tobytes(), True),
        (b"\0", False),
    ]
    assert passes[-1].end == len(FILE)


def test_bytes_are_those_of_the_page():
    """Written by hand from the module's text."""
    expected = b"Rc" + b"\x01" + b"abc" + struct.pack("<HH", 40, 20) + b"\x03"
    expected += bytes([zlib.crc32(expected) % 256])
    assert len(expected) == 12
    crc = zlib.crc32(expected)
    raw = [np.packbits((bits.reshape(-1) + 1) // 2).tobytes() for bits in BITS]
    for start, body, bits in zip((b"\x08", b"\x00", b"\x01"), (b"12345678", raw[1], b"\0"), raw, strict=True):
        crc = zlib.crc32(bits, crc)
        expected += start + body + bytes([crc % 256])
    assert expected == FILE


def test_large_pictures_have_lengths_of_several_bytes_and_whole_checks():
    header = Header(b"abc", 16 * 30, 16 * 20, 1)
    file = file_format.write(header, [bytes(300)], [random_bits(20, 30)])
    assert file[12:14] == bytes([300 % 128 + 128, 300 // 128])
    assert len(file) == 12 + 2 + 300 + 4


@pytest.mark.parametrize("kept", range(len(FILE)))
def test_cut_files_are_whole_after_a_pass_and_refused_elsewhere(kept):
    ends = [part.end for part in file_format.read(FILE)[1]]
    if kept in ends:
        header, passes = file_format.read(FILE[:kept])
        assert header == HEADER and len(passes) == 1 + ends.index(kept)
    else:
        with pytest.raises(ValueError, match="ends|start"):
            file_format.read(FILE[:kept])


def test_every_changed_bit_of_the_header_is_noticed():
    for i in range(96):
        changed = bytearray(FILE)
        changed[i // 8] ^= 1 << i % 8
        with pytest.raises(ValueError, match="does not start|version|damaged"):
            file_format.read(bytes(changed))


def test_more_after_the_last_pass_is_refused():
    with pytest.raises(ValueError, match="1 bytes follow"):
        file_format.read(FILE + b"\0")


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [(30_000, 30_000, "30000x30000"), (0, 5, "0x5"), (5, 0, "5x0"), (5000, 5000, "which 5000x5000 pixels never have")],
)
def test_pictures_that_the_bytes_cannot_hold_are_refused(width, height, message):
    file = Header(b"abc", width, height, 1).pack() + b"\x10" + bytes(17)
    with pytest.raises(ValueError, match=message):
        file_format.read(file)


@pytest.mark.parametrize("passes", [0, 17, 255])
def test_only_1_to_16_passes(passes):
    with pytest.raises(ValueError, match="damaged"):
        file_format.read(Header(b"abc", 40, 20, passes).pack() + FILE[12:])


def test_lengths_that_do_not_end_are_refused():
    with pytest.raises(ValueError, match="more than four bytes"):
        file_format.read(HEADER.pack() + b"\xff\xff\xff\xff\x01" + bytes(40))


def test_checks_tell_wrong_bits_and_wrong_order():
    header, passes = file_format.read(FILE)
    for t in (1, 2, 3):
        file_format.check(header, passes, BITS[:t])
    wrong = BITS[0].copy()
    wrong[0, 0, 0] *= -1
    for bits in ([wrong], [BITS[1]], [BITS[0], BITS[2]], [wrong, BITS[1], BITS[2]]):
        with pytest.raises(ValueError, match=f"pass {len(bits)} does not match"):
            file_format.check(header, passes, bits)


def test_raw_bits_come_back():
    bits = random_bits(3, 5)
    np.testing.assert_array_equal(file_format.unpack_bits(file_format.pack_bits(bits), (3, 5)), bits)
