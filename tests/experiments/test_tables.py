"""Collecting, the schema, the rows of studies, and the summary."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.experiments import runs, tables
from study.experiments.presets import PUBLISHED
from study.ground import paths
from study.ground.errors import StudyError

# Reading


def test_a_table_of_another_schema_is_refused(output, finish):
    finish(runs.plan("smoke", "batch_size")[0])
    history = tables.collect("smoke")
    history.drop(columns="ms_ssim").assign(score=1).to_csv(tables.path("smoke", "history"), index=False)
    message = r"another version.*lacks the columns \['ms_ssim'\] and has \['score'\]"
    for read in (tables.read, tables.read_or_empty):
        with pytest.raises(StudyError, match=message):
            read("smoke", "history")
    history[history.columns[::-1]].to_csv(tables.path("smoke", "history"), index=False)
    with pytest.raises(StudyError, match="or another order"):
        tables.read("smoke", "history")


def test_a_missing_table_is_named_with_the_command(output):
    with pytest.raises(StudyError, match="history.csv is not there. `make study PRESET=smoke` makes it"):
        tables.read("smoke", "history")
    empty = tables.read_or_empty("smoke", "history")
    assert list(empty.columns) == tables.HISTORY and not len(empty)


def test_published_tables_are_the_repositorys_wherever_output_goes(output):
    assert len(tables.read("recipe", "runs", published=True)) == len(runs.plan("recipe"))
    assert not len(tables.read_or_empty("recipe", "runs"))


def test_what_is_written_is_returned_as_it_is_read_again(output):
    row = dict.fromkeys(tables.SCHEMA["rates"], "a") | {"value": 1 / 3, "low": np.nan, "high": 1e-9, "n": 3}
    written = tables.write("smoke", "rates", pd.DataFrame([row]))
    assert (written.value.item(), written.high.item(), written.n.item()) == (0.333333, 1e-9, 3)
    assert np.isnan(written.low.item()) and ",nan," in tables.path("smoke", "rates").read_text()
    pd.testing.assert_frame_equal(written, tables.read("smoke", "rates"))


# Tables that something happened to


def semicolons(text):
    return text.replace(",", ";")


def in_words_of_a_spreadsheet(text):
    head, row, *rows = text.splitlines(keepends=True)
    return head + row.replace("17.5", '"17,5"') + "".join(rows)


DAMAGED = {
    "cut in a line": (lambda text: text[:-9], "its last line was cut off"),
    "cut at a number": (lambda text: text[: text.rindex(",") - 1], "its last line was cut off|values"),
    "semicolons": (semicolons, r"lacks the columns \['preset'"),
    "tabs": (lambda text: text.replace(",", "\t"), r"lacks the columns \['preset'"),
    "decimal commas": (in_words_of_a_spreadsheet, "'17,5' in the column psnr is no number"),
    "a date": (lambda text: text.replace(",17.5,", ",17. May,", 1), "'17. May' in the column psnr is no number"),
    "a percentage": (lambda text: text.replace(",17.5,", ",17.5%,", 1), "'17.5%' in the column psnr is no number"),
    "an empty cell": (lambda text: text.replace(",17.5,", ",,", 1), "'' in the column psnr is no number"),
    "true and false": (lambda text: text.replace(",17.5,", ",TRUE,"), "in the column psnr is no number"),
    "a cell too many": (lambda text: text.replace(",17.5,", ",17.5,1,", 1), "line 2 has 29 values, and the first one"),
    "a cell too few": (lambda text: text.replace(",17.5,", ",", 1), "line 2 has 27 values, and the first one has 28"),
    "commas at each end": (lambda text: text.replace("\n", ",\n"), "lacks|has .*Unnamed"),
    "nothing": (lambda text: "", "is not as it was written"),
    "zeros": (lambda text: "\0" * len(text), "is not as it was written"),
    "UTF-16": (lambda text: text.encode("utf-16"), "is not as it was written"),
    "a merge": (lambda text: "<<<<<<< HEAD\n" + text, "line 2 has 28 values, and the first one has 1"),
    "a pointer": (lambda text: "version https://git-lfs.github.com/spec/v1\nsize 1\n", "lacks the columns"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_table_is_refused_by_its_name(damage, words, output, finish):
    run = runs.plan("smoke", "batch_size")[0]
    finish(run, psnr=17.5)
    tables.collect("smoke")
    path = tables.path("smoke", "history")
    damaged = damage(path.read_text())
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    before = path.read_bytes()
    for use in (lambda: tables.read("smoke", "history"), lambda: tables.collect("smoke")):
        with pytest.raises(StudyError, match=words) as error:
            use()
        assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert path.read_bytes() == before


HARMLESS = {
    "a byte order mark": lambda text: "\ufeff" + text,
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "sorted by psnr": lambda text: "".join(
        [text.splitlines(True)[0], *sorted(text.splitlines(True)[1:], reverse=True)]
    ),
    "quoted words": lambda text: text.replace(",lstm,", ',"lstm",'),
    "more digits": lambda text: text.replace(",17.5,", ",17.50000,"),
    "an exponent": lambda text: text.replace(",17.5,", ",1.75E+01,"),
    "empty lines": lambda text: text.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
@pytest.mark.parametrize("here", [True, False], ids=["with folders", "without folders"])
def test_what_an_editor_leaves_without_harm_is_mended_by_collecting(change, here, output, finish):
    made = runs.plan("smoke", "batch_size")
    for run in made:
        finish(run, psnr=17.5)
    tables.collect("smoke")
    path = tables.path("smoke", "history")
    before = path.read_bytes()
    path.write_bytes(change(before.decode()).encode())
    assert path.read_bytes() != before
    for run in () if here else made:
        shutil.rmtree(run.folder)
    tables.collect("smoke")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("history", lambda table: table.iloc[:-2], "history.csv has 10 rows of it, not one each of 12"),
        ("history", lambda table: table.iloc[:0], "history.csv has 0 rows of it"),
        ("history", lambda table: table[table.epoch != 3], "history.csv has 10 rows of it"),
        ("history", lambda table: pd.concat([table, table]), "history.csv has 24 rows of it"),
        ("history", lambda table: table.assign(batch_size=9), r"batch_size is \[9\] in history.csv, and 8 by its id"),
        ("history", lambda table: table.assign(epoch=table.epoch / 2), "history.csv has 12 rows of it, not one each"),
        ("runs", lambda table: table.iloc[:0], "runs.csv has 0 rows of it"),
        ("runs", lambda table: pd.concat([table, table]), "runs.csv has 2 rows of it"),
        ("runs", lambda table: table.assign(epochs_done=5), "history.csv has 12 rows of it, not one each of 10"),
        ("runs", lambda table: table.assign(epochs_done=np.nan), "history.csv has 12 rows of it, not one each of nan"),
        ("runs", lambda table: table.assign(epochs_done=np.inf), "history.csv has 12 rows of it, not one each of inf"),
    ],
)
def test_tables_that_have_a_part_of_a_run_are_refused_and_stay(name, change, words, output, finish):
    """As after a table was cut at the end of a line; with the run's folder they are mended."""
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    tables.collect("smoke")
    before = {name: tables.path("smoke", name).read_bytes() for name in ("history", "runs", "summary")}
    tables.write("smoke", name, change(tables.read("smoke", name)))
    cut = tables.path("smoke", name).read_bytes()
    run.folder.rename(output / "elsewhere")
    with pytest.raises(
        StudyError, match=f"has a part of the run {run.id} .{words}.*Take runs.csv and history.csv from git"
    ):
        tables.collect("smoke")
    assert tables.path("smoke", name).read_bytes() == cut
    if len(tables.read("smoke", name)) == 24 or "part" not in words:
        tables.write("smoke", "history", tables.read("smoke", "history").iloc[:0])
    (output / "elsewhere").rename(run.folder)
    tables.collect("smoke")
    assert {name: tables.path("smoke", name).read_bytes() for name in before} == before


def test_the_history_of_an_older_version_is_taken_as_it_was_meant(output, finish):
    """With nothing for no number, columns that the manifest has too, and no name of the machine."""
    run = runs.plan("smoke", "batch_size")[0]
    finish(run, psnr=np.nan)
    new = tables.collect("smoke")
    path = run.folder / "history.csv"
    pd.read_csv(path).assign(run=run.id, status="done", seed=run.seed, of_old=1).to_csv(path, index=False)
    assert ",,1,1,1,1," in path.read_text()
    manifest = json.loads((run.folder / "manifest.json").read_text())
    (run.folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "machine"}))
    pd.testing.assert_frame_equal(tables.collect("smoke"), new)


@pytest.mark.parametrize("name", ["history.csv", "weights.npz", "images.csv"])
def test_each_file_of_a_run_is_known_by_its_digest(name, output, finish):
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    for other in ("weights.npz", "images.csv"):
        (run.folder / other).write_bytes(b"whole")
    digests = {key: runs.digest((run.folder / file).read_bytes()) for key, file in tables.DIGESTED.items()}
    runs.write_manifest(run, runs.read_manifest(run) | digests)
    tables.check_folder(run)
    path = run.folder / name
    path.write_bytes(path.read_bytes().replace(b"e", b"f"))
    with pytest.raises(StudyError, match=f"manifest.json and {name} in .* two different results.*or {name} is damaged"):
        tables.collect("smoke")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": None}, "fingerprint is None in .*manifest.json"),
        ({"parameters": "many"}, "parameters is 'many' in .*manifest.json"),
        ({"threads": True}, "threads is True in .*manifest.json"),
        ({"epochs_done": 5}, "history.csv has 12 rows of it, not one each of 10"),
    ],
)
def test_a_finished_run_whose_manifest_lacks_something_is_refused(change, words, output, finish):
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    runs.write_manifest(run, runs.read_manifest(run) | change)
    with pytest.raises(StudyError, match=f"Run {run.id}.*{words}.*Copy the whole folder once more, or remove it"):
        tables.collect("smoke")


# The rows of studies


@pytest.fixture
def smoke(output, finish):
    """Every run of the preset `smoke`, collected, each with a PSNR of its own."""
    planned = runs.plan("smoke")
    for i, run in enumerate(planned):
        finish(run, psnr=20.0 + i)
    tables.collect("smoke")
    return planned


@pytest.mark.parametrize("name", ["history", "runs"])
def test_a_run_of_two_studies_has_its_rows_under_both_names(smoke, name):
    rows, plain = tables.of_studies("smoke", name, "batch_size", "loss"), tables.read("smoke", name)
    assert list(rows.columns) == ["study", *plain.columns]
    for study in ("batch_size", "loss"):
        asked = plain[plain.run.isin([run.id for run in runs.plan("smoke", study)])].reset_index(drop=True)
        found = rows[rows.study == study].drop(columns="study").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, asked)
    shared = set(runs.plan("smoke", "batch_size")) & set(runs.plan("smoke", "loss"))
    assert len(shared) == 1 and len(rows) == len(plain) * (2 + 3) / 5
    assert rows.study.tolist() == sorted(rows.study)  # one after the other, as they were asked for
    other = tables.of_studies("smoke", name, "loss", "batch_size")
    assert other.study.tolist() == sorted(rows.study, reverse=True)


def test_a_study_is_known_by_its_whole_name(smoke):
    """`loss` is a part of no other study's name, but `codec` is of `codec_recipe`."""
    table = tables.read("smoke", "runs")
    tables.write("smoke", "runs", table.assign(studies=["codec_recipe", "codec", "part", "part codec", "priming"]))
    assert tables.of_studies("smoke", "runs", "codec").run.tolist() == table.run[[1, 3]].tolist()


def test_a_study_without_runs_has_no_rows_and_an_unknown_one_is_refused(smoke):
    assert not len(tables.of_studies("smoke", "history", "collapse"))
    assert set(tables.of_studies("smoke", "history", "collapse", "loss").study) == {"loss"}
    with pytest.raises(StudyError, match="There is no study 'colour'; choose among batch_size, equal_steps"):
        tables.of_studies("smoke", "history", "loss", "colour")


def test_runs_that_are_not_made_yet_have_no_rows(output, finish):
    finish(runs.plan("smoke", "batch_size")[1])  # which the other studies do not ask for
    tables.collect("smoke")
    assert tables.of_studies("smoke", "runs", "train_size", "batch_size").study.tolist() == ["batch_size"]


def test_published_rows_of_studies(output):
    rows = tables.of_studies("recipe", "runs", "recipe", "precision", published=True)
    assert rows.study.tolist() == ["recipe"] * 12 + ["precision"] * 6 and len(set(rows.run)) == 17


# Collecting


def test_rows_outlive_their_folder_and_count_as_finished(output, finish):
    first, second = runs.plan("smoke", "batch_size")[:2]
    finish(first)
    before = tables.collect("smoke")
    shutil.rmtree(first.folder)
    finish(second)
    after = tables.collect("smoke")
    assert set(before.run) == {first.id} and set(after.run) == {first.id, second.id}
    pd.testing.assert_frame_equal(after[after.run == first.id].reset_index(drop=True), before)
    assert first not in tables.missing("smoke", runs.plan("smoke"))
    assert len(tables.missing("smoke", runs.plan("smoke"))) == len(runs.plan("smoke")) - 2


def test_rows_are_in_the_order_of_the_plan_whenever_their_runs_were_made(output, finish):
    for run in runs.plan("smoke")[::-1]:
        finish(run)
        history = tables.collect("smoke")
    planned = [run.id for run in runs.plan("smoke")]
    assert tables.read("smoke", "runs").run.tolist() == list(history.run.unique()) == planned


def test_studies_are_those_of_the_grid_whatever_was_written_before(output, finish):
    run = runs.plan("smoke", "loss")[0]
    finish(run)
    tables.collect("smoke")
    assert tables.read("smoke", "runs").studies.item() == "batch_size train_size loss"
    tables.write("smoke", "runs", tables.read("smoke", "runs").assign(studies="loss"))
    shutil.rmtree(run.folder)
    tables.collect("smoke")
    assert tables.read("smoke", "runs").studies.item() == "batch_size train_size loss"


def test_images_per_second_are_those_that_training_showed(output, finish):
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)  # 6 epochs of 512 images in 60 seconds
    tables.collect("smoke")
    assert tables.read("smoke", "runs").images_a_second.tolist() == [51.2]


def test_two_results_for_one_run_are_refused(output, finish):
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    tables.collect("smoke")
    before = tables.path("smoke", "history").read_bytes()
    finish(run, psnr=21.0)
    with pytest.raises(StudyError, match=f"Run {run.id} has one result in .* and another"):
        tables.collect("smoke")
    assert tables.path("smoke", "history").read_bytes() == before


def test_a_folder_of_two_results_is_refused(output, finish):
    """Its manifest knows the history that it was written with."""
    run = runs.plan("smoke", "batch_size")[0]
    finish(run)
    history = (run.folder / "history.csv").read_bytes()
    runs.write_manifest(run, runs.read_manifest(run) | {"history": runs.digest(history)})
    tables.collect("smoke")
    (run.folder / "history.csv").write_bytes(history.replace(b"20.0", b"20.1"))
    with pytest.raises(
        StudyError, match=f"Run {run.id}: manifest.json and history.csv .* are of two different results"
    ):
        tables.collect("smoke")


def test_collecting_again_changes_no_byte_and_no_date(output, finish):
    finish(runs.plan("smoke", "batch_size")[0], psnr=20.123456789)
    tables.collect("smoke")
    files = [tables.path("smoke", name) for name in ("history", "runs", "summary")]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    tables.collect("smoke")
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before


def test_nothing_to_collect_is_said_with_the_command(output):
    with pytest.raises(StudyError, match="no finished run yet. `make study PRESET=smoke`"):
        tables.collect("smoke")


def test_rows_of_runs_that_are_planned_no_more_are_dropped_only_when_asked(output, finish):
    run, other = runs.plan("smoke")[0], runs.plan("laptop")[0]
    finish(run)
    tables.collect("smoke")
    for name in ("history", "runs"):
        table = tables.read("smoke", name)
        tables.write("smoke", name, pd.concat([table, table.assign(run=other.id)]))
    before = {name: tables.path("smoke", name).read_bytes() for name in ("history", "runs", "summary")}
    with pytest.raises(
        StudyError, match=f"has 1 runs that the grid of 'smoke' does not ask for, such as {other.id}.*--drop"
    ):
        tables.collect("smoke")
    assert {name: tables.path("smoke", name).read_bytes() for name in before} == before
    assert set(tables.collect("smoke", drop=True).run) == set(tables.read("smoke", "runs").run) == {run.id}


# Each line names a run, which arrives as from another machine and is collected. The first of two that collect at a time
# waits between reading and writing until it is told to go on; the second says so if it finds the other at work.
COLLECTOR = """
import os, sys
from study.experiments import runs, tables

def merged(preset, drop, merged=tables._merged):
    rows = merged(preset, drop)
    if part == "first":
        print("has read", flush=True)
        sys.stdin.readline()
    return rows

tables._merged = merged
for line in iter(sys.stdin.readline, ""):
    part, name = line.split()
    run = runs.find("recipe", name)
    os.rename(os.path.join(sys.argv[1], name), run.folder)
    tables.collect("recipe")
    print("collected", flush=True)
"""


class Collector:
    def __init__(self, folder):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-c", COLLECTOR, folder], **pipes)

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def hear(self):
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def test_two_processes_that_collect_at_once_lose_nothing(output, finish):
    """One collects what arrived while the other was between reading and writing. Folders go after each round.

    A row that one of them has overwritten would be lost for good.
    """
    arrived = output / "arrived"
    arrived.mkdir()
    made = runs.plan("recipe")[:6]
    for run in made:
        finish(run)
        run.folder.rename(arrived / run.id)
    collectors = [Collector(arrived) for _ in range(2)]
    for i in range(0, len(made), 2):
        (first, second), (one, other) = collectors, made[i : i + 2]
        first.tell("first", one.id)
        assert first.hear() == "has read"
        second.tell("second", other.id)
        waits = second.hear().startswith("Another process is at work")  # else it has collected
        first.tell("go on")
        assert first.hear() == "collected"
        assert not waits or second.hear() == "collected"
        for name in ("history", "runs"):
            assert set(tables.read("recipe", name).run) == {run.id for run in made[: i + 2]}
        for run in (one, other):
            shutil.rmtree(run.folder)
        collectors.reverse()
    assert [collector.end() for collector in collectors] == [0, 0]


# Rows


def test_a_diverged_run_has_no_numbers_and_stays_in_the_tables(output, finish):
    for run in runs.plan("recipe", "precision"):
        finish(run, psnr=np.nan if (run.seed, run.precision) == (1, "float32") else 20.0 + run.seed)
    for _ in range(2):  # from the folders alone, and beside the tables
        history = tables.collect("recipe")
        assert history.psnr.isna().sum() == 30 and len(history) == 180  # of six runs of 15 epochs
    summary = tables.read("recipe", "summary").query(
        "split == 'validation' and score == 'psnr' and study == 'precision'"
    )
    assert summary.setting.tolist() == ["precision float32", "precision mixed_bfloat16"]
    assert summary.n.tolist() == [2, 3] and summary["mean"].tolist() == [21.0, 21.0]
    low, high = stats.t.interval(0.95, 1, loc=21.0, scale=stats.sem([20.0, 22.0]))
    assert (summary.low.iloc[0], summary.high.iloc[0]) == pytest.approx((low, high), rel=1e-5)


def test_the_summary_has_each_setting_of_each_study_with_its_mean_over_seeds(output, finish):
    for run in runs.plan("recipe", "precision"):
        finish(run, psnr=20.0 + run.seed)
    tables.collect("recipe")
    summary = tables.read("recipe", "summary")
    assert set(summary.split) == {"training", "validation"} and set(summary.score) == set(tables.SCORES)
    psnr = summary.query("split == 'validation' and score == 'psnr'").set_index("study")
    low, high = stats.t.interval(0.95, 2, loc=21.0, scale=stats.sem([20.0, 21.0, 22.0]))
    assert psnr.loc["precision"].setting.tolist() == ["precision float32", "precision mixed_bfloat16"]
    for row in psnr.loc["precision"].itertuples():
        assert (row.mean, row.low, row.high, row.n) == pytest.approx((21.0, low, high, 3), rel=1e-5)
    # The recipe's own study asks for one of these runs, at one seed.
    recipe = psnr.loc["recipe"]
    assert recipe.setting == "binarizer gain 300, learning rate 0.01, batch size 64"
    assert (recipe["mean"], recipe.n) == (20.0, 1) and np.isnan(recipe.low)


def test_the_summary_is_of_the_last_epoch_after_the_last_pass(output, finish):
    run = runs.plan("codec", "priming")[0]
    finish(run)
    history = pd.read_csv(run.folder / "history.csv")
    history["psnr"] = 10 * history.epoch + 8 * history.bpp + (history.split == "training") / 2
    history.to_csv(run.folder / "history.csv", index=False)
    tables.collect("codec")
    psnr = tables.read("codec", "summary").query("score == 'psnr'").set_index("split")["mean"]
    last = 10 * run.epochs + run.iterations
    assert psnr.to_dict() == {"training": last + 0.5, "validation": last}


def rows(run, split, epoch, bpp, psnr):
    return {"run": run, "split": split, "epoch": epoch, "bpp": bpp, "psnr": psnr}


HISTORY = pd.DataFrame(
    [
        rows(run, split, epoch, bpp, psnr)
        # The second run diverged in its second epoch; the third has one pass.
        for run, epochs, passes in (("a", 3, 2), ("b", 2, 2), ("c", 1, 1))
        for epoch in range(1, epochs + 1)
        for split in ("training", "validation")
        for bpp, psnr in [(0.125, np.nan if (run, epoch) == ("b", 2) else 10.0 + epoch), (0.25, 20.0 + epoch)][:passes]
    ]
)


def named(table):
    return sorted(table[["run", "split", "epoch", "bpp"]].itertuples(index=False, name=None))


def test_last_rows_are_each_runs_own():
    splits = ("training", "validation")
    assert named(tables.last_epoch(HISTORY)) == sorted(
        (run, split, epoch, bpp)
        for run, epoch, bpps in (("a", 3, (0.125, 0.25)), ("b", 2, (0.125, 0.25)), ("c", 1, (0.125,)))
        for bpp in bpps
        for split in splits
    )
    last = named(tables.last_pass(HISTORY))
    assert len(last) == 2 * (3 + 2 + 1) and {(run, bpp) for run, _, _, bpp in last} == {
        ("a", 0.25),
        ("b", 0.25),
        ("c", 0.125),
    }
    assert named(tables.final(HISTORY)) == [
        ("a", "validation", 3, 0.25),
        ("b", "validation", 2, 0.25),
        ("c", "validation", 1, 0.125),
    ]


def test_final_rows_of_a_diverged_run_are_those_without_a_number():
    diverged = HISTORY.assign(psnr=HISTORY.psnr.where(~((HISTORY.run == "b") & (HISTORY.epoch == 2))))
    final = tables.final(diverged).set_index("run").psnr
    assert final.a == 23.0 and np.isnan(final.b) and final.c == 11.0


def test_final_rows_of_no_rows_are_none():
    assert not len(tables.final(HISTORY[:0])) and list(tables.final(HISTORY[:0]).columns) == list(HISTORY.columns)


def test_every_published_table_has_its_columns():
    for folder in (paths.ROOT / "results").iterdir():
        for file in folder.glob("*.csv") if folder.name in PUBLISHED else ():
            assert len(tables.read(folder.name, file.stem, published=True)), file
