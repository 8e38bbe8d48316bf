"""Every claim of the report, and what it did not see, judged by one rule from the tables.

A claim says in which region a quantity lies; `paper/claims.csv` has its words. Its estimate is the mean over seeds. It
holds where a t-test puts the quantity inside the region, does not hold where one puts it outside; else nobody can tell.
The tests of all claims are one family, corrected by Holm's method at 5 %. A quantity without chance in it, such as a
number of parameters, is compared as it is. Where there are no runs, or one seed, nothing could be tested.
"""

import numpy as np
import pandas as pd

from study import evidence as e
from study import paths, settings, statistics
from study.presets import COLLAPSE_MARGIN, OURS, REPORTS, preset

LEVEL_MARGIN = 0.01  # of MS-SSIM: what is nearer counts as level
BELOW, ABOVE = (-np.inf, 0.0), (0.0, np.inf)


def judge(preset_name: str) -> pd.DataFrame:
    """The rows of `claims.csv`: each claim with its estimate, interval, n, corrected p and verdict."""
    found, words = e.read(preset_name), pd.read_csv(paths.CLAIMS, keep_default_na=False)
    measured = {name: (region, measure(found)) for name, (region, measure) in _claims(preset_name, found).items()}
    rows = [row._asdict() | _estimate(*measured[row.claim]) for row in words.itertuples(index=False)]
    table = pd.DataFrame(rows).assign(preset=preset_name)
    table["wording"] = [text.format(**_settings(preset_name), q=found["quantities"]) for text in table.wording]
    table["holm"] = statistics.holm(table.p)
    return table.assign(verdict=[_verdict(row) for row in table.itertuples()])


def _settings(preset_name):
    p = preset(preset_name)
    names = {"small": min(p.batch_sizes), "middle": p.batch_size, "large": max(p.batch_sizes)}
    names |= dict(zip(("half", "whole", "double"), (*p.train_sizes, 0), strict=False))
    return names | {"margin": LEVEL_MARGIN, "collapse": COLLAPSE_MARGIN, "epochs": settings.COLLAPSE_EPOCHS}


def _claims(preset_name, found):
    """The region and the measurement of each claim, by name, at the settings that a preset has."""
    s, q = _settings(preset_name), found["quantities"]
    large_small, middle_small = (s["large"], s["small"]), (s["middle"], s["small"])
    half, whole, double = s["half"], s["whole"], s["double"]
    ours, theirs = (dict(zip(("gain", "schedule"), way, strict=True)) for way in (OURS, REPORTS))
    return {
        "larger batches start worse": (BELOW, lambda t: e.batch_sizes(t, "batch_size", *large_small, epoch=1)),
        "larger batches end level or better": (
            (-LEVEL_MARGIN, np.inf),
            lambda t: e.batch_sizes(t, "batch_size", *large_small),
        ),
        "larger batches end better at equal steps": (ABOVE, lambda t: e.batch_sizes(t, "equal_steps", *large_small)),
        "a sweet spot: better than small batches": (ABOVE, lambda t: e.batch_sizes(t, "batch_size", *middle_small)),
        "a sweet spot: better than large batches": (
            ABOVE,
            lambda t: e.batch_sizes(t, "batch_size", s["middle"], s["large"]),
        ),
        "validation drops at 512": ((q.fall_at_512 / 2, np.inf), lambda t: e.steepest(t, 512, -1)),
        "validation jumps at 128": ((q.rise_at_128 / 2, np.inf), lambda t: e.steepest(t, 128, 1, first=2)),
        "batch size matters more than the seed": ((0.0, 0.5), e.seed_share),
        "batch size matters more than the seed, in its own runs": ((0.0, 0.5), e.their_seed_share),
        "100 k worse than 50 k": (BELOW, lambda t: e.train_sizes(t, whole, half)),
        "100 k worse than 200 k": (BELOW, lambda t: e.train_sizes(t, whole, double)),
        "after one epoch 50 k beats 200 k": (ABOVE, lambda t: e.train_sizes(t, half, double, epoch=1)),
        "after one epoch 50 k beats 200 k, in its own logs": (
            ABOVE,
            lambda t: e.their_difference(t, "train_size", 50_000, 200_000, epoch=1),
        ),
        "rotation helps": (ABOVE, lambda t: e.control(t, "rotation")),
        "rotation is the better augmentation": (ABOVE, lambda t: e.control(t, "flip")),
        "L1 returns the average image": (
            (-np.inf, COLLAPSE_MARGIN),
            lambda t: e.above_mean_image(t, loss="l1", **theirs),
        ),
        "the average image is L1's doing": (
            (-np.inf, COLLAPSE_MARGIN),
            lambda t: e.above_mean_image(t, loss="l1", **ours),
        ),
        "95 to 98 % quality": (
            (q.score_low, q.score_high),
            lambda t: e.scores(t, "loss", "report_score", loss="report", **ours),
        ),
        "95 to 98 % quality by MS-SSIM": (
            (q.score_low, 1.0),
            lambda t: e.scores(t, "loss", "ms_ssim", loss="report", **ours),
        ),
        "near-grey colours": ((0.0, 0.5), lambda t: e.colour_share(t, loss="ms_ssim", **ours)),
        "the grey is the loss's doing": (
            ABOVE,
            lambda t: e.difference(*(e.colour_share(t, loss=loss, **ours) for loss in ("l1", "ms_ssim"))),
        ),
        "collapse comes from how it trained": (ABOVE, e.more_collapses),
        "better on contrasting edges": (ABOVE, lambda t: e.edges(t, "ms_ssim")),
        "better on contrasting edges, in PSNR": (ABOVE, lambda t: e.edges(t, "psnr")),
        "16 passes need a billion parameters": ((0.9, np.inf), lambda t: e.parameters(t, "this study", 16)),
        "16 passes take thirty times as long": ((20.0, 45.0), e.slowdown),
        "400 k images do not fit the memory": ((q.memory, np.inf), lambda t: e.memory(t, 400_000)),
        "more passes mean fewer bits": (BELOW, e.bits_a_pass),
        "GRU cells are better, at 1 pass": (ABOVE, lambda t: e.gru_gain(t, 1)),
        "GRU cells are better, at 8 passes": (ABOVE, lambda t: e.gru_gain(t, 8)),
        "27 million times the data": ((20e6, np.inf), e.data_ratio),
    }


def _estimate(region, measured):
    bounds = {"region_low": region[0], "region_high": region[1]}
    if isinstance(measured, float):
        return bounds | {"estimate": measured, "low": measured, "high": measured, "n": 1, "over": "", "p": np.nan}
    if isinstance(measured, tuple):
        return bounds | dict(zip(("estimate", "low", "high", "n", "over", "p"), measured, strict=True))
    if measured.empty:
        return bounds | {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0, "over": "seeds", "p": np.nan}
    over = f"{measured.index.name}s".replace("_", " ")
    mean = statistics.interval(measured.rename("x").to_frame().assign(all=0), ["all"], "x").loc[0]
    mean = {"estimate": mean["mean"], "low": mean.low, "high": mean.high, "n": int(mean.n), "over": over}
    return bounds | mean | {"p": _p(measured, region)}


def _p(values, region):
    """Of the t-tests that the mean is at the region's bound: the nearest one from outside, all of them from inside."""
    mean, bounds = values.mean(), [bound for bound in region if np.isfinite(bound)]
    inside = region[0] <= mean <= region[1]
    tested = bounds if inside else sorted(bounds, key=lambda bound: abs(bound - mean))[:1]
    return max(statistics.zero_mean(values - bound) for bound in tested)


def _verdict(row):
    if np.isnan(row.estimate) or (row.over and np.isnan(row.holm)):
        return "could not be tested here"
    if row.over and row.holm >= 1 - statistics.LEVEL:
        return "cannot tell"
    return "holds" if row.region_low <= row.estimate <= row.region_high else "does not hold"
