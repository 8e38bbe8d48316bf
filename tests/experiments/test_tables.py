"""Collecting, the schema, and intervals."""

import pandas as pd
import pytest
from scipy import stats

from study.experiments import runs, tables


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))


def finish(run, psnr=20.0):
    """A finished run's folder without training."""
    facts = dict.fromkeys(set(tables.RUNS) - {"preset", "run", *runs.PARAMETERS}, 0) | {"status": "done"}
    runs.write_manifest(run, facts)
    row = dict.fromkeys(("epoch", "step", "images_seen", "bpp", "ssim", "ms_ssim", "report_score", "residual_l1"), 1)
    rows = pd.DataFrame([row | {"split": split, "psnr": psnr} for split in ("training", "validation")])
    runs.write(run.folder / "history.csv", rows.to_csv(index=False).encode())


def test_rows_outlive_their_folder_and_count_as_finished():
    first, second = runs.plan("smoke", "batch_size")[:2]
    finish(first)
    before = tables.collect("smoke")
    for file in first.folder.iterdir():
        file.unlink()
    finish(second)
    after = tables.collect("smoke")
    assert set(before.run) == {first.id} and set(after.run) == {first.id, second.id}
    pd.testing.assert_frame_equal(after[after.run == first.id].reset_index(drop=True), before)
    assert first not in tables.missing("smoke", runs.plan("smoke"))
    assert len(tables.missing("smoke", runs.plan("smoke"))) == len(runs.plan("smoke")) - 2


def test_two_results_for_one_run_are_refused():
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    tables.collect("smoke")
    finish(run, psnr=21.0)
    with pytest.raises(tables.TableError, match=f"Run {run.id} has one result in .* and another"):
        tables.collect("smoke")


def test_collecting_again_changes_no_byte_and_no_date():
    finish(runs.plan("smoke", "batch_size")[0])
    tables.collect("smoke")
    path = tables.path("smoke", "history")
    content, date = path.read_bytes(), path.stat().st_mtime_ns
    tables.collect("smoke")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, date)


def test_nothing_to_collect_is_said_with_the_command():
    with pytest.raises(tables.TableError, match="no finished run yet. `make study PRESET=smoke`"):
        tables.collect("smoke")


def test_a_table_of_an_older_schema_is_refused():
    finish(runs.plan("smoke", "batch_size")[0])
    history = tables.collect("smoke")
    history.drop(columns="ms_ssim").assign(score=1).to_csv(tables.path("smoke", "history"), index=False)
    with pytest.raises(
        tables.TableError, match=r"another version.*lacks the columns \['ms_ssim'\] and has \['score'\]"
    ):
        tables.read("smoke", "history")


def test_a_missing_table_is_named_with_the_command():
    with pytest.raises(tables.TableError, match="history.csv is not there. `make study PRESET=smoke` makes it"):
        tables.read("smoke", "history")


def test_the_summary_has_each_setting_with_its_mean_over_seeds():
    for run in runs.plan("recipe", "precision"):
        finish(run, psnr=20.0 + run.seed)
    tables.collect("recipe")
    summary = tables.read("recipe", "summary").query("split == 'validation' and score == 'psnr'")
    assert summary.setting.tolist() == ["float32", "mixed_bfloat16"]
    low, high = stats.t.interval(0.95, 2, loc=21.0, scale=stats.sem([20.0, 21.0, 22.0]))
    for row in summary.itertuples():
        assert (row.mean, row.low, row.high, row.n) == pytest.approx((21.0, low, high, 3), rel=1e-5)
