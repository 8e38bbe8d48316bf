"""Intervals and tests against scipy's own, and against numbers worked out elsewhere."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.ground import statistics


def test_the_interval_is_scipys():
    values = [1.0, 2.0, 4.0]
    row = statistics.interval(pd.DataFrame({"epoch": 1, "psnr": values}), ["epoch"], "psnr").iloc[0]
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    assert (row["mean"], row.low, row.high, row.n) == pytest.approx((sum(values) / 3, low, high, 3))


def test_one_seed_has_a_mean_and_no_interval():
    row = statistics.interval(pd.DataFrame({"epoch": [1], "psnr": [20.0]}), ["epoch"], "psnr").iloc[0]
    assert row["mean"] == 20 and pd.isna(row.low) and pd.isna(row.high) and row.n == 1


def test_differences_are_paired_by_seed():
    base, other = [20.0, 21.0, 19.0], [20.1, 21.3, 19.0]
    runs_of = {"float32": base, "mixed_bfloat16": other}
    rows = [
        {"precision": name, "seed": seed, "psnr": value}
        for name, values in runs_of.items()
        for seed, value in enumerate(values)
    ]
    rows.append({"precision": "mixed_bfloat16", "seed": 3, "psnr": 30.0})  # without a partner
    row = statistics.paired(pd.DataFrame(rows), "precision", "float32", "psnr").iloc[0]
    expected = stats.ttest_rel(other, base).confidence_interval(0.95)
    assert (row.precision, row.n) == ("mixed_bfloat16", 3)
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
    assert row.p == row.holm == pytest.approx(stats.ttest_rel(other, base).pvalue)


def test_differences_within_groups_are_one_family():
    """The p of each group's own t-test, the smaller one times two."""
    values = {("gru", "a"): [1.0, 2.0, 3.0], ("gru", "b"): [1.5, 2.4, 3.6], ("lstm", "a"): [0.0, 0.1, 0.0]}
    values["lstm", "b"] = [5.0, 5.2, 5.3]
    rows = [
        {"cell": cell, "way": way, "seed": seed, "psnr": value}
        for (cell, way), of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    found = statistics.paired_within(pd.DataFrame(rows), ["cell"], "way", "a", "psnr").set_index("cell")
    ps = {cell: stats.ttest_rel(values[cell, "b"], values[cell, "a"]).pvalue for cell in ("gru", "lstm")}
    assert found.p.to_dict() == pytest.approx(ps) and ps["lstm"] < ps["gru"] < 0.05
    assert found.holm.to_dict() == pytest.approx({"gru": ps["gru"], "lstm": 2 * ps["lstm"]})


def test_holm_is_the_step_down_of_the_smallest_p():
    """0.01 x 4, then 0.02 x 3, 0.03 x 2, 0.04 x 1, none below the one before; what is no number is not counted."""
    corrected = statistics.holm([0.04, 0.01, np.nan, 0.03, 0.02])
    np.testing.assert_allclose(corrected, [0.06, 0.04, np.nan, 0.06, 0.06])
    assert np.isnan(statistics.holm([np.nan])).all()


def test_a_share_of_none_is_not_certain():
    assert statistics.share(0, 20) == pytest.approx((0, 0, 1 - 0.025 ** (1 / 20)))


def test_a_bootstrap_over_images_covers_what_made_them():
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    y = 0.6 * x + 0.8 * rng.normal(size=400)
    value, low, high = statistics.over_images(lambda a, b: stats.pearsonr(a, b).statistic, x, y)
    fisher = np.tanh(np.arctanh(value) + np.array([-1.96, 1.96]) / np.sqrt(397))
    assert value == pytest.approx(stats.pearsonr(x, y).statistic)
    np.testing.assert_allclose([low, high], fisher, atol=0.015)
