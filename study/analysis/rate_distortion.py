"""Rate and distortion: what codecs make of images, at how many bytes, as the rows of tables, and summed up.

A rate counts whole files, `file_bytes`, or the code alone, `payload_bytes`: of the recurrent codecs the coded passes
without header, lengths and checks, of the others what `standard.payload` says.
"""

import os
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from study import metrics
from study.codec import compression, context_model, file_format, standard
from study.engine import keras
from study.ground import images as pictures
from study.ground import paths, statistics
from study.ground.errors import StudyError

KODAK = tuple(f"kodim{number:02}.png" for number in range(1, 25))
TARGETS = (16, 32, 48, 64, 96, 128, 192, 256)  # bytes of payload of a 32x32 image
STEPS = 10  # settings of a standard codec on Kodak
BATCH = 128  # images of 32x32 pixels at a time
QUALITIES = ("psnr", "ssim_blocks", "ms_ssim")
SUMMED = ("psnr", "ms_ssim")  # of them, what rates.csv has
AUC_RANGE = (0.125, 2.0)  # bits a pixel
RATES = (0.25, 0.5, 1.0)  # bits a pixel at which qualities are compared
RESAMPLES = 1000


def kodak() -> list[np.ndarray]:
    """Kodak's 24 images, uint8 (h, w, 3), from the folder that the environment variable KODAK_DIR names.

    Raises `StudyError` where none is named or an image is not there.
    """
    if not (folder := os.environ.get("KODAK_DIR")):
        raise StudyError("Name the folder of kodim01.png to kodim24.png in the environment variable KODAK_DIR.")
    return [pictures.read_pixels(Path(folder) / name) for name in KODAK]


def of_recurrent(pretrained, images) -> pd.DataFrame:
    """Every image after every pass that the context model knows, one row each.

    Args:
        pretrained: a `study.codec.weights.Pretrained`.
        images: uint8 (m, h, w, 3), small enough together for the network.

    Returns:
        image, passes, raw_bytes (no entropy coding), payload_bytes, file_bytes, and the columns named in QUALITIES.
    """
    rows, codes, bits = [], [[] for _ in images], [[] for _ in images]
    height, width = images.shape[1:3]
    for t, (batch, reconstruction) in enumerate(pretrained.passes(images.astype(np.float32) / 255), 1):
        scores, header = _score(images, reconstruction), file_format.Header(pretrained.id, width, height, t)
        for i, image_bits in enumerate(keras.ops.convert_to_numpy(batch).astype(np.int8)):
            codes[i].append(context_model.encode_pass(pretrained.context, image_bits, bits[i]))
            bits[i].append(image_bits)
            raw = image_bits.size // 8
            sizes = {
                "raw_bytes": t * raw,
                "payload_bytes": sum(min(len(code), raw) for code in codes[i]),
                "file_bytes": len(file_format.write(header, codes[i], bits[i])),
            }
            rows.append({"image": i, "passes": t, **sizes} | {name: scores[name][i] for name in QUALITIES})
    return pd.DataFrame(rows)


def kodak_table(models, images) -> pd.DataFrame:
    """The rows of `kodak.csv`: each image after each pass of each model, and at STEPS settings of standard codecs."""
    parts = []
    for i, image in enumerate(images):
        for model in models:
            rows = of_recurrent(model, image[None]).rename(columns={"passes": "setting"})
            parts.append(rows.assign(codec=model.name, image=i))
        for codec, (_, settings) in standard.CODECS.items():
            chosen = [settings[j] for j in np.linspace(0, len(settings) - 1, STEPS).astype(int)]
            parts.append(of_standard(codec, image, chosen).assign(codec=codec, image=i, raw_bytes=np.nan))
    table = pd.concat(parts, ignore_index=True)
    pixels = [image.shape[0] * image.shape[1] for image in images]
    return table.assign(bpp=8 * table.file_bytes / table.image.map(pixels.__getitem__))


def cells_table(models, sets) -> pd.DataFrame:
    """The rows of `cells.csv`: means over images after each pass of models, by cell, reconstruction and seed.

    Args:
        models: a `study.codec.weights.Pretrained` by cell, reconstruction and seed.
        sets: batches of images, uint8 (m, h, w, 3), by the name of the set.
    """
    rows = []
    for (cell, reconstruction, seed), model in models.items():
        for images, batches in sets.items():
            found = pd.concat([of_recurrent(model, batch).assign(pixels=batch[0, ..., 0].size) for batch in batches])
            for name in ("raw", "payload", "file"):
                found[f"{name}_bpp"] = 8 * found[f"{name}_bytes"] / found.pixels
            groups = found.groupby("passes")
            means = (
                groups[["raw_bpp", "payload_bpp", "file_bpp", *QUALITIES]].mean().assign(n=groups.size()).reset_index()
            )
            rows.append(means.assign(images=images, cell=cell, reconstruction=reconstruction, seed=seed))
    return pd.concat(rows, ignore_index=True)


def targets_table(models, images) -> pd.DataFrame:
    """The rows of `targets.csv`: images, uint8 (m, 32, 32, 3), at TARGETS bytes, by model and by standard codec."""
    parts = []
    for model in models:
        rows = [of_recurrent(model, images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        rows = [part.assign(image=part.image + i * BATCH) for i, part in enumerate(rows)]
        parts.append(at_targets(recurrent_at_targets(pd.concat(rows)), len(images)).assign(codec=model.name))
    for codec in standard.CODECS:
        parts.append(at_targets(standard_at_targets(codec, images), len(images)).assign(codec=codec))
    return pd.concat(parts, ignore_index=True)


def photograph_table(model, image, passes=(1, 2, 4, 8, 16)) -> pd.DataFrame:
    """The rows of `photograph.csv`: an image, uint8 (h, w, 3), as it is and after some numbers of passes."""
    rows = [
        {"passes": 0, "file_bytes": image.size, "bpp": 24.0, "psnr": np.inf, "picture_png": pictures.to_text(image)}
    ]
    for n in passes:
        done = compression.compress(model, image, iterations=n)
        facts = {"passes": n, "file_bytes": len(done.file), "bpp": done.bpp, "psnr": done.psnr}
        rows.append(facts | {"picture_png": pictures.to_text(done.picture)})
    return pd.DataFrame(rows).assign(codec=model.name)


def of_standard(codec, image, settings) -> pd.DataFrame:
    """An image, uint8 (h, w, 3), at some settings of one of `standard.CODECS`: setting, bytes and scores."""
    rows = []
    for setting in settings:
        file = standard.CODECS[codec][0](image, setting)
        rows.append({"setting": setting, **_file_row(file, image)})
    return pd.DataFrame(rows)


def recurrent_at_targets(rows) -> pd.DataFrame:
    """Of each image, for each of TARGETS, the row of `of_recurrent` with the fewest passes whose payload reaches it."""
    chosen = [
        rows[rows.payload_bytes >= target].sort_values("passes").groupby("image").head(1).assign(target=target)
        for target in TARGETS
    ]
    return pd.concat(chosen, ignore_index=True)


def standard_at_targets(codec, images) -> pd.DataFrame:
    """Of each image, uint8 (m, h, w, 3), for each of TARGETS, the smallest file whose payload reaches it."""
    chosen = [
        (i, target, file)
        for i, image in enumerate(images)
        for target, file in standard.smallest(image, codec, TARGETS).items()
    ]
    index, target, written = zip(*chosen, strict=True)
    decoded = np.stack([pictures.decode(file) for file in written])
    sizes = {
        "payload_bytes": [standard.payload(file) for file in written],
        "file_bytes": [len(file) for file in written],
    }
    return pd.DataFrame(
        {"image": index, "target": target, **sizes, **_score(images[list(index)], decoded / np.float32(255))}
    )


def at_targets(rows, images) -> pd.DataFrame:
    """Means over images, and standard errors of two, for each target that all of so many images reach."""
    groups = rows.groupby("target")
    table = groups[["payload_bytes", "file_bytes", *QUALITIES]].mean()
    for name in ("psnr", "ssim_blocks"):
        table[f"{name}_sem"] = groups[name].sem()
    return table[groups.size() == images].reset_index().assign(n=images)


def _file_row(file, image):
    scores = _score(image[None], pictures.decode(file)[None].astype(np.float32) / 255)
    sizes = {"payload_bytes": standard.payload(file), "file_bytes": len(file)}
    return sizes | {name: values[0] for name, values in scores.items()}


def _score(images, reconstruction):
    """Scores by name, of uint8 images and their reconstructions in [0, 1], in parts that fit memory."""
    parts = []
    for i in range(0, len(images), BATCH):
        x, y = images[i : i + BATCH].astype(np.float32) / 255, metrics.to_8_bit(reconstruction[i : i + BATCH])
        parts.append([keras.ops.convert_to_numpy(getattr(metrics, name)(x, y)) for name in QUALITIES])
    return {name: np.concatenate(values) for name, values in zip(QUALITIES, zip(*parts, strict=True), strict=True)}


def auc(bpp, quality) -> float:
    """The area under a curve of quality over AUC_RANGE, by trapezoids between its points, as T17's figures come out.

    Beyond its last point a curve goes on level: nobody needs to spend more. Raises `StudyError` where it starts later
    than AUC_RANGE does.
    """
    order = np.argsort(bpp)
    bpp, quality = np.asarray(bpp, float)[order], np.asarray(quality, float)[order]
    low, high = AUC_RANGE
    if bpp[0] > low:
        raise StudyError(f"The curve starts at {bpp[0]:.4g} bpp, after {low}; its area over {AUC_RANGE} is not known.")
    inside = bpp[(bpp > low) & (bpp < high)]
    at = np.concatenate([[low], inside, [high]])
    return float(np.trapezoid(np.interp(at, bpp, quality), at))


def bd_rate(anchor, test) -> float:
    """How many per cent more bytes `test` takes than `anchor` at equal quality, on average (Bjontegaard).

    Each is a pair of rates and qualities. Over the qualities that both reach; points that cost more and are no better
    than one before them are left out.
    """
    import bjontegaard

    (rate, quality), (test_rate, test_quality) = _rising(*anchor), _rising(*test)
    settings = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    return float(bjontegaard.bd_rate(rate, quality, test_rate, test_quality, **settings))


def _rising(rate, quality):
    rate, quality = (np.asarray(values, float)[np.argsort(rate)] for values in (rate, quality))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], quality[:-1]]))
    return rate[quality > best], quality[quality > best]


def rates_table(kodak: pd.DataFrame) -> pd.DataFrame:
    """The rows of `rates.csv`: `kodak.csv` summed up, with 95 % bootstrap intervals over its images.

    Of each codec's mean curve, whole files counted: `auc` of MS-SSIM where it starts early enough, published curves'
    too; scores `against` a rate, such as `psnr` at 0.5 bits a pixel. Of the recurrent ones, whose raw bytes are known:
    `bd_psnr` and `bd_ms_ssim`, per cent of bytes more than the codec `against` takes; and `saved` by entropy coding at
    the pass `against`, as a share of the raw bytes. `bd_psnr` is over the qualities that both reach; `top_psnr` says
    how far the recurrent codec's go.
    """
    wide = {codec: rows.pivot(index="image", columns="setting") for codec, rows in kodak.groupby("codec", sort=False)}
    rows, images = [], np.arange(kodak.image.nunique())

    def add(codec, quantity, against, statistic, bounds=True):
        found = (
            statistics.over_images(statistic, images, resamples=RESAMPLES)
            if bounds
            else (statistic(images), np.nan, np.nan)
        )
        facts = {"codec": codec, "quantity": quantity, "against": _text(against), "n": len(images)}
        rows.append(facts | dict(zip(("value", "low", "high"), found, strict=True)))

    def curve(codec, score, chosen):
        return tuple(wide[codec][name].to_numpy()[chosen].mean(axis=0) for name in ("bpp", score))

    for codec, table in wide.items():
        rates, _ = curve(codec, "psnr", images)
        if rates.min() <= AUC_RANGE[0]:
            add(codec, "auc", "", lambda chosen, c=codec: auc(*curve(c, "ms_ssim", chosen)), bounds=False)
        for score, rate in product(SUMMED, RATES):
            if rates.min() <= rate <= rates.max():
                add(codec, score, rate, lambda chosen, c=codec, s=score, r=rate: _at(r, *curve(c, s, chosen)))
        if table["raw_bytes"].notna().all(axis=None):
            for other, score in product([name for name in wide if name != codec], SUMMED):
                add(codec, f"bd_{score}", other, partial(_compared, curve, codec, other, score))
            add(codec, "top_psnr", "", lambda chosen, c=codec: curve(c, "psnr", chosen)[1].max())
            saved = 1 - table["payload_bytes"] / table["raw_bytes"]
            for setting, values in saved.items():
                add(codec, "saved", setting, lambda chosen, values=values: values.iloc[chosen].mean())
    return pd.concat([pd.DataFrame(rows), _published()], ignore_index=True)


def _text(against):
    return against if isinstance(against, str) else f"{against:g}"


def _compared(curve, codec, other, score, images):
    return bd_rate(curve(other, score, images), curve(codec, score, images))


def _at(rate, rates, qualities):
    order = np.argsort(rates)
    return float(np.interp(rate, rates[order], qualities[order]))


def _published():
    """Areas of the published curves; a few points, as 1ZB's README has them, make no curve."""
    curves = pd.read_csv(paths.PUBLISHED_CURVES).query("score == 'ms_ssim'").groupby("codec")
    areas = [{"codec": codec, "value": auc(points.bpp, points.value)} for codec, points in curves if len(points) > 5]
    return pd.DataFrame(areas).assign(quantity="auc", against="", low=np.nan, high=np.nan, n=0)
