"""The settings of a study, and how their runs ended, written out as the paper has it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd

from study.experiments import tables
from study.experiments.studies import STUDIES
from study.ground import statistics
from study.ground.recipe import OUR_WAY, REPORT_WAY
from study.reporting.style import LOSS_LABELS
from study.reporting.written import count, decibels, fixed, short

SCORES = {"psnr": 2, "ms_ssim": 3, "report_score": 3}  # and their digits


def ended(preset: str) -> pd.DataFrame:
    """One row per study and run: the columns of `runs.csv`, and how the run ended, after its last pass.

    `step`, `bpp` and the scores are those of validation images after the last epoch; `first_psnr` is that after the
    first epoch, `training_psnr` that of training images after the last.
    """
    history = tables.last_pass(tables.of_studies(preset, "history", *STUDIES))
    validation = history[history.split == "validation"]
    first = validation[validation.epoch == 1].rename(columns={"psnr": "first_psnr"})
    training = tables.last_epoch(history[history.split == "training"]).rename(columns={"psnr": "training_psnr"})
    rows = tables.of_studies(preset, "runs", *STUDIES)
    for table, columns in (
        (tables.last_epoch(validation), ["step", "bpp", *tables.SCORES]),
        (first, ["first_psnr"]),
        (training, ["training_psnr"]),
    ):
        rows = rows.merge(table[["study", "run", *columns]], on=["study", "run"], validate="one_to_one")
    return rows


@dataclass(frozen=True)
class Setting:
    """The runs of a study at one setting, a row of `ended` per seed; text but for the runs themselves."""

    runs: pd.DataFrame

    @property
    def one(self) -> pd.Series:
        """Its first run, for what all of them have in common."""
        return self.runs.iloc[0]

    @property
    def scored(self) -> bool:
        """Whether a run of it has a score, as none has where all have diverged."""
        return bool(self.runs.psnr.notna().any())

    def mean(self, score: str) -> float:
        return self.runs[score].mean()

    @property
    def batch(self) -> str:
        return count(self.one.batch_size)

    @property
    def size(self) -> str:
        return count(self.one.train_size)

    @property
    def loss_name(self) -> str:
        return LOSS_LABELS.get(self.one.loss, self.one.loss).replace(" - ", "\u00a0−\u00a0")

    @property
    def ours(self) -> bool:
        """Whether it was trained in our way, not in the report's."""
        return self.one.schedule == OUR_WAY["schedule"]

    @property
    def way(self) -> str:
        """A loss and how it was trained, as Typst's markup: "L1 in the report's way but with $g = 300$"."""
        name, way = ("our", OUR_WAY) if self.ours else ("the report's", REPORT_WAY)
        gain = self.one.binarizer_gain
        other = "" if gain == way["binarizer_gain"] else f" but with $g = {short(gain)}$"
        return f"{self.loss_name} in {name} way{other}"

    @property
    def psnr(self) -> str:
        return decibels(self.mean("psnr"))

    @property
    def quality(self) -> str:
        return fixed(self.mean("ms_ssim"), 3)

    def number(self, score: str, digits: int) -> dict[str, str]:
        """A cell of a table: the mean over seeds, and half of its 95 % t-interval, empty where there is none."""
        found = statistics.interval(self.runs, ["study"], score).iloc[0]
        half = found.high - found["mean"]
        return {"mean": fixed(found["mean"], digits), "half": "" if pd.isna(half) else fixed(half, digits)}

    def row(self, **more) -> dict:
        """A row of a table of results: the scores, how many runs ended in which way, and what else it says."""
        numbers = self.runs.status.value_counts().reindex(["done", "collapsed", "diverged"]).dropna()
        status = [f"{count(n)} {status}" if len(self.runs) > 1 else status for status, n in numbers.items()]
        scores = {score: self.number(score, digits) for score, digits in SCORES.items()}
        return {"steps": count(self.one.step), **scores, "status": status, **more}


def settings(rows: pd.DataFrame, study: str) -> list[Setting]:
    """A study's settings: by size where it varies sizes, else in the order of the tables; none where it has no runs."""
    own = rows[rows.study == study]
    found = [Setting(group) for _, group in own.groupby(list(STUDIES[study].varies), sort=False)]
    return sorted(found, key=lambda setting: setting.one.batch_size * setting.one.train_size)


def seeds(found: list[Setting]) -> str:
    """How many seeds each of some settings has: "5", or "3 to 5"."""
    numbers = sorted({len(setting.runs) for setting in found})
    return " to ".join(dict.fromkeys(map(count, (numbers[0], numbers[-1]))))


def extremes(found: list[Setting], name: Callable[[Setting], str]) -> dict:
    """Which of some settings end highest and lowest, and how far apart, by the means over seeds.

    Args:
        name: how a setting is called.
    """
    scored = [setting for setting in found if setting.scored]
    tops = {f"{score}_at": name(max(scored, key=partial(Setting.mean, score=score))) for score in SCORES}
    ranked = sorted(scored, key=partial(Setting.mean, score="psnr"))
    worst, best = ranked[0], ranked[-1]
    return tops | {
        "agreed": len(set(tops.values())) == 1,
        "best": best.psnr,
        "worst": worst.psnr,
        "worst_at": name(worst),
        "distance": decibels(best.mean("psnr") - worst.mean("psnr")),
        "range": f"from {fixed(worst.mean('psnr'), 2)} to {best.psnr}",
    }
