"""Figures by epoch: a thin line per seed, the bold mean, and the band of its 95 % t-interval."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.experiments.studies import Study
from study.ground import paths, statistics
from study.ground.recipe import OUR_WAY
from study.reporting.style import label, label_ends, legend, shades, subplots

# Presets on the report's data, and their share of its images: a training set is scaled by that.
OF_THE_REPORT = {"excerpt": 9453 / 100_000, "cifar": 99_920 / 100_000, "report": 1.0, "report-float16": 1.0}


def quality(study: Study, history: pd.DataFrame) -> Figure:
    """The report's score, and below it MS-SSIM, by epoch, a colour per setting; training beside validation."""
    return _curves(study, history, ["report_score", "ms_ssim"])


def psnr(study: Study, history: pd.DataFrame) -> Figure:
    """PSNR by epoch, a colour per setting; training beside validation."""
    return _curves(study, history, ["psnr"])


def _curves(study, history, scores):
    varied, rows = study.varies[0], history
    colours = shades(rows[varied])
    figure, axes = subplots(len(scores), 2, (7.2, 0.5 + 1.4 * len(scores)), sharex=True, sharey="row")
    for axis_row, score in zip(axes.reshape(-1, 2), scores, strict=True):
        for axis, split in zip(axis_row, ("training", "validation"), strict=True):
            for value, group in rows[rows.split == split].groupby(varied):
                _seeds(axis, group, score, colours[value], f"{_written(value)} (n = {group.seed.nunique()})")
            _reported(axis, rows, study, split, score, colours)
        axis_row[0].set_ylabel(label(score).replace(", ", ",\n"))
    for axis, split in zip(axes.reshape(-1, 2)[0], ("training images", "validation images"), strict=True):
        axis.set_title(split)
    for axis in axes.reshape(-1, 2)[-1]:
        _epochs(axis)
    for axis, score in zip(axes.reshape(-1, 2)[:, 1], scores, strict=True):
        label_ends(axis, label(varied))
        if score in ("report_score", "psnr") and _is_of_the_report(study, rows):
            meanings = {"0.8": "the report's, one run each", "white": "labelled 32 there, trained at 64"}
            for face, words in list(meanings.items())[: 2 if varied == "batch_size" else 1]:
                axis.plot([], [], "D", ms=4.5, mfc=face, mec="black", mew=0.7, label=words)
            axis.legend(handles=[line for line in axis.lines if not len(line.get_xdata())], loc=4, fontsize=7)
    return figure


def _written(value):
    return value if isinstance(value, str) else f"{value:,}"


def _is_of_the_report(study, rows):
    return study.name in ("batch_size", "train_size") and rows.preset.isin(OF_THE_REPORT).any()


def _reported(axis, rows, study, split, score, colours):
    """The report's own first and last value of each setting that is drawn: one run each, hollow where mislabelled."""
    if score not in ("report_score", "psnr") or not _is_of_the_report(study, rows):
        return
    known = pd.read_csv(paths.REPORTED, keep_default_na=False).query("study == @study.name and split == @split")
    share = OF_THE_REPORT[rows.preset.unique()[0]]
    settings = known.setting if study.name == "batch_size" else (known.setting * share).astype(int)
    for setting, row in zip(settings, known.itertuples(), strict=True):
        if setting in colours:
            face = "white" if row.note.startswith("labelled") else colours[setting]
            axis.plot(row.epoch, getattr(row, score), "D", ms=4.5, mfc=face, mec="black", mew=0.7, zorder=3)


def _seeds(axis, group, score, colour, words):
    if group.empty:
        return
    for _, seed in group.groupby("seed"):
        axis.plot(seed.epoch, seed[score], color=colour, lw=0.6, alpha=0.5)
    bounds = statistics.interval(group, ["epoch"], score)
    mark = "o" if len(bounds) == 1 else None  # of one epoch there is no line
    axis.plot(bounds.epoch, bounds["mean"], color=colour, lw=1.8, marker=mark, ms=4, label=words)
    axis.fill_between(bounds.epoch, bounds.low, bounds.high, color=colour, alpha=0.15, lw=0)


def _epochs(axis):
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def residual(history: pd.DataFrame) -> Figure:
    """The report's residual loss, (mean absolute residual / n)², of one and the same runs at each n set by hand."""
    rows = history[(history.loss == "ms_ssim") & (history.split == "validation")]
    rows = rows[(rows.binarizer_gain == OUR_WAY["binarizer_gain"]) & (rows.schedule == OUR_WAY["schedule"])]
    figure, axes = subplots(1, 1, (4.2, 2.3))
    for n, colour in shades((1, 5, 9, 15)).items():
        _seeds(axes[0], rows.assign(loss_n=(rows.residual_l1 / n) ** 2), "loss_n", colour, f"n = {n}")
    axes[0].set(yscale="log" if (rows.residual_l1 > 0).any() else "linear", ylabel="residual loss as in the report")
    _epochs(axes[0])
    legend(axes[0], title="set by hand", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=None)
    return figure


def recipe(history: pd.DataFrame) -> Figure:
    """MS-SSIM of images set aside, by epoch, for first weights and learning rates; a panel per batch size."""
    rows = history[history.split == "validation"]
    colours = shades(rows.groupby(["binarizer_gain", "learning_rate"]).groups)
    figure, axes = subplots(1, max(rows.batch_size.nunique(), 1), (7.2, 2.8), sharey=True)
    for axis, (batch_size, group) in zip(axes, rows.groupby("batch_size"), strict=False):
        for (gain, rate), colour in colours.items():
            shown = group[(group.binarizer_gain == gain) & (group.learning_rate == rate)]
            _seeds(axis, shown, "ms_ssim", colour, f"gain {gain:g}, rate {rate:g}")
        axis.set_title(f"batch size {batch_size:,}")
        _epochs(axis)
    axes[0].set_ylabel(label("ms_ssim"))
    legend(axes[-1], loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=None)
    return figure
