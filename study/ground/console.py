"""Lines for people, on any terminal, and where nobody reads any more."""

import os
import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints one line, on standard output unless another stream is given.

    Line ends and controls within it, bytes of a file's name that are no characters, and what the terminal's encoding
    does not have, appear as backslash and number. Nothing happens where the reader has gone: `... | head -1` wants no
    more lines, and the work goes on.
    """
    stream = stream or sys.stdout
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:
        to_nowhere(stream)


def to_nowhere(stream: TextIO) -> None:
    """Lets what is still in a stream and all that follows vanish, where Python would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
