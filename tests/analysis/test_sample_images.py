"""Which images are shown, what stands beside them, and the network as the report's code built it."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from study import data
from study.analysis import report_network, sample_images
from study.codec import standard
from study.experiments import runs
from study.ground import paths

RNG = np.random.default_rng(0)
IMAGES = np.stack(
    [
        np.asarray(Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)).resize((32, 32), Image.BICUBIC))
        for _ in range(200)
    ]
)


class Noisy:
    """A codec that leaves images the worse, the larger their number: image i with noise of i + 1 grey levels."""

    def predict_on_batch(self, images):
        noise = np.random.default_rng(1).normal(size=images.shape) / 255
        known = {image.tobytes(): i for i, image in enumerate((IMAGES / np.float32(255)).astype("float32"))}
        worse = np.array([known[image.astype("float32").tobytes()] + 1 for image in images])
        return np.clip(images + noise * worse[:, None, None, None], 0, 1)[:, None].astype("float32")


@pytest.fixture
def noisy(output, monkeypatch):
    monkeypatch.setattr(sample_images.training, "trained_codec", lambda run: Noisy())
    return runs.plan("smoke", "batch_size")[0]


def picture(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_samples_are_of_the_best_and_the_worst_tenth_the_extreme_ones_first(noisy):
    rows = sample_images.better_and_poorer(noisy, IMAGES)
    better, poorer = (rows[rows.choice == choice] for choice in ("better", "poorer"))
    assert better["rank"].tolist() == [1, 4, 6, 9, 12, 15, 17, 20]  # at even distances among 20
    assert poorer["rank"].tolist() == [200, 197, 195, 192, 189, 186, 184, 181]
    assert better.ms_ssim.is_monotonic_decreasing and poorer.ms_ssim.is_monotonic_increasing
    assert better.image.max() < 100 < poorer.image.min() and set(rows.run) == {noisy.id}


def test_a_sample_has_its_pictures_and_the_jpeg_of_the_nearest_payload(noisy):
    row = sample_images.better_and_poorer(noisy, IMAGES).iloc[3]
    original, shown, jpeg = (picture(row[f"{name}_png"]) for name in ("original", "reconstruction", "jpeg"))
    np.testing.assert_array_equal(original, IMAGES[row.image])
    assert row.psnr == pytest.approx(peak_signal_noise_ratio(original, shown), abs=1e-3)
    assert row.jpeg_psnr == pytest.approx(peak_signal_noise_ratio(original, jpeg), abs=1e-3)
    payloads = [standard.jpeg_payload(standard.jpeg(original, quality)) for quality in standard.QUALITIES]
    assert abs(row.jpeg_payload - 16) == min(abs(payload - 16) for payload in payloads)
    assert row.jpeg_bytes > row.jpeg_payload + 600  # the tables in its header


def test_the_same_images_are_shown_of_every_run(noisy):
    planned = runs.plan("smoke", "loss")
    rows = sample_images.same_images(planned, IMAGES)
    chosen = [0, 28, 57, 85, 114, 142, 171, 199]
    assert rows.image.tolist() == chosen * len(planned)
    assert rows.run.tolist() == [run.id for run in planned for _ in chosen]
    np.testing.assert_array_equal(picture(rows.original_png[9]), IMAGES[28])
    ways = [(run.loss, run.binarizer_gain, run.schedule) for run in planned]
    assert rows[["loss", "binarizer_gain", "schedule"]].drop_duplicates().apply(tuple, axis=1).tolist() == ways


def test_edges_are_the_energy_of_sobels_gradient_beside_the_last_passs_scores(noisy):
    rows = [{"image": i, "bpp": bpp, "psnr": i + bpp, "ms_ssim": 0.5} for bpp in (0.125, 0.25) for i in range(5)]
    noisy.folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(noisy.folder / "images.csv", index=False)
    table = sample_images.edges(noisy, data.DataSet("made up", IMAGES[2:3], IMAGES[:5], ""))
    assert table.psnr.tolist() == [i + 0.25 for i in range(5)] and set(table.run) == {noisy.id}
    assert table.in_training.tolist() == [0, 0, 1, 0, 0]
    grey = IMAGES[3] / 255 @ (0.2125, 0.7154, 0.0721)
    slopes = [ndimage.sobel(grey, axis, mode="reflect") / 4 for axis in (0, 1)]
    assert table.gradient_energy.iloc[3] == pytest.approx(np.mean((slopes[0] ** 2 + slopes[1] ** 2) / 2), rel=1e-6)


def test_the_reports_network_has_the_parameters_that_its_code_printed():
    """16 of them, one for each pass, are its model's almost one billion."""
    network = report_network.report_network()
    quantities = pd.read_csv(paths.QUANTITIES).set_index("quantity").value
    assert 16 * network.count_params() == quantities.parameters_of_16_passes == 970_143_792
    small = report_network.report_network(width=1 / 16)
    assert small(np.zeros((2, 32, 32, 3), "float32")).shape == (2, 32, 32, 3)
