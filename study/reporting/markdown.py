"""The tables of README, made from the studies, the presets and the tracked tables, as Markdown."""

import json
import re
from functools import partial

import pandas as pd

from study.experiments import runs, tables
from study.experiments.presets import PRESETS
from study.experiments.studies import STUDIES
from study.ground import paths
from study.ground.errors import StudyError

SHOWN_TARGETS = (16, 32, 64, 128, 256)  # bytes


def results(preset: str) -> str:
    """The last epoch's validation scores of a preset, means over seeds with 95 % t-intervals."""
    final = tables.final(tables.of_studies(preset, "history", *STUDIES))
    summary = tables.read(preset, "summary").query("split == 'validation'")
    summary = summary.set_index(["study", "setting", "score"]).sort_index()
    columns = ("study", "setting", "seeds", "steps", "PSNR, dB", "MS-SSIM[w3,L4]", "report's score", "status")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    planned = {run.id: run for run in runs.plan(preset)}
    settings = [STUDIES[row.study].setting(planned[row.run]) for row in final.itertuples()]
    for (study, setting), group in final.groupby(["study", pd.Series(settings, final.index)], sort=False):
        means = summary.loc[study, setting]
        scores = " | ".join(
            _mean(means.loc[score], n) for score, n in (("psnr", 2), ("ms_ssim", 3), ("report_score", 3))
        )
        statuses = ", ".join(f"{n} {status}" for status, n in group.status.value_counts().items())
        steps = group.step.max()
        lines.append(f"{_words(study)} | {setting} | {group.seed.nunique()} | {steps} | {scores} | {statuses}")
    done = len(tables.read(preset, "runs"))
    state = (
        f"All {done} runs of the grid." if done == len(planned) else f"{done} of the grid's {len(planned)} runs so far."
    )
    return (
        "\n".join(f"| {line} |" for line in lines)
        + f"\n\n{state} A run that several studies ask for stands under each."
    )


def _words(name):
    return name.replace("_", " ")


def _mean(row, digits):
    half = f" ± {row.high - row['mean']:.{digits}f}" if row.n > 1 else ""
    return f"{row['mean']:.{digits}f}{half}"


def verdicts(claims: pd.DataFrame) -> str:
    """The rows of `claims.csv` with their estimates, 95 % intervals and verdicts."""
    columns = ("claim", "in the report", "estimate", "n", "verdict")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    for row in claims.itertuples():
        value = "" if pd.isna(row.estimate) else f"{_number(row.estimate)} {row.unit}"
        if row.over and not pd.isna(row.low):
            value = f"{_number(row.estimate)} [{_number(row.low)}, {_number(row.high)}] {row.unit}"
        n = f"{row.n:,} {row.over}" if row.over and row.n else ""
        verdict = f"**{row.verdict}**" if row.verdict == "holds" else row.verdict
        lines.append(f"{row.wording} | {row.place} | {value} | {n} | {verdict}")
    return _table(lines)


def _number(x):
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.3f}"


def codecs(preset: str) -> str:
    """PSNR and SSIM of 32x32 images at equal bytes of code, a row a codec, from `targets.csv`."""
    table = tables.read(preset, "targets")
    shown = [target for target in sorted(table.target.unique()) if target in SHOWN_TARGETS]
    lines = [
        " | ".join(["codec", *(f"{target} bytes" for target in shown)]),
        " | ".join("---" for _ in range(len(shown) + 1)),
    ]
    for codec, rows in table.groupby("codec", sort=False):
        cells = rows.set_index("target")
        lines.append(" | ".join([codec, *(_at(cells, target) for target in shown)]))
    return _table(lines)


def _at(rows, target):
    if target not in rows.index:
        return ""
    row = rows.loc[target]
    return f"{row.payload_bytes:.0f}: {row.psnr:.1f} dB, {row.ssim_blocks:.3f}"


def speed() -> str:
    """The training steps of `make bench`, one row a case, as a table in Markdown for the README."""
    table = pd.read_csv(tables.path("benchmarks", "training"))
    columns = ["width", "passes", "batch size", "images/s", "in bfloat16", "of the product's rate", "to PyTorch"]
    lines = [" | ".join([*columns, "to the report's code"]), " | ".join("---" for _ in range(8))]
    for case, group in table.groupby(["width", "iterations", "batch_size"], sort=False):
        group = group.set_index("network")
        speeds, share = group.images_a_second, group.share_of_product["this study"]
        images = [_three_digits(speeds[name]) for name in ("this study", "this study, mixed_bfloat16")]
        others = [speeds.get(name) for name in ("plain PyTorch", "report's code")]
        ratios = [f"{speeds['this study'] / other:.2f}" if other else "" for other in others]
        lines.append(" | ".join([*(f"{value:g}" for value in case), *images, f"{share:.0%}", *ratios]))
    machines = "; ".join(f"{name}, {threads} threads" for name, threads in table.groupby(["machine", "threads"]).groups)
    return _table(lines) + f"\n\nMeasured on: {machines}."


def _three_digits(value):
    return f"{value:.3g}" if value < 1000 else f"{round(value, -1):,.0f}"


def notebooks() -> str:
    """Every notebook with the question that its first cell asks."""
    lines = ["notebook | question", "--- | ---"]
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        question = re.search(r"\*\*Question:\*\* (.*?\?)", first, flags=re.DOTALL)
        if not question:
            raise StudyError(f"{path} asks no question; begin its first cell's second paragraph with **Question:**.")
        words = " ".join(question[1].split())
        lines.append(f"`{path.stem}` | {words[0].upper()}{words[1:]}")
    return _table(lines)


def studies() -> str:
    """Every study with its question, notebook and presets."""
    lines = ["study | question | notebook | presets", "--- | --- | --- | ---"]
    for study in STUDIES.values():
        presets = ", ".join(f"`{name}`" for name in study.presets)
        lines.append(f"{_words(study.name)} | {study.question} | `{study.notebook}` | {presets}")
    return _table(lines)


def presets() -> str:
    """Every preset with its images, width, epochs and purpose."""
    lines = ["preset | images | width | epochs | for", "--- | --- | --- | --- | ---"]
    for preset in PRESETS.values():
        width = "1" if preset.width == 1 else f"1/{1 / preset.width:g}"
        lines.append(f"`{preset.name}` | {preset.images} | {width} | {preset.epochs} | {preset.purpose}")
    return _table(lines)


def _table(lines):
    return "\n".join(f"| {line} |" for line in lines)


# What stands between `<!-- NAME -->` and `<!-- end -->` in README, by name.
SECTIONS = {
    "notebooks": notebooks,
    "studies": studies,
    "presets": presets,
    "results": partial(results, "excerpt"),
    "verdicts": lambda: verdicts(tables.read("excerpt", "claims")),
    "codecs": partial(codecs, "codec"),
    "speed": speed,
}


def fill(text: str) -> str:
    """A text with every section between its marks made anew. Raises `StudyError` for marks of an unknown name."""

    def section(match):
        if match[1] not in SECTIONS:
            raise StudyError(f"README has marks of {match[1]!r}; expected one of {', '.join(SECTIONS)}.")
        return f"<!-- {match[1]} -->\n{SECTIONS[match[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", section, text, flags=re.DOTALL)
