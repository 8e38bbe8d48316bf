"""What a preset's runs would take, counted from the network's layers: no data, no GPU and no Keras are needed.

Operations are those that the result needs, as in `make bench`. Hours are estimates: a T4's from its published rates at
an assumed share of them, those of 2 cores from the rate that `make bench` measured there.
"""

from typing import NamedTuple

import pandas as pd

from study import paths, runs
from study.architecture import (
    BITS,
    CODE_CHANNELS,
    DECODER,
    DECODER_SIDES,
    ENCODER,
    ENCODER_SIDES,
    FIRST_CHANNELS,
)

# NVIDIA's data sheet of the T4, operations a second, and the share of it that training is assumed to reach: nobody has
# measured it yet. In float16 it is less, as the rest of a step does not get faster with its products.
T4 = {"float32": (8.1e12, 0.40), "mixed_float16": (65e12, 0.20)}


class Gates(NamedTuple):
    """Convolutions and biases of a cell, in its channels; a complex gate is two of half the channels.

    The state before the first pass is zero: the forget gate and the reset gate are of later passes.
    """

    first_inputs: float  # convolutions of the input in the first pass
    inputs: float
    states: float
    first_biases: float
    biases: float


LSTM, GRU = Gates(3, 4, 4, 3, 4), Gates(2, 3, 3, 2, 3)
RESIDUAL_GRU, ASSOCIATIVE_LSTM = Gates(3, 4, 4, 2, 3), Gates(4, 4.5, 4.5, 4, 4.5)
# Encoder's three cells and decoder's four.
GATES = {
    "lstm": [LSTM] * 7,
    "gru": [GRU] * 7,
    "residual_gru": [RESIDUAL_GRU] * 7,
    "associative_lstm": [LSTM] * 3 + [ASSOCIATIVE_LSTM] * 4,
}
GAIN_PARAMETERS = 28_769  # of residual scaling's network at every width; its operations are few and not counted
# Validation images by data. After each epoch they, and as many training images, go forwards once.
VALIDATION = {"photographs": 345, "excerpt": 1_933, "codec": 1_933, "recipe": 1_453, "cifar": 20_000, "cifar10": 1_017}
FLOAT = 4  # bytes
ROW = 100  # bytes of a line of history.csv or images.csv, about


def multiplications(cell: str, width: float) -> tuple[int, int]:
    """Multiplications of one 32x32 image forwards: in the first pass, and in each later one.

    Raises:
        ValueError: a cell whose gates are not counted here.
    """
    inputs, hidden = _cells(width)
    first = later = sum(kernel**2 * depth * n * side**2 for kernel, depth, n, side in _convolutions(width))
    for gates, (kernel, depth, n, side), (hidden_kernel, _, _) in zip(_gates(cell), inputs, hidden, strict=True):
        of_input, of_hidden = kernel**2 * depth * n * side**2, hidden_kernel**2 * n**2 * side**2
        first += round(gates.first_inputs * of_input)
        later += round(gates.inputs * of_input + gates.states * of_hidden)
    return first, later


def parameters(cell: str, width: float, iterations: int, reconstruction: str = "additive") -> tuple[int, int]:
    """All of a network's parameters, and those that training in this many passes changes."""
    inputs, hidden = _cells(width)
    everything = sum(kernel**2 * depth * n + n for kernel, depth, n, _ in _convolutions(width))
    once = everything
    for gates, (kernel, depth, n, _), (hidden_kernel, _, _) in zip(_gates(cell), inputs, hidden, strict=True):
        of_input, of_hidden = kernel**2 * depth * n, hidden_kernel**2 * n**2
        once += round(gates.first_inputs * of_input + gates.first_biases * n)
        everything += round(gates.inputs * of_input + gates.states * of_hidden + gates.biases * n)
    everything += GAIN_PARAMETERS if reconstruction == "residual_scaling" else 0
    return everything, once if iterations == 1 else everything


def _gates(cell):
    if cell not in GATES:
        raise ValueError(f"cell={cell!r} is not counted; expected one of {', '.join(GATES)}.")
    return GATES[cell]


def _convolutions(width):
    """Kernel, input depth, channels and output side of the four that are no cells."""
    first, code, last = (round(n * width) for n in (FIRST_CHANNELS, CODE_CHANNELS, DECODER[-1][0] / 4))
    return (3, 3, first, 16), (1, round(ENCODER[-1][0] * width), BITS, 2), (1, BITS, code, 2), (1, last, 3, 32)


def _cells(width):
    """One gate of each cell: its input convolutions like the above, and its hidden ones' kernel, channels and side."""
    inputs, hidden = [], []
    for layers, sides, depth, shuffle in (
        (ENCODER, ENCODER_SIDES, FIRST_CHANNELS, 1),
        (DECODER, DECODER_SIDES, CODE_CHANNELS, 4),
    ):
        for (n, kernel, hidden_kernel), side in zip(layers, sides, strict=True):
            inputs.append((kernel, round(depth * width), round(n * width), side))
            hidden.append((hidden_kernel, round(n * width), side))
            depth = n // shuffle  # depth-to-space
    return inputs, hidden


def _validation(run):
    return VALIDATION[run.data.partition(":")[0]]


def operations(run: runs.Run) -> float:
    """Of training and scoring: two a multiplication, and a training step takes three times those of going forwards."""
    first, later = multiplications(run.cell, run.width)
    scored = 2 * _validation(run) * run.epochs
    later_turns = run.iterations - 1 + run.priming
    return 2 * (3 * run.images_seen + scored) * (first + later_turns * later)


def folder_bytes(run: runs.Run) -> tuple[int, int]:
    """Of a run's folder when it is finished, and of the checkpoint that it also has while it trains, about."""
    everything, trained = parameters(run.cell, run.width, run.iterations + run.priming, run.reconstruction)
    tables = ROW * run.iterations * (2 * run.epochs + _validation(run))
    return FLOAT * everything + tables, FLOAT * (everything + 2 * trained)  # Adam keeps two figures a weight


def memory_mb(run: runs.Run) -> int:
    """Memory that a run's job is given: what its engine and data take, and its network's maps, with room to spare."""
    maps = 3 * run.batch_size * run.iterations * run.width  # about 3 MB an image and pass at full width
    return round(4000 + 4 * folder_bytes(run)[1] / 1e6 + maps)


def job_minutes(run: runs.Run, gpu: bool) -> int:
    """Time that a run's job is given: three times the estimate, and what starting takes. Cut off, it goes on later."""
    hours = t4_hours(run) if gpu else 2 * cores_hours(run, measured_rates())  # a job has one core
    return round(15 + 3 * 60 * hours)


def t4_hours(run: runs.Run, precision: str = "") -> float:
    """Hours on a T4, an estimate: in the run's own number format, or in another; in float32 where it has no units."""
    peak, share = T4.get(precision or run.precision, T4["float32"])
    return operations(run) / (peak * share) / 3600


def measured_rates() -> pd.Series:
    """Operations a second of training on the machine of `make bench`, by width: the tracked tables', float32."""
    table = pd.read_csv(paths.published_tables("benchmarks") / "training.csv")
    table = table[table.network == "this study"]
    return (table.share_of_product * table.product_gflops * 1e9).groupby(table.width).median()


def cores_hours(run: runs.Run, rates: pd.Series) -> float:
    """Hours on the 2 cores of `make bench`, an estimate at the rate of the nearest width that was measured."""
    return operations(run) / rates[min(rates.index, key=lambda width: abs(width - run.width))] / 3600


def table(planned: list[runs.Run]) -> pd.DataFrame:
    """One row a study and setting, with the sums over its seeds, in the order of the plan."""
    rates = measured_rates()
    rows = [
        {
            "study": run.study,
            "setting": run.id.partition("-seed-")[0],
            "seeds": 1,
            "images x passes": run.images_seen * run.iterations,
            "PFLOP": operations(run) / 1e15,
            "T4 h": t4_hours(run, "float32"),
            "T4 h, float16": t4_hours(run, "mixed_float16"),
            "2 cores h": cores_hours(run, rates),
            "GB": folder_bytes(run)[0] / 1e9,
        }
        for run in planned
    ]
    return pd.DataFrame(rows).groupby(["study", "setting"], sort=False, as_index=False).sum()


def text(planned: list[runs.Run]) -> str:
    """The table with its sum, and how its figures were come by, as lines to print."""
    rows = table(planned)
    total = rows.sum(numeric_only=True).to_frame().T.assign(study="all", setting="")
    rows = pd.concat([rows, total])[rows.columns].astype({"seeds": int, "images x passes": int})
    written = {"images x passes": "{:,}".format} | dict.fromkeys(("PFLOP", "T4 h", "T4 h, float16"), "{:,.3g}".format)
    written |= {"2 cores h": "{:,.3g}".format, "GB": "{:.3f}".format}
    training = max(folder_bytes(run)[1] for run in planned) / 1e6
    shares = ", ".join(f"{share:.0%} of {peak / 1e12:g} TFLOP/s in {name}" for name, (peak, share) in T4.items())
    return f"""{rows.to_string(index=False, formatters=written)}
Hours are estimates, scoring included. On a T4 at an assumed {shares};
on 2 cores at the rates of results/benchmarks/training.csv.
GB are of finished run folders; a run has up to {training:,.0f} MB more while it trains."""
