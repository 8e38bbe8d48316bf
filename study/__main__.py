"""The command line: `python -m study --help`."""

import argparse
import filecmp
import os
import sys
from datetime import datetime
from pathlib import Path

from study import archive, jobs, paths, progress, readme, runs, tables, tool
from study.presets import PRESETS


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
        ("plan", jobs.show_plan),
        ("progress", show_progress),
        ("grid", jobs.grid),
        ("notebooks", jobs.notebooks),
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
    for name, command in (("refresh", jobs.refresh), ("speed", print_speed)):
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
    sub = commands.add_parser("train", help=jobs.train_job.__doc__)
    for name in ("preset", "study", "run"):
        sub.add_argument(name)
    sub.add_argument("log", type=Path, help="where the executed notebook goes")
    sub.add_argument("--own-gpu", action="store_true", help="on a GPU that no other run of this machine has")
    sub.set_defaults(command=jobs.train_job)
    return parser


def everything(options):
    """the whole study: grid, notebooks, tables, figures, paper"""
    if options.fresh:
        os.environ["STUDY_OUTPUT"] = str(paths.FRESH)
    for step in (jobs.grid, jobs.notebooks, collect, draw, print_paper):
        step(options)
    if options.fresh:
        compare(options)


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
