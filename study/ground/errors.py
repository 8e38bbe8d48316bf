"""The one error for what a person can mend."""


class StudyError(ValueError):
    """What was wrong, with the value; what was expected; what to do.

    The command line prints it, and what the machine refuses (`OSError`: a full disk, a missing permission), as one line
    and ends with exit code 2. Every other exception is a fault of the program and keeps its traceback.
    """
