"""What tests of several wings share."""

import pandas as pd
import pytest

from study.experiments import runs, tables
from study.ground import atomic


@pytest.fixture
def output(tmp_path, monkeypatch):
    """An output folder of the test's own."""
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return tmp_path


@pytest.fixture
def finish():
    """Makes a finished run's folder without training: `finish(run, psnr=20.0)`."""

    def finish(run, psnr=20.0):
        facts = dict.fromkeys(set(tables.RUNS) - {"preset", "run", "studies", *runs.PARAMETERS}, 0) | {"status": "done"}
        facts |= {"epochs_done": run.epochs, "seconds": 60.0}
        runs.write_manifest(run, facts)
        row = dict.fromkeys(("epoch", "step", "images_seen", "bpp", *tables.SCORES), 1)
        rows = pd.DataFrame([row | {"split": split, "psnr": psnr} for split in ("training", "validation")])
        atomic.write(run.folder / "history.csv", rows.to_csv(index=False).encode())

    return finish
