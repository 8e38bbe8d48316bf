"""Gives the published tables the identities of the new house: the same numbers under new names; trains nothing.

Run once, from the repository, on the tables of the commit before: python scripts/carry_over.py
"""

import pandas as pd

from study.experiments import runs, tables
from study.experiments.presets import PUBLISHED
from study.ground import paths
from study.ground.recipe import BETA_2, CLIP_NORM, REPORT_WAY, WARM_UP
from study.architecture import CELLS

# The order in which the old house named its studies: of three trainings of one configuration the first is kept.
SAME = "data train_size batch_size epochs seed width loss cell reconstruction activation iterations priming".split()
SAME += "learning_rate schedule augmentation steps precision".split()


def run_of(row):
    theirs = row.schedule == "constant"
    return runs.Run(
        **{name: row[name] for name in SAME},
        binarizer_gain=row.gain,
        output_gain=CELLS[row.cell].output_gain,
        warm_up=REPORT_WAY["warm_up"] if theirs else WARM_UP,
        clip_norm=REPORT_WAY["clip_norm"] if theirs else CLIP_NORM,
        beta_2=REPORT_WAY["beta_2"] if theirs else BETA_2,
    )


def read(preset, name):
    return pd.read_csv(paths.tables(preset) / f"{name}.csv", keep_default_na=False, na_values=["nan"])


for preset in PUBLISHED:
    old, history = read(preset, "runs"), read(preset, "history")
    planned = {run: run for run in runs.plan(preset)}
    found = {row.run + " " + row.study: run_of(row) for _, row in old.iterrows()}
    found = {
        key: planned[run] for key, run in found.items()
    }  # with the plan's own types; KeyError for what is not in it
    keys = old.run + " " + old.study
    old = old.assign(new=[found[key].id for key in keys], studies="")
    kept = old[~old.new.duplicated()]
    for name in ("binarizer_gain", "output_gain", "warm_up", "clip_norm", "beta_2"):
        kept = kept.assign(**{name: [getattr(found[key], name) for key in kept.run + " " + kept.study]})
    last = history[
        (history.split == "validation") & (history.epoch == history.groupby(["study", "run"]).epoch.transform("max"))
    ]
    twins = old[old.new.duplicated(keep=False)].merge(last, on=["study", "run"])
    print(
        preset,
        len(old),
        "rows,",
        len(kept),
        "kept;",
        "dropped",
        (old[old.new.duplicated()].study.value_counts()).to_dict(),
    )
    spread = twins.groupby("new").psnr.agg(lambda x: x.max() - x.min())
    print(
        "  largest difference of final PSNR between trainings of one configuration:", spread.max() if len(spread) else 0
    )
    kept_keys = set(kept.run + " " + kept.study)
    names = {key: run.id for key, run in found.items()}
    history = history[(history.run + " " + history.study).isin(kept_keys)]
    history = history.assign(run=(history.run + " " + history.study).map(names))
    by_id = {run.id: run for run in found.values()}
    history = history.assign(
        binarizer_gain=[by_id[run].binarizer_gain for run in history.run],
        steps=[by_id[run].steps for run in history.run],
    )
    by_run = dict(zip(old.run, old.new, strict=True))
    for name in ("samples", "edges", "loss_samples"):
        if tables.path(preset, name).exists():
            table = read(preset, name).rename(columns={"gain": "binarizer_gain"})
            tables.write(preset, name, table.assign(run=table.run.map(by_run)))
    if (differences := tables.path(preset, "gains")).exists():
        differences.rename(tables.path(preset, "part_differences"))
    tables.write(preset, "runs", kept.assign(run=kept.new))
    tables.write(preset, "history", history)
    tables.collect(preset)
