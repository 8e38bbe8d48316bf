"""Intervals and tests over seeds: how sure a mean or a difference is, by scipy and statsmodels.

What varies from seed to seed is the first weights, the order of the images and the binarizer's noise. The images are
the same in all runs, so no interval here says how another set of images would do, but for `over_images`.
"""

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


def interval(table: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Mean of a column of one row a seed, with the bounds of its 95 % t-interval: `by`, mean, low, high, n.

    With one seed the bounds are not a number.
    """
    groups = table.groupby(by, observed=True)[column].agg(["mean", "sem", "count"])
    half = groups["sem"] * stats.t.ppf((1 + LEVEL) / 2, (groups["count"] - 1).clip(lower=1))
    bounds = {"mean": groups["mean"], "low": groups["mean"] - half, "high": groups["mean"] + half}
    return pd.DataFrame(bounds | {"n": groups["count"]}).reset_index()


def paired(table: pd.DataFrame, field: str, base, column: str) -> pd.DataFrame:
    """How much a column differs from that at `field == base`, seed by seed: `field`, mean, low, high, n, p, holm.

    Two runs of one seed share first weights, order and noise as far as their settings allow. `p` is of the paired
    t-test that the mean is 0, `holm` the same corrected for all the differences of this table (Holm 1979).
    """
    wide = table.pivot(index="seed", columns=field, values=column)
    differences = wide.drop(columns=base).sub(wide[base], axis=0).melt(value_name=column, ignore_index=False).dropna()
    result = interval(differences, [field], column)
    result["p"] = [zero_mean(differences[column][differences[field] == value]) for value in result[field]]
    return result.assign(holm=holm(result.p))


def paired_within(table: pd.DataFrame, by: list[str], field: str, base, column: str) -> pd.DataFrame:
    """`paired` in each group of `by`: these columns, then those of `paired`, `holm` over the tests of all groups."""
    parts = [
        paired(group, field, base, column).assign(**dict(zip(by, keys, strict=True)))
        for keys, group in table.groupby(by)
    ]
    result = pd.concat(parts, ignore_index=True)
    return result.assign(holm=holm(result.p)).set_index(by).reset_index()


def zero_mean(values) -> float:
    """The p of the t-test that the values have a mean of 0; not a number with fewer than two values."""
    return float(stats.ttest_1samp(values, 0.0).pvalue) if len(values) > 1 else float("nan")


def holm(ps) -> np.ndarray:
    """The p of a family of tests, corrected by Holm's method; those that are no number have no part in it."""
    from statsmodels.stats.multitest import multipletests  # takes a second to load

    ps = np.asarray(ps, float)
    known = ~np.isnan(ps)
    corrected = np.full(ps.shape, np.nan)
    if known.any():
        corrected[known] = multipletests(ps[known], method="holm")[1]
    return corrected


def share(count: int, n: int) -> tuple[float, float, float]:
    """The share of `count` in n and the bounds of its 95 % interval (Clopper & Pearson 1934)."""
    bounds = stats.binomtest(int(count), int(n)).proportion_ci(LEVEL, method="exact")
    return count / n, float(bounds.low), float(bounds.high)


def over_images(statistic, *columns, resamples: int = 2000) -> tuple[float, float, float]:
    """A statistic of columns of one row an image, with the bounds of its 95 % bootstrap interval over images."""
    columns = tuple(map(np.asarray, columns))
    found = stats.bootstrap(
        columns,
        statistic,
        n_resamples=resamples,
        paired=True,
        vectorized=False,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(statistic(*columns)), float(found.confidence_interval.low), float(found.confidence_interval.high)
