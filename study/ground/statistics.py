"""Intervals and tests over seeds: how sure a mean or a difference is, by scipy and statsmodels.

What varies from seed to seed is the first weights, the order of the images and the binarizer's noise. The images are
the same in all runs, so no interval here says how another set of images would do, but for `over_images`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


def interval(table: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Mean of a column of one row per seed, with the bounds of its 95 % t-interval: `by`, mean, low, high, n.

    A diverged run has no number and does not count in n. With one seed the bounds are not a number.
    """
    groups = table.groupby(by, observed=True)[column].agg(["mean", "sem", "count"])
    half = groups["sem"] * stats.t.ppf((1 + LEVEL) / 2, (groups["count"] - 1).clip(lower=1))
    bounds = {"mean": groups["mean"], "low": groups["mean"] - half, "high": groups["mean"] + half}
    return pd.DataFrame(bounds | {"n": groups["count"]}).reset_index()


def differences(
    table: pd.DataFrame, field: str, base, column: str, within: Sequence[str] = (), paired: bool = True
) -> pd.DataFrame:
    """How much a column differs from that at `field == base`: `within`, `field`, mean, low, high, n, p, holm.

    One row per group of `within` and other value of `field`. `p` is of the t-test that the difference is 0, `holm` the
    same corrected for all rows (Holm 1979). `n` counts the values beside the base.

    Args:
        table: one row per seed.
        paired: seed by seed, over the seeds that both have, as two runs of one seed share first weights, order and
            noise as far as their settings allow. Otherwise Welch's test, for runs that share nothing but the seed's
            name, as those of two cells. A diverged run has no number, and then neither has the difference.
    """
    rows = []
    for keys, group in table.groupby(list(within)) if within else [((), table)]:
        values = {value: part.set_index("seed")[column] for value, part in group.groupby(field, sort=True)}
        for value in values.keys() - {base} if base in values else ():
            found = _paired(values[value], values[base]) if paired else welch(values[value], values[base])
            rows.append(dict(zip(within, keys, strict=True)) | {field: value} | found)
    columns = [*within, field, "mean", "low", "high", "n", "p"]
    result = pd.DataFrame(rows, columns=columns).sort_values([*within, field], ignore_index=True)
    return result.assign(holm=holm(result.p))


def _paired(values, base):
    difference = (values - base.reindex(values.index))[values.index.isin(base.index)]
    return mean_with_test(difference)


def mean_with_test(values) -> dict:
    """The mean of numbers, its 95 % t-interval, n, and the p of the t-test that it is 0."""
    values = np.asarray(values, float)
    test = {"low": np.nan, "high": np.nan, "p": np.nan}
    if len(values) > 1:
        found = stats.ttest_1samp(values, 0.0)
        low, high = found.confidence_interval(LEVEL)
        test = {"low": float(low), "high": float(high), "p": float(found.pvalue)}
    return {"mean": values.mean() if len(values) else np.nan, "n": len(values)} | test


def welch(values, base) -> dict:
    """The difference of two means by Welch's test: mean, low, high, n of the first, p; no bounds for single values."""
    values, base = np.asarray(values, float), np.asarray(base, float)
    result = {"mean": values.mean() - base.mean(), "n": len(values), "low": np.nan, "high": np.nan, "p": np.nan}
    if min(len(values), len(base)) > 1:
        found = stats.ttest_ind(values, base, equal_var=False)
        low, high = found.confidence_interval(LEVEL)
        result |= {"low": float(low), "high": float(high), "p": float(found.pvalue)}
    return result


def holm(ps) -> np.ndarray:
    """The p of a family of tests, corrected by Holm's method; those that are no number have no part in it."""
    ps = np.asarray(ps, float)
    known = ~np.isnan(ps)
    if known.sum() < 2:  # nothing to correct for
        return ps
    from statsmodels.stats.multitest import multipletests  # takes a second to load

    corrected = np.full(ps.shape, np.nan)
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
