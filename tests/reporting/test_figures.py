"""Figures are drawn from tables alone, the same bytes twice, show what the table says, and cope with any part of it."""

import io
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from study.architecture import CELLS
from study.experiments import tables
from study.experiments.presets import PUBLISHED
from study.experiments.studies import STUDIES, of_preset
from study.ground import images, paths
from study.ground.errors import StudyError
from study.ground.recipe import BINARIZER_GAIN
from study.reporting import curves, ends, figures, pictures, rates

SCORES = list(tables.SCORES)
DRAWN = [(preset, name) for preset in PUBLISHED for name in figures.names(preset, published=True)]


def history(study, seeds, settings=(32, 64)):
    """Rows of one study at two settings of what it varies, with random scores."""
    rng = np.random.default_rng(0)
    rows = [
        dict.fromkeys(tables.HISTORY, 0)
        | {"study": study, study: setting, "seed": seed, "split": split, "epoch": epoch, "run": f"{setting}-{seed}"}
        | {score: rng.random() for score in SCORES}
        for setting in settings
        for seed in range(seeds)
        for split in ("training", "validation")
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("study", "draw", "score"),
    [("batch_size", curves.quality, "report_score"), ("train_size", curves.psnr, "psnr")],
)
def test_curves_show_every_seed_the_mean_and_how_many(study, draw, score):
    table = history(study, seeds=3)
    figure = draw(STUDIES[study], table)
    axis = figure.axes[1]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["training images", "validation images"]
    assert len(axis.lines) == 2 * (3 + 1)
    assert {text.get_text() for text in axis.texts} >= {"32 (n = 3)", "64 (n = 3)"}
    shown = table[(table[study] == 32) & (table.split == "validation")]
    for seed in range(3):
        np.testing.assert_array_equal(axis.lines[seed].get_ydata(), shown[shown.seed == seed][score])
    np.testing.assert_allclose(axis.lines[3].get_ydata(), shown.groupby("epoch")[score].mean())


def test_the_band_of_a_curve_is_the_interval_of_its_mean():
    table = history("batch_size", seeds=3)
    axis = curves.psnr(STUDIES["batch_size"], table).axes[1]
    band = axis.collections[0].get_paths()[0].vertices
    shown = table[(table.batch_size == 32) & (table.split == "validation") & (table.epoch == 2)].psnr
    low, high = stats.t.interval(0.95, 2, loc=shown.mean(), scale=stats.sem(shown))
    assert sorted(set(band[band[:, 0] == 2, 1].round(9))) == pytest.approx([low, high])


def test_the_residual_loss_is_of_one_kind_of_run_and_divided_by_n_squared():
    rows = history("batch_size", seeds=1, settings=[32]).assign(loss="ms_ssim", schedule="cosine")
    table = pd.concat([rows.assign(binarizer_gain=BINARIZER_GAIN), rows.assign(binarizer_gain=1.0, residual_l1=0.0)])
    lines = curves.residual(table).axes[0].lines
    residual = rows[rows.split == "validation"].residual_l1
    for n, line in zip((1, 5, 9, 15), lines[1::2], strict=True):
        np.testing.assert_allclose(line.get_ydata(), (residual / n) ** 2)


def test_the_recipe_has_a_panel_for_each_batch_size_and_a_line_for_each_gain_and_rate():
    parts = [
        history("batch_size", seeds=1).assign(binarizer_gain=gain, learning_rate=rate, run=f"{gain} {rate}")
        for gain, rate in ((1.0, 0.01), (300.0, 0.01), (300.0, 0.03))
    ]
    axes = curves.recipe(pd.concat(parts)).axes
    assert [axis.get_title() for axis in axes] == ["batch size 32", "batch size 64"]
    named = [line.get_label() for line in axes[0].lines if not line.get_label().startswith("_")]
    assert named == ["gain 1, rate 0.01", "gain 300, rate 0.01", "gain 300, rate 0.03"]


@pytest.fixture
def published(output):
    """The output folder with the published tables in it."""
    for preset in PUBLISHED:
        shutil.copytree(paths.published_tables(preset), paths.tables(preset))
    return output


@pytest.mark.parametrize("preset", PUBLISHED)
def test_the_published_tables_give_the_same_bytes_twice(tmp_path, monkeypatch, preset):
    contents = []
    for folder in ("one", "two"):
        monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / folder))
        shutil.copytree(paths.published_tables(preset), paths.tables(preset))
        names = figures.draw_all(preset)
        assert names == figures.names(preset) == figures.names(preset, published=True)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / folder / "figures").rglob("*.*")})
    assert contents[0].keys() == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []
    tracked = {path.name for path in (paths.ROOT / "figures" / preset).iterdir()}
    assert tracked == contents[0].keys()


def test_every_figure_of_a_study_that_was_made_is_drawn():
    for preset in PUBLISHED:
        names = figures.names(preset, published=True)
        assert len(set(names)) == len(names)
        made = set(" ".join(tables.read(preset, "runs", published=True).studies).split())
        of_studies = [
            f"{study.name}_{kind}" for study in of_preset(preset) if study.name in made for kind in study.figures
        ]
        assert names[: len(of_studies)] == of_studies


@pytest.mark.parametrize("name", ["figure_9", "batch_size", "batch_size_colours", "dreams_quality", ""])
def test_an_unknown_figure_is_refused_with_the_known_ones(name):
    with pytest.raises(StudyError, match=f"no figure '{name}'; choose one of architecture, better_samples") as refused:
        figures.draw("excerpt", name)
    known = str(refused.value).partition("choose one of ")[2].rstrip(".").split(", ")
    assert {drawn for _, drawn in DRAWN} == set(known)
    assert len(set(known)) == len(known)


def studies_of(name):
    """The studies that a figure shows; none if it is drawn from a table of its own."""
    if name in figures.OF_A_TABLE or name == figures.OF_TWO_SIZES:
        return ()
    return figures.OF_ONE_STUDY[name][0] if name in figures.OF_ONE_STUDY else (name.rpartition("_")[0],)


def without_runs(table):
    return table[:0]


def without_the_first_run(table):
    """Which may be the one that others are compared with."""
    first = "run" if "run" in table.columns else table.columns[1]
    return table[~table[first].isin(table[first][:1])]


def of_one_run(table):
    return table[table.run.isin(table.run[:1])] if "run" in table.columns else table[:1]


def with_scores(table, status, **scores):
    known = {name: value for name, value in scores.items() if name in table.columns}
    return table.assign(**known | ({"status": status} if "status" in table.columns else {}))


def diverged(table):
    spreads = dict.fromkeys(("colour_spread", "output_spread"), np.nan)
    return with_scores(table, "diverged", **dict.fromkeys(SCORES, np.nan), **spreads, ssim_blocks=np.nan)


def half_diverged(table):
    """Every second run."""
    if "run" not in table.columns:
        return table
    lost = table.run.isin(sorted(set(table.run))[::2])
    return pd.concat([table[~lost], diverged(table[lost])]).sort_index()


def collapsed(table):
    """All answer the mean image."""
    return with_scores(table, "collapsed", psnr=12.4585, ms_ssim=0.2, ssim=0.1, report_score=0.4, residual_l1=0.2)


@pytest.mark.parametrize("state", [without_runs, of_one_run, without_the_first_run, diverged, half_diverged, collapsed])
@pytest.mark.parametrize(("preset", "name"), DRAWN)
def test_every_figure_copes_with_any_part_of_a_grid(preset, name, state, published):
    """Also while it is rendered; a warning is a failure."""
    if shown := studies_of(name):
        made = tables.read(preset, "runs")
        of_them = made[made.studies.map(lambda names: bool(set(names.split()) & set(shown)))]
        kept = state(of_them)
        recorded = tables.read(preset, "history")
        tables.write(preset, "runs", kept)
        tables.write(preset, "history", state(recorded[recorded.run.isin(kept.run)]))
    else:
        table = "claims" if name == figures.OF_TWO_SIZES else figures.OF_A_TABLE[name][0]
        tables.write(preset, table, state(tables.read(preset, table)))
    if state is without_runs:
        assert name not in figures.names(preset)
    figures.draw(preset, name).savefig(io.BytesIO(), bbox_inches="tight")


@pytest.mark.parametrize("kind", figures.OF_ANY_STUDY)
@pytest.mark.parametrize(
    ("preset", "study"),
    [(p, study.name) for p in PUBLISHED for study in of_preset(p) if study.varies[0] in tables.HISTORY],
)
def test_what_a_study_may_have_every_study_can_have(preset, study, kind):
    """Whatever it varies: numbers, or names of losses and of cells."""
    if f"{study}_{kind}" in figures.OF_ONE_STUDY:
        pytest.skip("has a figure of its own by that name")
    figures.draw(preset, f"{study}_{kind}", published=True).savefig(io.BytesIO(), bbox_inches="tight")


def test_a_thing_has_one_colour_in_all_figures():
    """A GRU, an LSTM, WebP: by the labels that stand beside lines."""
    colours, shown = {}, {}
    labels = {cell.label for cell in CELLS.values()} | {"JPEG 4:2:0", "WebP"}
    for preset, name in DRAWN:
        for axis in figures.draw(preset, name, published=True).axes:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                if label in labels:
                    line = handle[0] if hasattr(handle, "lines") else handle
                    colours.setdefault(label, set()).add(to_hex(line.get_color()))
                    shown.setdefault(label, set()).add(name)
    assert {label: len(found) for label, found in colours.items()} == dict.fromkeys(labels, 1)
    assert len(set().union(*colours.values())) >= len(CELLS)  # cells differ
    of_both = {"passes_rate", "cells_rules", "coded_cells", "kodak", "equal_bytes"}
    assert shown["GRU"] & shown["LSTM"] >= of_both


def test_lines_without_a_name_have_the_colour_of_their_cell():
    """Those of networks for fewer passes, and of codes without entropy coding."""
    table = tables.of_studies("excerpt", "history", "passes", published=True)
    axis = ends.passes(table).axes[0]
    named = {
        label: to_hex(handle[0].get_color()) for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    rows = tables.last_epoch(table[(table.split == "validation") & (table.iterations == 4)])
    for cell, label in (("lstm", "LSTM"), ("gru", "GRU")):
        means = rows[rows.cell == cell].groupby("bpp").psnr.mean().tolist()
        (line,) = [line for line in axis.lines if line.get_ydata().tolist() == means]
        assert to_hex(line.get_color()) == named[label]


def test_pictures_come_out_of_the_table_as_they_went_in():
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    file = images.to_text(image)
    row = {
        "choice": "better",
        "image": 7,
        "psnr": 20.0,
        "ssim": 0.5,
        "jpeg_psnr": 18.7,
        "jpeg_ssim": 0.4,
        "jpeg_bytes": 655,
    }
    row |= {"jpeg_payload": 30, "original_png": file, "reconstruction_png": file, "jpeg_png": file}
    figure = pictures.better_samples(pd.DataFrame([row, row | {"image": 8}, row | {"choice": "poorer", "image": 9}]))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image)
    assert [axis.get_xlabel() for axis in figure.axes[:2]] == ["7", "8"] and len(figure.axes) == 6


def final_rows(study, values, **fields):
    """Last validation rows of runs, three seeds each, by setting."""
    rows = history("batch_size", seeds=3, settings=[32]).query("epoch == 3 and split == 'validation'")
    parts = [
        rows.assign(**fields | {"study": study, "psnr": psnr, "run": f"{study}-{value}"}, batch_size=value)
        for value, psnr in values.items()
    ]
    return pd.concat(parts)


def test_protocols_are_drawn_apart_and_the_unscaled_rate_stands_for_the_middle():
    table = pd.concat(
        [
            final_rows("batch_size", {32: 17.0, 64: 17.5, 128: 17.25}),
            final_rows("scaled_rate", {32: 18.0, 128: 18.5}),
            final_rows("equal_steps", {32: 16.0, 64: 16.5, 128: 16.25}),
        ]
    )
    axis = ends.protocols(table.assign(ms_ssim=table.psnr)).axes[0]
    lines = {container.get_label(): container[0].get_ydata().tolist() for container in axis.containers}
    assert lines == {
        "equal epochs, as in the report": [17.0, 17.5, 17.25],
        "equal epochs, rate by √(batch size)": [18.0, 17.5, 18.5],
        "equal steps": [16.0, 16.5, 16.25],
    }


def test_controls_stand_beside_the_largest_training_set():
    rows = [
        final_rows("train_size", {32: psnr}, train_size=size, augmentation="rotation")
        for size, psnr in ((100, 0.6), (400, 0.7))
    ]
    rows += [
        final_rows("train_control", {32: psnr}, train_size=size, augmentation=augmentation)
        for size, augmentation, psnr in ((400, "flip", 0.65), (100, "rotation", 0.55))
    ]
    table = pd.concat(rows).assign(run=lambda t: t.study + t.train_size.astype(str) + t.augmentation)
    axis = ends.controls(table.assign(ms_ssim=table.psnr)).axes[0]
    lines = {line.get_label(): line[0].get_xydata().round(9).tolist() for line in axis.containers}
    assert lines == {
        "rotated beyond the originals": [[100, 0.6], [400, 0.7]],
        "flipped beyond the originals": [[448, 0.65]],
        "originals alone, more epochs": [[448, 0.55]],
    }


def test_collapse_is_a_share_with_its_exact_interval_beside_the_runs():
    fields = {"loss": "l1", "binarizer_gain": 1.0, "schedule": "constant", "status": "collapsed"}
    axis = ends.collapse(final_rows("collapse", {0: 12.0}, **fields)).axes[0]
    assert [line.get_xdata().tolist() for line in axis.lines] == [[12.0] * 3]
    low = 100 * 0.025 ** (1 / 3)
    assert [text.get_text() for text in axis.texts] == [f"100 [{low:.0f}, 100]", "collapsed, %"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["L1,\ngain 1, constant rate"]


def test_passes_are_lines_of_means_with_a_mark_where_all_passes_are_made():
    parts = [
        final_rows("passes", {8: psnr}, cell="gru", iterations=2, bpp=bpp)
        for bpp, psnr in {0.125: 18.0, 0.25: 20.0}.items()
    ]
    axis = ends.passes(pd.concat(parts)).axes[0]
    assert axis.lines[0].get_ydata().tolist() == [18.0, 20.0]
    assert {marks.get_label(): marks[0].get_ydata().tolist() for marks in axis.containers} == {"GRU": [20.0]}


def test_cells_have_a_panel_a_rule_and_a_line_a_cell():
    known = {("gru", "additive"): 20.0, ("lstm", "additive"): 19.0, ("gru", "one_shot"): 18.0}
    parts = [final_rows("cells", {8: psnr}, cell=cell, reconstruction=rule) for (cell, rule), psnr in known.items()]
    axes = ends.rules(pd.concat(parts)).axes
    assert [axis.get_title() for axis in axes] == ["additive", "one shot"]
    shown = [{line.get_label(): line[0].get_ydata().tolist() for line in axis.containers} for axis in axes]
    assert shown == [{"GRU": [20.0], "LSTM": [19.0]}, {"GRU": [18.0]}]


def test_ends_are_means_of_the_last_epoch_by_what_a_study_varies():
    table = final_rows("batch_size", {32: 17.0, 64: 18.0})
    psnr, ms_ssim = ends.ends(STUDIES["batch_size"], table).axes
    (line,) = psnr.containers
    assert line[0].get_xydata().tolist() == [[32, 17.0], [64, 18.0]]
    assert [axis.get_ylabel() for axis in (psnr, ms_ssim)] == ["PSNR (dB)", "MS-SSIM[w3,L4]"]
    named = ends.ends(STUDIES["precision"], table.assign(precision=["float32", "bfloat16"] * 3)).axes[0]
    assert {text.get_text() for text in named.get_xticklabels()} == {"float32", "bfloat16"}


def test_one_epoch_is_a_mark_at_a_whole_number():
    table = tables.of_studies("excerpt", "history", "batch_size", published=True).query("epoch == 1")
    axis = curves.psnr(STUDIES["batch_size"], table).axes[1]
    named = [line for line in axis.lines if "(n = " in str(line.get_label())]
    assert {line.get_marker() for line in named} == {"o"} and len(named) == table.batch_size.nunique()
    axis.figure.draw_without_rendering()
    assert [tick for tick in axis.get_xticks() if tick % 1] == []


def test_coded_cells_are_drawn_at_the_bits_of_their_code_coded_and_not():
    known = {("Kodak", "gru"): 20.0, ("Kodak", "lstm"): 21.0, ("CIFAR-10", "lstm"): 25.0}
    rows = [
        {"images": images, "cell": cell, "reconstruction": "additive", "passes": n}
        | {"raw_bpp": n / 8, "payload_bpp": n / 10, "psnr": psnr + n}
        for (images, cell), psnr in known.items()
        for n in (1, 2)
    ]
    kodak, cifar = rates.coded_cells(pd.DataFrame(rows)).axes
    raw, coded = kodak.lines[:2]
    assert raw.get_xdata().tolist() == [1 / 8, 1 / 4] and coded.get_xdata().tolist() == [1 / 10, 1 / 5]
    assert raw.get_ydata().tolist() == coded.get_ydata().tolist() == [21.0, 22.0] and coded.get_label() == "GRU"
    assert raw.get_color() == coded.get_color()
    assert cifar.get_title() == "CIFAR-10, additive"
    assert [line.get_ydata().tolist() for line in cifar.lines if line.get_label() == "LSTM"] == [[26.0, 27.0]]
    colours = [{line.get_label(): line.get_color() for line in axis.lines} for axis in (kodak, cifar)]
    assert colours[0]["LSTM"] == colours[1]["LSTM"] != colours[0]["GRU"]


def diamonds(axis):
    return [line for line in axis.lines if line.get_marker() == "D" and len(line.get_xdata())]


def test_the_reports_values_are_drawn_at_its_own_settings_and_the_mislabelled_one_hollow():
    study = STUDIES["batch_size"]
    marks = diamonds(curves.psnr(study, history("batch_size", 1).assign(preset="excerpt")).axes[1])
    assert [line.get_ydata() for line in marks] == [[15.57], [18.22], [16.53], [18.21]]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [True, True, False, False]
    for preset in (0, "laptop", "codec"):  # whose images are others
        assert not diamonds(curves.psnr(study, history("batch_size", 1).assign(preset=preset)).axes[1])


@pytest.mark.parametrize(("preset", "half"), [("excerpt", 4726), ("report", 50_000), ("report-float16", 50_000)])
def test_the_reports_training_sets_are_scaled_to_the_images_there_are(preset, half):
    """50,000 of 100,000 images there, as large a share of 9,453 here."""
    rows = history("train_size", 1, settings=(half, 2 * half + 1)).assign(preset=preset)
    known = pd.read_csv(paths.REPORTED).query("study == 'train_size' and split == 'validation' and setting == 50_000")
    quality = curves.quality(STUDIES["train_size"], rows)
    score, ms_ssim = quality.axes[1], quality.axes[3]
    colour = next(line for line in score.lines if line.get_label().startswith(f"{half:,} ")).get_color()
    marks = [line for line in diamonds(score) if line.get_markerfacecolor() == colour]
    assert [line.get_ydata()[0] for line in marks] == known.report_score.tolist()
    assert [line.get_xdata()[0] for line in marks] == known.epoch.tolist() == [1, 15]
    assert not diamonds(ms_ssim)  # which the report did not measure


def test_no_other_study_has_the_reports_values():
    table = tables.of_studies("excerpt", "history", "equal_steps", published=True)
    assert not any(diamonds(axis) for axis in curves.psnr(STUDIES["equal_steps"], table).axes)
