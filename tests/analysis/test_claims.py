"""The verdicts follow from the tables by one rule, and the report's own numbers are those of its logs."""

import os
import shutil
import string
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis import claims, evidence
from study.experiments import tables
from study.experiments.presets import PRESETS
from study.ground import paths
from study.ground.recipe import OUR_WAY, REPORT_WAY
from study.reporting import figures

LOGS = Path(os.environ.get("REPORTED_DIR") or paths.ROOT.parent / "shared" / "reported")
OF_THE_REPORT = [name for name, preset in PRESETS.items() if preset.batch_sizes]
NOISE = np.array([-2e-4, 1e-4, 0.0, -1e-4, 2e-4])
UNKNOWN = "could not be tested here"
# What no run has a part in: from the report, its logs and `make bench`.
OF_NO_RUN = {
    "batch_size_matters_more_than_seed_in_its_runs",
    "half_beats_double_after_one_epoch_in_its_logs",
    "16_passes_take_thirty_times_as_long",
    "27_million_times_the_data",
}


class Grid:
    """Made-up tables of finished runs: what is put into them must come out."""

    def __init__(self):
        self.runs, self.history, self.rng = [], [], np.random.default_rng(0)

    def add(self, studies, last, first=0.0, **setting):
        """Runs of one setting, one for each seed: their MS-SSIM after the last epoch, and about that after the first.

        PSNR is a hundred times as much; a score that is not a number is that of a run that has diverged.
        """
        for seed, value in enumerate(last):
            run = f"{studies}-{setting}-{seed}".replace(",", ";")
            fields = OUR_WAY | {"width": 0.25, "loss": "ms_ssim", "cell": "lstm", "iterations": 1} | setting
            facts = {"preset": "excerpt", "run": run, "seed": seed, "studies": studies, "status": "done", **fields}
            at_first, colour = self.rng.normal((first, 0.2), 1e-3)
            if np.isnan(value):
                facts |= {"status": "diverged"}
            spreads = {"colour_spread": colour + 0 * value, "data_colour_spread": 1.0}
            self.runs.append(dict.fromkeys(tables.RUNS, 1) | facts | spreads)
            for epoch, score in enumerate((at_first, (at_first + value) / 2, value), 1):
                scores = {"psnr": 100 * score, "ms_ssim": score, "report_score": score, "ssim": score}
                for n in range(facts["iterations"]):
                    row = facts | scores | {"epoch": epoch, "split": "validation", "bpp": (n + 1) / 8}
                    self.history.append(dict.fromkeys(tables.HISTORY, 1) | row)
        return self

    def write(self):
        for name, rows in (("runs", self.runs), ("history", self.history)):
            table = pd.DataFrame(rows, columns=tables.SCHEMA[name]) if not rows else pd.DataFrame(rows)
            tables.write("excerpt", name, table)

    def judge(self):
        self.write()
        return tables.write("excerpt", "claims", claims.judge("excerpt")).set_index("claim")


@pytest.fixture
def judged(output):
    """Verdicts that are built in."""
    grid = Grid()
    for size, last in {32: 0.70 + NOISE, 128: 0.72 - NOISE, 1024: 0.60 + 2 * NOISE}.items():
        grid.add("batch_size", last, first=0.5 - size / 10_000, batch_size=size)
    for size, last in {4726: 0.68 + 90 * NOISE, 9453: 0.68 - 90 * NOISE, 18906: [0.75]}.items():
        grid.add("train_size", last, train_size=size)
    grid.add("collapse", [0.1] * 20, **REPORT_WAY).add("collapse", [0.5] * 20, **OUR_WAY)
    for row in grid.runs:
        is_theirs = row["studies"] == "collapse" and row["schedule"] == "constant"
        row["status"] = "collapsed" if is_theirs and row["seed"] < 19 else "done"
    return grid.judge()


def test_verdicts_are_those_that_were_built_in(judged):
    assert judged.verdict["larger_batches_start_worse"] == "holds"
    assert judged.verdict["larger_batches_end_level_or_better"] == "does not hold"
    assert judged.verdict["middle_batch_beats_small"] == "holds"
    assert judged.verdict["middle_batch_beats_large"] == "holds"
    assert judged.verdict["all_images_worse_than_half"] == "cannot tell"
    assert judged.verdict["all_images_worse_than_double"] == UNKNOWN  # one seed
    assert judged.verdict["rotation_helps"] == UNKNOWN  # no runs
    assert judged.verdict["27_million_times_the_data"] == "does not hold"
    assert judged.wording["larger_batches_start_worse"].startswith("After one epoch a batch size of 1,024 is behind 32")


def test_estimates_are_scipys(judged):
    row = judged.loc["middle_batch_beats_small"]
    expected = stats.ttest_1samp(0.02 - 2 * NOISE, 0.0)
    bounds = expected.confidence_interval(0.95)
    assert (row.estimate, row.low, row.high) == pytest.approx((0.02, bounds.low, bounds.high), rel=1e-4)
    assert row.p == pytest.approx(expected.pvalue, rel=1e-4) and row.n == 5 and row.over == "seeds"


def test_all_tests_are_one_family_by_holms_method(judged):
    known = judged.p.dropna().sort_values()
    assert len(known) > 4
    corrected = np.maximum.accumulate(known * np.arange(len(known), 0, -1)).clip(upper=1)  # Holm (1979)
    np.testing.assert_allclose(judged.holm[known.index], corrected, rtol=1e-4)
    assert judged.holm[judged.p.isna()].isna().all()


def test_collapses_are_counted_and_tested_exactly(judged):
    row = judged.loc["collapse_comes_from_its_way_to_train"]
    assert row.estimate == pytest.approx(0.95) and row.verdict == "holds" and row.n == 40 and row.over == "runs"
    assert row.p == pytest.approx(stats.fisher_exact([[19, 1], [0, 20]]).pvalue, rel=1e-4)
    assert 0.7 < row.low < 0.95 < row.high < 1


def test_a_region_with_two_bounds_is_held_only_well_inside():
    rng = np.random.default_rng(0)
    narrow, wide = (pd.Series(0.96 + scale * rng.normal(size=5)).rename_axis("seed") for scale in (1e-4, 2e-2))
    region = {"region_low": 0.95, "region_high": 0.98}
    found = [region | claims._estimate((0.95, 0.98), values) for values in (narrow, wide, narrow - 0.05)]
    table = pd.DataFrame(found).assign(holm=lambda rows: rows.p)
    assert [claims._verdict(row) for row in table.itertuples()] == ["holds", "cannot tell", "does not hold"]
    p = max(stats.ttest_1samp(narrow, bound).pvalue for bound in (0.95, 0.98))
    assert table.p[0] == pytest.approx(p) and table.p[2] == pytest.approx(stats.ttest_1samp(narrow - 0.05, 0.95).pvalue)


def whole_grid(diverged=()):
    """Runs for every claim that runs decide, five seeds each; `diverged` names (studies, seed, setting) that have not
    come to an end.
    """
    grid = Grid()

    def add(studies, last, first=0.3, **setting):
        last = last + grid.rng.normal(scale=1e-4, size=5)
        for lost, seed, where in diverged:
            if lost == studies and where.items() <= setting.items():
                last[seed] = np.nan
        grid.add(studies, last, first, **setting)

    for size in (32, 64, 128, 512, 1024):
        add("batch_size", 0.8 - size / 1e4, batch_size=size)
        add("equal_steps", 0.7 + size / 1e4, batch_size=size)
    for size in (4726, 9453, 18906, 37812):
        add("train_size", 0.6 + size / 1e6, train_size=size)
    for augmentation in ("rotation", "flip"):
        add("train_control", 0.55, augmentation=augmentation)
    for loss in ("ms_ssim", "report", "l1", "l2"):
        for way in (OUR_WAY, REPORT_WAY):
            add("loss", 0.65, loss=loss, **way)
    for way in (OUR_WAY, REPORT_WAY):
        add("collapse", 0.4, **way)
    for cell, gain in (("lstm", 0.0), ("gru", 0.02)):
        for passes in (1, 2, 8):
            add("passes", 0.5 + gain, cell=cell, iterations=passes)
    return grid


# The claims that a run has a part in by its end. After its first epoch one that has diverged later still has a number.
PARTS = [
    (
        ("batch_size", 3, {"batch_size": 1024}),
        "larger_batches_end_level_or_better middle_batch_beats_large batch_size_matters_more_than_seed",
    ),
    (
        ("batch_size", 0, {"batch_size": 32}),
        "larger_batches_end_level_or_better middle_batch_beats_small batch_size_matters_more_than_seed",
    ),
    (
        ("batch_size", 4, {"batch_size": 128}),
        "middle_batch_beats_small middle_batch_beats_large validation_jumps_at_128 batch_size_matters_more_than_seed",
    ),
    (("batch_size", 1, {"batch_size": 512}), "validation_drops_at_512 batch_size_matters_more_than_seed"),
    (("equal_steps", 1, {"batch_size": 32}), "larger_batches_end_better_at_equal_steps"),
    (("train_size", 2, {"train_size": 9453}), "all_images_worse_than_half all_images_worse_than_double"),
    (("train_size", 2, {"train_size": 37812}), "rotation_helps rotation_beats_flips"),
    (("train_control", 2, {"augmentation": "flip"}), "rotation_beats_flips"),
    (("loss", 0, {"loss": "report", **OUR_WAY}), "quality_of_95_to_98_percent quality_of_95_percent_by_ms_ssim"),
    (("loss", 0, {"loss": "ms_ssim", **OUR_WAY}), "near_grey_colours grey_comes_from_the_loss"),
    (("loss", 0, {"loss": "l1", **OUR_WAY}), "l1_returns_the_mean_image_in_our_way grey_comes_from_the_loss"),
    (("loss", 0, {"loss": "l1", **REPORT_WAY}), "l1_returns_the_mean_image_in_its_way"),
    (("passes", 4, {"cell": "gru", "iterations": 8}), "gru_better_at_8_passes"),
    (("passes", 4, {"cell": "lstm", "iterations": 1}), "gru_better_at_1_pass"),
]


@pytest.mark.parametrize(("lost", "names"), PARTS, ids=lambda value: str(value)[:60])
def test_a_run_that_diverged_leaves_no_verdict_and_not_one_of_the_other_seeds(lost, names, output):
    whole = whole_grid().judge()
    judged = whole_grid([lost]).judge()
    spoiled = judged.index.isin(names.split())
    assert spoiled.sum() == len(names.split())
    assert set(judged[spoiled].verdict) == {UNKNOWN} and UNKNOWN not in set(whole[spoiled].verdict)
    assert judged[spoiled].estimate.isna().all()
    np.testing.assert_array_equal(judged[~spoiled].estimate, whole[~spoiled].estimate)


@pytest.mark.parametrize("preset", OF_THE_REPORT)
def test_every_claim_has_words_a_figure_and_a_measurement_at_every_preset(preset, output):
    """Of empty tables: what needs no run is said, and all else could not be tested."""
    for name in ("runs", "history"):
        tables.write(preset, name, pd.DataFrame(columns=tables.SCHEMA[name]))
    judged = claims.judge(preset).set_index("claim")
    assert len(judged) == len(claims.CLAIMS) >= 16 and judged.index.is_unique
    assert set(judged.index[judged.verdict != UNKNOWN]) == OF_NO_RUN
    sizes = PRESETS[preset]
    wording = judged.wording["larger_batches_start_worse"]
    assert wording.startswith(
        f"After one epoch a batch size of {max(sizes.batch_sizes):,} is behind {sizes.batch_sizes[0]}"
    )
    for claim in claims.CLAIMS:
        words, text = judged.wording[claim.name], "".join(part for part, *_ in string.Formatter().parse(claim.wording))
        assert claim.place and claim.unit and words.endswith(".") and "{" not in words and "}" not in words
        assert len(words) >= len(text)
    assert (judged.region_low < judged.region_high).all()


def test_the_figure_of_every_claim_is_one_that_is_drawn():
    assert {claim.figure for claim in claims.CLAIMS if claim.figure} <= set(figures.names("excerpt", published=True))


def test_the_published_verdicts_are_those_of_the_published_tables(output):
    shutil.copytree(paths.published_tables("excerpt"), paths.tables("excerpt"))
    tables.write("excerpt", "claims", claims.judge("excerpt"))
    assert (
        tables.path("excerpt", "claims").read_text() == (paths.published_tables("excerpt") / "claims.csv").read_text()
    )


@pytest.fixture
def said():
    """What the report says, in its own curves and in passing."""
    quantities = pd.read_csv(paths.QUANTITIES).set_index("quantity").value
    return SimpleNamespace(reported=pd.read_csv(paths.REPORTED, keep_default_na=False), q=quantities)


def test_what_the_reports_numbers_say(said):
    """Replicates span .026 against .048 over batch sizes; 27,000 times the data, not 27 million."""
    assert evidence.their_seed_share(said) == pytest.approx(0.026 / 0.048)
    assert evidence.data_ratio(said) == pytest.approx(27_000)
    assert evidence.their_difference(said, "train_size", 50_000, 200_000, epoch=1) < 0


def test_the_reports_numbers_are_those_of_its_logs(said):
    if not LOGS.is_dir():
        pytest.skip("the report's logs are not here; REPORTED_DIR names a folder that holds them")
    names = {"batch_size": "batch", "train_size": "train", "residual_n": "n"}
    for row in said.reported.itertuples():
        log = pd.read_csv(LOGS / f"ssim_{names[row.study]}_{row.setting}.csv").iloc[row.epoch - 1]
        prefix = "val_" if row.split == "validation" else ""
        assert row.ssim_max_val_2 == pytest.approx(1 - np.sqrt(log[f"{prefix}SSIMLoss"]), abs=5.1e-4)
        assert row.report_score == pytest.approx(1 - log[f"{prefix}SSIMLoss"], abs=5.1e-4)
        assert row.psnr == pytest.approx(np.sqrt(log[f"{prefix}PSNRLoss"]), abs=5.1e-3)


def test_a_collapsed_run_is_not_left_out(output):
    """Scores of collapsed runs count like any other's."""
    grid = Grid().add("batch_size", [0.7, 0.1], batch_size=32)
    grid.runs[1]["status"] = "collapsed"
    grid.write()
    found = evidence.read("excerpt")
    assert evidence.scores(found, "batch_size", "ms_ssim", batch_size=32).tolist() == [0.7, 0.1]


def test_a_run_of_two_studies_speaks_in_both(output):
    """The middle batch size is trained once, for the studies of batch size and of training sets."""
    Grid().add("batch_size train_size", [0.7], batch_size=128, train_size=9453).write()
    found = evidence.read("excerpt")
    for study, setting in (("batch_size", {"batch_size": 128}), ("train_size", {"train_size": 9453})):
        assert evidence.scores(found, study, "ms_ssim", **setting).tolist() == [0.7]
    assert evidence.scores(found, "loss", "ms_ssim", batch_size=128).empty


def test_steps_between_epochs_are_the_steepest_ones(output):
    grid = Grid().add("batch_size", [0.5, 0.5], batch_size=512)
    psnr = {0: (10.0, 14.0, 13.5), 1: (10.0, 9.0, 12.0)}  # by epoch, of each seed
    for row in grid.history:
        row["psnr"] = psnr[row["seed"]][row["epoch"] - 1]
    grid.write()
    found = evidence.read("excerpt")
    assert evidence.steepest(found, 512, -1).tolist() == [0.5, 1.0]
    assert evidence.steepest(found, 512, 1).tolist() == [4.0, 3.0]
    assert evidence.steepest(found, 512, 1, first=2).tolist() == [-0.5, 3.0]


def test_cells_share_no_weight_and_are_compared_by_welchs_test(output):
    """A grid under way too, with seeds of one cell alone."""
    cells = {"gru": [0.210, 0.206], "lstm": [0.200, 0.201, 0.199]}
    grid = Grid()
    for cell, of_seeds in cells.items():
        grid.add("passes", of_seeds, cell=cell, iterations=1)
    row = grid.judge().loc["gru_better_at_1_pass"]
    expected = stats.ttest_ind(*(100 * np.array(cells[cell]) / 0.2 for cell in ("gru", "lstm")), equal_var=False)
    bounds = expected.confidence_interval(0.95)
    assert (row.estimate, row.low, row.high) == pytest.approx((4.0, bounds.low, bounds.high), rel=1e-4)
    assert row.p == pytest.approx(expected.pvalue, rel=1e-4) and row.n == 5 and row.over == "runs"


def test_edges_are_a_rank_correlation_over_images(output):
    rng = np.random.default_rng(0)
    energy = rng.random(60)
    rows = {"preset": "excerpt", "run": "r", "image": range(60), "in_training": 0, "gradient_energy": energy}
    edges = pd.DataFrame(rows | {"psnr": -energy, "ms_ssim": energy**2 + rng.normal(scale=0.2, size=60)})
    edges = tables.write("excerpt", "edges", edges)
    judged = Grid().judge()
    row = judged.loc["better_on_contrasting_edges"]
    expected = stats.spearmanr(edges.gradient_energy, edges.ms_ssim)
    assert (row.estimate, row.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-4)
    assert row.n == 60 and row.over == "images" and row.low < row.estimate < row.high and row.verdict == "holds"
    assert judged.verdict["better_on_contrasting_edges_in_psnr"] == "does not hold"


def test_numbers_without_chance_are_compared_as_they_are(output):
    network = {"preset": "excerpt", "never_trained": 0, "bpp": 2, "network": "this study", "passes": 16}
    tables.write("excerpt", "networks", pd.DataFrame([network | {"parameters": 30_225_283}]))
    sizes = [{"preset": "excerpt", "train_size": 400_000, "images": 1, "index_bytes": 1, "copied_bytes": 4.9e9}]
    tables.write("excerpt", "memory", pd.DataFrame(sizes))
    judged = Grid().add("passes", [0.5], cell="gru", iterations=8).judge()
    facts = judged[["estimate", "n", "over", "verdict"]].apply(tuple, axis=1)
    assert facts["16_passes_need_a_billion_parameters"] == (pytest.approx(0.0302253), 1, "", "does not hold")
    assert facts["400_k_images_do_not_fit_the_memory"] == (4.9, 1, "", "does not hold")
    assert facts["more_passes_mean_fewer_bits"] == (0.125, 1, "", "does not hold")
    speed = pd.read_csv(paths.published_tables("benchmarks") / "training.csv")
    speed = speed[(speed.width == 1) & (speed.batch_size == 32) & (speed.network == "this study")]
    times = speed.set_index("iterations").images_a_second
    assert facts["16_passes_take_thirty_times_as_long"][0] == pytest.approx(times[1] / times[16], rel=1e-5)
