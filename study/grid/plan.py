"""What a preset's runs would take, counted from the network's layers: no data, no GPU and no Keras are needed.

Operations are those that the result needs (`study.architecture`), as in `make bench`. Hours are estimates: a T4's from
its published rates at an assumed share of them, those of 2 cores from the rate that `make bench` measured there.
"""

import pandas as pd

from study.architecture import multiplications, parameters
from study.experiments import runs
from study.experiments.studies import STUDIES
from study.ground import paths
from study.ground.data_sets import image_numbers
from study.ground.recipe import SCORED_TRAINING

# NVIDIA's data sheet of the T4, operations a second, and the share of it that training is assumed to reach: nobody has
# measured it yet. In float16 it is less, as the rest of a step does not get faster with its products.
T4 = {"float32": (8.1e12, 0.40), "mixed_float16": (65e12, 0.20)}
FLOAT = 4  # bytes
ROW = 100  # bytes of a line of history.csv or images.csv, about


def operations(run: runs.Run) -> float:
    """Of training and scoring: two a multiplication, and a training step takes three times those of going forwards."""
    first, later = multiplications(run.cell, run.width)
    _, validation = image_numbers(run.data)
    scored = (validation + min(validation, SCORED_TRAINING)) * run.epochs  # both sides, after each epoch
    later_turns = run.iterations - 1 + run.priming
    return 2 * (3 * run.images_seen + scored) * (first + later_turns * later)


def folder_bytes(run: runs.Run) -> tuple[int, int]:
    """Of a run's folder when it is finished, and of the checkpoint that it also has while it trains, about."""
    everything, trained = parameters(run.cell, run.width, run.iterations + run.priming, run.reconstruction)
    _, validation = image_numbers(run.data)
    tables = ROW * run.iterations * (2 * run.epochs + validation)
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


def table(preset: str, planned: list[runs.Run]) -> pd.DataFrame:
    """One row per study and setting, summed over its seeds; a run stands under the first study that asks for it."""
    rates, studies = measured_rates(), runs.studies_of(preset)
    rows = [
        {
            "study": studies[run.id][0],
            "setting": STUDIES[studies[run.id][0]].setting(run),
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


def text(preset: str, planned: list[runs.Run]) -> str:
    """The table with its sum, and how its figures were come by, as lines to print."""
    rows = table(preset, planned)
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
