"""The grids, as data: what is trained on what, how wide, how long, with which seeds."""

from dataclasses import dataclass, replace

# The recipe, the same for every run that does not study it; notebook 02 says how it was found.
LEARNING_RATE = 0.01  # at its peak, the report's highest: warm-up from 0, then a cosine down to 0
WARM_UP = 0.05  # share of the steps
CLIP_NORM = 1.0  # of the whole gradient
BETA_2 = 0.98  # Adam's memory of squared gradients, 50 steps: at large batches a run has little more than 100
# The first weights. A cell returns a quarter of a small signal, half from the input gate and half from the output gate,
# and LeakyReLU leaves less: after three cells the code would be lost in the binarizer's noise, and no gradient comes
# back. So the binarizer's kernel starts GAIN times as large as is usual, a run's `gain`, and the last one's
# OUTPUT_GAIN times, for what the decoder's cells take away; all other weights are of the usual size.
GAIN = 300.0
OUTPUT_GAIN = 4.0
ORDINARY_GAIN = 1.0
# A GRU's one gate returns half of a small signal: after three cells eight times what LSTMs leave.
GAINS = {"lstm": GAIN, "gru": GAIN / 8, "residual_gru": GAIN / 8, "associative_lstm": GAIN}
OUTPUT_GAINS = {"lstm": OUTPUT_GAIN, "gru": 1.0, "residual_gru": 1.0, "associative_lstm": OUTPUT_GAIN}

# Codecs of several passes: T17's network, without the report's LeakyReLU, which costs them decibels, and small batches.
CODEC_RATE = 0.0015
CODEC_BATCH = 32
CODEC_LOSS = "log_l2"  # of the codecs that ship: later passes learn as much as the first
CODEC_GAIN = GAIN / 8  # of theirs too, whatever the cell: with GAIN an LSTM of 16 passes does not train
PART_SIZE, PART_EPOCHS = 3200, 12  # images of a part of CIFAR-10, and how often they are shown

# Our way to train, and the report's as far as it says: Adam as Keras has it, at one rate from the first step to the
# last, with no warm-up and no clipping, and first weights of the usual size. Gain and schedule.
OURS = (GAIN, "cosine")
REPORTS = (ORDINARY_GAIN, "constant")

COLLAPSE_MARGIN = 0.5  # dB over answering the mean image: a run that ends with less has collapsed


@dataclass(frozen=True)
class Preset:
    """One grid. Each study varies one thing; the rest is what stands here, and the defaults of `study.runs.Run`.

    A study whose values are left empty is not done.
    """

    data: str  # a name that `study.data.load` knows
    width: float  # factor on the network's channels
    epochs: int
    batch_sizes: tuple[int, ...]
    train_sizes: tuple[int, ...]  # beyond the data's own number: by rotation
    losses: tuple[tuple[str, float, str], ...]  # loss, gain and schedule
    batch_size: int
    train_size: int
    seeds: tuple[int, ...]  # of the studies of batch size and training set
    few_seeds: tuple[int, ...] = (0,)  # of the other studies
    equal_steps: int = 0  # the batch sizes again, with as many steps each
    scaled_rates: bool = False  # the batch sizes again, with learning rates that go with their square root
    controls: bool = False  # the largest training set's images seen again, without turning any
    many_seeds: tuple[int, ...] = ()  # of the study of collapse
    passes: tuple[int, ...] = ()  # of both cells, in a narrower network
    residual_ns: tuple[int, ...] = ()  # the n of the report's residual loss, set by hand
    narrow: float = 1 / 8  # width of all studies of passes but that of the codecs that ship
    codec_rate: float = CODEC_RATE
    codecs: tuple[tuple[str, str], ...] = ()  # cell and reconstruction, trained with 16 passes
    cells: tuple[str, ...] = ()  # each with each of `reconstructions`, trained alike
    reconstructions: tuple[str, ...] = ()
    lstm_gains: tuple[float, ...] = ()  # of LSTMs trained as `cells` are, besides their own
    primings: tuple[int, ...] = ()  # turns before the first pass, of LSTM and GRU trained as `cells` are
    parts: tuple[str, ...] = ()  # of CIFAR-10, see `study.subsets`, each trained on alone
    codec_recipes: tuple[tuple[str, float, str], ...] = ()  # activation, learning rate and loss, for several passes
    recipes: tuple[tuple[float, float, int], ...] = ()  # gain, learning rate and batch size
    precisions: tuple[str, ...] = ()
    precision: str = "float32"  # of all other runs
    gpu: bool = False  # whether its runs ask for GPUs
    devices: int = 1  # in each run


LOSSES = tuple((loss, *recipe) for recipe in (OURS, REPORTS) for loss in ("ms_ssim", "report", "l1", "l2"))

PRESETS = {
    # Seconds a run: for tests and for the notebooks' defaults.
    "smoke": Preset(
        data="photographs",
        width=1 / 8,
        epochs=6,
        batch_sizes=(8, 16),
        train_sizes=(256, 512),
        losses=(("ms_ssim", *OURS), ("l1", *OURS), ("l1", *REPORTS)),
        batch_size=8,
        train_size=512,
        seeds=(0,),
    ),
    # Minutes on two cores, real photographs, no download.
    "laptop": Preset(
        data="photographs",
        width=1 / 8,
        epochs=15,
        batch_sizes=(8, 16, 32, 64, 128),
        train_sizes=(1024, 2048, 4096),
        losses=LOSSES[:4],
        batch_size=32,
        train_size=2048,
        seeds=(0,),
    ),
    # The report's grid on a tenth of its images: hours on two cores.
    "excerpt": Preset(
        data="excerpt",
        width=1 / 4,
        epochs=15,
        batch_sizes=(32, 64, 128, 256, 512, 1024),
        train_sizes=(4726, 9453, 18906, 28359, 37812),
        losses=LOSSES,
        batch_size=128,
        train_size=9453,
        seeds=(0, 1, 2, 3, 4),
        few_seeds=(0, 1, 2),
        equal_steps=600,
        scaled_rates=True,
        controls=True,
        many_seeds=tuple(range(20)),
        passes=(1, 2, 4, 8),
        residual_ns=(1, 5, 9, 15),
    ),
    # The codecs that ship with the project; every cell with every rule. Five hours of two cores.
    "codec": Preset(
        data="codec",
        width=1 / 4,
        epochs=4,
        batch_sizes=(),
        train_sizes=(),
        losses=(),
        batch_size=CODEC_BATCH,
        train_size=37812,
        seeds=(0,),
        few_seeds=(0, 1, 2),
        codec_rate=0.001,  # of the wider networks
        codecs=(("gru", "additive"), ("lstm", "additive")),
        cells=("lstm", "gru", "residual_gru", "associative_lstm"),
        reconstructions=("additive", "one_shot", "residual_scaling"),
        lstm_gains=(CODEC_GAIN,),
        primings=(3,),
        parts=("everything", "vehicles", "largest_png", "smallest_png"),
        codec_recipes=(
            *(("linear", rate, "l1") for rate in (0.0005, CODEC_RATE, 0.005)),
            ("leaky_relu", CODEC_RATE, "l1"),
            ("linear", CODEC_RATE, "ssim_weighted"),
            ("linear", CODEC_RATE, CODEC_LOSS),
        ),
    ),
    # How the recipe was found: on training images set aside, so that no published validation image chose anything.
    "recipe": Preset(
        data="recipe",
        width=1 / 8,
        epochs=15,
        batch_sizes=(),
        train_sizes=(),
        losses=(),
        batch_size=64,
        train_size=8000,
        seeds=(0,),
        few_seeds=(0, 1, 2),
        # At the report's largest batch, where steps are fewest, and at a small one.
        recipes=(
            *((gain, 0.01, batch_size) for batch_size in (64, 1024) for gain in (1.0, 30.0, 300.0, 3000.0)),
            *((300.0, rate, batch_size) for batch_size in (64, 1024) for rate in (0.003, 0.03)),
        ),
        precisions=("float32", "mixed_bfloat16"),
    ),
    # The report's own grid, and the two training sets that did not fit its memory: days of one T4.
    "report": Preset(
        data="cifar",
        width=1.0,
        epochs=15,
        batch_sizes=(32, 64, 128, 512, 1024),
        train_sizes=(50_000, 100_000, 200_000, 300_000, 400_000),
        losses=LOSSES,
        batch_size=128,
        train_size=100_000,
        seeds=(0, 1, 2, 3, 4),
        few_seeds=(0, 1, 2),
        gpu=True,
    ),
}
# The same on a GPU's units for 16 bits, such as a T4's: a quarter of the hours, and runs of their own.
PRESETS["report-float16"] = replace(PRESETS["report"], precision="mixed_float16")
# What two cores cannot: the studies of batch size and training set, and codecs, at the published width, on a GPU.
FULL = {"width": 1.0, "precision": "mixed_bfloat16", "gpu": True, "few_seeds": (0,)}
PRESETS["excerpt-full"] = replace(
    PRESETS["excerpt"], **FULL, losses=(), scaled_rates=False, controls=False, many_seeds=(), passes=(), residual_ns=()
)
PRESETS["codec-full"] = replace(
    PRESETS["codec"],
    **FULL,
    epochs=200,
    codec_rate=0.0005,  # as 1ZB's network of this width was trained
    codecs=(("lstm", "additive"), ("gru", "additive")),
    cells=(),
    reconstructions=(),
    lstm_gains=(),
    primings=(),
    parts=(),
    codec_recipes=(),
)


def preset(name: str) -> Preset:
    """The preset of that name. Raises `ValueError`, with the names there are."""
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
