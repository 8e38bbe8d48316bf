"""What is promised at compression is what decompression shows; and every wish that cannot be met is refused."""

import numpy as np
import pytest
from plain_decoder import read_bits
from skimage.metrics import peak_signal_noise_ratio
from small_codec import small_codec

from study.codec import compression, file_format
from study.codec.compression import compress, decompress

SMALL = small_codec()


def picture(height, width, seed=0):
    """A gradient with noise, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, height)[:, None, None] + np.linspace(0, 40, width)[:, None]
    return (ramp + rng.integers(0, 16, (height, width, 3))).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (500, 31), (16, 16)])
def test_picture_after_any_pass_is_the_one_that_was_promised(size):
    original = picture(*size)
    for n in (1, 3):
        done = compress(SMALL, original, iterations=n)
        assert done.picture.shape == original.shape and done.passes == n
        assert done.psnr == pytest.approx(peak_signal_noise_ratio(original, done.picture), abs=1e-4)
        assert done.bpp == 8 * len(done.file) / (size[0] * size[1])
        np.testing.assert_array_equal(decompress(SMALL, done.file), done.picture)
    first = compress(SMALL, original, iterations=1).picture
    np.testing.assert_array_equal(decompress(SMALL, done.file, iterations=1), first)


def test_a_file_cut_after_a_pass_shows_the_coarser_picture():
    done = compress(SMALL, picture(40, 50), iterations=3)
    _, passes = file_format.read(done.file)
    np.testing.assert_array_equal(
        decompress(SMALL, done.file[: passes[1].end]), decompress(SMALL, done.file, iterations=2)
    )


def test_pictures_larger_than_a_tile_are_joined_where_they_were_cut(monkeypatch):
    monkeypatch.setattr(compression, "TILE", 32)
    original = picture(40, 70)
    done = compress(SMALL, original, iterations=2)
    np.testing.assert_array_equal(decompress(SMALL, done.file), done.picture)
    # A tile's picture is that of the tile alone: the network does not look across.
    alone = compress(SMALL, original[32:, 64:], iterations=2).picture
    np.testing.assert_array_equal(done.picture[32:, 64:], alone)


@pytest.mark.parametrize("bpp", [0.3, 0.9, 2.0])
def test_bpp_takes_the_most_passes_that_fit(bpp):
    original = picture(64, 96)
    done = compress(SMALL, original, bpp=bpp)
    assert done.bpp <= bpp
    if done.passes < 16:
        assert compress(SMALL, original, iterations=done.passes + 1).bpp > bpp


def test_one_pass_at_least():
    done = compress(SMALL, picture(5, 5), bpp=0.1)
    assert done.passes == 1 and done.bpp > 0.1


def test_psnr_takes_the_fewest_passes_that_reach_it():
    original = picture(48, 48)
    by_pass = [compress(SMALL, original, iterations=n).psnr for n in (1, 2, 3)]
    wish = by_pass[0] + 1e-6 if max(by_pass) > by_pass[0] else by_pass[0] - 1e-6
    done = compress(SMALL, original, psnr=wish)
    assert done.psnr >= wish
    assert done.passes == 1 or compress(SMALL, original, iterations=done.passes - 1).psnr < wish


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"bpp": 9}, "--bpp 9: 16 passes are 2 bpp"),
        ({"bpp": 0}, "--bpp 0"),
        ({"iterations": 17}, "--iterations 17"),
        ({"iterations": 0}, "--iterations 0"),
        ({"psnr": -1}, "--psnr -1"),
        ({"psnr": 99}, "16 passes reach"),
        ({"psnr": 30, "bpp": 1}, "Name one of"),
    ],
)
def test_wishes_that_cannot_be_met(wish, message):
    with pytest.raises(ValueError, match=message):
        compress(SMALL, picture(16, 16), **wish)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (30_000, 30_000)])
def test_sizes_that_no_file_holds(size):
    blank = np.broadcast_to(np.uint8(0), (*size, 3))
    with pytest.raises(ValueError, match=f"{size[1]}x{size[0]} pixels"):
        compress(SMALL, blank)


def test_files_of_another_model_and_passes_that_are_not_there():
    done = compress(SMALL, picture(16, 16), iterations=2)
    with pytest.raises(ValueError, match="it holds 2 passes"):
        decompress(SMALL, done.file, iterations=3)
    other = file_format.Header(b"xyz", 16, 16, 2).pack() + done.file[12:]
    with pytest.raises(ValueError, match="written by model 78797a"):
        decompress(SMALL, other)


def test_bits_that_do_not_match_their_check_make_no_picture():
    done = compress(SMALL, picture(64, 64), iterations=1)
    damaged = bytearray(done.file)
    damaged[20] ^= 1
    with pytest.raises(ValueError, match="checksum|no code"):
        decompress(SMALL, bytes(damaged))


@pytest.mark.parametrize("size", [(1, 1), (20, 40), (130, 150)])
def test_a_decoder_written_from_the_page_reads_the_same_bits(size):
    done = compress(SMALL, picture(*size), iterations=3)
    ours = compression.decode_bits(SMALL.context, *file_format.read(done.file))
    plain = read_bits(done.file, vars(SMALL.context))
    for bits, places in zip(ours, plain, strict=True):
        assert places == {place: bit for place, bit in np.ndenumerate(bits)}
