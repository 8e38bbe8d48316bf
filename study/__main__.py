"""The command line: `python -m study --help`."""

import argparse
import filecmp
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from study import archive, cost, paths, progress, readme, runs, tables, tool
from study.presets import PRESETS

# Notebooks that show a preset, in reading order; those of a study train what its grid has not.
NOTEBOOKS = (
    "01_data_preparation",
    "02_model_build",
    "03_batch_size_study",
    "04_train_size_study",
    "05_qualitative_samples",
    "06_loss_study",
    "07_rate_distortion",
    "08_claims",
    "09_uses",
)


def main(arguments=None):
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, OSError) as error:
        print(f"study: {error}", file=sys.stderr)
        sys.exit(2)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in (
        ("all", everything),
        ("plan", show_plan),
        ("progress", show_progress),
        ("grid", grid),
        ("notebooks", notebooks),
        ("tables", collect),
        ("figures", draw),
        ("paper", print_paper),
        ("results", print_results),
        ("check", check_tables),
        ("ship", ship),
    ):
        sub = commands.add_parser(name, help=command.__doc__)
        sub.add_argument("--preset", default="laptop", choices=PRESETS)
        sub.set_defaults(command=command)
        if name in ("all", "grid"):
            sub.add_argument("--cores", type=int, default=os.cpu_count(), help="runs side by side on this machine")
            known = sorted(folder.name for folder in paths.PROFILES.iterdir() if folder.is_dir())
            sub.add_argument("--profile", choices=known, help="run the grid there, not on this machine's cores")
        if name == "all":
            sub.add_argument("--fresh", action="store_true", help="do everything again, elsewhere, and compare")
    for name, command in (("refresh", refresh), ("speed", print_speed)):
        sub = commands.add_parser(name, help=command.__doc__)
        sub.set_defaults(command=command)
    tool.add_commands(commands)
    sub = commands.add_parser("pack", help=pack.__doc__)
    sub.add_argument("--preset", default="laptop", choices=PRESETS)
    sub.add_argument("archive", type=Path, help="the .tar.gz to write")
    sub.set_defaults(command=pack)
    sub = commands.add_parser("unpack", help=unpack.__doc__)
    sub.add_argument("archive", type=Path, help="what `pack` has written")
    sub.set_defaults(command=unpack)
    sub = commands.add_parser("train", help=train_job.__doc__)
    for name in ("preset", "study", "run"):
        sub.add_argument(name)
    sub.add_argument("log", type=Path, help="where the executed notebook goes")
    sub.add_argument("--own-gpu", action="store_true", help="on a GPU that no other run of this machine has")
    sub.set_defaults(command=train_job)
    return parser


def everything(options):
    """the whole study: grid, notebooks, tables, figures, paper"""
    if options.fresh:
        os.environ["STUDY_OUTPUT"] = str(paths.FRESH)
    for step in (grid, notebooks, collect, draw, print_paper):
        step(options)
    if options.fresh:
        compare(options)


def show_plan(options):
    """what a preset's runs would take that are still to be trained: images, operations, hours, bytes"""
    planned = runs.plan_all(options.preset)
    left = tables.missing(options.preset, planned)
    if left:
        print(cost.text(left))
    images = sum(run.images_seen * run.iterations for run in left)
    done = len(planned) - len(left)
    print(f"{options.preset}: {len(planned)} runs, {done} finished, {len(left)} to train; {images:,} images x passes")


def show_progress(options):
    """how far a preset's grid is: done, running, failed, left, and when it will end"""
    print(progress.text(options.preset, datetime.now()))


def pack(options):
    """write a preset's finished runs into one archive, to carry them to another machine"""
    packed = archive.pack(options.preset, options.archive)
    print(f"{options.archive}: {len(packed)} of {len(runs.plan_all(options.preset))} runs of {options.preset}")


def unpack(options):
    """put the runs of an archive in their folders here; `tables` then collects them"""
    new, known = archive.unpack(options.archive)
    print(f"{paths.runs()}: {len(new)} runs unpacked, {len(known)} were there already")


def grid(options):
    """train the runs that are missing, side by side, through Snakemake: here, or where a profile says"""
    show_plan(options)
    if not tables.missing(options.preset, runs.plan_all(options.preset)):
        return
    if options.profile == "local-gpu":
        from study import launch

        launch.count_gpus()  # said once, not by each job
    command = [sys.executable, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", paths.runs()]
    command += ["--config", f"preset={options.preset}", "--forcerun", "train"]
    command += ["--profile", paths.PROFILES / options.profile] if options.profile else ["--cores", options.cores]
    command += ["--rerun-incomplete", "--keep-going", "--nolock", "--quiet", "rules"]
    paths.runs().mkdir(parents=True, exist_ok=True)
    if subprocess.run([str(part) for part in command]).returncode:
        raise ValueError(f"Some runs failed; each one's notebook, with the error, is beside it under {paths.runs()}.")


def train_job(options):
    """one run through its study's notebook: what a job of the grid calls"""
    from study import launch

    planned = {run.id: run for run in runs.plan(options.preset, options.study)}
    if options.run not in planned:
        raise ValueError(
            f"There is no run {options.run!r} in {options.preset}'s {options.study}: {', '.join(planned)}."
        )
    run = planned[options.run]
    notebook, _ = runs.STUDIES[run.study]
    settings = {"studies": [run.study]} if "studies" in launch.parameters(notebook) else {}
    settings |= launch.shown(notebook, options.preset) | {"run_ids": [run.id]}
    with launch.own_gpu() if options.own_gpu and run.devices == 1 else nullcontext():
        launch.run_notebook(notebook, options.log, settings)


def notebooks(options):
    """execute the notebooks at a preset, unless that was done since its runs last changed"""
    from study import launch

    collect(options)
    changed = tables.path(options.preset, "runs").stat().st_mtime
    for name in _notebooks(options.preset):
        output = paths.executed_notebooks(options.preset) / f"{name}.ipynb"
        if not output.exists() or output.stat().st_mtime < changed:
            print(f"notebook {name}", flush=True)
            unfinished = output.with_stem(f"{name}.unfinished")
            launch.run_notebook(name, unfinished, launch.shown(name, options.preset))
            unfinished.replace(output)


def _notebooks(preset):
    if PRESETS[preset].batch_sizes:
        return NOTEBOOKS
    return ("07_rate_distortion", "09_uses") if PRESETS[preset].codecs else ("02_model_build",)


def refresh(options):
    """execute the notebooks at their defaults and store the outputs in them"""
    from study import launch

    for name in NOTEBOOKS:
        print(f"notebook {name}", flush=True)
        launch.refresh(name)


def collect(options):
    """collect the finished runs into results/<preset>/"""
    tables.collect(options.preset)


def draw(options):
    """redraw the figures of a preset from its tables"""
    from study import figures

    print("figures:", ", ".join(figures.draw_all(options.preset)))


def print_paper(options):
    """print paper/report.pdf from the tables and figures of a preset"""
    if not PRESETS[options.preset].batch_sizes:
        return  # the paper is about the report's studies
    import typst

    # Typst reads only below its root; figures and tables may lie elsewhere than the text, see STUDY_OUTPUT.
    inputs = {"preset": options.preset, "output": str(paths.output())}
    # Only the fonts that Typst brings along, so that the same tables give the same file on every machine.
    pdf = typst.compile(str(paths.PAPER_SOURCE), root="/", sys_inputs=inputs, ignore_system_fonts=True)
    runs.write(paths.paper(), pdf)
    print(f"paper: {paths.paper()}")


def ship(options):
    """write the files of weights of the finished runs of the study `codec`, each with its context model"""
    from study import shipping

    for run in runs.plan(options.preset, "codec"):
        if runs.finished(run):
            print(shipping.ship(run), flush=True)


def check_tables(options):
    """check the tables of a preset against their schema and the runs that they name"""
    from study import check

    if found := check.problems(options.preset):
        raise ValueError(f"The tables of {options.preset} have {len(found)} problems:\n" + "\n".join(found))
    planned = runs.plan_all(options.preset)
    left = len(tables.missing(options.preset, planned))
    print(f"{options.preset}: tables in order, {len(planned) - left} of {len(planned)} runs in them")


def print_results(options):
    """print the README's tables: results and verdicts, or what the codecs make of as many bytes"""
    if PRESETS[options.preset].codecs:
        print(readme.codecs(options.preset))
    else:
        print(readme.results(options.preset), readme.verdicts(options.preset), sep="\n\n")


def print_speed(options):
    """print the README's table of `make bench`"""
    print(readme.speed())


def compare(options):
    """Says which tables of a fresh study differ from the tracked ones; clock times stand in runs.csv alone."""
    tracked, fresh = paths.published_tables(options.preset), paths.tables(options.preset)
    names = sorted(path.name for path in fresh.glob("*.csv") if path.name != "runs.csv")
    different = [name for name in names if not _same(tracked / name, fresh / name)]
    if different:
        raise ValueError(f"{', '.join(different)} in {fresh} differ from those in {tracked}.")
    print(f"fresh tables equal the tracked ones: {', '.join(names)}")


def _same(one, other):
    return one.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    main()
