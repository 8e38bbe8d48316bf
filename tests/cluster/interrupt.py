"""Kills what trains the smoke grid, at random moments, and starts it again: nothing is lost, and nothing done twice.

    .venv/bin/python tests/cluster/interrupt.py MOMENTS FOLDER [--slurm] [--seed N]

Each moment SIGKILLs one of: a process that trains a run; Snakemake and the command that started it; with --slurm, where
`tests/cluster/slurm.sh start FOLDER/slurm` was called before, slurmd. Then the grid is started again, in the end
without a kill. Its tables must be those of a grid that nobody disturbed, and no epoch may stand twice in a run's log.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from study.ground import paths

COMPARED = ("history", "summary")  # runs.csv has clock times
WORKERS = r"^\S*python\S* -m study train "
SLURM = Path(__file__).with_name("slurm.sh")


def study(output, *arguments, **options):
    """Starts a command of the study with its output below this folder; what it prints goes to `grid.log` there."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / "grid.log").open("a") as log:
        command = [sys.executable, "-m", "study", *arguments, "--preset", "smoke"]
        environment = os.environ | {"STUDY_OUTPUT": str(output), "PYTHONPATH": str(paths.ROOT)}
        return subprocess.Popen(command, cwd=paths.ROOT, env=environment, stdout=log, stderr=log, **options)


def grid(output, slurm):
    return study(output, "grid", *(["--profile", "slurm"] if slurm else ["--cores", "2"]))


def table_bytes(output):
    if study(output, "tables").wait():
        sys.exit(f"The tables of {output} could not be collected; see grid.log there.")
    return [(output / "results" / "smoke" / f"{name}.csv").read_bytes() for name in COMPARED]


def epochs(output):
    """How often each epoch of each run was finished."""
    found = Counter()
    for log in output.glob("results/runs/*/log.txt"):
        found.update((log.parent.name, epoch) for epoch in re.findall(r"  epoch (\d+)/", log.read_text()))
    return found


def processes(output, pattern):
    """Processes that belong to this output folder, and to no other, and whose command line has the pattern."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended meanwhile
            continue
        if f"STUDY_OUTPUT={output}".encode() in environment and re.search(pattern, command):
            found.append(int(folder.name))
    return found


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended meanwhile
            continue


def kill_worker(output, rng):
    """One process that trains; says whether there was any."""
    workers = processes(output, WORKERS)
    kill(rng.sample(workers, min(1, len(workers))))
    return bool(workers)


def kill_snakemake(output, running):
    """The command and the Snakemake that it started; their jobs go on by themselves."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    kill([running.pid, *map(int, children)])
    running.wait()
    return True


def kill_slurmd(folder):
    kill([int((folder / "slurmd.pid").read_text())])
    time.sleep(2)
    subprocess.run([SLURM, "slurmd", folder], check=True)
    return True


def disturb(output, kinds, rng, slurm, folder, moments):
    """Delivers up to so many kills to one grid, until it is done; returns their kinds."""
    delivered, running = [], grid(output, slurm)
    while len(delivered) < moments:
        while running.poll() is None and not processes(output, WORKERS):
            time.sleep(0.2)
        time.sleep(rng.uniform(0, 20))
        if running.poll() == 0:
            break
        if running.poll() is not None:  # a worker was killed, and all others have ended
            running = grid(output, slurm)
            continue
        kind = rng.choice(kinds)
        act = {
            "worker": lambda: kill_worker(output, rng),
            "snakemake": lambda running=running: kill_snakemake(output, running),
            "slurmd": lambda: kill_slurmd(folder / "slurm"),
        }[kind]
        if act():
            delivered.append(kind)
            print(f"{output.name}: {kind} killed after {sum(epochs(output).values())} epochs", flush=True)
    running.wait()
    return delivered


def check(output, whole, slurm):
    """Starts the grid undisturbed and compares it."""
    if grid(output, slurm).wait():
        sys.exit(f"The next start of {output} did not finish; see grid.log there.")
    if table_bytes(output) != whole:
        sys.exit(f"The tables of {output} differ from those of an undisturbed grid.")
    if twice := {epoch: n for epoch, n in epochs(output).items() if n > 1}:
        sys.exit(f"Epochs were trained again after they were saved: {twice}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moments", type=int)
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, kinds = random.Random(options.seed), ["worker", "snakemake"] + ["slurmd"] * options.slurm
    whole = options.folder / "whole"
    if grid(whole, slurm=False).wait():
        sys.exit(f"The undisturbed grid failed; see {whole}/grid.log.")
    expected, delivered = table_bytes(whole), []
    while len(delivered) < options.moments:
        output = options.folder / f"disturbed-{options.seed}-{len(delivered)}"
        delivered += disturb(output, kinds, rng, options.slurm, options.folder, options.moments - len(delivered))
        check(output, expected, options.slurm)
    print(f"{len(delivered)} kills: {dict(Counter(delivered))}. Tables identical, no epoch done twice.")


if __name__ == "__main__":
    main()
