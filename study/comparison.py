"""Rate and distortion summed up: areas under curves, bytes at equal quality, quality at equal bytes, on Kodak."""

from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from study import paths, statistics

AUC_RANGE = (0.125, 2.0)  # bits a pixel
RATES = (0.25, 0.5, 1.0)  # bits a pixel at which qualities are compared
SCORES = ("psnr", "ms_ssim")
RESAMPLES = 1000


def auc(bpp, quality) -> float:
    """The area under a curve of quality over AUC_RANGE, by trapezoids between its points, as T17's figures come out.

    Beyond its last point a curve goes on level: nobody needs to spend more. Raises `ValueError` where it starts later
    than AUC_RANGE does.
    """
    order = np.argsort(bpp)
    bpp, quality = np.asarray(bpp, float)[order], np.asarray(quality, float)[order]
    low, high = AUC_RANGE
    if bpp[0] > low:
        raise ValueError(f"The curve starts at {bpp[0]:.4g} bpp, after {low}; its area over {AUC_RANGE} is not known.")
    inside = bpp[(bpp > low) & (bpp < high)]
    at = np.concatenate([[low], inside, [high]])
    return float(np.trapezoid(np.interp(at, bpp, quality), at))


def bd_rate(anchor, test) -> float:
    """How many per cent more bytes `test` takes than `anchor` at equal quality, on average (Bjontegaard).

    Each is a pair of rates and qualities. Over the qualities that both reach; points that cost more and are no better
    than one before them are left out.
    """
    import bjontegaard

    (rate, quality), (test_rate, test_quality) = _rising(*anchor), _rising(*test)
    settings = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    return float(bjontegaard.bd_rate(rate, quality, test_rate, test_quality, **settings))


def _rising(rate, quality):
    rate, quality = (np.asarray(values, float)[np.argsort(rate)] for values in (rate, quality))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], quality[:-1]]))
    return rate[quality > best], quality[quality > best]


def rates_table(kodak: pd.DataFrame) -> pd.DataFrame:
    """The rows of `rates.csv`: `kodak.csv` summed up, with 95 % bootstrap intervals over its images.

    Of each codec's mean curve, whole files counted: `auc` of MS-SSIM where it starts early enough, published curves'
    too; scores `against` a rate, such as `psnr` at 0.5 bits a pixel. Of the recurrent ones, whose raw bytes are known:
    `bd_psnr` and `bd_ms_ssim`, per cent of bytes more than the codec `against` takes; and `saved` by entropy coding at
    the pass `against`, as a share of the raw bytes. `bd_psnr` is over the qualities that both reach; `top_psnr` says
    how far the recurrent codec's go.
    """
    wide = {codec: rows.pivot(index="image", columns="setting") for codec, rows in kodak.groupby("codec", sort=False)}
    rows, images = [], np.arange(kodak.image.nunique())

    def add(codec, quantity, against, statistic, bounds=True):
        found = (
            statistics.over_images(statistic, images, resamples=RESAMPLES)
            if bounds
            else (statistic(images), np.nan, np.nan)
        )
        facts = {"codec": codec, "quantity": quantity, "against": _text(against), "n": len(images)}
        rows.append(facts | dict(zip(("value", "low", "high"), found, strict=True)))

    def curve(codec, score, chosen):
        return tuple(wide[codec][name].to_numpy()[chosen].mean(axis=0) for name in ("bpp", score))

    for codec, table in wide.items():
        rates, _ = curve(codec, "psnr", images)
        if rates.min() <= AUC_RANGE[0]:
            add(codec, "auc", "", lambda chosen, c=codec: auc(*curve(c, "ms_ssim", chosen)), bounds=False)
        for score, rate in product(SCORES, RATES):
            if rates.min() <= rate <= rates.max():
                add(codec, score, rate, lambda chosen, c=codec, s=score, r=rate: _at(r, *curve(c, s, chosen)))
        if table["raw_bytes"].notna().all(axis=None):
            for other, score in product([name for name in wide if name != codec], SCORES):
                add(codec, f"bd_{score}", other, partial(_compared, curve, codec, other, score))
            add(codec, "top_psnr", "", lambda chosen, c=codec: curve(c, "psnr", chosen)[1].max())
            saved = 1 - table["payload_bytes"] / table["raw_bytes"]
            for setting, values in saved.items():
                add(codec, "saved", setting, lambda chosen, values=values: values.iloc[chosen].mean())
    return pd.concat([pd.DataFrame(rows), _published()], ignore_index=True)


def _text(against):
    return against if isinstance(against, str) else f"{against:g}"


def _compared(curve, codec, other, score, images):
    return bd_rate(curve(other, score, images), curve(codec, score, images))


def _at(rate, rates, qualities):
    order = np.argsort(rates)
    return float(np.interp(rate, rates[order], qualities[order]))


def _published():
    """Areas of the published curves; a few points, as 1ZB's README has them, make no curve."""
    curves = pd.read_csv(paths.PUBLISHED).query("score == 'ms_ssim'").groupby("codec")
    areas = [{"codec": codec, "value": auc(points.bpp, points.value)} for codec, points in curves if len(points) > 5]
    return pd.DataFrame(areas).assign(quantity="auc", against="", low=np.nan, high=np.nan, n=0)
