"""How networks are trained: the values that a run has unless a study varies them. Notebook 02 says how they were found.

All of them are fields of a run (`study.experiments.runs.Run`), so a run trained with others is another run.
"""

LEARNING_RATE = 0.01  # at its peak, the report's highest
WARM_UP = 0.05  # share of the steps in which the rate rises from 0; then it falls along a cosine to 0
CLIP_NORM = 1.0  # of the whole gradient
BETA_2 = 0.98  # Adam's memory of squared gradients, 50 steps: at large batches a run has little more than 100
# A cell returns a quarter of a small signal (half of it if it is a GRU), and LeakyReLU leaves less: after three cells
# the code would be lost in the binarizer's noise, and no gradient comes back. So the binarizer's first weights are
# BINARIZER_GAIN times as large as is usual, and those of the last convolution OUTPUT_GAIN times. These are an LSTM's;
# `study.architecture.CELLS` has those of the other cells.
BINARIZER_GAIN = 300.0
OUTPUT_GAIN = 4.0

# Our way to train, and the report's as far as it says: Adam as Keras has it, at one rate from the first step to the
# last, without warm-up and clipping, and first weights of the usual size.
OUR_WAY = {
    "binarizer_gain": BINARIZER_GAIN,
    "schedule": "cosine",
    "warm_up": WARM_UP,
    "clip_norm": CLIP_NORM,
    "beta_2": BETA_2,
}
REPORT_WAY = {"binarizer_gain": 1.0, "schedule": "constant", "warm_up": 0.0, "clip_norm": 0.0, "beta_2": 0.999}

# Names of the losses that `study.losses` has; `residual_n` is the report's at an n set by hand.
LOSSES = (
    *("ms_ssim", "report", "l1", "l2", "log_l2", "residual", "ssim_weighted"),
    *(f"residual_{n}" for n in (1, 5, 9, 15)),
)

SCORED_TRAINING = 2000  # training images that are scored after each epoch, at most: scoring must stay cheap
COLLAPSE_MARGIN = 0.5  # dB above answering the mean image: a run that ends with less has collapsed

PART_SIZE = 3200  # images of a part of CIFAR-10 (`study.data`), a few less than its excerpt has of vehicles
