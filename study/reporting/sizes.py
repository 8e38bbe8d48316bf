"""The claims at two numbers of images side by side: which verdicts hold at both, and which change."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.experiments import tables
from study.experiments.presets import PRESETS
from study.reporting.style import COLOURS, legend, subplots
from study.reporting.written import count

SMALLER = {"cifar": "excerpt"}  # the same grid on fewer images, which a preset's claims stand beside
UNTESTED = "could not be tested here"
KEPT = ["claim", "wording", "unit", "region_low", "region_high"]
FOUND = ["estimate", "low", "high", "n", "over", "verdict"]


def beside(preset: str, published: bool = False) -> pd.DataFrame:
    """One row per claim in which chance has a part, at a preset and, published, at the smaller one, in their order.

    Columns: `claim`, `wording` (of the larger preset, whose numbers of images it names), `unit`, the region;
    `estimate`, `low`, `high`, `n`, `over` and `verdict` of each preset, with `_large` or `_small` behind; and `same`:
    "yes" or "no", whether the verdicts are, "not known yet" where one of them could not be tested.
    """
    many, few = tables.read(preset, "claims", published), tables.read(SMALLER[preset], "claims", published=True)
    both = many[KEPT + FOUND].merge(few[["claim", *FOUND]], on="claim", suffixes=("_large", "_small"))
    both = both[both.over_small.fillna("").ne("") & both.estimate_large.notna()].reset_index(drop=True)
    untested = both[["verdict_large", "verdict_small"]].eq(UNTESTED).any(axis=1)
    same = pd.Series(np.where(both.verdict_large == both.verdict_small, "yes", "no"))
    return both.assign(same=same.mask(untested, "not known yet"))


def draw(preset: str, published: bool = False) -> Figure:
    """Each difference in MS-SSIM at both presets with its interval; shaded is where the claim says that it lies."""
    rows = beside(preset, published).query("unit == 'MS-SSIM' and region_low <= 0").reset_index(drop=True)
    figure, (axis,) = subplots(1, 1, (6.5, 0.6 + 0.42 * max(1, len(rows))))
    ends = rows[["estimate_large", "estimate_small", "low_large", "low_small", "high_large", "high_small"]]
    span = 1.1 * np.nanmax(ends.abs().to_numpy(float), initial=0.01)
    for place, row in rows.iterrows():
        axis.fill_betweenx(
            [place - 0.4, place + 0.4], max(row.region_low, -span), min(row.region_high, span), color="0.9", lw=0
        )
    for size, offset, name in (("small", -0.15, SMALLER[preset]), ("large", 0.15, preset)):
        mean, low, high = (rows[f"{column}_{size}"] for column in ("estimate", "low", "high"))
        label, colour = f"{count(PRESETS[name].train_size)} images", COLOURS[f"{size} data"]
        axis.errorbar(
            mean, rows.index + offset, xerr=[mean - low, high - mean], fmt="o", ms=4, color=colour, label=label
        )
    axis.set_yticks(rows.index, [textwrap.fill(wording, 62) for wording in rows.wording], fontsize=7.5)
    axis.set(xlabel="difference in MS-SSIM[w3,L4]", xlim=(-span, span))
    axis.axvline(0, color="0.4", lw=0.8)
    axis.invert_yaxis()
    legend(axis, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure
