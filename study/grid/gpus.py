"""One GPU of a machine for each run, whoever else trains there."""

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from study.ground.errors import StudyError


@contextmanager
def own_gpu():
    """Within it this process sees one of the machine's GPUs, which no other run has; waits for one.

    Where something else has chosen already, as Slurm does, and says so in CUDA_VISIBLE_DEVICES, that stands, the empty
    text for no GPU too.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        yield
        return
    # Of this machine, whatever lies on a shared disk:
    folder = Path(tempfile.gettempdir()) / f"study-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    gpu, lock = _first_free([FileLock(folder / str(i)) for i in range(count_gpus())])
    os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
    try:
        yield
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]
        lock.release()


def _first_free(locks):
    while True:
        for i, lock in enumerate(locks):
            try:
                lock.acquire(timeout=0)
                return i, lock
            except Timeout:
                continue
        time.sleep(1)


def count_gpus() -> int:
    """This machine's NVIDIA GPUs. Raises `StudyError` where it has no driver for any."""
    if not shutil.which("nvidia-smi"):
        raise StudyError(
            "Each run is to have a GPU, and there is no nvidia-smi here: no NVIDIA driver. Install one, or train on "
            "the processor: leave PROFILE out and, where the preset asks for GPUs, set CUDA_VISIBLE_DEVICES to nothing."
        )
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True).stdout
    return len(listed.splitlines())
