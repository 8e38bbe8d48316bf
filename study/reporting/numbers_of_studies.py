"""The paper's numbers on the studies of a preset, written out: from rows of `settings.ended`, a dictionary per section.

A study that the preset does not have, or whose runs are not made yet, gives None.
"""

from functools import partial

import pandas as pd

from study.architecture import CELLS
from study.experiments import runs
from study.experiments.studies import STUDIES
from study.reporting import figures
from study.reporting.settings import extremes, seeds, settings
from study.reporting.written import above, count, counted, decibels, duration, fixed, fraction, listed, percent, short

MAIN = ("batch_size", "train_size", "loss")  # which the paper cannot be without
# Figures of a kind that any study may have which report.typ places itself; the others are in its further studies.
PLACED = ("batch_size_quality", "batch_size_psnr", "train_size_quality", "train_size_psnr")


def overview(rows: pd.DataFrame) -> dict:
    """All runs together: how many, how they ended, how long they took, and on what."""
    every, main = rows.drop_duplicates("run"), [setting for study in MAIN for setting in settings(rows, study)]
    status, lowest = every.status.value_counts(), every.loc[every.psnr.idxmin()]
    varied = [name for name in runs.PARAMETERS if name != "seed"]
    return {
        "all": counted(len(every), "run"),
        **{name: count(status.get(name, 0)) for name in ("done", "collapsed", "diverged")},
        "settings": counted(every.groupby(varied).ngroups, "setting"),
        "shared": bool(rows.run.duplicated().any()),
        "seeds": seeds(main),
        "one_seed": seeds(main) == "1",
        "time": duration(every.seconds.sum()),
        **{name: listed(every[name]) for name in ("device", "python", "keras", "engine")},
        "ssim": f"{fixed(every.ssim.min(), 3)} to {fixed(every.ssim.max(), 3)}",
        "report_score": f"{fixed(every.report_score.min(), 3)} to {fixed(every.report_score.max(), 3)}",
        "lowest": {
            "psnr": decibels(lowest.psnr),
            "status": lowest.status,
            "report_score": fixed(lowest.report_score, 3),
        },
        **_common(rows),
    }


def _common(rows):
    """What runs of the main studies have in common, and each parameter of theirs where a study does not vary it."""
    main, one = rows[rows.study.isin(MAIN)], settings(rows, "batch_size")[0].one
    batches, sizes, losses = (
        [setting for study in MAIN if study != varies for setting in settings(rows, study)] for varies in MAIN
    )
    return {
        "mean_image": decibels(one.mean_image_psnr),
        "width": fraction(one.width),
        "narrow": bool(one.width < 1),
        "parameters": listed(map(count, main.parameters)),
        "one_pass": set(main.iterations) == {1},
        "bpp": fixed(one.bpp, 3),
        "bits": count(1024 * one.bpp),
        "bytes": count(128 * one.bpp),
        "epochs": listed(main.epochs),
        "learning_rate": short(one.learning_rate),
        "output_gain": listed(map(short, main.output_gain)),
        "batch_size": listed(setting.batch for setting in batches),
        "train_size": listed(setting.size for setting in sizes),
        "loss": listed(setting.loss_name for setting in losses),
    }


def batch_sizes(rows: pd.DataFrame) -> dict:
    found = settings(rows, "batch_size")
    small, large = found[0], found[-1]
    return {
        "settings": listed(setting.batch for setting in found),
        "seeds": seeds(found),
        "rows": [setting.row(batch=setting.batch) for setting in found],
        **extremes(found, lambda setting: setting.batch),
        "small": small.batch,
        "large": large.batch,
        "early": above(large.mean("first_psnr") - small.mean("first_psnr")),
        "late": above(large.mean("psnr") - small.mean("psnr")),
        "small_steps": count(small.one.step),
        "large_steps": count(large.one.step),
    }


def equal_steps(rows: pd.DataFrame) -> dict | None:
    if not (found := settings(rows, "equal_steps")):
        return None
    small, large = found[0], found[-1]
    equal_epochs = {setting.batch: setting.quality for setting in settings(rows, "batch_size")}
    return {
        "steps": count(small.one.step),
        "small": small.batch,
        "large": large.batch,
        "times": fixed(large.one.batch_size / small.one.batch_size, 0),
        "small_ends": small.quality,
        "large_ends": large.quality,
        "small_at_equal_epochs": equal_epochs[small.batch],
        "large_at_equal_epochs": equal_epochs[large.batch],
    }


def scaled_rate(rows: pd.DataFrame) -> dict | None:
    if not (found := settings(rows, "scaled_rate")):
        return None
    small, large = found[0], found[-1]
    return {"small": small.batch, "large": large.batch, "small_ends": small.quality, "large_ends": large.quality}


def train_sizes(rows: pd.DataFrame, images: int) -> dict:
    """Args: images: how many the data set has for training; larger sets are made by rotation."""
    found = settings(rows, "train_size")
    small, large = found[0], found[-1]
    turned = [setting.size for setting in found if setting.one.train_size > images]
    means = [setting.mean("psnr") for setting in found if setting.scored]
    return {
        "settings": listed(setting.size for setting in found),
        "seeds": seeds(found),
        "rows": [setting.row(size=setting.size, training_psnr=setting.number("training_psnr", 2)) for setting in found],
        **extremes(found, lambda setting: setting.size),
        "turned": listed(turned),
        "one_turned": len(turned) == 1,
        "rises": means == sorted(means),
        "small": small.size,
        "large": large.size,
        "change": decibels(large.mean("psnr") - small.mean("psnr")),
        "small_gap": above(small.mean("training_psnr") - small.mean("psnr")),
        "large_gap": above(large.mean("training_psnr") - large.mean("psnr")),
        "small_steps": count(small.one.step),
        "large_steps": count(large.one.step),
    }


def train_control(rows: pd.DataFrame) -> dict | None:
    own = rows[rows.study == "train_control"]
    if own.empty:
        return None
    turned, flipped = (own[own.augmentation == name] for name in ("rotation", "flip"))
    return {
        "epochs": listed(turned.epochs),
        "rotation": settings(rows, "train_size")[-1].quality,
        "flips": fixed(flipped.ms_ssim.mean(), 3),
        "originals": fixed(turned.ms_ssim.mean(), 3),
    }


def losses(rows: pd.DataFrame) -> dict:
    found = settings(rows, "loss")
    shares = [(setting.runs.colour_spread / setting.runs.data_colour_spread).mean() for setting in found]
    ranked = sorted((share, i) for i, share in enumerate(shares) if share == share)
    (least, least_i), (most, most_i) = ranked[0], ranked[-1]
    return {
        "names": listed(setting.loss_name for setting in found),
        "both_ways": not all(setting.ours for setting in found),
        "seeds": seeds(found),
        "rows": [
            setting.row(
                loss=setting.loss_name, way="ours" if setting.ours else "report's", colour=fixed(100 * share, 0)
            )
            for setting, share in zip(found, shares, strict=True)
        ],
        **extremes(found, lambda setting: setting.way),
        "most": percent(most, 1),
        "most_at": found[most_i].way,
        "least": percent(least, 1),
        "least_at": found[least_i].way,
        "l1": [_beside_mean_image(setting) for setting in found if setting.one.loss == "l1"],
    }


def _beside_mean_image(setting):
    ends = above(setting.mean("psnr") - setting.one.mean_image_psnr) if setting.scored else ""
    return {"way": setting.way, "ends": ends, "status": listed(setting.runs.status)}


def residual_n(rows: pd.DataFrame) -> dict | None:
    if not (found := settings(rows, "residual_n")):
        return None
    ends = [{"n": setting.one.loss.rpartition("_")[-1], "psnr": setting.psnr} for setting in found]
    return {"width": fraction(found[0].one.width), "ends": ends}


def collapse(rows: pd.DataFrame) -> dict | None:
    if not (found := settings(rows, "collapse")):
        return None
    numbers = [(setting.runs.status == "collapsed").sum() for setting in found]
    return {
        "seeds": seeds(found),
        "epochs": count(found[0].one.epochs),
        "ways": [
            {"way": setting.way, "collapsed": count(n), "runs": count(len(setting.runs)), "psnr": setting.psnr}
            for setting, n in zip(found, numbers, strict=True)
        ],
        "none": not any(numbers),
    }


def passes(rows: pd.DataFrame) -> dict | None:
    if not (found := settings(rows, "passes")):
        return None
    numbers = sorted({setting.one.iterations for setting in found})

    def ends(number):
        return [
            {
                "cell": CELLS[setting.one.cell].label,
                "psnr": setting.psnr,
                "parameters": count(setting.one.parameters),
                "gain": short(setting.one.binarizer_gain),
            }
            for setting in found
            if setting.one.iterations == number
        ]

    return {
        "width": fraction(found[0].one.width),
        "numbers": listed(numbers),
        "most": count(numbers[-1]),
        "once": ends(1),
        "all": ends(numbers[-1]),
    }


def every_study(rows: pd.DataFrame) -> list[dict]:
    """The rows of the paper's table of studies; a run that two studies ask for counts in both."""
    return [_study(STUDIES[name], settings(rows, name)) for name in rows.study.unique()]


def _study(study, found):
    every = pd.concat([setting.runs for setting in found])
    return {
        "name": study.name.replace("_", " "),
        "question": study.question,
        "notebook": study.notebook[:2],
        "settings": count(len(found)),
        "seeds": seeds(found),
        "runs": count(len(every)),
        "time": duration(every.seconds.sum()),
    }


def further(rows: pd.DataFrame) -> list[dict]:
    """The studies with figures of a kind that any study may have, where report.typ does not place them itself."""
    found = [(STUDIES[name], settings(rows, name)) for name in rows.study.unique()]
    return [
        {
            "question": study.question,
            "settings": counted(len(own), "setting"),
            "seeds": counted(max(len(setting.runs) for setting in own), "seed"),
            **extremes(own, partial(_in_words, study)),
            "figures": shown,
        }
        for study, own in found
        if (shown := _not_placed(study)) and any(setting.scored for setting in own)
    ]


def _in_words(study, setting):
    return study.setting(setting.one)


def _not_placed(study):
    names = {kind: f"{study.name}_{kind}" for kind in study.figures if kind in figures.OF_ANY_STUDY}
    placed = (*PLACED, *figures.OF_ONE_STUDY)
    return [{"kind": kind, "name": name} for kind, name in names.items() if name not in placed]
