"""What is generated in README and in the site's pages, from the studies, the presets and the tracked tables.

It is Markdown that GitHub shows too. Links go out from the repository's root; `fill` makes them go out from the page.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from study.experiments import runs, tables
from study.experiments.presets import PRESETS, PUBLISHED
from study.experiments.studies import STUDIES
from study.ground import atomic, paths
from study.ground.errors import StudyError
from study.reporting import figures, sizes
from study.reporting.findings import FINDINGS
from study.reporting.numbers_of_codecs import shipped
from study.reporting.readings import READINGS
from study.reporting.written import SPACE, counted, duration, fixed

SHOWN_TARGETS = (16, 32, 64, 128, 256)  # bytes


def results(preset: str) -> str:
    """A published preset's results: per study its question, figures and table, then all other figures."""
    made = tables.read(preset, "runs", published=True).studies.str.split().explode()
    asked = [study for study in STUDIES.values() if study.name in set(made)]
    shown = {study.name: [f"{study.name}_{kind}" for kind in study.figures] for study in asked}
    others = [name for name in figures.names(preset, published=True) if name not in sum(shown.values(), [])]
    parts = []
    for study in asked:
        notebook = f"[Notebook {study.notebook[:2]}](notebooks/{study.notebook}.ipynb) has the answer."
        parts += [f"## {_words(study.name).capitalize()}", f"{study.question} {notebook}"]
        parts += [figure(preset, name) for name in shown[study.name]]
        parts += [f"<!-- hover: {preset} {study.name} -->", ends(preset, study.name)]
    parts += ["## Other figures", *(figure(preset, name) for name in others)]
    parts += ["## Tables", "Every table of this preset as a file; [the tables](results/README.md) says what is in it."]
    parts += ["\n".join(f"- [{file.name}](results/{preset}/{file.name})" for file in _files(preset))]
    return "\n\n".join(parts)


def _files(preset):
    return sorted(paths.published_tables(preset).glob("*.csv"))


def figure(preset: str, name: str) -> str:
    """A published figure with its alternative text and, below it, how to read it."""
    instead, reading = READINGS[name]
    return f"![{instead}](figures/{preset}/{name}.png)\n\n*{reading}*"


def ends(preset: str, study: str) -> str:
    """How the settings of a study end: scores of validation images after the last epoch, means over seeds.

    Behind each mean stands half of its 95 % t-interval.
    """
    final = tables.final(tables.of_studies(preset, "history", study))
    summary = tables.read(preset, "summary").query("split == 'validation'")
    summary = summary.set_index(["study", "setting", "score"]).sort_index()
    planned = {run.id: run for run in runs.plan(preset)}
    settings = [STUDIES[study].setting(planned[run]) for run in final.run]
    columns = ("setting", "seeds", "steps", "PSNR, dB", "MS-SSIM[w3,L4]", "report's score", "status")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    for setting, group in final.groupby(pd.Series(settings, final.index), sort=False):
        means = summary.loc[study, setting]
        scores = " | ".join(
            _mean(means.loc[score], n) for score, n in (("psnr", 2), ("ms_ssim", 3), ("report_score", 3))
        )
        statuses = ", ".join(f"{n} {status}" for status, n in group.status.value_counts().items())
        lines.append(f"{_words(setting)} | {group.seed.nunique()} | {group.step.max()} | {scores} | {statuses}")
    return _table(lines)


def state(preset: str) -> str:
    """How many of a preset's runs are in its tables."""
    done, planned = len(tables.read(preset, "runs")), len(runs.plan(preset))
    words = f"All {done} runs of the grid." if done == planned else f"{done} of the grid's {planned} runs so far."
    return f"{words} A run that several studies ask for stands under each."


def _words(name):
    return name.replace("_", " ")


def _mean(row, digits):
    half = f"{SPACE}±{SPACE}{fixed(row.high - row['mean'], digits)}" if row.n > 1 else ""
    return f"{fixed(row['mean'], digits)}{half}"


def verdicts(claims: pd.DataFrame) -> str:
    """The rows of `claims.csv` with their estimates, 95 % intervals and verdicts."""
    columns = ("claim", "in the report", "estimate", "n", "verdict")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    for row in claims.itertuples():
        value = "" if pd.isna(row.estimate) else f"{_number(row.estimate)} {row.unit}"
        if row.over and not pd.isna(row.estimate):
            value = f"{_bounded(row.estimate, row.low, row.high)} {row.unit}"
        n = counted(row.n, row.over.removesuffix("s")) if row.over and row.n else ""
        verdict = f"**{row.verdict}**" if row.verdict == "holds" else row.verdict
        lines.append(f"{row.wording} | {row.place} | {value} | {n} | {verdict}")
    return _table(lines)


def both_sizes(preset: str) -> str:
    """The claims of a preset beside those of the smaller one: estimates, intervals, and whether the verdicts agree."""
    small, rows = sizes.SMALLER[preset], sizes.beside(preset, published=True)
    columns = ("claim", f"at `{small}`", f"at `{preset}`", f"verdict at `{small}`", f"at `{preset}`", "the same?")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    for row in rows.itertuples():
        found = [_bounded(row.estimate_small, row.low_small, row.high_small)]
        found += [_bounded(row.estimate_large, row.low_large, row.high_large)]
        verdicts = [row.verdict_small, row.verdict_large]
        lines.append(" | ".join([row.wording, *(f"{value} {row.unit}" for value in found), *verdicts, row.same]))
    return _table(lines)


def _bounded(mean, low, high):
    return _number(mean) if pd.isna(low) else f"{_number(mean)} [{_number(low)}, {_number(high)}]"


def _number(x):
    return fixed(x, 0 if abs(x) >= 1000 else 1 if abs(x) >= 10 else 3)


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


def kodak() -> str:
    """Kodak's photographs: quality of whole files at equal rates, and the bytes at equal quality."""
    numbers = shipped()
    columns = [
        "codec",
        *(f"PSNR at {rate} bpp" for rate in numbers["rates"]),
        *(f"MS-SSIM at {rate} bpp" for rate in numbers["rates"]),
        "area under MS-SSIM",
        *(f"{it['name']}'s bytes to its, %" for it in numbers["codecs"]),
    ]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    for row in numbers["rows"]:
        name = f"**{row['codec']}**" if row["ships"] else row["codec"]
        lines.append(" | ".join([name, *row["cells"]]))
    return _table(lines)


def speed() -> str:
    """The training steps of `make bench`, one row a case."""
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


def front_door() -> str:
    """The medians of `make bench-front-door` in a sentence."""
    table = pd.read_csv(tables.path("benchmarks", "front_door"))
    medians = table.groupby("command").seconds.median()
    setting_up, study, test = (duration(medians[name]) for name in ("set-up", "make study", "make test"))
    machine = table.iloc[0]
    return (
        f"In a fresh clone on {machine.threads} cores ({machine.machine}), with nothing cached, setting up takes "
        f"{setting_up}, `make study` {study} more, and `make test` {test}: medians of {table['round'].nunique()} "
        "measurements each."
    )


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


def targets() -> str:
    """What `make` can be asked for, from the Makefile's own words."""
    found = re.findall(
        r"^([a-z-]+):.*## (.*)$", (paths.ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return _table(["command | what it does", "--- | ---", *(f"`make {name}` | {words}" for name, words in found)])


# What stands between `<!-- NAME -->` and `<!-- end -->`, by name; words behind the name are its function's arguments.
SECTIONS: dict[str, Callable[..., str]] = {
    "both_sizes": both_sizes,
    "claims": lambda: verdicts(tables.read(PUBLISHED[0], "claims", published=True)),
    "codecs": codecs,
    "figure": figure,
    "finding": lambda name: FINDINGS[name](),
    "front_door": front_door,
    "kodak": kodak,
    "notebooks": notebooks,
    "presets": presets,
    "results": results,
    "speed": speed,
    "state": state,
    "studies": studies,
    "targets": targets,
}


def fill(text: str, folder: Path = paths.ROOT) -> str:
    """The text of a page in a folder of the repository, with every section between its marks made anew.

    Raises `StudyError` for marks of an unknown name.
    """

    def link(match):
        return f"]({Path(os.path.relpath(paths.ROOT / match[1], folder)).as_posix()})"

    def section(match):
        name, *arguments = match[1].split()
        if name not in SECTIONS:
            raise StudyError(f"A page has marks of {name!r}; expected one of {', '.join(SECTIONS)}.")
        made = re.sub(r"\]\(([^)]*)\)", link, SECTIONS[name](*arguments))
        return f"<!-- {match[1]} -->\n{made}\n<!-- end -->"

    return re.sub(r"<!-- (\w+(?: [\w-]+)*) -->\n.*?<!-- end -->", section, text, flags=re.DOTALL)


def pages() -> list[Path]:
    """README and the site's pages."""
    return [paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))]


def fill_pages() -> None:
    """Makes the sections of README and of the site's pages anew."""
    for page in pages():
        atomic.write(page, fill(page.read_text(encoding="utf-8"), page.parent).encode())
