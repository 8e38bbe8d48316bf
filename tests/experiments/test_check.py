"""The check of the tables finds each way in which they can be wrong, and nothing else."""

import pandas as pd
import pytest

from study.experiments import check, runs, tables


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The tables of one run of two epochs, as the study writes them."""
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    run = runs.plan("smoke", "batch_size")[0]
    parameters = {name: getattr(run, name) for name in runs.PARAMETERS}
    facts = dict.fromkeys(tables.RUNS, 0) | {"preset": "smoke", "run": run.id, **parameters}
    facts |= {"status": "done", "epochs_done": run.epochs, "mean_image_psnr": 12.0, "fingerprint": "f"}
    row = dict.fromkeys(tables.HISTORY, 0) | {"preset": "smoke", "run": run.id, **parameters, "status": "done"}
    row |= {"bpp": 0.125, "psnr": 15.0}
    row = {name: value for name, value in row.items() if name in tables.HISTORY}
    epochs = range(1, run.epochs + 1)
    history = [row | {"epoch": epoch, "split": split} for epoch in epochs for split in ("training", "validation")]
    tables.write("smoke", "runs", pd.DataFrame([facts]))
    tables.write("smoke", "history", pd.DataFrame(history))
    return run


def change(name, field, value, where=slice(None)):
    file = tables.path("smoke", name)
    table = pd.read_csv(file, keep_default_na=False).astype({field: object})
    table.loc[where, field] = value
    table.to_csv(file, index=False)


def test_sound_tables_have_no_problem(table):
    assert check.problems("smoke") == []


@pytest.mark.parametrize(
    ("name", "field", "value", "where", "message"),
    [
        ("runs", "learning_rate", 0.02, 0, "learning_rate is 0.02 in runs.csv, and 0.01 by its id"),
        ("history", "batch_size", 9, 3, r"batch_size is \[8, 9\] in history.csv, and 8 by its id"),
        ("history", "epoch", 1, 2, "history.csv has 12 rows of it, not one each of 12 epochs, splits and passes"),
        ("history", "psnr", 12.4, 11, "its status 'done' is not that of its last epoch"),
        ("history", "psnr", "nan", 5, "its status 'done' is not that of its last epoch"),
        ("runs", "run", "8-seed-0-00000000", 0, "it is not in the preset's grid"),
    ],
)
def test_a_changed_value_is_found(table, name, field, value, where, message):
    change(name, field, value, where)
    assert any(pd.Series(check.problems("smoke")).str.contains(message))


def test_a_missing_epoch_another_fingerprint_and_a_foreign_file_are_found(table, tmp_path):
    history = tables.read("smoke", "history")
    tables.write("smoke", "history", history.iloc[:-2])
    runs_table = tables.read("smoke", "runs")
    other = runs.plan("smoke", "batch_size")[1]
    tables.write("smoke", "runs", pd.concat([runs_table, runs_table.assign(run=other.id, fingerprint="g")]))
    found = "\n".join(check.problems("smoke"))
    assert (
        "has 10 rows of it, not one each of 12" in found
        and "photographs with more fingerprints than one: f, g" in found
    )
    (tables.path("smoke", "history").parent / "extra.csv").write_text("a\n1\n")
    assert check.problems("smoke") == ["extra.csv is no table of the study"]


@pytest.mark.parametrize("preset", ["excerpt", "recipe"])
def test_the_tracked_tables_are_in_order(preset, monkeypatch):
    monkeypatch.delenv("STUDY_OUTPUT", raising=False)
    assert check.problems(preset) == []
