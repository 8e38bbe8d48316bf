"""How numbers are written in the paper: digits, separators, units, intervals, lists."""

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

SPACE = "\u00a0"  # between a number and its unit, which stay on one line


def fixed(x: float, digits: int) -> str:
    """A measured number with so many digits after the point: "−1,024.50"; "n/a" for that of a diverged run.

    It is rounded from the six digits that tables have, a half away from zero, so that a mean that is computed here and
    one that a table holds read the same.
    """
    if math.isnan(x):
        return "n/a"
    rounded = Decimal(f"{x:.6g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded:z,f}".replace("-", "−")


def count(n: int) -> str:
    """ "30,225,283"."""
    return f"{n:,.0f}"


def counted(n: int, one: str) -> str:
    """ "one run", "3 runs"."""
    return f"one {one}" if n == 1 else f"{count(n)} {one}s"


def decibels(x: float) -> str:
    return f"{fixed(x, 2)}{SPACE}dB"


def percent(share: float, digits: int = 0) -> str:
    return f"{fixed(100 * share, digits)}{SPACE}%"


def short(x: float) -> str:
    """As few digits as it has: "0.01", "300"."""
    return f"{x:g}"


def fraction(x: float) -> str:
    """A width: "1/4"."""
    return short(x) if x >= 1 or (1 / x) % 1 else f"1/{1 / x:g}"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{fixed(seconds, 0)}{SPACE}s"
    return f"{fixed(seconds / 60, 0)}{SPACE}min" if seconds < 7200 else f"{fixed(seconds / 3600, 1)}{SPACE}h"


def interval(mean: float, low: float, high: float, digits: int, unit: str = "") -> str:
    """A mean with its bounds, where it has any: "0.12 [−0.21, 0.45] dB"."""
    bounds = "" if math.isnan(low) else f" [{fixed(low, digits)}, {fixed(high, digits)}]"
    return f"{fixed(mean, digits)}{bounds}{SPACE + unit if unit else ''}"


def above(x: float) -> str:
    """A difference in dB: "0.89 dB above", "3.70 dB below"."""
    return f"{decibels(abs(x))} {'below' if x < 0 else 'above'}"


def listed(items: Iterable, last: str = " and ") -> str:
    """ "1, 2 and 3": each item once, in the order in which they come."""
    *head, tail = dict.fromkeys(map(str, items)) or [""]
    return last.join(filter(None, (", ".join(head), tail)))
