"""What the tables say on a claim: one number a seed, or one exact number, each from a named table.

Every function takes the tables of `read`. It returns a `Series` with one number for each of what varies, which its
index names, mostly the seed; one float where nothing varies; or the estimate, its bounds, n, what it varies over, and
p. A study that the preset does not have gives an empty series: nothing could be tested.
"""

import numpy as np
import pandas as pd
from scipy import stats

from study import paths, statistics, tables
from study.presets import OURS, REPORTS

NOTHING = pd.Series(dtype=float)


def read(preset: str) -> dict[str, pd.DataFrame]:
    """The tables of a preset that evidence is taken from, with the report's own numbers and the benchmarks."""
    found = {name: tables.read(preset, name) for name in ("history", "runs")}
    found |= {name: tables.read_or_empty(preset, name) for name in ("networks", "edges", "memory")}
    found["reported"] = pd.read_csv(paths.REPORTED, keep_default_na=False)
    found["quantities"] = pd.read_csv(paths.QUANTITIES).set_index("quantity").value
    found["training"] = pd.read_csv(paths.published_tables("benchmarks") / "training.csv")
    return found


def scores(found, study, score, epoch=None, **setting):
    """A validation score of a study's runs at one setting, after the last pass, at an epoch or the last, by seed."""
    rows = found["history"].query("study == @study and split == 'validation'")
    for field, value in setting.items():
        rows = rows[rows[field] == value]
    rows = rows[rows.epoch == (rows.groupby("run").epoch.transform("max") if epoch is None else epoch)]
    rows = rows[rows.bpp == rows.groupby("run").bpp.transform("max")]
    return rows.set_index("seed")[score].sort_index()


def difference(one, other):
    """One less another, seed by seed, for the seeds that both have."""
    return (one - other).dropna()


def batch_sizes(found, study, one, other, epoch=None):
    """MS-SSIM at one batch size less that at another."""
    return difference(*(scores(found, study, "ms_ssim", epoch, batch_size=size) for size in (one, other)))


def train_sizes(found, one, other, epoch=None):
    """MS-SSIM of one training set less that of another."""
    return difference(*(scores(found, "train_size", "ms_ssim", epoch, train_size=size) for size in (one, other)))


def control(found, augmentation):
    """MS-SSIM of the largest training set, turned, less that of a control that shows as many images."""
    sizes = found["history"].query("study == 'train_size'").train_size
    turned = scores(found, "train_size", "ms_ssim", train_size=sizes.max())
    return difference(turned, scores(found, "train_control", "ms_ssim", augmentation=augmentation))


def steepest(found, batch_size, sign, first=1):
    """The largest fall (sign -1) or rise (+1) of validation PSNR between two epochs, from `first` on, in dB."""
    rows = found["history"].query("study == 'batch_size' and split == 'validation' and batch_size == @batch_size")
    wide = rows.query("epoch >= @first").pivot(index="epoch", columns="seed", values="psnr")
    return (sign * wide.diff()).max()


def colour_share(found, **setting):
    """Colour spread of the reconstructions as a share of the originals', by seed."""
    rows = found["runs"].query("study == 'loss'")
    for field, value in setting.items():
        rows = rows[rows[field] == value]
    rows = rows.set_index("seed")
    return rows.colour_spread / rows.data_colour_spread


def above_mean_image(found, **setting):
    """Final validation PSNR over that of answering the mean image, in dB, of the runs of the loss study."""
    return scores(found, "loss", "psnr", **setting) - found["runs"].mean_image_psnr.iloc[0]


def gru_gain(found, iterations):
    """How much higher the PSNR of GRUs is than that of LSTMs, in %, paired by seed."""
    gru, lstm = (scores(found, "passes", "psnr", cell=cell, iterations=iterations) for cell in ("gru", "lstm"))
    return (100 * difference(gru, lstm) / lstm).dropna()  # a grid under way has seeds of one cell alone


def bits_a_pass(found):
    """How many bits a pixel each further pass adds, over all runs of more than one."""
    rows = found["history"].query("study == 'passes' and iterations > 1")
    each = rows.groupby("run").bpp.agg(lambda bpp: (bpp.max() - bpp.min()) / (bpp.nunique() - 1))
    return float(each.mean()) if len(each) else NOTHING


def seed_share(found):
    """The span of the final report's score over seeds as a share of that over batch sizes, by batch size."""
    final = tables.final(found["history"], "batch_size").groupby("batch_size").report_score
    spans = (final.max() - final.min()) / np.ptp(final.mean())
    return spans[final.size() > 1]


def their_seed_share(found):
    """The same of the report's own runs: its replicates at 512, the collapsed one left out, against its batch sizes."""
    final = found["reported"].query("split == 'validation' and epoch == 15")
    replicates = final[(final.study == "residual_n") & (final.note == "") | (final.setting == 512)]
    return float(np.ptp(replicates.ssim_max_val_2) / np.ptp(final[final.study == "batch_size"].ssim_max_val_2))


def their_difference(found, study, one, other, epoch):
    """SSIM (`max_val` 2) of one setting less that of another in the report's own logs: one run each."""
    rows = found["reported"].query("study == @study and split == 'validation' and epoch == @epoch")
    ssim = rows.set_index("setting").ssim_max_val_2
    return float(ssim[one] - ssim[other])


def more_collapses(found):
    """How many more of the collapse study's runs collapse in the report's way to train than in ours, as a share.

    The interval is Newcombe's and the test Fisher's: a run has collapsed or not, which no t-interval is made for.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep  # takes a second to load

    ends = found["runs"].query("study == 'collapse' and loss == 'ms_ssim'")
    ways = [
        ends.query("gain == @gain and schedule == @schedule").status == "collapsed"
        for gain, schedule in (REPORTS, OURS)
    ]
    counts = [(int(way.sum()), len(way)) for way in ways]
    if min(n for _, n in counts) == 0:
        return NOTHING
    (theirs, n), (ours, m) = counts
    low, high = confint_proportions_2indep(theirs, n, ours, m, method="newcomb")
    p = stats.fisher_exact([[theirs, n - theirs], [ours, m - ours]]).pvalue
    return theirs / n - ours / m, float(low), float(high), n + m, "runs", float(p)


def slowdown(found):
    """How many times as long an image takes in 16 passes as in one, at full width and batch size 32."""
    speed = found["training"].query("width == 1 and batch_size == 32 and network == 'this study'")
    speed = speed.set_index("iterations").images_a_second
    return float(speed.loc[1] / speed.loc[16])


def parameters(found, network, passes):
    """Of a network at full width, in billions."""
    rows = found["networks"].query("network == @network and passes == @passes").parameters
    return float(rows.iloc[0]) / 1e9 if len(rows) else NOTHING


def data_ratio(found):
    """Tiles of the web images for each image of the report's largest training set."""
    q = found["quantities"]
    tiles = (q.web_image_width / q.tile) * (q.web_image_height / q.tile)
    return float(q.web_images * tiles / q.their_images)


def memory(found, train_size):
    """GB of a training set copied as 32-bit floats, whatever the share of it that is turned."""
    rows = found["memory"].query("train_size == @train_size")
    return float(rows.copied_bytes.iloc[0]) / 1e9 if len(rows) else NOTHING


def edges(found, score):
    """Rank correlation of gradient energy and a score over validation images, with its bootstrap interval."""
    rows = found["edges"]
    if rows.empty:
        return NOTHING
    x, y = rows.gradient_energy, rows[score]
    interval = statistics.over_images(lambda a, b: stats.spearmanr(a, b).statistic, x, y)
    return *interval, len(rows), "images", float(stats.spearmanr(x, y).pvalue)
