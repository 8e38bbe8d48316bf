"""Curves summed up: areas and BD-rates against published figures, intervals against a codec that is known."""

import numpy as np
import pandas as pd
import pytest

from study.analysis import rate_distortion
from study.ground import paths

PUBLISHED = pd.read_csv(paths.PUBLISHED_CURVES)


def published(codec, score="ms_ssim"):
    rows = PUBLISHED[(PUBLISHED.codec == codec) & (PUBLISHED.score == score)]
    return rows.bpp.to_numpy(), rows.value.to_numpy()


def test_area_under_published_curves():
    """T17, Table 1, has 1.8119 of its best; Johnston's is FIELD's own sum of the same published points."""
    assert rate_distortion.auc(*published("Toderici 2017")) == pytest.approx(1.8116, abs=5e-5)
    assert rate_distortion.auc(*published("Johnston 2018")) == pytest.approx(1.8405, abs=5e-5)


def test_area_of_curves_that_are_known():
    assert rate_distortion.auc([0.125, 2.0], [1.0, 1.0]) == pytest.approx(1.875)
    assert rate_distortion.auc([2.0, 0.0], [2.0, 0.0]) == pytest.approx((2**2 - 0.125**2) / 2)
    assert rate_distortion.auc([0.1, 1.0], [1.0, 1.0]) == pytest.approx(1.875)  # goes on level
    with pytest.raises(ValueError, match="starts at 0.5 bpp"):
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
