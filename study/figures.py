"""One function a figure: a tracked table in, a Matplotlib figure out. Without Keras, so that it takes seconds."""

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study import findings, paths, rates, statistics, tables
from study.canvas import LABELS, label_ends, save, setting_name, subplots
from study.pictures import architecture, better_samples, loss_pictures, poorer_samples
from study.presets import GAIN

# Presets on the report's data, and their share of its images: a training set is scaled by that.
OF_THE_REPORT = {"excerpt": 9453 / 100_000, "report": 1.0}
STATUS_COLOURS = {"done": "#0173b2", "collapsed": "#d55e00", "diverged": "0.3"}
OF_CODECS = {
    "figure_21": ("parts", findings.parts),
    "figure_22": ("use", findings.use),
    "figure_17": ("kodak", rates.kodak),
    "figure_18": ("targets", rates.targets),
    "figure_19": ("photograph", rates.photograph),
    "figure_23": ("cells", findings.coded_cells),
}


def draw_all(preset: str) -> list[str]:
    """Draws and writes every figure whose tables the preset has; returns the figures' names."""
    history, made = tables.read(preset, "history"), {}
    if "batch_size" in set(history.study):
        made |= {"figure_2": batch_size_quality(history), "figure_3": batch_size_psnr(history)}
    if "train_size" in set(history.study):
        made |= {"figure_4": train_size_quality(history), "figure_5": train_size_psnr(history)}
    if "loss" in set(history.study):
        made |= {"figure_8": loss_colour(tables.read(preset, "runs"), history), "figure_9": residual_by_n(history)}
    further = {"equal_steps": ("figure_12", findings.batch_sizes), "train_control": ("figure_13", findings.train_sizes)}
    further |= {"collapse": ("figure_14", findings.collapse), "passes": ("figure_15", findings.passes)}
    further["cells"] = ("figure_20", findings.cells)
    made |= {name: draw(history) for study, (name, draw) in further.items() if study in set(history.study)}
    if "recipe" in set(history.study):
        made["figure_11"] = recipe(history)
    if tables.path(preset, "architecture").exists():
        made["figure_1"] = architecture(tables.read(preset, "architecture"))
    if tables.path(preset, "samples").exists():
        samples = tables.read(preset, "samples")
        made |= {"figure_6": better_samples(samples), "figure_7": poorer_samples(samples)}
    if tables.path(preset, "edges").exists():
        made["figure_16"] = findings.edges(tables.read(preset, "edges"))
    if tables.path(preset, "loss_samples").exists():
        made["figure_10"] = loss_pictures(tables.read(preset, "loss_samples"))
    for name, (table, draw) in OF_CODECS.items():
        if tables.path(preset, table).exists():
            made[name] = draw(tables.read(preset, table))
    for name, figure in made.items():
        save(figure, preset, name)
    return sorted(made)


def batch_size_quality(history: pd.DataFrame) -> Figure:
    """Figure 2: the report's score, and below it MS-SSIM, by epoch and batch size."""
    return _curves(history, "batch_size", ["report_score", "ms_ssim"])


def batch_size_psnr(history: pd.DataFrame) -> Figure:
    """Figure 3: PSNR by epoch and batch size."""
    return _curves(history, "batch_size", ["psnr"])


def train_size_quality(history: pd.DataFrame) -> Figure:
    """Figure 4: the report's score, and below it MS-SSIM, by epoch and number of training images."""
    return _curves(history, "train_size", ["report_score", "ms_ssim"])


def train_size_psnr(history: pd.DataFrame) -> Figure:
    """Figure 5: PSNR by epoch and number of training images."""
    return _curves(history, "train_size", ["psnr"])


def _curves(history, study, scores):
    """Training beside validation, a row a score: a thin line a seed, the bold mean, and its 95 % t-interval."""
    rows = history[history.study == study]
    colours = dict(zip(sorted(rows[study].unique()), sns.color_palette("viridis", rows[study].nunique()), strict=True))
    figure, axes = subplots(len(scores), 2, (7.2, 0.5 + 1.4 * len(scores)), sharex=True, sharey="row")
    for axis_row, score in zip(axes.reshape(-1, 2), scores, strict=True):
        for axis, split in zip(axis_row, ("training", "validation"), strict=True):
            for value, group in rows[rows.split == split].groupby(study):
                _seeds(axis, group, score, colours[value], f"{value:,} (n = {group.seed.nunique()})")
            _reported(axis, rows, study, split, score, colours)
        axis_row[0].set_ylabel(LABELS[score].replace(", ", ",\n"))
    for axis, split in zip(axes.reshape(-1, 2)[0], ("training images", "validation images"), strict=True):
        axis.set_title(split)
    for axis in axes.reshape(-1, 2)[-1]:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis, score in zip(axes.reshape(-1, 2)[:, 1], scores, strict=True):
        label_ends(axis, LABELS[study])
        if score in ("report_score", "psnr") and rows.preset.isin(OF_THE_REPORT).any():
            meanings = {"0.8": "the report's, one run each", "white": "labelled 32 there, trained at 64"}
            for face, label in list(meanings.items())[: 2 if study == "batch_size" else 1]:
                axis.plot([], [], "D", ms=4.5, mfc=face, mec="black", mew=0.7, label=label)
            axis.legend(handles=[line for line in axis.lines if not len(line.get_xdata())], loc=4, fontsize=7)
    return figure


def _reported(axis, rows, study, split, score, colours):
    """The report's own first and last value of each setting that is drawn: one run each, hollow where mislabelled."""
    share = OF_THE_REPORT.get(rows.preset.iloc[0]) if score in ("report_score", "psnr") else None
    if not share:
        return
    known = pd.read_csv(paths.REPORTED, keep_default_na=False).query("study == @study and split == @split")
    settings = known.setting if study == "batch_size" else (known.setting * share).astype(int)
    for setting, row in zip(settings, known.itertuples(), strict=True):
        if setting in colours:
            face = "white" if row.note.startswith("labelled") else colours[setting]
            axis.plot(row.epoch, getattr(row, score), "D", ms=4.5, mfc=face, mec="black", mew=0.7, zorder=3)


def _seeds(axis, group, score, colour, label):
    for _, seed in group.groupby("seed"):
        axis.plot(seed.epoch, seed[score], color=colour, lw=0.6, alpha=0.5)
    bounds = statistics.interval(group, ["epoch"], score)
    axis.plot(bounds.epoch, bounds["mean"], color=colour, lw=1.8, label=label)
    axis.fill_between(bounds.epoch, bounds.low, bounds.high, color=colour, alpha=0.15, lw=0)


def loss_colour(table: pd.DataFrame, history: pd.DataFrame) -> Figure:
    """Figure 8: what each loss leaves of the picture: PSNR, MS-SSIM, and colour as a share of the originals'."""
    table = table[table.study == "loss"]
    last = tables.last_epoch(history[(history.study == "loss") & (history.split == "validation")])
    table = table.merge(last[["run", "psnr", "ms_ssim"]], on="run")
    table = table.assign(
        name=[setting_name(run) for run in table.itertuples()],
        colour=table.colour_spread / table.data_colour_spread,
    )
    figure, axes = subplots(1, 3, (7.2, 2.3), sharey=True)
    labels = {
        "psnr": LABELS["psnr"],
        "ms_ssim": LABELS["ms_ssim"],
        "colour": "colour spread,\nshare of the originals'",
    }
    for axis, (column, label) in zip(axes, labels.items(), strict=True):
        shared = {"x": column, "y": "name", "hue": "status", "palette": STATUS_COLOURS, "size": 6}
        sns.stripplot(table, ax=axis, legend=axis is axes[-1], jitter=False, alpha=0.7, **shared)
        axis.set(xlabel=label, ylabel="")
    axes[0].axvline(table.mean_image_psnr.iloc[0], color="0.4", ls=":", lw=1)
    axes[0].annotate("mean image", (table.mean_image_psnr.iloc[0], 1), xycoords=("data", "axes fraction"), fontsize=7)
    axes[-1].legend(title="", loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def residual_by_n(history: pd.DataFrame) -> Figure:
    """Figure 9: the report's residual loss, (mean absolute residual / n)², at each n that the report set by hand."""
    rows = history[(history.study == "loss") & (history.loss == "ms_ssim") & (history.split == "validation")]
    rows = rows[(rows.gain == GAIN) & (rows.schedule == "cosine")]
    figure, axes = subplots(1, 1, (4.2, 2.3))
    for n, colour in zip((1, 5, 9, 15), sns.color_palette("viridis", 4), strict=True):
        _seeds(axes[0], rows.assign(loss_n=(rows.residual_l1 / n) ** 2), "loss_n", colour, f"n = {n}")
    axes[0].set(yscale="log" if len(rows) else "linear", xlabel="epoch", ylabel="residual loss as in the report")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend(title="set by hand", loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def recipe(history: pd.DataFrame) -> Figure:
    """Figure 11: MS-SSIM of images set aside, by epoch, for first weights and learning rates, at two batch sizes."""
    rows = history[(history.study == "recipe") & (history.split == "validation")]
    settings = list(rows.groupby(["gain", "learning_rate"]).groups)
    figure, axes = subplots(1, max(rows.batch_size.nunique(), 1), (7.2, 2.8), sharey=True)
    for axis, (batch_size, group) in zip(axes, rows.groupby("batch_size"), strict=False):
        for (gain, rate), colour in zip(settings, sns.color_palette("viridis", len(settings)), strict=True):
            shown = group[(group.gain == gain) & (group.learning_rate == rate)]
            _seeds(axis, shown, "ms_ssim", colour, f"gain {gain:g}, rate {rate:g}")
        axis.set(title=f"batch size {batch_size:,}", xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel(LABELS["ms_ssim"])
    if settings:
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure
