"""The one error for what a person can mend."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class StudyError(ValueError):
    """What was wrong, with the value; what was expected; what to do.

    The command line prints it, and what the machine refuses (`OSError`: a full disk, a missing permission), as one line
    and ends with exit code 2; a notebook shows the line alone. Every other exception is a fault of the program and
    keeps its traceback, as this one does where STUDY_TRACEBACK is set.
    """

    if not os.environ.get("STUDY_TRACEBACK"):

        def _render_traceback_(self) -> list[str]:
            """What IPython shows in place of a traceback."""
            return [f"StudyError: {self}"]


def one_line(error: BaseException) -> str:
    """What another library's error says, as a part of a line: some have several lines, or none."""
    return " ".join(str(error).split())


@contextmanager
def foreign(refusal: str, advice: str) -> Iterator[None]:
    """Turns whatever a library raises that reads somebody else's file into a `StudyError`: one line.

    Given damaged bytes, readers of pictures and of archives let nearly any type through: struct.error, KeyError,
    RuntimeError, MemoryError, and one that is written in Rust a panic, which is no `Exception`. So only their calls
    stand in such a block; what the project does with what they return stands outside, that its own faults be seen.
    """
    try:
        yield
    except (StudyError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        said = one_line(error)
        raise StudyError(f"{refusal} ({type(error).__name__}{': ' if said else ''}{said}); {advice}") from error
