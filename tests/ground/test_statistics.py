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


def test_a_diverged_run_does_not_count_in_an_interval():
    table = pd.DataFrame({"epoch": 1, "psnr": [1.0, np.nan, 2.0, 4.0]})
    with_it, without = (statistics.interval(rows, ["epoch"], "psnr") for rows in (table, table.dropna()))
    pd.testing.assert_frame_equal(with_it, without)
    assert with_it.n.tolist() == [3]


def of_seeds(field, **values):
    """One row per value and seed: `of_seeds("cell", gru=[20.1, 20.3])`."""
    rows = [{field: name, "seed": seed, "psnr": x} for name, xs in values.items() for seed, x in enumerate(xs)]
    return pd.DataFrame(rows)


BASE, OTHER, THIRD = [20.0, 21.0, 19.0], [20.1, 21.3, 19.0], [19.0, 21.5, 18.2]


def test_differences_are_paired_by_seed():
    table = of_seeds("precision", float32=BASE, mixed_bfloat16=OTHER)
    row = statistics.differences(table, "precision", "float32", "psnr").iloc[0]
    test = stats.ttest_rel(OTHER, BASE)
    expected = test.confidence_interval(0.95)
    assert (row.precision, row.n) == ("mixed_bfloat16", 3)
    assert (row["mean"], row.low, row.high) == pytest.approx((0.4 / 3, expected.low, expected.high))
    assert row.p == row.holm == pytest.approx(test.pvalue)


def test_pairs_are_by_seed_whatever_the_order_of_the_rows():
    table = of_seeds("precision", float32=BASE, mixed_bfloat16=OTHER)
    shuffled = table.iloc[[5, 0, 4, 2, 3, 1]]
    one, other = (statistics.differences(t, "precision", "float32", "psnr") for t in (table, shuffled))
    pd.testing.assert_frame_equal(one, other)


def test_seeds_that_only_one_has_are_left_out_of_pairs():
    table = of_seeds("precision", float32=[*BASE, 40.0], mixed_bfloat16=[*OTHER, 30.0, 50.0])
    table = table[~((table.precision == "float32") & (table.seed == 3))]  # seeds 3 and 4 have no partner
    row = statistics.differences(table, "precision", "float32", "psnr").iloc[0]
    assert row.n == 3 and row["mean"] == pytest.approx(0.4 / 3)
    more = pd.concat([table, pd.DataFrame([{"precision": "float32", "seed": 9, "psnr": 99.0}])])
    assert statistics.differences(more, "precision", "float32", "psnr").iloc[0].equals(row)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("diverged", ["float32", "mixed_bfloat16"])
def test_a_diverged_seed_leaves_no_difference(diverged, paired):
    """A mean over the other seeds would be of a choice that the result has made."""
    table = of_seeds("precision", float32=BASE, mixed_bfloat16=OTHER)
    table.loc[(table.precision == diverged) & (table.seed == 1), "psnr"] = np.nan
    row = statistics.differences(table, "precision", "float32", "psnr", paired=paired).iloc[0]
    assert row.n == 3 and row[["mean", "low", "high", "p", "holm"]].isna().all()


def test_unpaired_differences_are_welchs():
    table = of_seeds("cell", lstm=[20.0, 22.0, 19.0, 20.5], gru=OTHER)
    row = statistics.differences(table, "cell", "lstm", "psnr", paired=False).iloc[0]
    test = stats.ttest_ind(OTHER, [20.0, 22.0, 19.0, 20.5], equal_var=False)
    expected = test.confidence_interval(0.95)
    assert (row.cell, row.n) == ("gru", 3)
    assert (row["mean"], row.low, row.high) == pytest.approx((np.mean(OTHER) - 20.375, expected.low, expected.high))
    assert row.p == row.holm == pytest.approx(test.pvalue)


def test_holm_corrects_all_rows_of_several_values():
    table = of_seeds("way", a=BASE, b=OTHER, c=THIRD)
    found = statistics.differences(table, "way", "a", "psnr").set_index("way")
    ps = [stats.ttest_rel(values, BASE).pvalue for values in (OTHER, THIRD)]
    assert found.index.tolist() == ["b", "c"] and found.p.tolist() == pytest.approx(ps)
    larger = max(2 * min(ps), max(ps))
    assert sorted(found.holm) == pytest.approx(sorted([2 * min(ps), larger]))


def test_differences_within_groups_are_one_family():
    """The p of each group's own t-test, the smaller one times two."""
    values = {("gru", "a"): [1.0, 2.0, 3.0], ("gru", "b"): [1.5, 2.4, 3.6], ("lstm", "a"): [0.0, 0.1, 0.0]}
    values["lstm", "b"] = [5.0, 5.2, 5.3]
    values["residual_gru", "b"] = [7.0, 7.1, 7.2]  # without a base: nothing to differ from
    rows = [
        {"cell": cell, "way": way, "seed": seed, "psnr": value}
        for (cell, way), of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    found = statistics.differences(pd.DataFrame(rows), "way", "a", "psnr", within=["cell"]).set_index("cell")
    ps = {cell: stats.ttest_rel(values[cell, "b"], values[cell, "a"]).pvalue for cell in ("gru", "lstm")}
    assert found.way.tolist() == ["b", "b"]
    assert found.p.to_dict() == pytest.approx(ps) and ps["lstm"] < ps["gru"] < 0.05
    assert found.holm.to_dict() == pytest.approx({"gru": ps["gru"], "lstm": 2 * ps["lstm"]})


def test_without_the_base_there_is_no_difference():
    found = statistics.differences(of_seeds("way", b=OTHER, c=THIRD), "way", "a", "psnr", within=["seed"])
    assert found.columns.tolist() == ["seed", "way", "mean", "low", "high", "n", "p", "holm"] and not len(found)


def test_the_test_of_a_mean_is_scipys():
    found = statistics.mean_with_test([0.1, 0.4, 0.2, 0.25])
    low, high = stats.t.interval(0.95, 3, loc=0.2375, scale=stats.sem([0.1, 0.4, 0.2, 0.25]))
    p = 2 * stats.t.sf(0.2375 / stats.sem([0.1, 0.4, 0.2, 0.25]), 3)
    assert found == pytest.approx({"mean": 0.2375, "low": low, "high": high, "n": 4, "p": p})


@pytest.mark.parametrize(("values", "mean"), [([0.3], 0.3), ([], np.nan)])
def test_one_value_and_none_have_no_test(values, mean):
    found = statistics.mean_with_test(values)
    assert found == pytest.approx(
        {"mean": mean, "n": len(values), "low": np.nan, "high": np.nan, "p": np.nan}, nan_ok=True
    )


def test_welch_by_hand():
    """Satterthwaite's degrees of freedom, from the two variances."""
    values, base = np.array([5.0, 6.0, 8.0]), np.array([1.0, 1.5, 0.5, 1.0])
    variances = values.var(ddof=1) / 3, base.var(ddof=1) / 4
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 2 + variances[1] ** 2 / 3)
    difference, error = values.mean() - base.mean(), sum(variances) ** 0.5
    half = stats.t.ppf(0.975, freedom) * error
    expected = {"mean": difference, "n": 3, "low": difference - half, "high": difference + half}
    expected["p"] = 2 * stats.t.sf(abs(difference) / error, freedom)
    assert statistics.welch(values, base) == pytest.approx(expected)
    single = statistics.welch([5.0], base)
    assert single["mean"] == pytest.approx(4.0) and np.isnan([single["low"], single["high"], single["p"]]).all()


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
