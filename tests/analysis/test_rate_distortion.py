"""Rates and distortions: single images against their files, and curves summed up against published figures."""

import base64
import io
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from small_codec import random_context_model, small_codec

from study import data
from study.analysis import rate_distortion
from study.codec import compression, file_format
from study.ground import paths
from study.ground.errors import StudyError

PICTURE = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 48), Image.BICUBIC)
)
PUBLISHED = pd.read_csv(paths.PUBLISHED_CURVES)


def test_rows_of_a_recurrent_codec():
    small = small_codec()
    rows = rate_distortion.of_recurrent(small, np.stack([PICTURE, PICTURE[::-1]]))
    assert len(rows) == 2 * 16 and (rows.raw_bytes == rows.passes * 3 * 4 * 4).all()
    assert (rows.payload_bytes <= rows.raw_bytes).all() and (rows.file_bytes > rows.payload_bytes + 12).all()
    _, parts = file_format.read(compression.compress(small, PICTURE, iterations=5).file)
    row = rows[(rows.image == 0) & (rows.passes == 5)].iloc[0]
    assert row.payload_bytes == sum(len(part.body) for part in parts) and row.file_bytes == parts[-1].end


def test_cells_are_means_over_images():
    small = small_codec()
    short = replace(small, context=random_context_model(passes=2))
    sets = {"two": [PICTURE[None], PICTURE[None, :, :32]], "one": [PICTURE[None]]}
    table = rate_distortion.cells_table({("lstm", "additive", 0): short}, sets)
    assert table[["images", "passes", "n"]].values.tolist() == [
        ["two", 1, 2],
        ["two", 2, 2],
        ["one", 1, 1],
        ["one", 2, 1],
    ]
    both = [rate_distortion.of_recurrent(short, image[None]) for image in (PICTURE, PICTURE[:, :32])]
    second = [rows[rows.passes == 2].iloc[0] for rows in both]
    assert table.psnr[1] == pytest.approx(np.mean([row.psnr for row in second]))
    sizes = [8 * row.file_bytes / pixels for row, pixels in zip(second, (48 * 64, 48 * 32), strict=True)]
    assert table.file_bpp[1] == pytest.approx(np.mean(sizes)) and table.raw_bpp[1] == pytest.approx(0.25)


def test_targets_take_the_fewest_passes_that_reach_them():
    rows = pd.DataFrame(
        {
            "image": [0, 0, 0, 1, 1, 1],
            "passes": [1, 2, 3] * 2,
            "payload_bytes": [10, 20, 40, 16, 17, 18],
            "file_bytes": 0,
            "psnr": [1.0, 2, 3, 4, 5, 6],
            "ssim_blocks": 0.5,
            "ms_ssim": 0.5,
        }
    )
    chosen = rate_distortion.recurrent_at_targets(rows)
    assert chosen[["image", "target", "passes"]].values.tolist() == [[1, 16, 1], [0, 16, 2], [0, 32, 3]]
    table = rate_distortion.at_targets(chosen, images=2)  # only one image reaches 32
    assert table.target.tolist() == [16] and table.psnr.tolist() == [3.0]
    assert table.psnr_sem.item() == pytest.approx(1.0)


@pytest.mark.skipif("CIFAR_DIR" not in os.environ, reason="needs the CIFAR excerpt")
def test_jpeg_on_cifar_is_what_was_measured_elsewhere():
    """69 bytes: 23.1 dB and .807, of the first 500 test images and on another grid of qualities."""
    rows = rate_distortion.standard_at_targets("JPEG 4:2:0", data.load("excerpt").validation[:60])
    at_64 = rows[rows.target == 64]
    assert 64 <= at_64.payload_bytes.mean() <= 70
    assert at_64.psnr.mean() == pytest.approx(23.0, abs=0.8) and at_64.ssim_blocks.mean() == pytest.approx(
        0.8, abs=0.03
    )


def test_kodak_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.delenv("KODAK_DIR", raising=False)
    with pytest.raises(StudyError, match="KODAK_DIR"):
        rate_distortion.kodak()
    monkeypatch.setenv("KODAK_DIR", str(tmp_path))
    with pytest.raises(StudyError, match="kodim01.png"):
        rate_distortion.kodak()


def test_photograph_rows_hold_what_the_file_shows():
    table = rate_distortion.photograph_table(small_codec(), PICTURE, passes=(1, 2))
    assert table.passes.tolist() == [0, 1, 2]
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(p)))) for p in table.picture_png]
    np.testing.assert_array_equal(shown[0], PICTURE)
    assert peak_signal_noise_ratio(PICTURE, shown[2]) == pytest.approx(table.psnr[2], abs=1e-4)


def published(codec, score="ms_ssim"):
    rows = PUBLISHED[(PUBLISHED.codec == codec) & (PUBLISHED.score == score)]
    return rows.bpp.to_numpy(), rows.value.to_numpy()


def test_area_under_published_curves():
    """T17, Table 1, has 1.8119 of its best; Johnston's is a sum by hand of the same published points."""
    assert rate_distortion.auc(*published("Toderici 2017")) == pytest.approx(1.8116, abs=5e-5)
    assert rate_distortion.auc(*published("Johnston 2018")) == pytest.approx(1.8405, abs=5e-5)


def test_area_of_curves_that_are_known():
    assert rate_distortion.auc([0.125, 2.0], [1.0, 1.0]) == pytest.approx(1.875)
    assert rate_distortion.auc([2.0, 0.0], [2.0, 0.0]) == pytest.approx((2**2 - 0.125**2) / 2)
    assert rate_distortion.auc([0.1, 1.0], [1.0, 1.0]) == pytest.approx(1.875)  # goes on level
    with pytest.raises(StudyError, match="starts at 0.5 bpp"):
        rate_distortion.auc([0.5, 2.0], [1.0, 1.0])


def test_bd_rate_of_a_codec_that_takes_half_the_bytes():
    rates, qualities = np.array([0.25, 0.5, 1.0, 2.0]), np.array([25.0, 28.0, 31.0, 35.0])
    assert rate_distortion.bd_rate((rates, qualities), (rates / 2, qualities)) == pytest.approx(-50)
    assert rate_distortion.bd_rate((rates, qualities), (rates, qualities)) == pytest.approx(0, abs=1e-9)
    worse_at_the_end = np.append(rates / 2, 1.5), np.append(qualities, 34.9)
    assert rate_distortion.bd_rate((rates, qualities), worse_at_the_end) == pytest.approx(-50)


def test_table_of_codecs_that_are_known():
    """A recurrent codec that takes half of the other's bytes for the same quality, its raw bytes four times those."""
    rng, settings = np.random.default_rng(0), np.arange(1, 6)
    rows = []
    for image in range(8):
        scale = rng.uniform(0.9, 1.1)
        for setting in settings:
            quality = {"psnr": 20.0 + 3 * setting, "ms_ssim": 0.8 + 0.03 * setting}
            for codec, factor, raw in (("ours", 0.5, 4.0), ("other", 1.0, np.nan)):
                size = 1000 * scale * setting * factor
                bytes_ = {"raw_bytes": raw * size, "payload_bytes": size, "file_bytes": size, "bpp": size / 5000}
                rows.append({"codec": codec, "setting": setting, "image": image, **bytes_, **quality})
    table = rate_distortion.rates_table(pd.DataFrame(rows)).set_index(["codec", "quantity", "against"])
    for score in ("bd_psnr", "bd_ms_ssim"):
        row = table.loc["ours", score, "other"]
        assert row.value == pytest.approx(-50) and row.low == pytest.approx(-50) and row.n == 8
    assert table.loc[("ours", "saved", "3"), ["value", "low", "high"]].tolist() == pytest.approx([0.75] * 3)
    assert table.loc[("ours", "top_psnr", ""), "value"].item() == pytest.approx(35)
    at_half = table.loc["other", "psnr", "0.5"]  # the mean of the scales is near 1: half a bit is near 2500 bytes
    assert at_half.value == pytest.approx(20 + 3 * 2.5, abs=0.5) and at_half.low < at_half.value < at_half.high
    assert "bd_psnr" not in table.loc["other"].index.get_level_values("quantity")
    assert table.loc[("Toderici 2017", "auc", ""), "value"].item() == pytest.approx(1.8116, abs=5e-5)
