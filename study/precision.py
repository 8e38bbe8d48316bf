"""The number format of a run: what is multiplied in 16 bits, and which format a device has units for.

Weights, reconstructions, losses and scores stay in float32 whatever the format. With `mixed_float16` Keras also scales
the loss, so that small gradients are not rounded to zero.
"""

import subprocess
from pathlib import Path

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "auto")
AMPERE = 8.0  # the compute capability from which NVIDIA's GPUs have units for bfloat16


def device() -> str:
    """Where Keras computes, in its backend's words: "CPU:0", "GPU:0", "cuda:0"."""
    return str(keras.ops.zeros(()).device).rsplit("/device:")[-1]


def policy(precision: str) -> str:
    """The Keras policy for a run's `precision`; "auto" is the 16-bit one that this machine has units for, or float32.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is not known; choose one of {', '.join(PRECISIONS)}.")
    if precision != "auto":
        return precision
    if any(name in device().lower() for name in ("gpu", "cuda")):
        return "mixed_bfloat16" if _compute_capability() >= AMPERE else "mixed_float16"
    return "mixed_bfloat16" if _cpu_flags() & {"avx512_bf16", "amx_bf16"} else "float32"


def _compute_capability():
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


def _cpu_flags():
    """What Linux says of the processor; elsewhere nothing."""
    info = Path("/proc/cpuinfo")
    return set(info.read_text().split()) if info.exists() else set()
