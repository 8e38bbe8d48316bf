"""What a person sees while a grid trains: one view that renews itself in a terminal, a line for each run elsewhere."""

import sys
import time
from collections.abc import Callable
from datetime import datetime

from rich.live import Live
from rich.text import Text

from study.grid import progress

SECONDS = 1.0  # from one look at the run folders to the next


def watch(preset: str, goes_on: Callable[[], bool]) -> None:
    """Shows how far a preset's grid is, until it does not go on any more."""
    if sys.stdout.isatty():
        with Live(auto_refresh=False) as live:
            _look(goes_on, lambda: live.update(Text(progress.text(preset, datetime.now())), refresh=True))
    else:
        ended = {run for run, at in progress.states(preset).items() if at == "done"}
        _look(goes_on, lambda: _tell(preset, ended))


def _look(goes_on, show):
    while goes_on():
        show()
        time.sleep(SECONDS)
    show()


def _tell(preset, ended):
    """A line for each run that has ended since, and is added to `ended`."""
    found = progress.states(preset)
    for run, at in found.items():
        if at == "done" and run not in ended:
            ended.add(run)
            print(f"{len(ended)} of {len(found)} runs done: {run.id}  {progress.last_psnr(run)}", flush=True)
