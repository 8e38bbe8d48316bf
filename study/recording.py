"""What a run leaves behind: scores after each epoch, checkpoints, the manifest, and at the end weights and history.

After each epoch the codec is scored as it would be used, with the binarizer's noise off and the reconstruction rounded
to 8 bits, on all validation images and on as many of the training images: the same measure for both.
"""

import json
import os
import platform
import time

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from study import batches, devices, metrics, precision, runs
from study.evaluation import SCORES, mean_image_score, reconstruct, score
from study.presets import COLLAPSE_MARGIN


class Recorder(keras.callbacks.Callback):
    """Scores, logs and saves a run after each epoch, so that one that was killed goes on from its last whole epoch."""

    def __init__(self, run, images, steps):
        super().__init__()
        self.run, self.images, self.steps = run, images, steps
        index, _ = batches.training_index(len(images.train), run.train_size)
        self.splits = {
            "training": images.train[index[: len(images.validation)]],
            "validation": images.validation,
        }
        self.mean_image_psnr = float(mean_image_score(images, images.validation).psnr.mean())
        self.epoch, self.rows, self.seconds, self.status = 0, [], 0.0, "running"
        self.checkpoint = run.folder / "checkpoint.npz"

    def resume(self, codec):
        """Takes up the last whole epoch of a run that was cut off, if there is one."""
        self.set_model(codec)
        self.scored = devices.on_one(self.run.devices, codec)
        if self.checkpoint.exists():
            with np.load(self.checkpoint, allow_pickle=False) as arrays:
                for i, variable in enumerate(self._variables()):
                    variable.assign(arrays[str(i)])
                state = json.loads(str(arrays["state"]))
            self.epoch, self.rows = state["epoch"], state["rows"]
            self.seconds, self.status = state["seconds"], state["status"]
        runs.write_manifest(self.run, self._facts())

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter() - self.seconds
        self.bar = tqdm(total=self.run.epochs, initial=self.epoch, desc=self.run.id, unit="epoch")

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        if not np.isfinite(logs["loss"]):
            self.status, self.model.stop_training = "diverged", True
        scores = {}
        for split, images in self.splits.items():
            with devices.alone():
                table = score(images, reconstruct(self.scored, images))
            scores[split] = table.groupby("bpp")[list(SCORES)].mean()
            for bpp, means in scores[split].iterrows():
                self.rows.append(
                    {
                        "epoch": self.epoch,
                        "step": self.epoch * self.steps,
                        "images_seen": self.epoch * self.steps * self.run.batch_size,
                        "split": split,
                        "bpp": bpp,
                        **{name: float(f"{value:.6g}") for name, value in means.items()},
                    }
                )
        self.seconds = time.perf_counter() - self.started
        self._save()
        last = scores["validation"].iloc[-1]
        line = (
            f"{self.run.study} {self.run.id}  epoch {self.epoch}/{self.run.epochs}  loss {logs['loss']:.4f}  "
            f"validation PSNR {last.psnr:.2f} dB  MS-SSIM {last.ms_ssim:.3f}  {self.seconds:.0f} s"
        )
        tqdm.write(line)
        runs.log(self.run, line)
        self.bar.update()

    def on_train_end(self, logs=None):
        self.bar.close()

    def finish(self):
        """Judges the run and turns its checkpoint into its results; the history comes last: with it, it is finished."""
        reconstructions = reconstruct(self.scored, self.images.validation)
        per_image = score(self.images.validation, reconstructions)
        final = per_image[per_image.bpp == per_image.bpp.max()]
        if self.status != "diverged":
            collapsed = not final.psnr.mean() > self.mean_image_psnr + COLLAPSE_MARGIN
            self.status = "collapsed" if collapsed else "done"
        last, originals = reconstructions[:, -1], self.images.validation / np.float32(255)
        history = pd.DataFrame(self.rows).to_csv(index=False, float_format="%.6g").encode()
        facts = {
            "history": runs.digest(history),
            "parameters": self.model.count_params(),
            "colour_spread": float(np.asarray(metrics.colour_spread(last)).mean()),
            "data_colour_spread": float(np.asarray(metrics.colour_spread(originals)).mean()),
            "output_spread": float(last.std(axis=0).mean()),
        }
        runs.write_arrays(self.run.folder / "weights.npz", _numbered(self.model.weights))
        runs.write_manifest(self.run, self._facts() | facts)
        runs.write(self.run.folder / "images.csv", per_image.to_csv(index=False, float_format="%.6g").encode())
        runs.write(self.run.folder / "history.csv", history)
        self.checkpoint.unlink(missing_ok=True)

    def _save(self):
        state = {"epoch": self.epoch, "rows": self.rows, "seconds": self.seconds, "status": self.status}
        runs.write_arrays(self.checkpoint, _numbered(self._variables()) | {"state": np.array(json.dumps(state))})
        runs.write_manifest(self.run, self._facts())

    def _variables(self):
        return [
            *self.model.weights,
            self.model.binarizer.seed_generator.state,
            *self.model.optimizer.variables,
        ]

    def _facts(self):
        backend = keras.backend.backend()
        return {
            "status": self.status,
            "epochs_done": self.epoch,
            "mean_image_psnr": round(self.mean_image_psnr, 4),
            "fingerprint": self.images.fingerprint(),
            "seconds": round(self.seconds, 1),
            "backend": backend,
            "threads": int(os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count()),
            "device": precision.device(),
            "global_batch": self.run.batch_size,
            "replica_batch": self.run.batch_size // self.run.devices,
            "policy": self.model.dtype_policy.name,
            "python": platform.python_version(),
            "keras": keras.__version__,
            "engine": f"{backend} {__import__('torch' if backend == 'torch' else backend).__version__}",
            "commit": runs.commit(),
        }


def _numbered(variables):
    return {str(i): keras.ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
