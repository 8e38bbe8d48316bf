"""What is promised at compression is what decompression shows; and every wish that cannot be met is refused."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from plain_decoder import read_bits
from skimage.metrics import peak_signal_noise_ratio
from small_codec import OPTIONS, random_context_model, small_codec

from study.codec import compression, file_format
from study.codec.compression import compress, decompress
from study.model import build_codec

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


@cache
def every_pass():
    return [compress(SMALL, picture(64, 96), iterations=n) for n in range(1, 17)]


@pytest.mark.parametrize("bpp", [0.3, 0.9, 2.0])
def test_bpp_takes_the_best_pass_that_fits(bpp):
    """The small codec is not trained, so its picture gets worse after some pass, as a trained one's may."""
    done = compress(SMALL, picture(64, 96), bpp=bpp)
    fitting = [made for made in every_pass() if made.bpp <= bpp]
    assert len(fitting) > 1 and done.file in [made.file for made in fitting]
    assert done.psnr == max(made.psnr for made in fitting) and done.better == 0
    np.testing.assert_array_equal(decompress(SMALL, done.file), done.picture)


def test_passes_that_are_asked_for_by_number_are_made_and_a_better_one_is_named():
    every = every_pass()
    psnr = [made.psnr for made in every]
    assert psnr[-1] < max(psnr)
    assert [made.passes for made in every] == list(range(1, 17))
    assert every[-1].better == 1 + int(np.argmax(psnr)) and every[0].better == 0
    with pytest.raises(ValueError, match=f"16 passes reach {max(psnr):.2f} dB at best"):
        compress(SMALL, picture(64, 96), psnr=99)


def test_models_of_fewer_passes():
    """Both ways: more than there are cannot be asked for, and a file that says it has them is damaged."""
    few = replace(SMALL, context=random_context_model(passes=3))
    original = picture(40, 50)
    done = compress(few, original)
    assert done.passes == 3
    np.testing.assert_array_equal(decompress(few, done.file), done.picture)
    with pytest.raises(ValueError, match="--iterations 4: 3 passes.*0 < iterations <= 3"):
        compress(few, original, iterations=4)
    with pytest.raises(ValueError, match="3 passes reach"):
        compress(few, original, psnr=99)
    more = compress(SMALL, original, iterations=4)
    with pytest.raises(ValueError, match="it holds 4 passes, and small has 3"):
        decompress(few, more.file)


def test_numbers_that_are_no_picture_are_refused():
    broken = build_codec(**OPTIONS)
    broken.weights[-1].assign(np.full(broken.weights[-1].shape, np.nan))
    with pytest.raises(ValueError, match="no picture; take other weights"):
        compress(replace(SMALL, codec=broken), picture(16, 16))
    with pytest.raises(ValueError, match="no picture; take other weights"):
        decompress(replace(SMALL, codec=broken), compress(SMALL, picture(16, 16)).file)


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
