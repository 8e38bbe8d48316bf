"""The one error for what a person can mend."""

import os


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
