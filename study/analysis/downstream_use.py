"""What a codec is good for: the pictures it was trained on or others, and a classifier's eyes (notebook 09)."""

import numpy as np
import pandas as pd

from study import data, metrics
from study.analysis import rate_distortion
from study.codec import standard
from study.engine import keras
from study.experiments import tables
from study.ground import images as pictures
from study.ground import statistics

SETTINGS = {"JPEG 4:2:0": (1, 3, 5, 8, 12, 20, 35, 60, 90), "WebP": (0, 5, 15, 30, 50, 75, 95)}
EPOCHS, BATCH, LEARNING_RATE = 20, 64, 0.002  # of the classifier


def parts_table(trained) -> pd.DataFrame:
    """The rows of `parts.csv`: mean scores of the study `part` after each pass, by what the test images show.

    Args:
        trained: finished runs whose folders are on this machine.
    """
    vehicles, parts = data.are_vehicles(), []
    for run in trained:
        scores = tables.of_folder(run.folder / "images.csv")
        shows = np.where(vehicles[scores.image], "vehicles", "rest")
        groups = scores.groupby([shows, "bpp"])
        means = groups[["psnr", "ssim", "ms_ssim"]].mean().assign(n=groups.size())
        means = means.rename_axis(["tested_on", "bpp"]).reset_index()
        parts.append(means.assign(part=run.data.partition(":")[2], seed=run.seed))
    return pd.concat(parts, ignore_index=True)


def differences_table(parts) -> pd.DataFrame:
    """The rows of `part_differences.csv`: how far each part is ahead of everything after the last pass, seed by seed.

    With 95 % t-intervals over seeds; `holm` corrects for all of the score's rows.
    """
    last = parts[parts.bpp == parts.bpp.max()]
    found = [
        statistics.differences(last, "part", "everything", score, within=["tested_on"]).assign(score=score)
        for score in ("psnr", "ms_ssim")
    ]
    return pd.concat(found, ignore_index=True)


def train_classifier(images, labels, seed):
    """A small convolutional network that names CIFAR-10's ten classes, trained on images as they are.

    Args:
        images: uint8 (m, 32, 32, 3); each is shown EPOCHS times, half of the time mirrored.
        labels: whole numbers (m,), 0 to 9.
        seed: of first weights, order and mirroring.
    """
    keras.utils.set_random_seed(seed)
    layers = [keras.Input(images.shape[1:]), keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip("horizontal")]
    for filters in (32, 64, 128, 128):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        layers += [keras.layers.BatchNormalization(momentum=0.9), keras.layers.ReLU(), keras.layers.MaxPooling2D()]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * len(images) // BATCH)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def accuracy(classifier, images, labels) -> float:
    """The share of images (m, 32, 32, 3), of whole numbers up to 255, whose class it names."""
    return float((classifier.predict(images, verbose=0).argmax(axis=-1) == labels).mean())


def use_table(pretrained, images, labels, classifiers) -> pd.DataFrame:
    """The rows of `use.csv`: accuracy on images as they are, after each pass of a codec, and at some of SETTINGS.

    Args:
        pretrained: a `study.codec.weights.Pretrained`.
        images, labels: test images, uint8 (m, 32, 32, 3), and their classes.
        classifiers: from seed to what `train_classifier` has made with it.
    """
    rows = []

    def add(codec, setting, payload, decoded):
        for seed, classifier in classifiers.items():
            facts = {"codec": codec, "setting": setting, "seed": seed, "n": len(images), "payload_bytes": payload}
            rows.append(facts | {"accuracy": accuracy(classifier, decoded, labels)})

    add("none", 0, images[0].size, images)
    batches = [images[i : i + rate_distortion.BATCH] for i in range(0, len(images), rate_distortion.BATCH)]
    coded = pd.concat([rate_distortion.of_recurrent(pretrained, batch) for batch in batches])
    payloads = coded.groupby("passes").payload_bytes.mean()
    for (n, payload), (_, decoded) in zip(payloads.items(), pretrained.passes(images / np.float32(255)), strict=True):
        add(pretrained.name, n, payload, keras.ops.convert_to_numpy(metrics.to_8_bit(decoded)) * 255)
    for codec, qualities in SETTINGS.items():
        for quality in qualities:
            written = [standard.CODECS[codec][0](image, quality) for image in images]
            payload = np.mean([standard.payload(file) for file in written])
            add(codec, quality, payload, np.stack([pictures.decode(file) for file in written]))
    return pd.DataFrame(rows)
