"""What notebooks share: training in order, tables to sort, pictures by number; widgets are used as by a reader."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from study import data, lab, training
from study.experiments import runs, tables
from study.ground.errors import StudyError


@pytest.fixture
def shown(monkeypatch):
    """What the notebook would show: the widgets and what stands in their place."""
    found = []
    monkeypatch.setattr(lab, "_show", lambda widget, kind, still: found.append((widget, kind, still)))
    return found


def test_a_table_is_sorted_by_the_chosen_column(shown):
    lab.sort(pd.DataFrame({"run": ["a", "b", "c"], "psnr": [2, 3, 1]}))
    ((box, kind, still),) = shown
    choices, table = box.children
    by, largest_first = choices.children
    assert kind == "text/html" and still == table.value
    by.value = "psnr"
    assert table.value.index("c</td>") < table.value.index("a</td>") < table.value.index("b</td>")
    largest_first.value = True
    assert table.value.index("b</td>") < table.value.index("a</td>") < table.value.index("c</td>")


def test_every_run_is_checked_before_the_first_is_trained(output, monkeypatch):
    monkeypatch.setattr(training, "train", lambda run: pytest.fail("it was trained"))
    sound = runs.plan("smoke", "batch_size")[0]
    with pytest.raises(StudyError, match="batch_size=600 cannot be trained"):
        lab.train("smoke", [sound, replace(sound, batch_size=600)])


def test_an_image_is_shown_by_its_number_after_each_pass(output, shown):
    run = replace(runs.plan("smoke", "batch_size")[0], epochs=1, train_size=16, width=1 / 32, iterations=2)
    lab.look([run], "batch_size")
    assert not shown  # nothing is trained for it
    training.train(run)
    lab.look([run], "batch_size")
    ((box, kind, _),) = shown
    choices, caption, picture = box.children
    number, name = choices.children
    assert kind == "image/png" and name.options == ("batch size 8, seed 0",)
    number.value = 7
    pixels = np.asarray(Image.open(BytesIO(picture.value)))
    original = data.load(run.data).validation[7]
    np.testing.assert_array_equal(pixels[::3, :96:3], original)
    assert pixels.shape == (96, 3 * 96, 3)
    scores = pd.read_csv(run.folder / "images.csv").query("image == 7").psnr
    assert [f"{score:.2f} dB after pass {t}" in caption.value for t, score in enumerate(scores, 1)] == [True, True]


def test_runs_that_the_tables_hold_need_no_training(output, finish, monkeypatch):
    planned = runs.plan("smoke", "batch_size")
    for run in planned:
        finish(run)
    tables.collect("smoke")
    monkeypatch.setattr(training, "train", lambda run: pytest.fail("it was trained"))
    lab.train("smoke", planned)
    assert list(lab.settings(planned, "batch_size", "seed").batch_size) == [run.batch_size for run in planned]
