"""The head of a JPEG XL file: what the plugin does not say, or only after it has decoded everything.

ISO/IEC 18181-1, sections "Image header" and "Image metadata"; 18181-2 for the boxes.
"""

from typing import NamedTuple

from study.ground.errors import StudyError

START = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
SIDES = ((1, 9), (1, 13), (1, 18), (1, 30))  # what is added, and how many bits follow


class Header(NamedTuple):
    width: int
    height: int
    bits: int  # a channel
    animated: bool


def is_jpeg_xl(start: bytes) -> bool:
    """Whether a file that starts so is one."""
    return start.startswith((START, CONTAINER))


def read_header(start: bytes) -> Header:
    """The header of a file of which these are the first bytes. Raises `StudyError` where they do not hold it."""
    read = _Bits(_codestream(start))
    height, width = _size(read)
    bits, animated = 8, False
    if not read(1):  # else everything is as usual
        if read(1):
            read(3)  # orientation
            if read(1):
                _size(read)
            if read(1):
                return Header(width, height, bits, animated)  # a preview, which nobody writes
            if animated := bool(read(1)):
                read.choice((100, 0), (1000, 0), (1, 10), (1, 30))
                read.choice((1, 0), (1001, 0), (1, 8), (1, 10))
                read.choice((0, 0), (0, 3), (0, 16), (0, 32))
                read(1)
        fractions = read(1)
        bits = (
            read.choice((32, 0), (16, 0), (24, 0), (1, 6))
            if fractions
            else read.choice((8, 0), (10, 0), (12, 0), (1, 6))
        )
    return Header(width, height, bits, animated)


class _Bits:
    """The bits of bytes one after another, lowest first."""

    def __init__(self, content):
        self.number, self.left = int.from_bytes(content, "little"), 8 * len(content)

    def __call__(self, count):
        self.left -= count
        if self.left < 0:
            raise StudyError("it ends within its header")
        value = self.number & ((1 << count) - 1)
        self.number >>= count
        return value

    def choice(self, *kinds):
        """One of four kinds of number, each an offset and how many bits are added to it."""
        offset, count = kinds[self(2)]
        return offset + self(count)


def _size(read):
    small = read(1)

    def side():
        return 8 * (read(5) + 1) if small else read.choice(*SIDES)

    height = side()
    ratio = RATIOS.get(read(3))
    return height, height * ratio[0] // ratio[1] if ratio else side()


def _codestream(start):
    """The first bytes of the codestream: in a container, in a box that may follow others."""
    position = len(CONTAINER) if start.startswith(CONTAINER) else 0
    while position and position + 8 <= len(start):
        length, kind = int.from_bytes(start[position : position + 4]), start[position + 4 : position + 8]
        head = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(start[position + 8 : position + 16])
        if kind in (b"jxlc", b"jxlp"):
            position += head + (4 if kind == b"jxlp" else 0)
            break
        if length < head:
            break
        position += length
    if start[position : position + 2] != START:
        raise StudyError("its header is not within its first bytes")
    return start[position + 2 : position + 60]
