"""Figures are drawn from tables alone, the same bytes twice, and show what the table says."""

import base64
import shutil

import numpy as np
import pandas as pd
import pytest

from study.codec import standard
from study.experiments import tables
from study.experiments.presets import GAIN
from study.ground import paths
from study.reporting import ends, figures


def history(seeds):
    rng = np.random.default_rng(0)
    rows = [
        dict.fromkeys(tables.HISTORY, 0)
        | {"study": study, study: setting, "seed": seed, "split": split, "epoch": epoch, "run": f"{setting}-{seed}"}
        | {score: rng.random() for score in ("psnr", "ms_ssim", "report_score", "residual_l1")}
        for study in ("batch_size", "train_size")
        for setting in (32, 64)
        for seed in range(seeds)
        for split in ("training", "validation")
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("draw", [figures.batch_size_quality, figures.train_size_psnr])
def test_curves_show_every_seed_the_mean_and_how_many(draw):
    table = history(seeds=3)
    figure = draw(table)
    axis = figure.axes[1]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["training images", "validation images"]
    assert len(axis.lines) == 2 * (3 + 1)
    assert {text.get_text() for text in axis.texts} >= {"32 (n = 3)", "64 (n = 3)"}
    study, score = ("batch_size", "report_score") if draw is figures.batch_size_quality else ("train_size", "psnr")
    shown = table[(table.study == study) & (table[study] == 32) & (table.split == "validation")]
    np.testing.assert_allclose(axis.lines[3].get_ydata(), shown.groupby("epoch")[score].mean())


def test_the_residual_loss_is_drawn_empty_while_its_runs_still_train(tmp_path, monkeypatch):
    """A job of the grid shows all figures of its notebook."""
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    table = history(seeds=1).assign(study="loss", loss="l1", gain=GAIN, schedule="cosine")
    figures.save(figures.residual_by_n(table), "smoke", "figure_9")
    assert len(list(tmp_path.rglob("figure_9.*"))) == 2


def test_the_residual_loss_is_of_one_kind_of_run_and_divided_by_n_squared():
    rows = (
        history(seeds=1)
        .query("study == 'batch_size' and batch_size == 32")
        .assign(study="loss", loss="ms_ssim", schedule="cosine")
    )
    table = pd.concat([rows.assign(gain=GAIN), rows.assign(gain=1.0, residual_l1=0.0)])
    lines = figures.residual_by_n(table).axes[0].lines
    residual = rows[rows.split == "validation"].residual_l1
    for n, line in zip((1, 5, 9, 15), lines[1::2], strict=True):
        np.testing.assert_allclose(line.get_ydata(), (residual / n) ** 2)


@pytest.mark.parametrize("preset", ["excerpt", "codec", "recipe"])
def test_the_published_tables_give_the_same_bytes_twice(tmp_path, monkeypatch, preset):
    contents = []
    for folder in ("one", "two"):
        monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / folder))
        shutil.copytree(paths.published_tables(preset), paths.tables(preset))
        names = figures.draw_all(preset)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / folder).rglob("figure_*.*")})
    assert len(contents[0]) == 2 * len(names) > 0
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []


def test_pictures_come_out_of_the_table_as_they_went_in():
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    file = base64.b64encode(standard.png(image)).decode()
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
    figure = figures.better_samples(pd.DataFrame([row, row | {"image": 8}]))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), image)
    assert figure.axes[0].get_xlabel() == "7"


def test_a_jpeg_of_the_nearest_payload_is_found():
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    payloads = [standard.jpeg_payload(standard.jpeg(image, quality)) for quality in standard.QUALITIES]
    file, decoded = standard.nearest_jpeg(image, 500)
    assert abs(standard.jpeg_payload(file) - 500) == min(abs(payload - 500) for payload in payloads)
    assert decoded.shape == image.shape


def test_a_jpeg_payload_is_what_follows_the_scan_header():
    file = standard.jpeg(np.zeros((32, 32, 3), np.uint8), 50)
    assert len(file) - standard.jpeg_payload(file) == file.index(b"\xff\xda") + 14  # three components: a header of 12


def ends(study, values, **fields):
    """Last validation rows of runs, one a seed, by setting."""
    rows = history(seeds=3).query("study == 'batch_size' and batch_size == 32 and epoch == 3 and split == 'validation'")
    parts = [
        rows.assign(**fields | {"study": study, "psnr": psnr, "run": f"{study}-{value}"}, batch_size=value)
        for value, psnr in values.items()
    ]
    return pd.concat(parts)


def test_protocols_are_drawn_apart_and_the_unscaled_rate_stands_for_the_middle():
    table = pd.concat(
        [
            ends("batch_size", {32: 17.0, 64: 17.5, 128: 17.25}),
            ends("scaled_rate", {32: 18.0, 128: 18.5}),
            ends("equal_steps", {32: 16.0, 64: 16.5, 128: 16.25}),
        ]
    )
    axis = ends.batch_sizes(table.assign(ms_ssim=table.psnr)).axes[0]
    lines = {container.get_label(): container[0].get_ydata().tolist() for container in axis.containers}
    assert lines == {
        "equal epochs, as in the report": [17.0, 17.5, 17.25],
        "equal epochs, rate by √(batch size)": [18.0, 17.5, 18.5],
        "equal steps": [16.0, 16.5, 16.25],
    }


def test_collapse_is_a_share_with_its_exact_interval_beside_the_runs():
    table = ends("collapse", {0: 12.0}, loss="l1", gain=1.0, schedule="constant", status="collapsed")
    axis = ends.collapse(table).axes[0]
    assert [line.get_xdata().tolist() for line in axis.lines] == [[12.0] * 3]
    low = 100 * 0.025 ** (1 / 3)
    assert [text.get_text() for text in axis.texts] == [f"100 [{low:.0f}, 100]", "collapsed, %"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["L1,\ngain 1, constant rate"]


def test_passes_are_lines_of_means_with_a_mark_where_all_passes_are_made():
    parts = [
        ends("passes", {8: psnr}, cell="gru", iterations=2, bpp=bpp) for bpp, psnr in {0.125: 18.0, 0.25: 20.0}.items()
    ]
    axis = ends.passes(pd.concat(parts)).axes[0]
    assert axis.lines[0].get_ydata().tolist() == [18.0, 20.0]
    assert {marks.get_label(): marks[0].get_ydata().tolist() for marks in axis.containers} == {"GRU": [20.0]}


def test_cells_have_a_panel_a_rule_and_a_line_a_cell():
    known = {("gru", "additive"): 20.0, ("lstm", "additive"): 19.0, ("gru", "one_shot"): 18.0}
    parts = [ends("cells", {8: psnr}, cell=cell, reconstruction=rule) for (cell, rule), psnr in known.items()]
    axes = ends.cells(pd.concat(parts)).axes
    assert [axis.get_title() for axis in axes] == ["additive", "one shot"]
    shown = [{line.get_label(): line[0].get_ydata().tolist() for line in axis.containers} for axis in axes]
    assert shown == [{"GRU": [20.0], "LSTM": [19.0]}, {"GRU": [18.0]}]


def test_coded_cells_are_drawn_at_the_bits_of_their_code_coded_and_not():
    known = {("Kodak", "gru"): 20.0, ("Kodak", "lstm"): 21.0, ("CIFAR-10", "lstm"): 25.0}
    rows = [
        {"images": images, "cell": cell, "reconstruction": "additive", "passes": n}
        | {"raw_bpp": n / 8, "payload_bpp": n / 10, "psnr": psnr + n}
        for (images, cell), psnr in known.items()
        for n in (1, 2)
    ]
    kodak, cifar = ends.coded_cells(pd.DataFrame(rows)).axes
    raw, coded = kodak.lines[:2]
    assert raw.get_xdata().tolist() == [1 / 8, 1 / 4] and coded.get_xdata().tolist() == [1 / 10, 1 / 5]
    assert raw.get_ydata().tolist() == coded.get_ydata().tolist() == [21.0, 22.0] and coded.get_label() == "GRU"
    assert cifar.get_title() == "CIFAR-10, additive"
    assert [line.get_ydata().tolist() for line in cifar.lines if line.get_label() == "LSTM"] == [[26.0, 27.0]]
    colours = [{line.get_label(): line.get_color() for line in axis.lines} for axis in (kodak, cifar)]
    assert colours[0]["LSTM"] == colours[1]["LSTM"] != colours[0]["GRU"]


def test_the_reports_values_are_drawn_at_its_own_settings_and_the_mislabelled_one_hollow():
    rows = history(seeds=1).assign(preset="excerpt")
    lines = figures.batch_size_psnr(rows).axes[1].lines
    marks = [line for line in lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert [line.get_ydata() for line in marks] == [[15.57], [18.22], [16.53], [18.21]]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [True, True, False, False]
    assert not [line for line in figures.batch_size_psnr(history(1)).axes[1].lines if line.get_marker() == "D"]
