"""Every claim of the report, and what it did not see, judged by one rule from the tables.

A claim says in which region a quantity lies. Its estimate is the mean over seeds. It holds where a t-test puts the
quantity inside the region, does not hold where one puts it outside; else nobody can tell. The tests of all claims are
one family, corrected by Holm's method at 5 %: the probability of one or more false verdicts is at most 5 %. A quantity
without chance in it, such as a number of parameters, is compared as it is. Where there are no runs, or one seed, or a
run has diverged and so has no number, nothing could be tested.

To add a claim, add an object to CLAIMS. Notebook 08 judges them all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.analysis import evidence as e
from study.analysis.evidence import Evidence
from study.experiments import studies
from study.ground import statistics
from study.ground.recipe import COLLAPSE_MARGIN, OUR_WAY, REPORT_WAY

LEVEL_MARGIN = 0.01  # of MS-SSIM: what is nearer counts as level
BELOW, ABOVE = (-np.inf, 0.0), (0.0, np.inf)


@dataclass(frozen=True)
class Claim:
    """One statement about one quantity."""

    name: str
    place: str  # in the report, or "not in it"
    wording: str  # with the names of `Evidence` in braces
    unit: str
    region: tuple[float, float] | Callable[[Evidence], tuple[float, float]]  # in which the quantity is said to lie
    measure: Callable[[Evidence], object]  # one of the functions of `study.analysis.evidence`
    figure: str = ""  # that shows it


CLAIMS = (
    Claim(
        name="larger_batches_start_worse",
        place="III.B",
        wording="After one epoch a batch size of {large:,} is behind {small} in MS-SSIM.",
        unit="MS-SSIM",
        region=BELOW,
        measure=lambda t: e.batch_sizes(t, "batch_size", t.large, t.small, epoch=1),
        figure="batch_size_quality",
    ),
    Claim(
        name="larger_batches_end_level_or_better",
        place="III.B",
        wording=(
            f"After all epochs {{large:,}} is ahead of {{small}} in MS-SSIM, or behind by less than {LEVEL_MARGIN}."
        ),
        unit="MS-SSIM",
        region=(-LEVEL_MARGIN, np.inf),
        measure=lambda t: e.batch_sizes(t, "batch_size", t.large, t.small),
        figure="batch_size_quality",
    ),
    Claim(
        name="larger_batches_end_better_at_equal_steps",
        place="not in it",
        wording="After equally many steps {large:,} is ahead of {small} in MS-SSIM.",
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.batch_sizes(t, "equal_steps", t.large, t.small),
        figure="batch_size_protocols",
    ),
    Claim(
        name="middle_batch_beats_small",
        place="II.C, III.B",
        wording="A batch size of {middle} ends with a higher MS-SSIM than {small}.",
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.batch_sizes(t, "batch_size", t.middle, t.small),
        figure="batch_size_protocols",
    ),
    Claim(
        name="middle_batch_beats_large",
        place="II.C, III.B",
        wording="A batch size of {middle} ends with a higher MS-SSIM than {large:,}.",
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.batch_sizes(t, "batch_size", t.middle, t.large),
        figure="batch_size_protocols",
    ),
    Claim(
        name="validation_drops_at_512",
        place="III.B",
        wording=(
            "At batch size 512 validation PSNR falls from one epoch to the next, once, by at least half of the "
            "{q.fall_at_512} dB it fell there."
        ),
        unit="dB",
        region=lambda t: (t.q.fall_at_512 / 2, np.inf),
        measure=lambda t: e.steepest(t, 512, -1),
        figure="batch_size_psnr",
    ),
    Claim(
        name="validation_jumps_at_128",
        place="III.B",
        wording=(
            "At batch size 128 validation PSNR rises from one epoch to the next, after the second, by at least half of "
            "the {q.rise_at_128} dB it rose there."
        ),
        unit="dB",
        region=lambda t: (t.q.rise_at_128 / 2, np.inf),
        measure=lambda t: e.steepest(t, 128, 1, first=2),
        figure="batch_size_psnr",
    ),
    Claim(
        name="batch_size_matters_more_than_seed",
        place="not in it",
        wording="The report's score spans over seeds at most half of what it spans over batch sizes.",
        unit="of the span over batch sizes",
        region=(0.0, 0.5),
        measure=e.seed_share,
        figure="batch_size_quality",
    ),
    Claim(
        name="batch_size_matters_more_than_seed_in_its_runs",
        place="not in it",
        wording=(
            "The same of the report's logs: its replicates at 512, without the collapsed one, and its five batch sizes."
        ),
        unit="of the span over batch sizes",
        region=(0.0, 0.5),
        measure=e.their_seed_share,
    ),
    Claim(
        name="all_images_worse_than_half",
        place="III.B",
        wording="All {whole:,} images end with a lower MS-SSIM than half of them, {half:,}.",
        unit="MS-SSIM",
        region=BELOW,
        measure=lambda t: e.train_sizes(t, t.whole, t.half),
        figure="train_size_quality",
    ),
    Claim(
        name="all_images_worse_than_double",
        place="III.B",
        wording="All {whole:,} images end with a lower MS-SSIM than twice as many by rotation, {double:,}.",
        unit="MS-SSIM",
        region=BELOW,
        measure=lambda t: e.train_sizes(t, t.whole, t.double),
        figure="train_size_quality",
    ),
    Claim(
        name="half_beats_double_after_one_epoch",
        place="IV.A",
        wording="After one epoch {half:,} images are ahead of {double:,} in MS-SSIM.",
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.train_sizes(t, t.half, t.double, epoch=1),
        figure="train_size_quality",
    ),
    Claim(
        name="half_beats_double_after_one_epoch_in_its_logs",
        place="IV.A",
        wording="After one epoch the report's logs have 50 k ahead of 200 k in SSIM (`max_val` 2).",
        unit="SSIM",
        region=ABOVE,
        measure=lambda t: e.their_difference(t, "train_size", 50_000, 200_000, epoch=1),
    ),
    Claim(
        name="rotation_helps",
        place="III.B",
        wording=(
            "Four times the images by rotation end with a higher MS-SSIM than the originals alone, with as many images "
            "seen."
        ),
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.control(t, "rotation"),
        figure="train_size_controls",
    ),
    Claim(
        name="rotation_beats_flips",
        place="III.B",
        wording="Four times the images by rotation end with a higher MS-SSIM than by flips.",
        unit="MS-SSIM",
        region=ABOVE,
        measure=lambda t: e.control(t, "flip"),
        figure="train_size_controls",
    ),
    Claim(
        name="l1_returns_the_mean_image_in_its_way",
        place="II.B",
        wording=f"Trained with L1 as the report trains, a network ends within {COLLAPSE_MARGIN} dB of the mean image.",
        unit="dB above the mean image",
        region=(-np.inf, COLLAPSE_MARGIN),
        measure=lambda t: e.above_mean_image(t, loss="l1", **REPORT_WAY),
        figure="loss_colour",
    ),
    Claim(
        name="l1_returns_the_mean_image_in_our_way",
        place="II.B",
        wording=f"With our recipe, a network trained with L1 also ends within {COLLAPSE_MARGIN} dB of the mean image.",
        unit="dB above the mean image",
        region=(-np.inf, COLLAPSE_MARGIN),
        measure=lambda t: e.above_mean_image(t, loss="l1", **OUR_WAY),
        figure="loss_colour",
    ),
    Claim(
        name="quality_of_95_to_98_percent",
        place="IV.B",
        wording=(
            "The report's score after training with the report's loss is between {q.score_low} and {q.score_high}."
        ),
        unit="report's score",
        region=lambda t: (t.q.score_low, t.q.score_high),
        measure=lambda t: e.scores(t, "loss", "report_score", loss="report", **OUR_WAY),
        figure="loss_colour",
    ),
    Claim(
        name="quality_of_95_percent_by_ms_ssim",
        place="IV.B",
        wording="MS-SSIM of the same pictures is at least {q.score_low}.",
        unit="MS-SSIM",
        region=lambda t: (t.q.score_low, 1.0),
        measure=lambda t: e.scores(t, "loss", "ms_ssim", loss="report", **OUR_WAY),
        figure="loss_colour",
    ),
    Claim(
        name="near_grey_colours",
        place="IV.B",
        wording="Trained with MS-SSIM, pictures keep less than half of the originals' colour spread.",
        unit="of the originals' colour",
        region=(0.0, 0.5),
        measure=lambda t: e.colour_share(t, loss="ms_ssim", **OUR_WAY),
        figure="loss_colour",
    ),
    Claim(
        name="grey_comes_from_the_loss",
        place="not in it",
        wording="L1 keeps more of the colour than MS-SSIM.",
        unit="of the originals' colour",
        region=ABOVE,
        measure=lambda t: e.difference(*(e.colour_share(t, loss=loss, **OUR_WAY) for loss in ("l1", "ms_ssim"))),
        figure="loss_colour",
    ),
    Claim(
        name="collapse_comes_from_its_way_to_train",
        place="not in it",
        wording=(
            f"More networks have collapsed after {studies.COLLAPSE_EPOCHS} epochs of the report's way to train than of "
            "ours."
        ),
        unit="of the runs",
        region=ABOVE,
        measure=e.more_collapses,
        figure="collapse_ends",
    ),
    Claim(
        name="better_on_contrasting_edges",
        place="IV.B",
        wording="Images with more gradient energy come back with a higher MS-SSIM.",
        unit="rank correlation",
        region=ABOVE,
        measure=lambda t: e.edges(t, "ms_ssim"),
        figure="edges",
    ),
    Claim(
        name="better_on_contrasting_edges_in_psnr",
        place="IV.B",
        wording="Images with more gradient energy come back with a higher PSNR.",
        unit="rank correlation",
        region=ABOVE,
        measure=lambda t: e.edges(t, "psnr"),
        figure="edges",
    ),
    Claim(
        name="16_passes_need_a_billion_parameters",
        place="II.B, II.D.2",
        wording="The network has at least 0.9 billion parameters at 16 passes.",
        unit="billion parameters",
        region=(0.9, np.inf),
        measure=lambda t: e.parameters(t, "this study", 16),
    ),
    Claim(
        name="16_passes_take_thirty_times_as_long",
        place="II.D.2",
        wording="An image takes, to train, between 20 and 45 times as long in 16 passes as in one.",
        unit="times",
        region=(20.0, 45.0),
        measure=e.slowdown,
    ),
    Claim(
        name="400_k_images_do_not_fit_the_memory",
        place="II.D.3",
        wording=(
            "400,000 images, copied as 32-bit floats, need more than the {q.memory:g} GB of the report's machine."
        ),
        unit="GB",
        region=lambda t: (t.q.memory, np.inf),
        measure=lambda t: e.memory(t, 400_000),
    ),
    Claim(
        name="more_passes_mean_fewer_bits",
        place="II.D.2",
        wording="A further pass takes bits away.",
        unit="bits per pixel and pass",
        region=BELOW,
        measure=e.bits_per_pass,
        figure="passes_rate",
    ),
    Claim(
        name="gru_better_at_1_pass",
        place="II.A",
        wording=(
            "GRUs end with a higher PSNR than LSTMs after one pass; the report quotes {q.gru_gain} %, of an area under "
            "a curve."
        ),
        unit="% of the PSNR",
        region=ABOVE,
        measure=lambda t: e.gru_gain(t, 1),
        figure="passes_rate",
    ),
    Claim(
        name="gru_better_at_8_passes",
        place="II.A",
        wording="GRUs end with a higher PSNR than LSTMs after eight passes.",
        unit="% of the PSNR",
        region=ABOVE,
        measure=lambda t: e.gru_gain(t, 8),
        figure="passes_rate",
    ),
    Claim(
        name="27_million_times_the_data",
        place="II.D.3",
        wording=(
            "The web images make at least 20 million tiles for each of the report's {q.their_images:,.0f} images."
        ),
        unit="times",
        region=(20e6, np.inf),
        measure=e.data_ratio,
    ),
)


def judge(preset: str) -> pd.DataFrame:
    """The rows of `claims.csv`: each claim with its estimate, interval, n, corrected p and verdict."""
    found = e.read(preset)
    table = pd.DataFrame([_row(claim, found) for claim in CLAIMS]).assign(preset=preset)
    table["holm"] = statistics.holm(table.p)
    return table.assign(verdict=[_verdict(row) for row in table.itertuples()])


def _row(claim, found):
    low, high = claim.region(found) if callable(claim.region) else claim.region
    facts = {"claim": claim.name, "place": claim.place, "wording": claim.wording.format(**vars(found))}
    facts |= {"unit": claim.unit, "figure": claim.figure, "region_low": low, "region_high": high}
    return facts | _estimate((low, high), claim.measure(found))


def _estimate(region, measured):
    """Estimate, bounds, n, over what it varies, and p, of what a measurement gives."""
    if isinstance(measured, float):
        return {"estimate": measured, "low": measured, "high": measured, "n": 1, "over": "", "p": np.nan}
    if isinstance(measured, e.Tested):
        return vars(measured)
    over = f"{measured.index.name or 'seed'}s".replace("_", " ")
    found = statistics.mean_with_test(measured)
    estimate = {"estimate": found["mean"], "low": found["low"], "high": found["high"], "n": found["n"], "over": over}
    return estimate | {"p": _p(measured, region)}


def _nearest_bound(estimate, region):
    return min((bound for bound in region if np.isfinite(bound)), key=lambda bound: abs(bound - estimate))


def _p(values, region):
    """Of the t-tests that the mean is at the region's bound: the nearest one from outside, all of them from inside."""
    if len(values) < 2:
        return np.nan
    mean, bounds = values.mean(skipna=False), [bound for bound in region if np.isfinite(bound)]
    tested = bounds if region[0] <= mean <= region[1] else [_nearest_bound(mean, region)]
    return max(statistics.mean_with_test(values - bound)["p"] for bound in tested)


def _verdict(row):
    if np.isnan(row.estimate) or (row.over and np.isnan(row.holm)):
        return "could not be tested here"
    if row.over and row.holm >= 1 - statistics.LEVEL:
        return "cannot tell"
    return "holds" if row.region_low <= row.estimate <= row.region_high else "does not hold"
