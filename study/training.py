"""One run from its parameters to its history: seeds, optimizer, scores after each epoch, and what is kept of it.

After each epoch the codec is scored as it would be used, with the binarizer's noise off and the reconstruction rounded
to 8 bits, on all validation images and on as many of the training images, at most SCORED_TRAINING: the same measure for
both.
"""

import json
import os
import platform
import time

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from study import data, losses, metrics
from study.engine import keras
from study.evaluation import SCORES, mean_image_score, reconstruct, score
from study.experiments import runs
from study.experiments.runs import Run
from study.ground import atomic, locks
from study.ground.errors import StudyError, one_line
from study.ground.recipe import COLLAPSE_MARGIN, SCORED_TRAINING
from study.model import Codec, build_codec


def train(run: Run) -> str:
    """Trains a run, or the rest of it where it was cut off, and leaves a finished folder (see `runs`).

    One process at a time: a second one waits, and finds what the first has left. A run that is finished stays as it is.

    Returns the run's status: "done", "collapsed" (validation PSNR within 0.5 dB of answering the mean image) or
    "diverged" (the loss or a score became NaN).

    Raises:
        StudyError: parameters that the data or each other do not allow, before anything is written.
    """
    images = data.load(run.data)
    steps = epoch_steps(run, _batches(run, images).steps)
    codec = compiled_codec(run, steps)
    with locks.held(run.folder / "lock"):  # a job whose scheduler was killed may still be at it
        if runs.finished(run) and (run.folder / "weights.npz").exists():
            return runs.read_manifest(run)["status"]
        atomic.sweep(run.folder)
        return _train(run, images, codec, steps)


def _train(run: Run, images: data.DataSet, codec: Codec, steps: int) -> str:
    recorder = Recorder(run, images, steps)
    recorder.resume(codec)
    if recorder.epoch < run.epochs and recorder.status == "running":
        codec.fit(
            _batches(run, images, first_step=recorder.epoch * steps),
            steps_per_epoch=steps,
            initial_epoch=recorder.epoch,
            epochs=run.epochs,
            callbacks=[recorder],
            shuffle=False,
            verbose=0,
        )
    recorder.finish()
    return recorder.status


def epoch_steps(run: Run, steps: int) -> int:
    """The steps from one score to the next: those that show all images once, or an equal share of the run's own.

    Raises:
        StudyError: a number of steps that its epochs do not divide.
    """
    if run.steps % run.epochs:
        raise StudyError(f"steps={run.steps} cannot be shared out evenly to epochs={run.epochs}; choose a multiple.")
    return run.steps // run.epochs or steps


def compiled_codec(run: Run, steps: int) -> Codec:
    """The codec of a run with its loss and optimizer, at the start of training; `steps` is those of one epoch."""
    keras.utils.set_random_seed(run.seed)
    codec = _codec(run)
    if run.iterations + run.priming == 1:
        codec.train_one_pass_only()
    codec.compile(
        _optimizer(run, steps * run.epochs),
        loss=losses.loss(run.loss),
        jit_compile=keras.backend.backend() == "jax",
    )
    codec.optimizer.build(codec.trainable_variables)
    return codec


def _optimizer(run: Run, steps: int) -> keras.optimizers.Optimizer:
    if run.schedule not in ("cosine", "constant"):
        raise StudyError(f"schedule={run.schedule!r} is not known; expected cosine or constant.")
    rate = run.learning_rate
    if run.schedule == "cosine":
        warm_up = round(run.warm_up * steps)
        rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, warmup_target=rate, warmup_steps=warm_up)
    return keras.optimizers.Adam(rate, beta_2=run.beta_2, global_clipnorm=run.clip_norm or None)


def _batches(run: Run, images: data.DataSet, first_step: int = 0) -> data.Batches:
    return data.Batches(images.train, run.train_size, run.batch_size, run.seed, first_step, run.augmentation)


def trained_codec(run: Run) -> Codec:
    """The codec that a finished run left on this machine.

    Raises:
        StudyError: its weights are not here; the tables hold a run's numbers, never its weights.
    """
    path = run.folder / "weights.npz"
    if not path.exists():
        raise StudyError(
            f"The weights of run {run.id} are not on this machine ({path}). Its numbers are in the tables; to make "
            "its weights again, call study.training.train(run)."
        )
    codec = _codec(run)
    try:
        _assign(codec.weights, atomic.read_arrays(path))
    except StudyError as error:
        raise StudyError(f"{error} Remove it and call study.training.train(run) to make it again.") from error
    return codec


def _assign(variables, arrays):
    """Sets variables to numbered arrays; sets none, and raises `StudyError`, where one is missing or does not fit."""
    for i, variable in enumerate(variables):
        if str(i) not in arrays or arrays[str(i)].shape != tuple(variable.shape):
            found = arrays[str(i)].shape if str(i) in arrays else "missing"
            raise StudyError(f"The array {i} is {found}, and the network's has the shape {tuple(variable.shape)}.")
    for i, variable in enumerate(variables):
        variable.assign(arrays[str(i)])


def _codec(run: Run) -> Codec:
    names = ("cell", "width", "reconstruction", "activation", "iterations", "binarizer_gain", "output_gain", "priming")
    return build_codec(**{name: getattr(run, name) for name in names}, policy=run.precision, seed=run.seed)


STATE = ("epoch", "rows", "origin", "seconds", "status")  # of a recorder, kept in its checkpoint beside the arrays


def _state(run, text):
    """What a run's checkpoint says beside its arrays. Raises `StudyError` where it is not a whole one of this run."""
    try:
        state = json.loads(text)
        of = state.get("run", run.id)  # older ones name none
        whole = len(state["rows"]) == 2 * run.iterations * state["epoch"] and state["epoch"] <= run.epochs
        whole = whole and set(STATE) <= state.keys() and state["status"] in ("running", "diverged")
        whole = whole and state["seconds"] >= 0 and "fingerprint" in state["origin"]
        whole = whole and all("psnr" in row for row in state["rows"])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise StudyError(f"its state is no state of a run ({one_line(error)}).") from error
    if of != run.id or not whole:
        raise StudyError(f"it is that of {of}." if of != run.id else "it is a part of one.")
    return state


class Recorder(keras.callbacks.Callback):
    """Scores, logs and saves a run after each epoch, so that one that was killed goes on from its last whole epoch."""

    def __init__(self, run: Run, images: data.DataSet, steps: int):
        super().__init__()
        self.run, self.images, self.steps = run, images, steps
        index, _ = data.training_index(len(images.train), run.train_size)
        self.splits = {
            "training": images.train[index[: min(len(images.validation), SCORED_TRAINING)]],
            "validation": images.validation,
        }
        self.mean_image_psnr = float(mean_image_score(images, images.validation).psnr.mean())
        self.epoch, self.seconds, self.status = 0, 0.0, "running"
        self.rows: list[dict] = []
        self.checkpoint = run.folder / "checkpoint.npz"

    def resume(self, codec):
        """Takes up the last whole epoch of a run that was cut off, if there is one; else notes where it starts.

        Raises:
            StudyError: the images are others than those that the run began with.
        """
        self.set_model(codec)
        self.origin = _origin(codec, self.images)
        if (self.run.folder / "manifest.json").exists() and not runs.read_manifest(self.run):
            print(f"{self.run.id}: manifest.json is damaged and is written anew.", flush=True)
        if self.checkpoint.exists():
            try:
                arrays = atomic.read_arrays(self.checkpoint)
                state = _state(self.run, str(arrays.get("state")))
                _assign(self._variables(), arrays)
            except StudyError as error:
                print(f"{self.run.id}: the checkpoint cannot be used, so the run starts over: {error}", flush=True)
            else:
                self._check_images(state["origin"]["fingerprint"])
                self.epoch, self.rows, self.origin = state["epoch"], state["rows"], state["origin"]
                self.seconds, self.status = state["seconds"], state["status"]
        runs.write_manifest(self.run, self._facts())

    def _check_images(self, expected):
        found = self.origin["fingerprint"]
        if found != expected:
            raise StudyError(
                f"The images of data={self.run.data!r} changed since run {self.run.id} began: their fingerprint is "
                f"{found}, expected {expected}. Put the images of then back, or remove {self.run.folder} to train the "
                "run from its start on those of now."
            )

    def on_train_begin(self, logs=None):
        self.started = time.perf_counter() - self.seconds
        total, done = self.run.epochs * self.steps, self.epoch * self.steps
        self.bar = tqdm(total=total, initial=done, desc=self.run.id, unit="step", mininterval=0.5)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        if not np.isfinite(logs["loss"]):
            self.status, self.model.stop_training = "diverged", True
        scores = {}
        for split, images in self.splits.items():
            scores[split] = score(images, reconstruct(self.model, images)).groupby("bpp")[list(SCORES)].mean()
            self.rows += [self._row(split, bpp, means) for bpp, means in scores[split].iterrows()]
        self.seconds = time.perf_counter() - self.started
        self._save()
        last = scores["validation"].iloc[-1]
        line = (
            f"{self.run.id}  epoch {self.epoch}/{self.run.epochs}  loss {logs['loss']:.4f}  "
            f"validation PSNR {last.psnr:.2f} dB  MS-SSIM {last.ms_ssim:.3f}  {self.seconds:.0f} s"
        )
        tqdm.write(line)
        runs.log(self.run, line)

    def _row(self, split, bpp, means):
        where = {
            "epoch": self.epoch,
            "step": self.epoch * self.steps,
            "images_seen": self.epoch * self.steps * self.run.batch_size,
            "split": split,
            "bpp": bpp,
        }
        return where | {name: float(f"{value:.6g}") for name, value in means.items()}

    def on_train_end(self, logs=None):
        self.bar.close()

    def finish(self):
        """Judges the run and turns its checkpoint into its results; the history comes last: with it, it is finished."""
        reconstructions = reconstruct(self.model, self.images.validation)
        per_image = score(self.images.validation, reconstructions)
        psnr = per_image[per_image.bpp == per_image.bpp.max()].psnr.mean()
        if self.status != "diverged":
            self.status = _status(psnr, self.mean_image_psnr)
        last, originals = reconstructions[:, -1], self.images.validation / np.float32(255)
        folder = self.run.folder
        history = pd.DataFrame(self.rows).to_csv(index=False, float_format="%.6g", na_rep="nan").encode()
        images = per_image.to_csv(index=False, float_format="%.6g", na_rep="nan").encode()
        atomic.write_arrays(folder / "weights.npz", _numbered(self.model.weights))
        atomic.write(folder / "images.csv", images)
        facts = {
            "history": runs.digest(history),
            "images": runs.digest(images),
            "weights": runs.digest((folder / "weights.npz").read_bytes()),
            "parameters": self.model.count_params(),
            "colour_spread": float(np.asarray(metrics.colour_spread(last)).mean()),
            "data_colour_spread": float(np.asarray(metrics.colour_spread(originals)).mean()),
            "output_spread": float(last.std(axis=0).mean()),
        }
        (folder / "history.csv").unlink(missing_ok=True)  # of a run whose weights were lost
        runs.write_manifest(self.run, self._facts() | facts)
        atomic.write(folder / "history.csv", history)
        self.checkpoint.unlink(missing_ok=True)

    def _save(self):
        state = {name: getattr(self, name) for name in STATE} | {"run": self.run.id}
        atomic.write_arrays(self.checkpoint, _numbered(self._variables()) | {"state": np.array(json.dumps(state))})
        runs.write_manifest(self.run, self._facts())

    def _variables(self):
        return [
            *self.model.weights,
            self.model.binarizer.seed_generator.state,
            *self.model.optimizer.variables,
        ]

    def _facts(self):
        return {
            "status": self.status,
            "epochs_done": self.epoch,
            "mean_image_psnr": round(self.mean_image_psnr, 4),
            "seconds": round(self.seconds, 1),
            **self.origin,
        }


def _status(psnr, mean_image_psnr):
    if np.isnan(psnr):
        return "diverged"
    return "done" if psnr > mean_image_psnr + COLLAPSE_MARGIN else "collapsed"


def _origin(codec, images):
    """What a run started from and on: taken once, so that a later commit is not taken for the one that trained it."""
    backend = keras.backend.backend()
    return {
        "fingerprint": images.fingerprint(),
        "backend": backend,
        "threads": _threads(),
        "machine": runs.machine(),
        "device": device(),
        "policy": codec.dtype_policy.name,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "engine": f"{backend} {__import__('torch' if backend == 'torch' else backend).__version__}",
        "commit": runs.commit(),
    }


def _threads():
    return int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or os.cpu_count() or 1  # 0 is as many as there are


def device() -> str:
    """Where Keras computes, in its backend's words: "CPU:0", "GPU:0", "cuda:0"."""
    return str(keras.ops.zeros(()).device).rsplit("/device:")[-1]


def _numbered(variables):
    return {str(i): keras.ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
