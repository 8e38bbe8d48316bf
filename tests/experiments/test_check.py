"""The check of the tables finds each way in which they can be wrong, and nothing else."""

import pandas as pd
import pytest

from study.experiments import check, runs, tables
from study.experiments.presets import PUBLISHED


def make_tables(preset, status="done", commit="abc", epochs=None, psnr=15.0):
    """The tables of one run, as the study writes them."""
    run = runs.plan(preset)[0]
    parameters = {name: getattr(run, name) for name in runs.PARAMETERS}
    epochs = epochs or run.epochs
    facts = dict.fromkeys(tables.RUNS, 0) | {"preset": preset, "run": run.id, **parameters}
    facts |= {"studies": " ".join(runs.studies_of(preset)[run.id]), "status": status, "commit": commit}
    facts |= {"epochs_done": epochs, "mean_image_psnr": 12.0, "fingerprint": "f"}
    row = dict.fromkeys(tables.HISTORY, 0) | {"preset": preset, "run": run.id, **parameters, "status": status}
    row |= {"psnr": psnr}
    row = {name: value for name, value in row.items() if name in tables.HISTORY}
    history = [
        row | {"epoch": epoch, "split": split, "bpp": (t + 1) / 8}
        for epoch in range(1, epochs + 1)
        for split in ("training", "validation")
        for t in range(run.iterations)
    ]
    tables.write(preset, "runs", pd.DataFrame([facts]))
    tables.write(preset, "history", pd.DataFrame(history))
    return run


@pytest.fixture
def table(output):
    return make_tables("smoke")


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
        ("runs", "warm_up", 0.0, 0, "warm_up is 0.0 in runs.csv, and 0.05 by its id"),
        ("runs", "studies", "loss", 0, "its studies are 'loss' in runs.csv, and 'batch_size train_size loss' in the"),
        (
            "runs",
            "studies",
            "loss train_size batch_size",
            0,
            "its studies are 'loss train_size batch_size' in runs.csv",
        ),
        ("history", "batch_size", 9, 3, r"batch_size is \[8, 9\] in history.csv, and 8 by its id"),
        ("history", "epoch", 1, 2, "history.csv has 12 rows of it, not one each of 12 epochs, splits and passes"),
        ("history", "bpp", 0.25, 2, "history.csv has 12 rows of it, not one each of 12 epochs, splits and passes"),
        ("history", "psnr", 12.4, 11, "its status 'done' is not that of its last epoch"),
        ("history", "psnr", "nan", 5, "its status 'done' is not that of its last epoch"),
        ("history", "status", "collapsed", 5, "its status 'done' is not that of its last epoch"),
        ("runs", "epochs_done", 5, 0, "history.csv has 12 rows of it, not one each of 10 epochs, splits and passes"),
        ("runs", "run", "8-seed-0-00000000", 0, "it is not in the preset's grid"),
        (
            "history",
            "run",
            "8-seed-0-00000000",
            0,
            "history.csv has rows of 8-seed-0-00000000, which runs.csv does not",
        ),
    ],
)
def test_a_changed_value_is_found(table, name, field, value, where, message):
    change(name, field, value, where)
    assert any(pd.Series(check.problems("smoke")).str.contains(message))


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        ("collapsed", {"psnr": 12.4}),
        ("collapsed", {"psnr": 12.5}),  # half a dB above the mean image is not more
        ("diverged", {"psnr": float("nan")}),
        ("diverged", {"epochs": 3}),  # it ended there
    ],
)
def test_every_status_is_earned(output, status, changes):
    make_tables("smoke", status, **changes)
    assert check.problems("smoke") == []
    for other in {"done", "collapsed", "diverged"} - {status}:
        make_tables("smoke", other, **changes)
        (problem,) = check.problems("smoke")
        assert problem.endswith(f"its status {other!r} is not that of its last epoch")


def test_a_missing_epoch_another_fingerprint_and_a_foreign_file_are_found(table):
    history = tables.read("smoke", "history")
    tables.write("smoke", "history", history.iloc[:-2])
    runs_table = tables.read("smoke", "runs")
    other = runs.plan("smoke", "batch_size")[1]
    tables.write("smoke", "runs", pd.concat([runs_table, runs_table.assign(run=other.id, fingerprint="g")]))
    found = "\n".join(check.problems("smoke"))
    assert "has 10 rows of it, not one each of 12" in found
    assert "photographs with more fingerprints than one: f, g" in found
    (tables.path("smoke", "history").parent / "extra.csv").write_text("a\n1\n")
    assert check.problems("smoke") == ["extra.csv is no table of the study"]


def test_a_run_that_stands_twice_and_another_data_set_are_found(table):
    runs_table = tables.read("smoke", "runs")
    tables.write("smoke", "runs", pd.concat([runs_table, runs_table]))
    assert f"runs.csv has {table.id} twice" in check.problems("smoke")
    tables.write("smoke", "runs", runs_table)
    row = dict.fromkeys(tables.SCHEMA["data"], 0) | {"data": "photographs", "fingerprint": "g"}
    tables.write("smoke", "data", pd.DataFrame([row]))
    (problem,) = check.problems("smoke")
    assert "photographs with more fingerprints than one" in problem


def test_every_table_of_another_schema_is_found(table):
    for name in ("history", "rates"):
        tables.path("smoke", name).write_text("a\n1\n")
    one, other = check.problems("smoke")
    assert "history.csv was written by another version" in one and "rates.csv was written by another version" in other


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_runs_are_of_commits(output, preset):
    """The two that were published before are known by their commit."""
    run = make_tables(preset, commit="0123abc+")
    assert check.problems(preset) == [
        f"{run.id}: it was trained with changes that no commit has (0123abc+); commit them and train it again"
    ]
    for commit in ("0123abc", *check.DIRTY_BEFORE):
        make_tables(preset, commit=commit)
        assert check.problems(preset) == []
    assert len(check.DIRTY_BEFORE) == 2


def test_other_presets_may_be_trained_on_the_way(output):
    make_tables("smoke", commit="0123abc+")
    assert check.problems("smoke") == []


@pytest.mark.parametrize("preset", PUBLISHED)
def test_the_tracked_tables_are_in_order(preset, monkeypatch):
    monkeypatch.delenv("STUDY_OUTPUT", raising=False)
    assert check.problems(preset) == []
