"""The command line: `python -m study --help`.

A command imports what it needs, as pandas, SciPy and Keras take half a second to three seconds each on starting.
"""

import argparse
import filecmp
import os
import shutil
import sys
import warnings
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from study.codec import command_line
from study.experiments import own, runs, studies
from study.experiments.presets import DEFAULT, PUBLISHED, preset
from study.ground import console, paths
from study.ground.errors import StudyError

PROFILES = ("googlebatch", "kubernetes", "local-gpu", "slurm")  # folders of profiles/


def main(arguments=None):
    """Runs one command. What a person can mend is one line and exit code 2; any other exception keeps its traceback."""
    options = _parser().parse_args(arguments)
    try:
        if options.command not in command_line.COMMANDS:
            paths.need_repository()
        options.command(options)
        print(end="", flush=True)
    except BrokenPipeError:  # who reads what is printed wants no more of it
        console.to_nowhere(sys.stdout)
        sys.exit(141)
    except (StudyError, OSError) as error:
        if os.environ.get("STUDY_TRACEBACK"):
            raise
        console.say(f"study: {error}", sys.stderr)
        sys.exit(2)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m study",
        description="Recurrent image compression, as a study.",
        epilog="STUDY_TRACEBACK=1 in the environment shows where an error came from.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    command_line.add_commands(commands)

    def add(name, command, preset=True):
        sub = commands.add_parser(name, help=command.__doc__)
        sub.set_defaults(command=command)
        if preset:
            sub.add_argument("--preset", default=DEFAULT, help="its name, or that of a grid of your own")
        return sub

    for name, command in (("all", everything), ("grid", train_missing), ("notebooks", execute_notebooks)):
        sub = add(name, command)
        sub.add_argument("--cores", type=int, default=os.cpu_count(), help="so many side by side on this machine")
        if name != "notebooks":
            sub.add_argument("--profile", choices=PROFILES, help="train there, not on this machine's cores")
        if name == "all":
            sub.add_argument("--fresh", action="store_true", help="do everything again, elsewhere, and compare")
    for name, command in (
        ("plan", show_plan),
        ("progress", show_progress),
        ("claims", judge_claims),
        ("figures", draw),
        ("paper", print_paper),
        ("check", check_tables),
        ("ship", ship),
    ):
        add(name, command)
    add("tables", collect).add_argument("--drop", action="store_true", help="let rows go that the grid has no more")
    sub = add("train", train, preset=False)
    sub.add_argument("preset", help="its name, or that of a grid of your own")
    sub.add_argument("run", nargs="?", help="its id, as `plan` and the tables have it")
    sub.add_argument("--study", help="train all its runs, one after another, with values of your own")
    known = ", ".join(own.PARAMETERS)
    sub.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help=f"such a value; names are {known}")
    sub.add_argument("--name", help="of the grid that these values make; else it is made of them")
    sub.add_argument("--own-gpu", action="store_true", help="on a GPU that no other run of this machine has")
    add("pack", pack).add_argument("archive", type=Path, help="the .tar.gz to write")
    add("unpack", unpack, preset=False).add_argument("archive", type=Path, help="what `pack` has written")
    add("refresh", refresh, preset=False)
    add("readme", fill_readme, preset=False)
    return parser


def everything(options):
    """the whole study: grid, tables, notebooks, claims, figures, paper"""
    if options.fresh:
        if paths.FRESH.exists():
            shutil.rmtree(paths.FRESH)
        os.environ["STUDY_OUTPUT"] = str(paths.FRESH)
    for step in (train_missing, collect, execute_notebooks, judge_claims, draw, print_paper):
        step(options)
    if options.fresh:
        compare(options)


def show_plan(options):
    """what a preset's runs would take that are still to be trained: images, operations, hours, bytes"""
    from study.grid import jobs

    jobs.show_plan(options.preset)


def show_progress(options):
    """how far a preset's grid is: done, running, failed, left, and when it will end"""
    from study.grid import progress

    print(progress.text(options.preset, datetime.now()))


def train_missing(options):
    """train the runs that are missing, side by side, through Snakemake: here, or where a profile says"""
    from study.grid import jobs

    jobs.train_missing(options.preset, options.cores, options.profile)


def train(options):
    """train one run in this process, as a job of the grid does, or a study with values of your own"""
    os.environ.setdefault("TQDM_DISABLE", "1")  # in a batch: one line per epoch, no bar; tqdm reads it once
    from study.experiments import tables
    from study.grid import gpus

    grid, planned = _asked(options)
    gpus.one_thread()
    with gpus.own_gpu() if options.own_gpu else nullcontext():
        from study import training

        for run in planned:
            print(run.id, training.train(run), flush=True)
    if options.study:
        tables.collect(grid)
        print(f"tables in {paths.tables(grid)}; `python -m study figures --preset {grid}` draws them")


def _asked(options):
    """The grid and the runs that the command `train` names: one by its id, or those of a study."""
    from study.experiments import tables

    if bool(options.run) == bool(options.study):
        raise StudyError("Name either a run by its id or, with --study and --set, a study with values of your own.")
    if options.run:
        return options.preset, [runs.find(options.preset, options.run)]
    if wrong := [text for text in options.set if "=" not in text]:
        raise StudyError(f"--set {wrong[0]} is not understood; give NAME=VALUE, such as epochs=3.")
    if options.study not in studies.STUDIES:
        raise StudyError(f"There is no study {options.study!r}; choose among {', '.join(studies.STUDIES)}.")
    values = dict(text.split("=", 1) for text in options.set)
    grid, planned = own.planned(options.preset, options.study, name=options.name, **values)
    return grid, tables.missing(grid, planned)


def collect(options):
    """collect the finished runs into results/<preset>/"""
    from study.experiments import tables

    tables.collect(options.preset, getattr(options, "drop", False))


def execute_notebooks(options):
    """execute the notebooks at a preset, those that changed or whose code or runs did"""
    from study.grid import notebooks

    notebooks.execute_all(options.preset, options.cores)


def refresh(options):
    """execute the notebooks at their defaults and store the outputs in them"""
    from study.grid import notebooks

    for name in notebooks.names():
        print(f"notebook {name}", flush=True)
        notebooks.refresh(name)


def judge_claims(options):
    """judge the report's claims from the tables of a preset"""
    if studies.has_the_reports(options.preset):  # which the claims are about
        from study.analysis import claims
        from study.experiments import tables

        tables.write(options.preset, "claims", claims.judge(options.preset))


def draw(options):
    """redraw the figures of a preset from its tables"""
    os.environ["MPLBACKEND"] = "agg"  # into files, whatever a person draws on
    from study.reporting import figures

    print(f"figures in {paths.figures(options.preset)}: {', '.join(figures.draw_all(options.preset))}")


def print_paper(options):
    """print the paper of a preset from its tables and figures"""
    if studies.has_the_reports(options.preset):  # which the paper is about
        from study.reporting import paper

        print(f"paper: {paper.print_pdf(options.preset)}")


def ship(options):
    """write the files of weights of the finished runs of the study `codec`, each with its context model"""
    from study.codec import shipping

    # Those of a preset ship with the project; those of a grid of one's own stand beside its tables.
    folder = paths.tables(options.preset) if preset(options.preset).base else paths.PRETRAINED
    for run in runs.plan(options.preset, "codec"):
        if runs.finished(run):
            print(shipping.ship(run, folder / f"{shipping.name(run)}.npz"), flush=True)


def check_tables(options):
    """check the tables of a preset against their schema and the runs that they name"""
    from study.experiments import check, tables

    if found := check.problems(options.preset):
        print(*found, sep="\n", flush=True)
        raise StudyError(f"The tables of {options.preset} are not in order: {len(found)} problems, listed above.")
    planned = runs.plan(options.preset)
    left = len(tables.missing(options.preset, planned))
    print(f"{options.preset}: tables in order, {len(planned) - left} of {len(planned)} runs in them")


def fill_readme(options):
    """make the generated parts of README.md and of docs/ anew: studies, presets, published tables"""
    from study.reporting import markdown

    markdown.fill_pages()


def pack(options):
    """write a preset's finished runs into one archive, to carry them to another machine"""
    from study.grid import archive

    packed = archive.pack(options.preset, options.archive)
    print(f"{options.archive}: {len(packed)} of {len(runs.plan(options.preset))} runs of {options.preset}")


def unpack(options):
    """put the runs of an archive in their folders here; `tables` then collects them"""
    from study.grid import archive

    new, known = archive.unpack(options.archive)
    print(f"{paths.runs()}: {len(new)} runs unpacked, {len(known)} were there already")


def compare(options):
    """Says which tables of a fresh study differ from the tracked ones; clock times stand in runs.csv alone."""
    if options.preset not in PUBLISHED:
        print(f"The tables of {options.preset} are not tracked, so there is nothing to compare the fresh ones with.")
        return
    tracked, fresh = paths.published_tables(options.preset), paths.tables(options.preset)
    names = sorted({path.name for folder in (tracked, fresh) for path in folder.glob("*.csv")} - {"runs.csv"})
    different = [name for name in names if not _same(tracked / name, fresh / name)]
    if different:
        raise StudyError(
            f"{', '.join(different)} in {fresh} differ from those in {tracked}. Compare them by `git diff --no-index`: "
            "another machine or number of threads changes last digits, changed code more."
        )
    print(f"fresh tables equal the tracked ones: {', '.join(names)}")


def _same(one, other):
    return one.exists() and other.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    if "error" in sys.warnoptions:  # PYTHONWARNINGS: other packages warn, which shall end no run
        warnings.simplefilter("default")
    main()
