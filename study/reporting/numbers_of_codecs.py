"""The paper's numbers on the codecs that ship, written out: from the published tables, whatever the paper's preset."""

import pandas as pd

from study.architecture import CELLS
from study.experiments import tables
from study.ground import statistics
from study.reporting.written import (
    count,
    counted,
    decibels,
    duration,
    fixed,
    fraction,
    interval,
    listed,
    percent,
    short,
)

RATES = ("0.25", "0.5", "1")  # bits per pixel, as `rates.csv` writes them
TOLD = 1 - statistics.LEVEL  # a corrected p below it is told from chance


def _read(name):
    return tables.read("codec", name, published=True)


def _of(study):
    return tables.of_studies("codec", "runs", study, published=True)


def _label(codec):
    return CELLS[codec].label if codec in CELLS else codec


def shipped() -> dict:
    """How they were trained, what Kodak's images take, and the table of it beside standard codecs."""
    made = _of("codec")
    rates = _read("rates").set_index(["codec", "quantity", "against"]).sort_index()
    codecs = list(dict.fromkeys(_read("rates").query("quantity == 'top_psnr'").codec))
    return {
        "number": counted(len(codecs), "codec"),
        "passes": listed(made.iterations),
        "log_l2": set(made.loss) == {"log_l2"},
        "images": count(rates.n.max()),
        "published_area": fixed(rates.value["Toderici 2017", "auc", ""], 4),
        "codecs": [_shipped(codec, made[made.cell == codec].iloc[0], rates) for codec in codecs],
        "rates": [short(float(rate)) for rate in RATES],
        "rows": _table(codecs, rates),
        "photograph": _label(_read("photograph").codec[0]),
        "small_images": count(_read("targets").n[0]),
    }


def _shipped(codec, run, rates):
    against = [(other, rates.value[codec, "bd_psnr", other]) for other in ("JPEG 4:2:0", "WebP")]
    return {
        "name": _label(codec),
        "width": fraction(run.width),
        "epochs": counted(run.epochs, "epoch"),
        "images": count(run.train_size),
        "time": duration(run.seconds),
        "top": decibels(rates.value[codec, "top_psnr", ""]),
        "area": fixed(rates.value[codec, "auc", ""], 4),
        "beside": [
            {"by": percent(abs(more) / 100), "way": "smaller" if more < 0 else "larger", "than": other}
            for other, more in against
        ],
        "saved": {passes: percent(rates.value[codec, "saved", passes]) for passes in ("1", "2", "16")},
    }


def _table(shipped, rates):
    """A row per codec: PSNR and MS-SSIM at RATES, the area, and the bytes of each shipped codec beside its own."""

    def cell(codec, quantity, against, digits, bounds=False):
        if (codec, quantity, against) not in rates.index:
            return "–"
        row = rates.loc[(codec, quantity, against)]
        return interval(row.value, row.low, row.high, digits) if bounds else fixed(row.value, digits)

    # Those of which only curves are published have no rate that is compared.
    codecs = [codec for codec in dict.fromkeys(_read("rates").codec) if (codec, "psnr", "0.5") in rates.index]
    return [
        {
            "codec": _label(codec),
            "ships": codec in shipped,
            "cells": [
                *(cell(codec, "psnr", rate, 2) for rate in RATES),
                *(cell(codec, "ms_ssim", rate, 3) for rate in RATES),
                cell(codec, "auc", "", 3),
                *(cell(ours, "bd_psnr", codec, 0, bounds=True) for ours in shipped),
            ],
        }
        for codec in codecs
    ]


def cells() -> dict:
    """What each cell with each reconstruction rule ends at, and what priming brings."""
    made, ends = _of("cells"), _ends("cells", "reconstruction")
    primed = _ends("priming", "priming")
    additive = ends[ends.reconstruction == "additive"].set_index("cell")
    best, worst = ends.loc[ends["mean"].idxmax()], ends.loc[ends["mean"].idxmin()]
    run = made.iloc[0]
    return {
        "width": fraction(run.width),
        "passes": count(run.iterations),
        "epochs": counted(run.epochs, "epoch"),
        "images": count(run.train_size),
        "seeds": count(made.seed.nunique()),
        "additive": [_end(row) for _, row in additive.reset_index().iterrows()],
        "best": _end(best),
        "worst": _end(worst),
        "turns": listed(primed.priming),
        "primed": [_end(row) for _, row in primed.iterrows()],
        "priming_pays": bool(primed.set_index("cell")["mean"].sub(additive["mean"]).max() > 0),
    }


def _ends(study, varied):
    """Mean and interval of the last PSNR by cell and what else is varied, in the order of CELLS."""
    final = tables.final(tables.of_studies("codec", "history", study, published=True))
    made = _of(study)[["run", varied]]
    final = final[["run", "cell", "psnr"]].merge(made, on="run")
    final["cell"] = pd.Categorical(final.cell, [cell for cell in CELLS if cell in set(final.cell)])
    return statistics.interval(final, ["cell", varied], "psnr").astype({"cell": str})


def _end(row):
    rule = row.get("reconstruction", "").replace("_", " ")
    return {"cell": _label(row.cell), "rule": rule, "psnr": interval(row["mean"], row.low, row.high, 2, "dB")}


def parts() -> dict:
    """What a codec trained on a part of CIFAR-10 is ahead of one trained on everything, by what it is tested on."""
    made, differences = _of("part"), _read("part_differences").query("score == 'psnr'")
    told = (differences.holm < TOLD).sum()
    ahead: dict[str, dict[str, str]] = {part: {} for part in differences.part}
    for row in differences.itertuples():
        ahead[row.part][row.tested_on] = interval(row.mean, row.low, row.high, 2, "dB")
    return {
        "passes": listed(made.iterations),
        "images": listed(map(count, made.train_size)),
        "seeds": count(differences.n.max()),
        "ahead": ahead,
        "number": count(len(differences)),
        "told": count(told) if told else "none",
    }


def use() -> dict:
    """How many decoded images a classifier names right, and at how many bytes."""
    table = _read("use")
    means = table.groupby(["codec", "setting"])[["accuracy", "payload_bytes"]].mean()
    ours, smallest = _read("photograph").codec[0], means.loc["JPEG 4:2:0"].payload_bytes.idxmin()

    def named(codec, setting):
        row = means.loc[(codec, setting)]
        return {"right": percent(row.accuracy), "bytes": fixed(row.payload_bytes, 0)}

    return {
        "codec": _label(ours),
        "seeds": count(table.seed.nunique()),
        "originals": named("none", 0),
        "passes": {str(passes): named(ours, passes) for passes in (1, 4, 16)},
        "jpeg": named("JPEG 4:2:0", smallest),
    }
