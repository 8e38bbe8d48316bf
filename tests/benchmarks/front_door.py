"""How long a newcomer's first commands take, in a fresh clone.

    .venv/bin/python tests/benchmarks/front_door.py        # `make bench-front-door`, 12 minutes a round on 2 cores

A round clones the last commit into an empty folder and gives pip and uv empty caches. Writes
results/benchmarks/front_door.csv, one row a round and command; what they print goes to build/front_door. A command
that fails ends it.
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
# What a newcomer has not set; the last two are set in this process by `study.engine`.
OWN = ("CIFAR_DIR", "KODAK_DIR", "PHOTOS_DIR", "STUDY_OUTPUT", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")


def timed(clone, target, environment, output):
    """Seconds of one command, whose words go to a file."""
    started = time.perf_counter()
    with output.open("w") as words:
        done = subprocess.run(["make", target], cwd=clone, env=environment, stdout=words, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"`make {target}` failed with exit code {done.returncode}; {output} has its words.")
    return time.perf_counter() - started


def measure(number):
    words = paths.ROOT / "build" / "front_door"
    words.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        clone, caches = Path(folder, "clone"), Path(folder, "caches")
        subprocess.run(["git", "clone", "--quiet", paths.ROOT, clone], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in OWN}
        environment |= {"PIP_CACHE_DIR": f"{caches}/pip", "UV_CACHE_DIR": f"{caches}/uv", "XDG_CACHE_HOME": f"{caches}"}
        for command, target in COMMANDS.items():
            seconds = timed(clone, target, environment, words / f"{command.replace(' ', '_')}_{number}.txt")
            print(f"round {number}, {command}: {seconds:.0f} s", flush=True)
            yield {"command": command, "round": number, "seconds": seconds}


if __name__ == "__main__":
    save("front_door", pd.DataFrame([row for number in range(1, ROUNDS + 1) for row in measure(number)]))
