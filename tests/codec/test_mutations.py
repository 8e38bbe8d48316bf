"""Files that something happened to: a picture or a clear refusal, whatever the bytes.

    MUTATIONS=10000 .venv/bin/python -m pytest tests/codec/test_mutations.py -s

does as many as wanted, and prints the slowest and how much memory they took at most.
"""

import os
import resource
import time
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_codec import small_codec

from study.codec import file_format
from study.codec.compression import compress, decompress

SMALL = small_codec()
EXAMPLES = int(os.environ.get("MUTATIONS", 60))
RNG = np.random.default_rng(0)
SIZES = [(1, 1), (16, 16), (33, 50), (160, 128)]
FILES = [compress(SMALL, RNG.integers(0, 256, (*size, 3), np.uint8), iterations=2).file for size in SIZES]

bytes_of_any_length = st.binary(max_size=60)


@st.composite
def mutated(draw):
    """A file with bytes changed, put in, taken out or cut off, often under a header whose own check still holds."""
    file = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(file)))
        kind = draw(st.sampled_from(["flip", "insert", "remove", "cut", "replace"]))
        if kind == "flip" and at < len(file):
            file[at] ^= draw(st.integers(1, 255))
        elif kind == "insert":
            file[at:at] = draw(bytes_of_any_length)
        elif kind == "remove":
            del file[at : at + draw(st.integers(1, 20))]
        elif kind == "cut":
            del file[at:]
        else:
            new = draw(bytes_of_any_length)
            file[at : at + len(new)] = new
    if draw(st.booleans()) and len(file) > 11:
        file[11] = zlib.crc32(file[:11]) & 255
    return bytes(file)


@st.composite
def headed(draw):
    """Any bytes below a header that is right, of a picture of any size."""
    side = st.integers(0, 2**16 - 1)
    header = file_format.Header(SMALL.id, draw(side), draw(side), draw(st.integers(0, 20)))
    return header.pack() + draw(st.binary(max_size=300))


SLOWEST = {"seconds": 0.0}


def decodes_or_says_why(file):
    start = time.perf_counter()
    try:
        picture = decompress(SMALL, file)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
    else:
        header, _ = file_format.read(file)
        assert picture.shape == (header.height, header.width, 3) and picture.dtype == np.uint8
    SLOWEST["seconds"] = max(SLOWEST["seconds"], time.perf_counter() - start)


often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@often
@given(mutated())
def test_mutated_files(file):
    decodes_or_says_why(file)


@often
@given(st.one_of(st.binary(max_size=400), headed()))
def test_random_bytes(file):
    decodes_or_says_why(file)


@pytest.fixture(scope="module", autouse=True)
def report():
    """How much more memory the whole process took at its peak than before the first file, on Linux in KiB."""
    for file in FILES:
        decompress(SMALL, file)  # what a whole file takes
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SLOWEST["seconds"] = 0.0
    yield
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"\n{2 * EXAMPLES} files: the slowest took {SLOWEST['seconds']:.2f} s, memory rose by {more / 1024:.0f} MiB")
    assert more < 500 * 1024
