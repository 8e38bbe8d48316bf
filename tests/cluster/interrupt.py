"""Disturbs the smoke grid at random moments and starts it again: nothing is lost, and nothing done twice.

    .venv/bin/python tests/cluster/interrupt.py KILLS FULL FOLDER [--slurm] [--seed N]

Each of KILLS moments SIGKILLs one of: a process that trains a run; Snakemake and the command that started it; a process
that collects, packs, unpacks or draws; with --slurm, which trains through a cluster of this machine, slurmd. At each of
FULL moments the disk is full until a process has failed by it: FOLDER must then be a disk of its own, such as
`mount -t tmpfs -o size=200m none FOLDER`. Then the grid is started again, in the end without a disturbance. Its tables
must be those of a grid that nobody disturbed, no epoch may stand twice in a run's log, and nothing be left beside whole
files.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

from study.ground import paths

PRESET = ("--preset", "smoke")
# What writes beside the grid, each with the options that it takes. Every second kill hits one.
WRITERS = (("tables",), ("pack", "runs.tar.gz"), ("unpack", "runs.tar.gz"), ("figures",))
COMPARED = ("history", "summary")  # runs.csv has clock times
WORKERS = r"^\S*python\S* -m study train "
SLURM = Path(__file__).with_name("slurm.sh")


def study(output, *arguments, **options):
    """Starts a command of the study with its output below this folder; what it prints goes to `grid.log` there."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / "grid.log").open("a") as log:
        preset = () if arguments[0] == "unpack" else PRESET
        command = [sys.executable, "-m", "study", *arguments, *preset]
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


@contextmanager
def cluster():
    """The folder of a Slurm of this machine, which is up meanwhile; not on the disk that is filled."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        subprocess.run([SLURM, "start", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([SLURM, "stop", folder], check=True)


def kill_slurmd(slurm):
    kill([int((slurm / "slurmd.pid").read_text())])
    time.sleep(2)
    subprocess.run([SLURM, "slurmd", slurm], check=True)
    return True


def kill_writer(output, rng):
    """Starts a command that writes, and kills it while it does, or soon after; then does it once more, undisturbed."""
    name, *options = rng.choice(WRITERS)
    options = [output / option for option in options]
    if name == "figures":
        study(output, "tables").wait()
    if name == "unpack":
        study(output, "pack", *map(str, options)).wait()
        if not options[0].exists():  # no run is finished yet
            return False
    running = study(output, name, *map(str, options))
    time.sleep(rng.uniform(1, 6))
    if running.poll() is not None:  # it was done before
        return False
    kill([running.pid])
    running.wait()
    # Before anything of the grid is finished these end with a line, which says so.
    if study(output, name, *map(str, options)).wait() not in (0, 2):
        sys.exit(f"{name} ended otherwise than well or with a line after it was killed; see grid.log in {output}.")
    return name


def fill_disk(output, running):
    """Fills the disk until something that trains or collects has failed by it, at most for 20 s, and frees it again."""
    ballast = output.parent / "ballast"
    before = len(processes(output, WORKERS))
    with ballast.open("wb", buffering=0) as file:
        until = time.monotonic() + 20
        while time.monotonic() < until and running.poll() is None:
            try:
                file.write(bytes(2**12))
            except OSError:
                time.sleep(0.05)
                if len(processes(output, WORKERS)) < before:
                    break
    ballast.unlink()
    return "full disk"


def disturb(output, rng, slurm, kills, full):
    """Disturbs one grid up to so many times by kills and by full disks, until it is done; returns the kinds.

    `slurm` is the folder of a cluster through which it trains, or None.
    """
    done, running = [], grid(output, slurm)
    while kills + full > 0:
        while running.poll() is None and not processes(output, WORKERS):
            time.sleep(0.2)
        time.sleep(rng.uniform(0, 15))
        if running.poll() == 0:
            break
        if running.poll() is not None:  # what was disturbed has failed, and all others have ended
            running = grid(output, slurm)
            continue
        others = ["worker", "snakemake"] + ["slurmd"] * bool(slurm)
        kind = rng.choice(others) if kills % 2 else "writer"
        if rng.random() * (kills + full) >= kills:
            kind = "full disk"
        act = {
            "worker": lambda: kill_worker(output, rng),
            "snakemake": lambda running=running: kill_snakemake(output, running),
            "slurmd": lambda: kill_slurmd(slurm),
            "writer": lambda: kill_writer(output, rng),
            "full disk": lambda running=running: fill_disk(output, running),
        }[kind]
        if hit := act():
            done.append(kind if hit is True else hit)
            kills, full = (kills, full - 1) if kind == "full disk" else (kills - 1, full)
            print(f"{output.name}: {done[-1]} after {sum(epochs(output).values())} epochs", flush=True)
    running.wait()
    return done


def check(output, whole, slurm):
    """Starts the grid undisturbed and compares it."""
    if grid(output, slurm).wait():
        sys.exit(f"The next start of {output} did not finish; see grid.log there.")
    for command in (("tables",), ("figures",), ("pack", "runs.tar.gz"), ("unpack", "runs.tar.gz")):
        if study(output, command[0], *(str(output / name) for name in command[1:])).wait():
            sys.exit(f"{command[0]} failed in {output}; see grid.log there.")
    if table_bytes(output) != whole:
        sys.exit(f"The tables of {output} differ from those of an undisturbed grid.")
    if twice := {epoch: n for epoch, n in epochs(output).items() if n > 1}:
        sys.exit(f"Epochs were trained again after they were saved: {twice}.")
    left = [path for path in output.rglob("*") if path.name.endswith(".part") or path.name.startswith(".unpack-")]
    if left or list(output.rglob("checkpoint.npz")):
        sys.exit(f"Something was left in {output}: {left}.")
    if "Traceback" in (output / "grid.log").read_text():
        sys.exit(f"A command ended in a traceback; see {output / 'grid.log'}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("full", type=int, help="moments at which the disk is full")
    parser.add_argument("folder", type=lambda path: Path(path).resolve())
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.full and not options.folder.is_mount():
        sys.exit(f"{options.folder} is no disk of its own, and filling it would harm others. Mount one there.")
    with cluster() if options.slurm else nullcontext() as slurm:
        moments(options.folder, slurm, options.kills, options.full, options.seed)


def moments(folder, slurm, kills, full, seed):
    """Disturbs grids at so many moments, one after another, and checks each."""
    rng = random.Random(seed)
    whole = folder / "whole"
    if grid(whole, slurm=None).wait():
        sys.exit(f"The undisturbed grid failed; see {whole}/grid.log.")
    expected, done = table_bytes(whole), []
    while len(done) < kills + full:
        output = folder / f"disturbed-{seed}-{len(done)}"
        disks = full - done.count("full disk")
        done += disturb(output, rng, slurm, kills + full - len(done) - disks, disks)
        check(output, expected, slurm)
        shutil.rmtree(output)
    print(f"{len(done)} moments: {dict(Counter(done))}. Tables identical, no epoch done twice, nothing left.")


if __name__ == "__main__":
    main()
