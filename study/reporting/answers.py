"""The answer at the end of each notebook: two or three sentences, their numbers read from tables.

They are true for whatever preset or grid of one's own is shown; that nothing can be told is an answer too.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from study.experiments import tables
from study.experiments.studies import STUDIES
from study.ground import statistics
from study.ground.recipe import COLLAPSE_MARGIN, OUR_WAY
from study.reporting.written import count, counted, decibels, fixed, interval, listed, percent

CHANCE = 1 - statistics.LEVEL


def of_study(preset: str, study: str, paired: bool = True, published: bool = False) -> str:
    """Which setting of a study ends best and which worst, in MS-SSIM, and whether chance can be ruled out.

    Args:
        paired: see `statistics.differences`. The tests of all pairs of settings are one family.
    """
    rows = tables.final(tables.of_studies(preset, "history", study, published=published))
    rows = rows.assign(setting=[STUDIES[study].setting(row) for row in rows.itertuples()])
    scored = rows.dropna(subset=["ms_ssim"])
    ended = _ended(rows)
    if scored.empty:
        return f"No run of this study has a score at `{preset}`, so there is no answer yet. {ended}".strip()
    means = scored.groupby("setting")[["ms_ssim", "psnr"]].mean().sort_values("ms_ssim")
    best, worst = means.index[-1], means.index[0]
    ends = f"MS-SSIM[w3,L4] of {fixed(means.ms_ssim[best], 3)} and a PSNR of {decibels(means.psnr[best])}"
    if best == worst:
        return (
            f"At `{preset}` there is one setting, {best}, which ends with an {ends}; it has nothing beside it. {ended}"
        )
    first = (
        f"At `{preset}`, of {counted(len(means), 'setting')}, **{best}** ends best, with an {ends}, and {worst} worst, "
        f"with {fixed(means.ms_ssim[worst], 3)} and {decibels(means.psnr[worst])}."
    )
    return f"{first} {_chance(scored, best, worst, paired)} {ended}".strip()


def _chance(rows, best, worst, paired):
    order = [best, *sorted(set(rows.setting) - {best, worst}), worst]
    pairs = [(one, other) for one, other in combinations(order, 2)]
    tests = [
        statistics.differences(rows[rows.setting.isin(pair)], "setting", pair[1], "ms_ssim", paired=paired).iloc[0]
        for pair in pairs
    ]
    holm = dict(zip(pairs, statistics.holm([test.p for test in tests]), strict=True))[best, worst]
    test = dict(zip(pairs, tests, strict=True))[best, worst]
    difference = interval(test["mean"], test.low, test.high, 3)
    if np.isnan(test.p):
        return f"Their difference is {difference}; with so few seeds in common nobody can tell it from chance."
    verdict = "larger than chance" if holm < CHANCE else "not to be told from chance"
    p = f"p = {fixed(holm, 3)}" if holm >= 0.001 else "p < 0.001"
    return (
        f"Their difference is {difference} over {counted(int(test.n), 'seed')}, and is {verdict} ({p} after Holm's "
        f"correction for all {counted(len(pairs), 'pair')})."
    )


def _ended(rows):
    """How many of the runs have collapsed or diverged, if any."""
    bad = [(name, (rows.status == name).sum()) for name in ("collapsed", "diverged")]
    if len(rows) == 1:
        return "".join(f"The run has {name}." for name, n in bad if n)
    words = [f"{count(n)} {name}" for name, n in bad if n]
    return f"Of {counted(len(rows), 'run')}, {listed(words)}." if words else ""


def data(preset: str) -> str:
    """What a codec sees, and what it has to beat."""
    table = tables.read(preset, "data").set_index("split")
    train, validation = table.loc["train"], table.loc["validation"]
    return (
        f"At `{preset}` a codec is trained on {count(train.images)} images and measured on {count(validation.images)} "
        f"others. Answering each of these with the mean training image scores {decibels(validation.mean_psnr)}: a run "
        f"that ends less than {COLLAPSE_MARGIN:g} dB above that has learned nothing and counts as collapsed."
    )


def network(preset: str) -> str:
    """How large the network is, and where a billion parameters came from."""
    table = tables.read(preset, "networks").set_index(["network", "passes"])
    ours = table.loc["this study"]
    theirs = table.loc["report's code"]
    return (
        f"The network has {count(ours.parameters.iloc[0])} parameters at full width, however many passes it makes, "
        "since all passes share them. The report's code built a new network of "
        f"{count(theirs.parameters.iloc[0])} parameters for each pass, which makes "
        f"{count(theirs.parameters.iloc[-1])} in 16 passes; "
        f"{percent(theirs.never_trained.iloc[0] / theirs.parameters.iloc[0])} of them never receive a gradient."
    )


def samples(preset: str) -> str:
    """How good the best and the worst tenth are, beside JPEG."""
    table = tables.read(preset, "samples")
    better, poorer = (table[table.choice == choice] for choice in ("better", "poorer"))
    return (
        f"At `{preset}`, images of the best tenth come back with {_range(better.psnr)} dB and those of the worst tenth "
        f"with {_range(poorer.psnr)} dB. A JPEG spends {_range(table.jpeg_payload, 0)} bytes on the same images "
        f"without its header, and {_range(table.jpeg_bytes, 0)} with it, for "
        f"{_range(table.jpeg_psnr)} dB."
    )


def _range(values, digits=1):
    return f"{fixed(values.min(), digits)} to {fixed(values.max(), digits)}"


def rates(shipped: str, published: bool = True) -> str:
    """What the shipped codecs make of Kodak's photographs."""
    table = tables.read(shipped, "rates", published).set_index(["codec", "quantity", "against"])
    bytes_more = table.loc[("gru", "bd_psnr", "JPEG 4:2:0")]
    saved = table.loc[("gru", "saved", "2")]
    area, theirs = table.value["gru", "auc", ""], table.value["Toderici 2017", "auc", ""]
    return (
        f"At equal PSNR the GRU that ships takes {_more(bytes_more)} than JPEG 4:2:0 on Kodak's photographs. "
        f"Entropy coding takes {percent(saved.value)} off the bits of its first two passes. The area under its "
        f"MS-SSIM curve is {fixed(area, 3)}, where Toderici et al. published {fixed(theirs, 3)}."
    )


def _more(row):
    """A difference in per cent of the bytes, with its interval."""
    words = "fewer" if row.value < 0 else "more"
    low, high = sorted(abs(bound) for bound in (row.low, row.high))
    if row.low * row.high > 0:
        return f"{fixed(abs(row.value), 0)} % [{fixed(low, 0)}, {fixed(high, 0)}] {words} bytes"
    return f"{fixed(row.value, 0)} % [{fixed(row.low, 0)}, {fixed(row.high, 0)}] more bytes"


def claims(judged: pd.DataFrame) -> str:
    """How many claims hold; the verdicts are those of `study.analysis.claims.judge`."""
    numbers = judged.verdict.value_counts()
    theirs = judged[judged.place != "not in it"].verdict.value_counts()
    return (
        f"Of {counted(len(judged), 'claim')}, {count(numbers.get('holds', 0))} hold, "
        f"{count(numbers.get('does not hold', 0))} do not, {count(numbers.get('cannot tell', 0))} cannot be told from "
        f"chance and {count(numbers.get('could not be tested here', 0))} could not be tested at "
        f"`{judged.preset.iloc[0]}`. Of the report's own {count(theirs.sum())}, {count(theirs.get('holds', 0))} hold."
    )


def colour(preset: str, published: bool = False) -> str:
    """How much of the originals' colour is left after each loss, trained in our way."""
    rows = tables.of_studies(preset, "runs", "loss", published=published)
    rows = rows[(rows.schedule == OUR_WAY["schedule"]) & (rows.colour_spread.notna())]
    shares = (rows.colour_spread / rows.data_colour_spread).groupby(rows.loss, sort=False).mean()
    if shares.empty:
        return ""
    words = [f"{percent(share)} after `{loss}`" for loss, share in shares.items()]
    return f"Of the originals' colour spread, pictures keep {listed(words)}."


def parts(differences: pd.DataFrame) -> str:
    """What a codec's training pictures change; the differences are those of `part_differences.csv`."""
    rows = differences[differences.score == "psnr"]
    if rows.p.isna().all():
        return "With one seed nobody can tell what a codec's training pictures change from chance."
    sure = (rows.holm < CHANCE).sum()
    return (
        f"Of {counted(len(rows), 'comparison')} of a codec's training pictures with all kinds of them, {count(sure)} "
        "can be told from chance in PSNR after Holm's correction."
    )


def use(table: pd.DataFrame) -> str:
    """What a classifier still recognises; the table is `use.csv`."""
    plain = table[table.codec == "none"].accuracy.mean()
    means = table.groupby(["codec", "setting"])[["payload_bytes", "accuracy"]].mean()
    coded = means.drop("none").sort_values("payload_bytes")
    (name, _), most = coded.index[-1], coded.iloc[-1]
    return (
        f"The classifier names {percent(plain)} of the original images right, and {percent(most.accuracy)} of those "
        f"that {name} has decoded from {count(most.payload_bytes)} bytes each, the most that any codec spent."
    )
