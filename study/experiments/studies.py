"""The studies: what each asks, what it varies, at which presets and with which seeds, and which figures show it.

A study is a view of runs: one that several studies ask for is trained once. To add a study, add an object to STUDIES
and a notebook; plan, tables, figures, README and paper follow.
"""

from collections.abc import Callable
from dataclasses import dataclass

from study.architecture import CELLS
from study.experiments.presets import Preset, preset
from study.ground.recipe import BINARIZER_GAIN, LEARNING_RATE, OUR_WAY, PART_SIZE, REPORT_WAY

ONE_SEED, THREE_SEEDS, FIVE_SEEDS, TWENTY_SEEDS = ((*range(n),) for n in (1, 3, 5, 20))


@dataclass(frozen=True)
class Study:
    """One question, and the runs that answer it."""

    name: str
    question: str
    notebook: str  # which trains and shows it
    varies: tuple[str, ...]  # fields of a run
    settings: Callable[[Preset], list[dict]]  # what it sets, as fields of a run: one dictionary per setting
    presets: dict[str, tuple[int, ...]]  # the seeds of each preset that has the study
    figures: tuple[str, ...] = ()  # kinds that `study.reporting.figures` draws, as <study>_<kind>

    def seeds(self, p: Preset) -> tuple[int, ...]:
        """Those with which a preset has the study; none where it does not have it.

        A grid of one's own has the studies that it names, with its own seeds or those of the preset that it goes out
        from; with one where that does not have the study.
        """
        if not p.base:
            return self.presets.get(p.name, ())
        return (p.seeds or self.presets.get(p.base, ONE_SEED)) if self.name in p.studies else ()

    def setting(self, run) -> str:
        """A run's values of what the study varies, in words: "batch size 32"."""
        return ", ".join(f"{name.replace('_', ' ')} {_short(getattr(run, name))}" for name in self.varies)


def _short(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


# Networks of several passes: T17's, without the report's LeakyReLU, which costs them decibels, and small batches.
NARROW = 1 / 8  # width, but for the codecs that ship
SEVERAL_PASSES_RATE = 0.0015
COLLAPSE_EPOCHS = 3


def _several_passes(preset, cell, iterations, **changes):
    first_weights = {"binarizer_gain": CELLS[cell].binarizer_gain, "output_gain": CELLS[cell].output_gain}
    recipe = {"loss": "l1", "learning_rate": SEVERAL_PASSES_RATE, "batch_size": 32, "width": NARROW}
    asked = {name: preset.asked[name] for name in recipe if name in preset.asked}
    return {
        "activation": "linear",
        **recipe,
        **asked,
        "cell": cell,
        "iterations": iterations,
        **first_weights,
        **changes,
    }


def _shipped(preset, cell):
    # Both cells with a GRU's gain: with its own an LSTM of 16 passes does not train.
    gain = CELLS["gru"].binarizer_gain
    changes = {"width": preset.width, "learning_rate": preset.codec_rate, "loss": "log_l2", "binarizer_gain": gain}
    changes |= {name: preset.asked[name] for name in ("learning_rate", "loss") if name in preset.asked}
    return _several_passes(preset, cell, preset.asked.get("passes", 16), **changes)


def _way(theirs):
    return REPORT_WAY if theirs else OUR_WAY


_ALL = (
    Study(
        name="batch_size",
        question="How does the batch size shape training, at equal epochs as in the report?",
        notebook="03_batch_size_study",
        varies=("batch_size",),
        settings=lambda p: [{"batch_size": n} for n in p.batch_sizes],
        presets={
            "smoke": ONE_SEED,
            "laptop": ONE_SEED,
            "excerpt": FIVE_SEEDS,
            "cifar": THREE_SEEDS,
            "report": FIVE_SEEDS,
            "report-float16": FIVE_SEEDS,
        },
        figures=("quality", "psnr", "protocols"),
    ),
    Study(
        name="equal_steps",
        question="And at equally many steps?",
        notebook="03_batch_size_study",
        varies=("batch_size",),
        settings=lambda p: [{"batch_size": n, "steps": p.equal_steps, "epochs": p.equal_epochs} for n in p.batch_sizes],
        presets={"excerpt": FIVE_SEEDS, "cifar": ONE_SEED},
    ),
    Study(
        name="scaled_rate",
        question="And with a learning rate that goes with the square root of the batch size?",
        notebook="03_batch_size_study",
        varies=("batch_size", "learning_rate"),
        # With Adam noise stays alike if the rate goes with the square root of the batch size (Malladi et al. 2022).
        settings=lambda p: [
            {"batch_size": n, "learning_rate": round(LEARNING_RATE * (n / p.batch_size) ** 0.5, 6)}
            for n in p.batch_sizes
            if n != p.batch_size
        ],
        presets={"excerpt": THREE_SEEDS},
    ),
    Study(
        name="train_size",
        question="How does the number of training images shape the codec, rotation included?",
        notebook="04_train_size_study",
        varies=("train_size",),
        settings=lambda p: [{"train_size": n} for n in p.train_sizes],
        presets={
            "smoke": ONE_SEED,
            "laptop": ONE_SEED,
            "excerpt": FIVE_SEEDS,
            "cifar": THREE_SEEDS,
            "report": FIVE_SEEDS,
            "report-float16": FIVE_SEEDS,
        },
        figures=("quality", "psnr", "controls"),
    ),
    Study(
        name="train_control",
        question="Is it rotation, or as many images shown, that the largest training set owes its quality to?",
        notebook="04_train_size_study",
        varies=("train_size", "epochs", "augmentation"),
        # As many images as the largest training set shows: its originals alone, again and again; and flipped.
        settings=lambda p: [
            {"epochs": p.epochs * max(p.train_sizes) // p.train_size},
            {"train_size": max(p.train_sizes), "augmentation": "flip"},
        ],
        presets={"excerpt": FIVE_SEEDS, "cifar": ONE_SEED},
    ),
    Study(
        name="loss",
        question="What does each loss do to the picture, colour included, in our way to train and in the report's?",
        notebook="06_loss_study",
        varies=("loss", "binarizer_gain", "schedule"),
        settings=lambda p: [{"loss": loss, **_way(theirs)} for loss, theirs in p.losses],
        presets={
            "smoke": ONE_SEED,
            "laptop": ONE_SEED,
            "excerpt": THREE_SEEDS,
            "cifar": ONE_SEED,
            "report": THREE_SEEDS,
            "report-float16": THREE_SEEDS,
        },
        figures=("colour", "residual"),
    ),
    Study(
        name="collapse",
        question="How often does training collapse to the mean image?",
        notebook="06_loss_study",
        varies=("loss", "binarizer_gain", "schedule"),
        settings=lambda p: [
            {"loss": loss, "epochs": COLLAPSE_EPOCHS, **way, "binarizer_gain": gain}
            for loss, way, gain in (
                ("ms_ssim", OUR_WAY, BINARIZER_GAIN),
                ("ms_ssim", OUR_WAY, 1.0),
                ("ms_ssim", REPORT_WAY, BINARIZER_GAIN),
                ("ms_ssim", REPORT_WAY, 1.0),
                ("l1", REPORT_WAY, 1.0),
            )
        ],
        presets={"excerpt": TWENTY_SEEDS},
        figures=("ends",),
    ),
    Study(
        name="residual_n",
        question="What does the report's residual loss do at each n that it set by hand?",
        notebook="06_loss_study",
        varies=("loss",),
        settings=lambda p: [{"loss": f"residual_{n}", "width": NARROW} for n in (1, 5, 9, 15)],
        presets={"excerpt": THREE_SEEDS},
    ),
    Study(
        name="passes",
        question="What does each further pass buy, with each cell?",
        notebook="07_rate_distortion",
        varies=("cell", "iterations"),
        settings=lambda p: [_several_passes(p, cell, n) for cell in p.cells for n in p.pass_counts],
        presets={"excerpt": THREE_SEEDS},
        figures=("rate",),
    ),
    Study(
        name="codec",
        question="How good are the codecs that ship?",
        notebook="07_rate_distortion",
        varies=("cell", "reconstruction"),
        settings=lambda p: [_shipped(p, cell) for cell in ("gru", "lstm") if cell in p.cells],
        presets={"codec": ONE_SEED, "codec-full": ONE_SEED},
    ),
    Study(
        name="cells",
        question="Which cell and which reconstruction rule are best?",
        notebook="07_rate_distortion",
        varies=("cell", "reconstruction"),
        settings=lambda p: [
            _several_passes(p, cell, 8, epochs=1, reconstruction=rule)
            for cell in CELLS
            for rule in ("additive", "one_shot", "residual_scaling")
        ],
        presets={"codec": THREE_SEEDS},
        figures=("rules",),
    ),
    Study(
        name="lstm_gain",
        question="What does an LSTM of several passes gain by a GRU's first weights?",
        notebook="07_rate_distortion",
        varies=("cell", "binarizer_gain"),
        settings=lambda p: [_several_passes(p, "lstm", 8, epochs=1, binarizer_gain=CELLS["gru"].binarizer_gain)],
        presets={"codec": THREE_SEEDS},
    ),
    Study(
        name="priming",
        question="What does hidden-state priming bring (Johnston et al. 2018)?",
        notebook="07_rate_distortion",
        varies=("cell", "priming"),
        settings=lambda p: [_several_passes(p, cell, 8, epochs=1, priming=3) for cell in ("lstm", "gru")],
        presets={"codec": THREE_SEEDS},
    ),
    Study(
        name="codec_recipe",
        question="Which activation, learning rate and loss suit several passes?",
        notebook="07_rate_distortion",
        varies=("activation", "learning_rate", "loss"),
        settings=lambda p: [
            _several_passes(p, "gru", 4, epochs=1, activation=activation, learning_rate=rate, loss=loss)
            for activation, rate, loss in (
                ("linear", 0.0005, "l1"),
                ("linear", SEVERAL_PASSES_RATE, "l1"),
                ("linear", 0.005, "l1"),
                ("leaky_relu", SEVERAL_PASSES_RATE, "l1"),
                ("linear", SEVERAL_PASSES_RATE, "ssim_weighted"),
                ("linear", SEVERAL_PASSES_RATE, "log_l2"),
            )
        ],
        presets={"codec": THREE_SEEDS},
    ),
    Study(
        name="part",
        question="Is a codec better on the pictures that it was trained on?",
        notebook="09_uses",
        varies=("data",),
        settings=lambda p: [
            _several_passes(p, "gru", 4, data=f"cifar10:{part}", train_size=PART_SIZE, epochs=p.asked.get("epochs", 12))
            for part in ("everything", "vehicles", "largest_png", "smallest_png")
        ],
        presets={"codec": THREE_SEEDS},
    ),
    Study(
        name="recipe",
        question="Which first weights and which learning rate train at all batch sizes?",
        notebook="02_model_build",
        varies=("binarizer_gain", "learning_rate", "batch_size"),
        # At the report's largest batch, where steps are fewest, and at a small one.
        settings=lambda p: [
            {"binarizer_gain": gain, "learning_rate": rate, "batch_size": n}
            for gains, rates in (((1.0, 30.0, 300.0, 3000.0), (0.01,)), ((300.0,), (0.003, 0.03)))
            for n in (64, 1024)
            for gain in gains
            for rate in rates
        ],
        presets={"recipe": ONE_SEED},
        figures=("curves",),
    ),
    Study(
        name="precision",
        question="What do products in 16 bits do to quality?",
        notebook="02_model_build",
        varies=("precision",),
        settings=lambda p: [{"precision": name} for name in ("float32", "mixed_bfloat16")],
        presets={"recipe": THREE_SEEDS},
    ),
    Study(
        name="learning_rate",
        question="How does the peak learning rate shape training, over the report's range?",
        notebook="10_learning_rate_study",
        varies=("learning_rate",),
        settings=lambda p: [{"learning_rate": rate} for rate in p.learning_rates],
        presets={"excerpt": THREE_SEEDS},
        figures=("ends",),
    ),
)
STUDIES = {study.name: study for study in _ALL}


def has_the_reports(preset_name: str) -> bool:
    """Whether a preset has the three studies that the claims and the paper are about."""
    return {"batch_size", "train_size", "loss"} <= {study.name for study in of_preset(preset_name)}


def of_preset(preset_name: str) -> list[Study]:
    """The studies that a preset, or a grid of one's own, has, in order."""
    p = preset(preset_name)
    return [study for study in STUDIES.values() if study.seeds(p)]
