"""What tests of several wings share."""

import pandas as pd
import pytest

from study.experiments import runs, tables
from study.ground import atomic

LONG = ("test_jobs.py", "test_notebooks.py", "test_figures.py", "test_training.py")  # they take a minute or more


def pytest_collection_modifyitems(items):
    """Long files come first, so that no core is idle at the end while one of them goes on."""
    items.sort(key=lambda item: item.path.name not in LONG)


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
        facts = {name: "" if name in tables.WORDS else 0 for name in tables.RUNS if name not in runs.PARAMETERS}
        facts |= {"status": "done", "epochs_done": run.epochs, "seconds": 60.0}
        runs.write_manifest(
            run, {name: value for name, value in facts.items() if name not in ("preset", "run", "studies")}
        )
        row = dict.fromkeys(("step", "images_seen", *tables.SCORES), 1)
        rows = pd.DataFrame(
            [
                {"epoch": epoch, "split": split, "bpp": (i + 1) / 8} | row | {"psnr": psnr}
                for epoch in range(1, run.epochs + 1)
                for split in ("training", "validation")
                for i in range(run.iterations)
            ]
        )
        atomic.write(run.folder / "history.csv", rows.to_csv(index=False, na_rep="nan").encode())

    return finish
