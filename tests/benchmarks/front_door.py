"""How long a newcomer's first commands take, each in a clone of its own, and how many lines they print.

    .venv/bin/python tests/benchmarks/front_door.py        # `make bench-front-door`, 12 minutes a round on 2 cores

A round clones the last commit into an empty folder and gives pip and uv empty caches. Writes
results/benchmarks/front_door.csv, one row a round and command. A command that fails ends it, and its output is shown.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from common import save

from study.ground import paths

COMMANDS = {"set-up": ".venv/.ready", "make study": "study", "make test": "test"}
ROUNDS = 3
OWN = ("CIFAR_DIR", "KODAK_DIR", "PHOTOS_DIR", "STUDY_OUTPUT")  # what a newcomer has not set


def timed(clone, target, environment):
    """Seconds of one command, and the lines that it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        ["make", target], cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{done.stdout}`make {target}` failed with exit code {done.returncode}.")
    return seconds, len(done.stdout.splitlines())


def measure(number):
    with tempfile.TemporaryDirectory() as folder:
        clone, caches = Path(folder, "clone"), Path(folder, "caches")
        subprocess.run(["git", "clone", "--quiet", paths.ROOT, clone], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in OWN}
        environment |= {"PIP_CACHE_DIR": f"{caches}/pip", "UV_CACHE_DIR": f"{caches}/uv", "XDG_CACHE_HOME": f"{caches}"}
        for command, target in COMMANDS.items():
            seconds, lines = timed(clone, target, environment)
            print(f"round {number}, {command}: {seconds:.0f} s, {lines} lines", flush=True)
            yield {"command": command, "round": number, "seconds": seconds, "lines": lines}


if __name__ == "__main__":
    save("front_door", pd.DataFrame([row for number in range(1, ROUNDS + 1) for row in measure(number)]))
