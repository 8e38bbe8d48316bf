"""The findings in words say what the published tables hold."""

import pandas as pd
import pytest

from study.ground import paths
from study.reporting import findings


def test_numbers_are_those_of_the_runs():
    folder = paths.published_tables("excerpt")
    runs = pd.read_csv(folder / "runs.csv")
    history = pd.read_csv(folder / "history.csv").query("split == 'validation' and epoch == epochs")
    asked = runs[runs.studies.str.split().map(lambda names: "batch_size" in names)].run
    means = history[history.run.isin(asked)].groupby("batch_size").ms_ssim.mean()
    assert f"end {means[32] - means[1024]:.3f} [" in findings.batch_size()
    networks = pd.read_csv(folder / "networks.csv")
    assert f"{networks.parameters.max():,} parameters at 16 passes" in findings.parameters()


@pytest.mark.parametrize(
    "row, words",
    [((-0.079, -0.085, -0.074), "0.079 [0.074, 0.085] lower"), ((0.125, 0.093, 0.158), "0.125 [0.093, 0.158] higher")],
)
def test_a_difference_is_said_by_its_side(row, words, monkeypatch):
    table = pd.DataFrame([row], columns=["estimate", "low", "high"], index=["a_claim"])
    monkeypatch.setattr(findings, "_claims", lambda: table)
    assert findings._beside("a_claim") == words
