"""A line is one line on any terminal."""

import io
import os

import pytest

from study.ground import console


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("plain ä 木.png", "utf-8", "plain ä 木.png"),
        ("a\nb\tc\x1b[31m", "utf-8", "a\\nb\\tc\\x1b[31m"),
        (os.fsdecode(b"\xff.png"), "utf-8", "\\udcff.png"),
        ("ä 木.png", "ascii", "\\xe4 \\u6728.png"),
        ("ä 木.png", "latin-1", "ä \\u6728.png"),
    ],
)
def test_what_a_terminal_does_not_take_is_shown_as_a_number(text, encoding, shown):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    console.say(text, stream)
    assert stream.buffer.getvalue().decode(encoding) == f"{shown}\n"


def test_a_reader_that_has_gone_wants_no_more():
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        console.say("seen", stream)
        assert os.read(reader, 100) == b"seen\n"
        os.close(reader)
        for _ in range(3):
            console.say("not seen", stream)
