"""Pictures for the tables: which validation images are shown, and what became of them.

A table holds its pictures as PNG files in base64, so that the figures can be drawn from tables alone.
"""

import numpy as np
import pandas as pd
from skimage import color, filters

from study import evaluation, training
from study.codec import standard
from study.experiments import tables
from study.ground.images import to_text

COUNT = 8  # images a figure
CODE_BYTES = 16  # 128 bits: one pass of a 32x32 image


def shown_run(planned):
    """The run whose pictures are shown: that of the middle batch size and the first seed, whatever its result."""
    batch_sizes = sorted({run.batch_size for run in planned})
    of_middle = [run for run in planned if run.batch_size == batch_sizes[len(batch_sizes) // 2]]
    return min(of_middle, key=lambda run: run.seed)


def better_and_poorer(run, images):
    """The rows of `samples.csv`: images of the best and of the worst tenth of a run's validation images by MS-SSIM.

    From each tenth, COUNT images at even distances in rank, the extreme one first; beside each the JPEG whose payload
    is nearest to the code's 16 bytes.

    Args:
        run: a finished run whose weights are on this machine.
        images: its data set's validation images, uint8 (m, 32, 32, 3).
    """
    reconstructions = evaluation.reconstruct(training.trained_codec(run), images)
    scores = evaluation.score(images, reconstructions)
    ranked = scores.sort_values(["ms_ssim", "image"], ascending=False).reset_index(drop=True)
    steps = np.linspace(0, len(ranked) // 10 - 1, COUNT).round().astype(int)
    rows = []
    for choice, ranks in (("better", steps), ("poorer", len(ranked) - 1 - steps)):
        for rank in ranks:
            shown = ranked.loc[rank]
            i = int(shown.image)
            file, jpeg = standard.nearest_jpeg(images[i], CODE_BYTES)
            jpeg_score = evaluation.score(images[i : i + 1], jpeg[None, None].astype("float32") / 255).iloc[0]
            rows.append(
                {
                    "run": run.id,
                    "choice": choice,
                    "rank": rank + 1,
                    "image": i,
                    **shown[["psnr", "ssim", "ms_ssim"]],
                    "jpeg_bytes": len(file),
                    "jpeg_payload": standard.jpeg_payload(file),
                    "jpeg_psnr": jpeg_score.psnr,
                    "jpeg_ssim": jpeg_score.ssim,
                    "original_png": to_text(images[i]),
                    "reconstruction_png": to_text(_eight_bit(reconstructions[i, -1])),
                    "jpeg_png": to_text(jpeg),
                }
            )
    return pd.DataFrame(rows)


def edges(run, images):
    """The rows of `edges.csv`: each validation image's gradient energy, and its scores after a finished run.

    The energy is the mean over pixels of the squared Sobel gradient of the grey image in [0, 1]. `in_training` is 1
    where the image is a training image too.

    Args:
        run: a finished run whose folder is on this machine.
        images: its data set.
    """
    scores = tables.of_folder(run.folder / "images.csv")
    scores = scores[scores.bpp == scores.bpp.max()][["image", "psnr", "ms_ssim"]]
    energy = [np.mean(filters.sobel(color.rgb2gray(images.validation[i])) ** 2) for i in scores.image]
    shared = images.in_training()[scores.image].astype(int)
    return scores.assign(run=run.id, in_training=shared, gradient_energy=energy)


def same_images(planned, images):
    """The rows of `loss_samples.csv`: COUNT validation images at even distances, as each of the runs returns them."""
    chosen = np.linspace(0, len(images) - 1, COUNT).round().astype(int)
    rows = []
    for run in planned:
        reconstructions = evaluation.reconstruct(training.trained_codec(run), images[chosen])
        for i, reconstruction in zip(chosen, reconstructions[:, -1], strict=True):
            row = {
                "run": run.id,
                "loss": run.loss,
                "binarizer_gain": run.binarizer_gain,
                "schedule": run.schedule,
                "image": i,
            }
            pictures = {
                "original_png": to_text(images[i]),
                "reconstruction_png": to_text(_eight_bit(reconstruction)),
            }
            rows.append(row | pictures)
    return pd.DataFrame(rows)


def _eight_bit(reconstruction):
    return np.round(reconstruction * 255).astype(np.uint8)
