"""The file format: a header of 12 bytes, then the passes in order. FORMAT.md beside this file describes every byte."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from study.architecture import BITS, MAX_ITERATIONS, STRIDE
from study.codec import context_model
from study.ground.errors import StudyError

MAGIC, VERSION = b"Rc", 1
HEADER = struct.Struct("<2sB3sHHB")
MAX_SIDE = 2**16 - 1
MAX_PIXELS = 2**25  # beyond, the states of the network alone take more than 6 GB
CELL_BYTES = BITS // 8
LARGEST = 2**25  # bytes that no file has: 16 passes of the most cells, those of 65,535x512 pixels, are 8.4 million


@dataclass(frozen=True)
class Header:
    """What a file says of its picture; `passes` are those that were written, of which a cut file holds fewer."""

    model: bytes  # 3 bytes
    width: int
    height: int
    passes: int

    @property
    def shape(self):
        """Rows and columns of cells."""
        return -(-self.height // STRIDE), -(-self.width // STRIDE)

    def pack(self):
        """The 12 bytes."""
        fields = HEADER.pack(MAGIC, VERSION, self.model, self.width, self.height, self.passes)
        return fields + bytes([zlib.crc32(fields) & 255])


def check_size(width, height):
    """Raises `StudyError` for a picture that has no pixels or more than a file may hold."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise StudyError(
            f"{width}x{height} pixels: a picture has at least 1x1 and at most {MAX_PIXELS:,} pixels, "
            f"and at most {MAX_SIDE:,} on a side; resize or cut it."
        )


@dataclass(frozen=True)
class Pass:
    """A pass as it stands in a file."""

    body: bytes  # its code, or its raw bits
    raw: bool
    check: bytes  # 1 or 4 bytes
    end: int  # bytes of the file up to and with this pass


def write(header, codes, bits):
    """A file as bytes.

    Args:
        header: a `Header`; its `passes` is how many there are.
        codes: for each pass the bytes that `context_model.encode_pass` made.
        bits: for each pass int8 (h, w, 32), each -1 or +1; where a code is not shorter, they are stored raw.
    """
    parts = [header.pack()]
    crc = zlib.crc32(parts[0])
    for code, pass_bits in zip(codes, bits, strict=True):
        raw = pack_bits(pass_bits)
        crc = zlib.crc32(raw, crc)
        code = code or b"\0"  # the decoder reads zeros past the end, and a length of 0 means raw
        parts += [_leb128(len(code)), code] if len(code) < len(raw) else [b"\0", raw]
        parts.append(_check(crc, len(raw)))
    return b"".join(parts)


def read(file):
    """A file's header and its passes, `Pass` objects, whose checks are still to be held against the bits.

    Raises:
        StudyError: the file is none of this format, of another version, damaged in its header, ends within a pass, goes
            on after its last one, or asks for more pixels than its bytes can hold. Nothing large is made before.
    """
    header = _read_header(file)
    rows, columns = header.shape
    raw_bytes = rows * columns * CELL_BYTES
    position, passes = HEADER.size + 1, []
    while position < len(file) and len(passes) < header.passes:
        number, before = len(passes) + 1, position
        length, position = _read_leb128(file, position, number)
        end = position + (length or raw_bytes)
        position, start = end + len(_check(0, raw_bytes)), position
        if length >= raw_bytes or 0 < length < context_model.fewest_bytes(rows * columns):
            size = f"{header.width}x{header.height}"
            raise StudyError(f"pass {number} says that it has {length} bytes, which {size} pixels never have: damaged.")
        if position > len(file):
            cut = f", or cut it after byte {before} for the {number - 1} passes before" if passes else ""
            raise StudyError(
                f"it ends within pass {number} of {header.passes}, at byte {len(file)}; get it whole{cut}."
            )
        passes.append(Pass(file[start:end], not length, file[end:position], position))
    if not passes:
        raise StudyError("it ends after its header, without a pass; get it whole.")
    if position < len(file):
        raise StudyError(f"{len(file) - position} bytes follow its last pass: damaged.")
    return header, passes


def check(header, passes, bits):
    """Raises `StudyError` where the last pass's bits are not those that were written.

    Args:
        header, passes: of the file; only the check of pass `len(bits)` is looked at.
        bits: int8 (h, w, 32) of this pass and of all before it, in order.
    """
    crc = zlib.crc32(header.pack())
    for pass_bits in bits:
        raw = pack_bits(pass_bits)
        crc = zlib.crc32(raw, crc)
    if passes[len(bits) - 1].check != _check(crc, len(raw)):
        raise StudyError(f"pass {len(bits)} does not match its checksum: damaged.")


def pack_bits(bits):
    """Bits (h, w, 32), each -1 or +1, as bytes."""
    return np.packbits(bits > 0).tobytes()


def unpack_bits(raw, shape):
    """The inverse: int8 (h, w, 32) for `shape` (h, w)."""
    return (2 * np.unpackbits(np.frombuffer(raw, np.uint8)).astype(np.int8) - 1).reshape(*shape, context_model.CHANNELS)


def _read_header(file):
    if not file.startswith(MAGIC):
        raise StudyError("it does not start as a file of `python -m study compress` does.")
    if len(file) <= HEADER.size:
        raise StudyError(f"it ends within its header, at byte {len(file)}; get it whole.")
    _, version, *fields = HEADER.unpack_from(file)
    if version != VERSION:
        raise StudyError(f"it is of version {version}, and this program reads version {VERSION}; get another program.")
    header = Header(*fields)
    if header.pack() != file[: HEADER.size + 1] or not 1 <= header.passes <= MAX_ITERATIONS:
        raise StudyError("its header is damaged.")
    check_size(header.width, header.height)
    return header


def _check(crc, raw_bytes):
    return crc.to_bytes(4, "little")[: 1 if raw_bytes < 256 else 4]


def _leb128(number):
    digits = []
    while number >= 128:
        digits.append(number % 128 + 128)
        number //= 128
    return bytes([*digits, number])


def _read_leb128(file, position, pass_number):
    """A length and the position after it; of a file that ends within it, as if zeros followed."""
    number = 0
    for i in range(4):
        digit = file[position + i] if position + i < len(file) else 0
        number += digit % 128 << 7 * i
        if digit < 128:
            return number, position + i + 1
    raise StudyError(f"the length of pass {pass_number} has more than four bytes: damaged.")
