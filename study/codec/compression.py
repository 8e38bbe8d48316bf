"""Pictures to bytes and back, with a trained codec.

The network goes over a picture in tiles of TILE x TILE pixels from its upper left corner on, each by itself, so that
memory stays in bounds; the context model sees the whole map of cells.
"""

from collections import deque
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from study import metrics
from study.architecture import BPP, STRIDE
from study.codec import context_model, file_format
from study.engine import keras
from study.ground.errors import StudyError

ITERATIONS = 8  # where nobody says what is wanted
TILE = 1024  # pixels, a multiple of STRIDE


@dataclass(frozen=True)
class Compressed:
    """A file's bytes, and what its decoder will show."""

    file: bytes
    passes: int
    bpp: float  # bits a pixel, the whole file counted
    psnr: float  # dB, of the picture rounded to 8 bits
    picture: np.ndarray  # uint8 (h, w, 3)
    better: int = 0  # so many passes, fewer than these, are nearer to the original; 0 where none are


def compress(pretrained, picture, iterations=None, bpp=None, psnr=None) -> Compressed:
    """A picture as a file, with as many passes as asked for, 8 or all that the codec has if nothing is.

    Args:
        pretrained: a `study.codec.weights.Pretrained`.
        picture: uint8 (h, w, 3).
        iterations: this many passes, 1 to as many as the codec was trained with, 16 of those that ship.
        bpp: of those that fit this many bits a pixel, header and all, as many as come nearest to the picture; above 0
            and at most those of all passes, 2 for 16. One pass at least, even if it does not fit.
        psnr: the fewest that reach this many dB.

    Raises:
        StudyError: a picture without pixels or with too many; a wish that is out of range or that all passes do not
            reach; more than one wish.
    """
    height, width, _ = picture.shape
    file_format.check_size(width, height)
    check_wish(pretrained, iterations, bpp, psnr)
    if bpp is psnr is None:
        iterations = iterations or min(ITERATIONS, pretrained.iterations)
    codes, earlier, best = [], [], None
    for bits, reconstruction in islice(passes(pretrained.codec, picture), pretrained.iterations):
        codes.append(context_model.encode_pass(pretrained.context, bits, earlier))
        earlier.append(bits)
        file = file_format.write(file_format.Header(pretrained.id, width, height, len(codes)), codes, earlier)
        rate = 8 * len(file) / (height * width)
        if best and bpp and rate > bpp:
            break
        made = Compressed(file, len(codes), rate, _psnr(picture, reconstruction), reconstruction)
        if not best or made.psnr > best.psnr:
            best = made
        if made.passes == iterations or (psnr and made.psnr >= psnr):
            return made if best is made else replace(made, better=best.passes)
    if psnr:
        raise StudyError(f"--psnr {psnr:g}: {len(codes)} passes reach {best.psnr:.2f} dB at best; ask for less.")
    return best


def decompress(pretrained, file, iterations=None) -> np.ndarray:
    """The picture in a file, uint8 (h, w, 3), after all its passes or the first `iterations`.

    Raises `StudyError` for a file that is damaged or of another model, and for more passes than it holds.
    """
    header, parts = file_format.read(file)
    if header.model != pretrained.id:
        raise StudyError(
            f"it was written by model {header.model.hex()}, not by {pretrained.name} ({pretrained.id.hex()})."
        )
    if len(parts) > pretrained.iterations:
        raise StudyError(f"it holds {len(parts)} passes, and {pretrained.name} has {pretrained.iterations}: damaged.")
    if iterations is not None and not 1 <= iterations <= len(parts):
        raise StudyError(f"--iterations {iterations}: it holds {len(parts)} passes; ask for 1 to {len(parts)}.")
    bits = np.stack(decode_bits(pretrained.context, header, parts[:iterations]))
    picture = np.empty((header.height, header.width, 3), np.uint8)
    for rows, columns in _tiles(header.height, header.width):
        cells = (slice(side.start // STRIDE, -(-side.stop // STRIDE)) for side in (rows, columns))
        shown = pretrained.codec.decode_passes(bits[:, *cells][None].astype(np.float32))
        tile = _to_picture(deque(shown, maxlen=1).pop())  # the last one counts
        picture[rows, columns] = tile[: rows.stop - rows.start, : columns.stop - columns.start]
    return picture


def decode_bits(context, header, parts):
    """The bits of a file's passes, int8 (h, w, 32) each. Raises `StudyError` where a pass is damaged."""
    bits = []
    for part in parts:
        if part.raw:
            decoded = file_format.unpack_bits(part.body, header.shape)
        else:
            decoded = context_model.decode_pass(context, part.body, header.shape, bits)
        bits.append(decoded)
        file_format.check(header, parts, bits)
    return bits


def check_wish(pretrained, iterations=None, bpp=None, psnr=None):
    """Raises `StudyError` for a wish that `compress` does not take, and for more than one."""
    if sum(wish is not None for wish in (iterations, bpp, psnr)) > 1:
        raise StudyError(
            "Name one of --iterations, --bpp and --psnr, not several: each decides how many passes there are."
        )
    most, highest = pretrained.iterations, pretrained.iterations * BPP
    for name, wish, top in (("iterations", iterations, most), ("bpp", bpp, highest), ("psnr", psnr, 100)):
        if wish is not None and not 0 < wish <= top:
            raise StudyError(f"--{name} {wish:g}: {most} passes are {highest:g} bpp; ask for 0 < {name} <= {top:g}.")


def passes(codec, picture):
    """Yields up to 16 passes' bits, int8 (h / 16, w / 16, 32), and pictures, uint8 (h, w, 3), of all tiles together."""
    height, width, _ = picture.shape
    tiles = _tiles(height, width)
    by_tile = [codec.passes(picture[tile][None].astype(np.float32) / 255) for tile in tiles]
    for parts in zip(*by_tile, strict=True):
        bits = np.empty((-(-height // STRIDE), -(-width // STRIDE), context_model.CHANNELS), np.int8)
        shown = np.empty_like(picture)
        for (rows, columns), (tile_bits, reconstruction) in zip(tiles, parts, strict=True):
            tile_bits = keras.ops.convert_to_numpy(tile_bits)[0]
            top, left = rows.start // STRIDE, columns.start // STRIDE
            bits[top : top + tile_bits.shape[0], left : left + tile_bits.shape[1]] = tile_bits
            shown[rows, columns] = _to_picture(reconstruction)
        yield bits, shown


def _tiles(height, width):
    """The tiles of a picture, row by row, as slices of its rows and columns."""
    rows, columns = (
        [slice(start, min(start + TILE, size)) for start in range(0, size, TILE)] for size in (height, width)
    )
    return [(row, column) for row in rows for column in columns]


def _to_picture(reconstruction):
    """(1, h, w, 3) in [0, 1] to uint8 (h, w, 3)."""
    shown = keras.ops.convert_to_numpy(metrics.to_8_bit(reconstruction))[0]
    if not np.isfinite(shown).all():
        raise StudyError("its model makes numbers of it that are no picture; take other weights.")
    return np.round(shown * 255).astype(np.uint8)


def _psnr(picture, other):
    x, y = (part[None].astype(np.float32) / 255 for part in (picture, other))
    return float(keras.ops.convert_to_numpy(metrics.psnr(x, y))[0])
