"""One thread and one GPU of a machine for each run, whoever else trains there."""

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from filelock import FileLock, Timeout

from study.ground.errors import StudyError

REMEDY = (
    "Mend the driver, or train on the processor: leave PROFILE out and, where the preset asks for GPUs, set "
    "CUDA_VISIBLE_DEVICES to nothing."
)


def one_thread() -> None:
    """Lets this process and its children compute with one thread, unless the environment says otherwise.

    Runs go side by side, and sums are then the same however many cores there are. Must come before Keras is imported.
    """
    for variable in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # not all of a GPU's memory from the start


@contextmanager
def own_gpu():
    """Within it this process sees one of the machine's GPUs, or a slice of one, which no other run has; waits for one.

    Where something else has chosen already, as Slurm does, and says so in CUDA_VISIBLE_DEVICES, that stands, the empty
    text for no GPU too.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        yield
        return
    # Of this machine, whatever lies on a shared disk:
    folder = Path(tempfile.gettempdir()) / f"study-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    gpu, lock = _first_free({name: FileLock(folder / name.replace("/", "-")) for name in devices()})
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        yield
    finally:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        lock.release()


def _first_free(locks):
    while True:
        for name, lock in locks.items():
            try:
                lock.acquire(timeout=0)
                return name, lock
            except Timeout:
                continue
        sleep(1)


def devices() -> list[str]:
    """This machine's NVIDIA GPUs as CUDA_VISIBLE_DEVICES names them: by number, or a divided one by its slices (MIG).

    Raises `StudyError` where it has no driver, one that fails, or none that has a GPU.
    """
    if not shutil.which("nvidia-smi"):
        raise StudyError(f"Each run is to have a GPU, and there is no nvidia-smi here: no NVIDIA driver. {REMEDY}")
    try:
        done = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, errors="replace", timeout=60
        )
    except subprocess.TimeoutExpired as error:
        raise StudyError(f"nvidia-smi does not answer within a minute: its driver hangs. {REMEDY}") from error
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if gpu := re.match(r"GPU (\d+):", line):
            found[gpu[1]] = []
        elif found and (part := re.search(r"^\s+MIG .*UUID: (MIG-[\w/-]+)", line)):
            found[list(found)[-1]].append(part[1])
    if done.returncode or not found:
        said = " ".join(f"{done.stdout} {done.stderr}".split()) or "nothing"
        raise StudyError(f"nvidia-smi --list-gpus names no GPU, and says: {said}. {REMEDY}")
    return [name for gpu, parts in found.items() for name in parts or [gpu]]
