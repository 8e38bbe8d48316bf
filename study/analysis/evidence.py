"""What the tables say on a claim: one number per seed, or one exact number, each from a named table.

Every function takes the `Evidence` of a preset. It returns a `Series` with one number for each of what varies, which
its index names, mostly the seed; a float where nothing varies; or a `Tested` quantity with a test of its own. A study
that the preset does not have gives an empty series: nothing could be tested. A diverged run has no number, nor has then
what it is a part of.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from study.experiments import tables
from study.experiments.presets import preset as preset_of
from study.experiments.studies import STUDIES
from study.ground import paths, statistics
from study.ground.recipe import OUR_WAY, REPORT_WAY

NOTHING = pd.Series(dtype=float)


@dataclass(frozen=True)
class Evidence:
    """The tables of a preset that claims are judged from, and the settings that their wording names."""

    history: pd.DataFrame  # with a column `study`, as is `runs`
    runs: pd.DataFrame
    networks: pd.DataFrame
    edges: pd.DataFrame
    memory: pd.DataFrame
    training: pd.DataFrame  # `make bench`
    reported: pd.DataFrame  # the report's own curves
    q: pd.Series  # numbers that the report says in passing, by name
    small: int  # batch sizes
    middle: int
    large: int
    half: int  # training sets
    whole: int
    double: int


@dataclass(frozen=True)
class Tested:
    """A quantity whose interval and test are not those of a mean over seeds."""

    estimate: float
    low: float
    high: float
    n: int
    over: str
    p: float  # of the test that the quantity is 0


def read(preset: str) -> Evidence:
    """The evidence of a preset with the report's studies. Raises `StudyError` where its tables are not there."""
    p = preset_of(preset)
    half, whole, double = (*p.train_sizes, 2 * p.train_sizes[1])[:3]  # a preset may lack the third, but it has a name
    return Evidence(
        **{name: tables.of_studies(preset, name, *STUDIES) for name in ("history", "runs")},
        **{name: tables.read_or_empty(preset, name) for name in ("networks", "edges", "memory")},
        training=pd.read_csv(paths.published_tables("benchmarks") / "training.csv"),
        reported=pd.read_csv(paths.REPORTED, keep_default_na=False),
        q=pd.read_csv(paths.QUANTITIES).set_index("quantity").value,
        small=min(p.batch_sizes),
        middle=p.batch_size,
        large=max(p.batch_sizes),
        half=half,
        whole=whole,
        double=double,
    )


def of_study(table, study, **setting):
    """The rows of a study at one setting."""
    rows = table[table.study == study]
    for field, value in setting.items():
        rows = rows[rows[field] == value]
    return rows


def scores(found, study, score, epoch=None, **setting):
    """A validation score of a study's runs at one setting, after the last pass, at an epoch or the last, by seed."""
    runs = of_study(found.runs, study, **setting)
    rows = found.history[(found.history.study == study) & found.history.run.isin(runs.run)]
    rows = rows[rows.split == "validation"]
    rows = tables.last_epoch(rows) if epoch is None else rows[rows.epoch == epoch]
    return tables.last_pass(rows).set_index("seed")[score].sort_index()


def difference(one, other):
    """One less another, seed by seed, for the seeds that both have."""
    both = one.index.intersection(other.index)
    return one[both] - other[both]


def batch_sizes(found, study, one, other, epoch=None):
    """MS-SSIM at one batch size less that at another."""
    return difference(*(scores(found, study, "ms_ssim", epoch, batch_size=size) for size in (one, other)))


def train_sizes(found, one, other, epoch=None):
    """MS-SSIM of one training set less that of another."""
    return difference(*(scores(found, "train_size", "ms_ssim", epoch, train_size=size) for size in (one, other)))


def control(found, augmentation):
    """MS-SSIM of the largest training set, turned, less that of a control that shows as many images."""
    turned = scores(found, "train_size", "ms_ssim", train_size=of_study(found.runs, "train_size").train_size.max())
    return difference(turned, scores(found, "train_control", "ms_ssim", augmentation=augmentation))


def steepest(found, batch_size, sign, first=1):
    """The largest fall (sign -1) or rise (+1) of validation PSNR between two epochs, from `first` on, in dB."""
    rows = of_study(found.history, "batch_size", split="validation", batch_size=batch_size)
    wide = rows.query("epoch >= @first").pivot(index="epoch", columns="seed", values="psnr")
    return (sign * wide.diff().iloc[1:]).max(skipna=False)


def colour_share(found, **setting):
    """Colour spread of the reconstructions as a share of the originals', by seed."""
    rows = of_study(found.runs, "loss", **setting).set_index("seed")
    return rows.colour_spread / rows.data_colour_spread


def above_mean_image(found, **setting):
    """Final validation PSNR over that of answering the mean image, in dB, of the runs of the loss study."""
    mean_image = of_study(found.runs, "loss", **setting).set_index("seed").mean_image_psnr
    return difference(scores(found, "loss", "psnr", **setting), mean_image)


def gru_gain(found, iterations):
    """How much higher the PSNR of GRUs is than that of LSTMs, in % of the LSTMs' mean, by Welch's test.

    Not paired: two cells of one seed share the order of the images, but no weight.
    """
    gru, lstm = (scores(found, "passes", "psnr", cell=cell, iterations=iterations) for cell in ("gru", "lstm"))
    if min(len(gru), len(lstm)) == 0:
        return NOTHING
    percent = [100 * values / lstm.mean(skipna=False) for values in (gru, lstm)]
    test = statistics.welch(*percent)
    return Tested(test["mean"], test["low"], test["high"], len(gru) + len(lstm), "runs", test["p"])


def bits_per_pass(found):
    """How many bits per pixel each further pass adds, over all runs of more than one."""
    rows = of_study(found.history, "passes")
    each = rows[rows.iterations > 1].groupby("run").bpp.agg(lambda bpp: (bpp.max() - bpp.min()) / (bpp.nunique() - 1))
    return float(each.mean()) if len(each) else NOTHING


def seed_share(found):
    """The span of the final report's score over seeds as a share of that over batch sizes, by batch size."""
    final = tables.final(of_study(found.history, "batch_size")).groupby("batch_size").report_score
    spans = final.agg(_span) / _span(final.agg(lambda scores: scores.mean(skipna=False)))
    return spans[final.size() > 1]


def _span(values):
    return values.max(skipna=False) - values.min(skipna=False)


def their_seed_share(found):
    """The same of the report's own runs: its replicates at 512, the collapsed one left out, against its batch sizes."""
    final = found.reported.query("split == 'validation' and epoch == 15")
    replicates = final[(final.study == "residual_n") & (final.note == "") | (final.setting == 512)]
    return float(np.ptp(replicates.ssim_max_val_2) / np.ptp(final[final.study == "batch_size"].ssim_max_val_2))


def their_difference(found, study, one, other, epoch):
    """SSIM (`max_val` 2) of one setting less that of another in the report's own logs: one run each."""
    rows = found.reported.query("study == @study and split == 'validation' and epoch == @epoch")
    ssim = rows.set_index("setting").ssim_max_val_2
    return float(ssim[one] - ssim[other])


def more_collapses(found):
    """How many more of the collapse study's runs collapse in the report's way to train than in ours, as a share.

    The interval is Newcombe's and the test Fisher's: a run has collapsed or not, which no t-interval is made for.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep  # takes a second to load

    ways = [
        of_study(found.runs, "collapse", loss="ms_ssim", **way).status == "collapsed" for way in (REPORT_WAY, OUR_WAY)
    ]
    counts = [(int(way.sum()), len(way)) for way in ways]
    if min(n for _, n in counts) == 0:
        return NOTHING
    (theirs, n), (ours, m) = counts
    low, high = confint_proportions_2indep(theirs, n, ours, m, method="newcomb")
    p = float(stats.fisher_exact([[theirs, n - theirs], [ours, m - ours]]).pvalue)
    return Tested(theirs / n - ours / m, float(low), float(high), n + m, "runs", p)


def slowdown(found):
    """How many times as long an image takes in 16 passes as in one, at full width and batch size 32."""
    speed = found.training.query("width == 1 and batch_size == 32 and network == 'this study'")
    speed = speed.set_index("iterations").images_a_second
    return float(speed.loc[1] / speed.loc[16])


def parameters(found, network, passes):
    """Of a network at full width, in billions."""
    rows = found.networks.query("network == @network and passes == @passes").parameters
    return float(rows.max()) / 1e9 if len(rows) else NOTHING


def data_ratio(found):
    """Tiles of the web images for each image of the report's largest training set."""
    q = found.q
    tiles = (q.web_image_width / q.tile) * (q.web_image_height / q.tile)
    return float(q.web_images * tiles / q.their_images)


def memory(found, train_size):
    """GB of a training set copied as 32-bit floats, whatever the share of it that is turned."""
    rows = found.memory.query("train_size == @train_size")
    return float(rows.copied_bytes.max()) / 1e9 if len(rows) else NOTHING


def edges(found, score):
    """Rank correlation of gradient energy and a score over validation images, with its bootstrap interval."""
    rows = found.edges
    if rows.empty:
        return NOTHING
    x, y = rows.gradient_energy, rows[score]
    test = stats.spearmanr(x, y)
    interval = statistics.over_images(lambda a, b: stats.spearmanr(a, b).statistic, x, y)
    return Tested(*interval, len(rows), "images", float(test.pvalue))
