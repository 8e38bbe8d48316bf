"""What each study varies, and to which values a preset sets it."""

from study.presets import (
    CODEC_BATCH,
    CODEC_GAIN,
    CODEC_LOSS,
    CODEC_RATE,
    GAIN,
    GAINS,
    LEARNING_RATE,
    ORDINARY_GAIN,
    PART_EPOCHS,
    PART_SIZE,
    REPORTS,
    Preset,
)

# What each study varies: its fields in a run, by which notebook it is run and shown.
STUDIES = {
    "batch_size": ("03_batch_size_study", ("batch_size",)),
    "equal_steps": ("03_batch_size_study", ("batch_size",)),
    "scaled_rate": ("03_batch_size_study", ("batch_size", "learning_rate")),
    "train_size": ("04_train_size_study", ("train_size",)),
    "train_control": ("04_train_size_study", ("train_size", "epochs", "augmentation")),
    "loss": ("06_loss_study", ("loss", "gain", "schedule")),
    "collapse": ("06_loss_study", ("loss", "gain", "schedule")),
    "residual_n": ("06_loss_study", ("loss",)),
    "passes": ("07_rate_distortion", ("cell", "iterations")),
    "codec": ("07_rate_distortion", ("cell", "reconstruction")),
    "cells": ("07_rate_distortion", ("cell", "reconstruction")),
    "lstm_gain": ("07_rate_distortion", ("cell", "gain")),
    "priming": ("07_rate_distortion", ("cell", "priming")),
    "codec_recipe": ("07_rate_distortion", ("activation", "learning_rate", "loss")),
    "part": ("09_uses", ("data",)),
    "recipe": ("02_model_build", ("gain", "learning_rate", "batch_size")),
    "precision": ("02_model_build", ("precision",)),
}

COLLAPSE_EPOCHS = 3
COLLAPSE = (*(("ms_ssim", gain, rate) for rate in ("cosine", "constant") for gain in (GAIN, ORDINARY_GAIN)),)
COLLAPSE += (("l1", *REPORTS),)


def settings_of(p: Preset, study: str) -> list[dict]:
    """What a study sets at a preset, as fields of a `study.runs.Run`: one dictionary a setting."""
    return {
        "batch_size": [{"batch_size": n} for n in p.batch_sizes],
        "equal_steps": [
            {"batch_size": n, "protocol": "equal_steps", "steps": p.equal_steps} for n in p.batch_sizes if p.equal_steps
        ],
        # With Adam noise stays alike if the rate goes with the square root of the batch size (Malladi et al. 2022).
        "scaled_rate": [
            {"batch_size": n, "learning_rate": round(LEARNING_RATE * (n / p.batch_size) ** 0.5, 6)}
            for n in p.batch_sizes
            if p.scaled_rates and n != p.batch_size
        ],
        "train_size": [{"train_size": n} for n in p.train_sizes],
        # As many images as the largest training set shows: its originals alone, again and again; and flipped.
        "train_control": [
            {"epochs": p.epochs * max(p.train_sizes) // p.train_size},
            {"train_size": max(p.train_sizes), "augmentation": "flip"},
        ]
        if p.controls
        else [],
        "loss": [{"loss": loss, "gain": gain, "schedule": schedule} for loss, gain, schedule in p.losses],
        "collapse": [
            {"loss": loss, "gain": gain, "schedule": schedule, "epochs": COLLAPSE_EPOCHS}
            for loss, gain, schedule in COLLAPSE
        ],
        "residual_n": [{"loss": f"residual_{n}", "width": p.narrow} for n in p.residual_ns],
        "passes": [
            {**_several_passes(cell, n), "batch_size": CODEC_BATCH, "width": p.narrow}
            for cell in ("lstm", "gru")
            for n in p.passes
        ],
        "codec": [
            {
                **_several_passes(cell, 16),
                "reconstruction": rule,
                "learning_rate": p.codec_rate,
                "loss": CODEC_LOSS,
                "gain": CODEC_GAIN,
            }
            for cell, rule in p.codecs
        ],
        "cells": [{**_briefly(p, cell), "reconstruction": rule} for cell in p.cells for rule in p.reconstructions],
        "lstm_gain": [{**_briefly(p, "lstm"), "gain": gain} for gain in p.lstm_gains],
        "priming": [{**_briefly(p, cell), "priming": turns} for cell in ("lstm", "gru") for turns in p.primings],
        "codec_recipe": [
            {
                **_several_passes("gru", 4),
                **dict(zip(STUDIES["codec_recipe"][1], recipe, strict=True)),
                "epochs": 1,
                "width": p.narrow,
            }
            for recipe in p.codec_recipes
        ],
        "part": [
            {
                **_several_passes("gru", 4),
                "data": f"cifar10:{part}",
                "train_size": PART_SIZE,
                "epochs": PART_EPOCHS,
                "width": p.narrow,
            }
            for part in p.parts
        ],
        "recipe": [dict(zip(STUDIES["recipe"][1], recipe, strict=True)) for recipe in p.recipes],
        "precision": [{"precision": name} for name in p.precisions],
    }[study]


def _briefly(p, cell):
    return {**_several_passes(cell, 8), "epochs": 1, "width": p.narrow}


def _several_passes(cell, iterations):
    recipe = {"loss": "l1", "activation": "linear", "learning_rate": CODEC_RATE, "gain": GAINS[cell]}
    return {"cell": cell, "iterations": iterations, **recipe}


def seeds_of(p: Preset, study: str) -> tuple[int, ...]:
    """The seeds that each setting of a study is trained with."""
    if study == "collapse":
        return p.many_seeds
    every = ("batch_size", "equal_steps", "train_size", "train_control", "recipe", "codec")
    return p.seeds if study in every else p.few_seeds
