"""One run from its parameters to its history: seeds, recipe, checkpoints, and the watch for collapse and NaN.

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

from study import batches, data, devices, locks, losses, metrics, precision, runs
from study.evaluation import SCORES, mean_image_score, reconstruct, score
from study.model import build_codec
from study.presets import BETA_2, CLIP_NORM, COLLAPSE_MARGIN, WARM_UP


def train(run):
    """Trains a run, or the rest of it where it was cut off, and leaves a finished folder (see `study.runs`).

    One process at a time: a second one waits, and finds what the first has left. A run that is finished stays as it is.

    Returns the run's status: "done", "collapsed" (validation PSNR within 0.5 dB of answering the mean image) or
    "diverged" (the loss became NaN).

    Raises:
        ValueError: parameters that the data or each other do not allow, before anything is written.
    """
    if run.batch_size % run.devices:
        raise ValueError(
            f"batch_size={run.batch_size} is not shared out evenly to devices={run.devices}; choose a multiple."
        )
    images = data.load(run.data)
    steps = epoch_steps(run, _batches(run, images).steps)
    with locks.held(run.folder / "lock"):  # a job whose scheduler was killed may still be at it
        if runs.finished(run) and (run.folder / "weights.npz").exists():
            return runs.read_manifest(run)["status"]
        return _train(run, images, steps)


def _train(run, images, steps):
    codec = compiled_codec(run, steps)
    progress = Progress(run, images, steps)
    progress.resume(codec)
    if progress.epoch < run.epochs and progress.status == "running":
        with devices.feeding(run.devices):
            codec.fit(
                _batches(run, images, first_step=progress.epoch * steps),
                steps_per_epoch=steps,
                initial_epoch=progress.epoch,
                epochs=run.epochs,
                callbacks=[progress],
                shuffle=False,
                verbose=0,
            )
    progress.finish()
    return progress.status


def epoch_steps(run, steps):
    """The steps from one score to the next: those that show all images once, or an equal share of the run's own.

    Raises:
        ValueError: a number of steps that its epochs do not divide.
    """
    if run.steps % run.epochs:
        raise ValueError(f"steps={run.steps} cannot be shared out evenly to epochs={run.epochs}; choose a multiple.")
    return run.steps // run.epochs or steps


def compiled_codec(run, steps):
    """The codec of a run with its loss and optimizer, at the start of training; `steps` is those of one epoch."""
    keras.utils.set_random_seed(run.seed)
    with devices.spread(run.devices):
        codec = _codec(run)
        if run.iterations == 1:
            codec.train_one_pass_only()
        codec.compile(
            _optimizer(run, steps * run.epochs),
            loss=devices.mean_over(run.devices, losses.loss(run.loss)),
            jit_compile=keras.backend.backend() == "jax",
        )
        codec.optimizer.build(codec.trainable_variables)
    return codec


def _optimizer(run, steps):
    if run.schedule == "constant":  # as the report says, the rest as Keras has it
        return devices.adam(run.devices, run.learning_rate)
    if run.schedule != "cosine":
        raise ValueError(f"schedule={run.schedule!r} is not known; expected cosine or constant.")
    warm_up = round(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=run.learning_rate, warmup_steps=warm_up
    )
    return devices.adam(run.devices, rate, beta_2=BETA_2, global_clipnorm=CLIP_NORM)


def _batches(run, images, first_step=0):
    sizes = (run.train_size, run.batch_size, run.seed)
    return batches.Batches(images.train, *sizes, first_step, run.augmentation)


def trained_codec(run):
    """The codec that a finished run left on this machine.

    Raises:
        FileNotFoundError: its weights are not here; the tracked tables hold a run's numbers, never its weights.
    """
    path = run.folder / "weights.npz"
    if not path.exists():
        raise FileNotFoundError(
            f"The weights of run {run.id} are not on this machine ({path}). Its numbers are in the tables; to make "
            "its weights again, call study.training.train(run)."
        )
    codec = _codec(run)
    with np.load(path, allow_pickle=False) as arrays:
        for i, weight in enumerate(codec.weights):
            weight.assign(arrays[str(i)])
    return codec


def _codec(run):
    options = {"activation": run.activation, "iterations": run.iterations, "gain": run.gain, "seed": run.seed}
    return build_codec(run.cell, run.width, run.reconstruction, policy=precision.policy(run.precision), **options)


class Progress(keras.callbacks.Callback):
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
