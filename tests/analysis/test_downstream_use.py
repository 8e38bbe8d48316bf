"""Parts of CIFAR-10, what is made of runs on them, and the classifier."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_codec import random_context_model, small_codec

from study import cifar, data
from study.analysis import downstream_use
from study.experiments import runs
from study.ground import data_sets
from study.ground.errors import StudyError
from study.ground.images import png
from study.reporting import ends

needs_cifar = pytest.mark.skipif("CIFAR_DIR" not in os.environ, reason="needs the CIFAR excerpt")


@needs_cifar
def test_classes_of_the_excerpt_are_those_of_cifar_10():
    (images, labels), (test_images, test_labels) = cifar.read_labelled_excerpt()
    assert images.shape == (8336, 32, 32, 3) and labels.shape == (8336,)
    assert test_images.shape == (1017, 32, 32, 3) and test_labels.shape == (1017,)
    assert labels[:5].tolist() == [6, 9, 9, 4, 1]  # frog, truck, truck, deer, automobile: CIFAR-10's first
    assert test_labels[:4].tolist() == [3, 8, 8, 0]  # cat, ship, ship, airplane
    assert data.are_vehicles()[:4].tolist() == [False, True, True, True]


@needs_cifar
def test_parts_are_what_they_are_called():
    (images, labels), _ = cifar.read_labelled_excerpt()
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    parts = {part: data.load(f"cifar10:{part}").train for part in data_sets.PARTS}
    assert {len(part) for part in parts.values()} == {3200}
    assert {known[image.tobytes()] for image in parts["vehicles"]} == set(data.VEHICLES)
    assert {known[image.tobytes()] for image in parts["everything"]} == set(range(10))
    bytes_of = {part: np.median([len(png(image)) for image in parts[part][:200]]) for part in parts}
    assert bytes_of["smallest_png"] < bytes_of["everything"] < bytes_of["largest_png"]
    with pytest.raises(
        StudyError, match="data='cifar10:cats' is not a data set; .*cifar10:everything, cifar10:vehicles"
    ):
        data.load("cifar10:cats")


def test_scores_are_split_by_what_images_show(output, monkeypatch):
    monkeypatch.setattr(data, "are_vehicles", lambda: np.array([True, False, True]))
    run = runs.plan("codec", "part")[0]
    rows = {"image": [0, 1, 2], "bpp": 0.125, "psnr": [10.0, 20.0, 14.0], "ssim": 0.5, "ms_ssim": 0.6}
    run.folder.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(run.folder / "images.csv", index=False)
    table = downstream_use.parts_table([run]).set_index("tested_on")
    assert table.psnr.to_dict() == {"rest": 20.0, "vehicles": 12.0} and table.n.to_dict() == {"rest": 1, "vehicles": 2}
    assert set(table.part) == {"everything"} and set(table.seed) == {0}


def test_gains_are_paired_by_seed_and_corrected_over_all():
    ahead = {"everything": (0.0, 0.0, 0.0), "vehicles": (0.8, 1.0, 1.2), "largest_png": (0.5, 0.4, 0.6)}
    rows = [
        {"part": part, "tested_on": tested_on, "seed": seed, "bpp": bpp, "psnr": 20 + 7 * seed + bpp + gain}
        for part, gains in ahead.items()
        for tested_on in ("vehicles", "rest")
        for seed, gain in enumerate(gains)
        for bpp in (0.125, 0.25)
    ]
    parts = pd.DataFrame(rows)
    gains = downstream_use.differences_table(parts.assign(ms_ssim=parts.psnr / 100)).set_index(
        ["score", "part", "tested_on"]
    )
    assert len(gains) == 2 * 2 * 2 and set(gains.n) == {3} and (gains.holm >= gains.p).all()
    row = gains.loc[("psnr", "vehicles", "rest")]
    half = 4.302653 * 0.2 / np.sqrt(3)  # Student's t with two degrees of freedom; the standard deviation is 0.2
    assert (row["mean"], row.low, row.high) == pytest.approx((1.0, 1 - half, 1 + half), abs=1e-6)
    assert gains.loc[("ms_ssim", "largest_png", "rest"), "mean"] == pytest.approx(0.005)


def coloured(count, seed):
    """Images of ten classes that anyone can tell apart: each of one brightness, with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    images = 25 * labels[:, None, None, None] + rng.integers(0, 5, (count, 32, 32, 3))
    return images.astype(np.uint8), labels


def test_the_classifier_learns_and_worse_images_are_harder(monkeypatch):
    monkeypatch.setattr(downstream_use, "EPOCHS", 8)
    images, labels = coloured(640, seed=0)
    test_images, test_labels = coloured(64, seed=1)
    classifier = downstream_use.train_classifier(images, labels, seed=0)
    assert downstream_use.accuracy(classifier, test_images, test_labels) > 0.5
    monkeypatch.setattr(downstream_use, "SETTINGS", {"JPEG 4:2:0": (1, 90)})
    short = replace(small_codec(), context=random_context_model(passes=2))
    table = downstream_use.use_table(short, test_images, test_labels, {7: classifier})
    assert list(zip(table.codec, table.setting, strict=True)) == [
        ("none", 0),
        ("small", 1),
        ("small", 2),
        ("JPEG 4:2:0", 1),
        ("JPEG 4:2:0", 90),
    ]
    assert set(table.seed) == {7} and set(table.n) == {64}
    accuracy = table.set_index(["codec", "setting"]).accuracy
    assert accuracy["none", 0] == downstream_use.accuracy(classifier, test_images, test_labels) > accuracy["small", 2]


def test_parts_are_drawn_less_everything_seed_by_seed():
    rows = [
        {"part": part, "tested_on": tested_on, "seed": seed, "bpp": 0.125, "psnr": psnr + seed}
        for part, psnr in {"everything": 20.0, "vehicles": 20.5, "largest_png": 19.0}.items()
        for tested_on in ("vehicles", "rest")
        for seed in (0, 1)
    ]
    lines = {
        line.get_label(): line[0].get_ydata().tolist() for line in ends.parts(pd.DataFrame(rows)).axes[0].containers
    }
    assert lines == {"vehicles": [0.5], "what PNG compresses worst": [-1.0]}
