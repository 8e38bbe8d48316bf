"""How far a grid is, read from its run folders alone: who trains it, and on which machine, does not matter."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from study.experiments import runs, tables
from study.grid import plan
from study.ground import locks

STATES = ("done", "running", "failed", "cut off", "left")


def state(run: runs.Run) -> str:
    """One of STATES: "failed" if its job ended with an error, "cut off" if without; both go on when started again."""
    if runs.finished(run):
        return "done"
    if locks.is_held(run.folder / "lock"):
        return "running"
    if _has_error(run.folder / runs.OUTPUT):
        return "failed"
    return "cut off" if (run.folder / "manifest.json").exists() else "left"


def _has_error(path: Path) -> bool:
    """Whether what a job printed ends with an error: a traceback, or a line of `StudyError`."""
    return any(line.startswith(("Traceback", "study: ")) for line in _read(path).splitlines())


def _read(path):
    """What a process has written for people, whatever became of it; "" where there is nothing."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def states(preset: str) -> dict[runs.Run, str]:
    """The state of each run of a preset; one whose rows the tables hold is done, wherever it was trained."""
    planned = runs.plan(preset)
    missing = set(tables.missing(preset, planned))
    return {run: state(run) if run in missing else "done" for run in planned}


def seconds_left(states: dict[runs.Run, str]) -> float | None:
    """Until all are done, at the speed of the epochs in these folders and with as many runs at a time as now.

    None where no epoch was finished yet.
    """
    done = seconds = left = 0.0
    for run, at in states.items():
        manifest = runs.read_manifest(run)
        share = manifest.get("epochs_done", 0) / run.epochs
        done += share * plan.operations(run)
        seconds += manifest.get("seconds", 0)
        left += 0.0 if at == "done" else (1 - share) * plan.operations(run)
    at_a_time = max(1, list(states.values()).count("running"))
    return left / (done / seconds) / at_a_time if done and seconds else None


def text(preset: str, now: datetime) -> str:
    """What `python -m study progress` prints: a line for each run at work or failed, the numbers, the expected end."""
    found = states(preset)
    lines = []
    for run, at in found.items():
        if at in ("running", "failed", "cut off"):
            epochs = runs.read_manifest(run).get("epochs_done", 0)
            where = (
                f"; see {run.folder / runs.OUTPUT}"
                if at == "failed"
                else f", {psnr}"
                if (psnr := last_psnr(run))
                else ""
            )
            lines.append(f"{run.id}: {at}, epoch {epochs} of {run.epochs}{where}")
    counts = list(found.values())
    lines.append(f"{preset}: {len(found)} runs, " + ", ".join(f"{counts.count(at)} {at}" for at in STATES))
    if any(at != "done" for at in counts):
        lines.append(_end(found, now))
    return "\n".join(lines)


def last_psnr(run: runs.Run) -> str:
    """Validation PSNR after the last epoch that its log has: "17.88 dB"; "" where there is none."""
    found = re.findall(r"validation PSNR (\S+ dB)", _read(run.folder / "log.txt"))
    return found[-1] if found else ""


def _end(found, now):
    seconds = seconds_left(found)
    if seconds is None:
        return "No epoch is finished yet, so no end can be estimated."
    running = list(found.values()).count("running")
    idle = "" if running else "; none is running now"
    end = now + timedelta(seconds=seconds)
    left = f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min" if seconds >= 90 else "a minute"
    return f"About {left} left with {max(1, running)} at a time, until {end:%Y-%m-%d %H:%M}{idle}."
