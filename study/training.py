"""One run from its parameters to its history: seeds, recipe, optimizer; `study.recording` keeps what comes of it."""

import keras
import numpy as np

from study import batches, data, devices, locks, losses, precision, runs
from study.model import build_codec
from study.presets import BETA_2, CLIP_NORM, WARM_UP
from study.recording import Recorder


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
    recorder = Recorder(run, images, steps)
    recorder.resume(codec)
    if recorder.epoch < run.epochs and recorder.status == "running":
        with devices.feeding(run.devices):
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
        if run.iterations + run.priming == 1:
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
    options = {name: getattr(run, name) for name in ("activation", "iterations", "gain", "seed", "priming")}
    return build_codec(run.cell, run.width, run.reconstruction, policy=precision.policy(run.precision), **options)
