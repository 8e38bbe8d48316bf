"""Names of data sets and their numbers of images, held against the data themselves."""

import os

import numpy as np
import pytest
from PIL import Image

from study import cifar, data
from study.ground import data_sets, folders
from study.ground.errors import StudyError


def test_every_named_data_set_has_its_reader_and_the_other_way_round():
    assert {name.partition(":")[0] for name in data_sets.NUMBERS} | {"folder"} == set(data.READERS)


@pytest.mark.parametrize("name", [name for name in data_sets.NUMBERS if name not in ("cifar", "cifar_all")])
def test_numbers_are_those_of_the_data(name, tmp_path, monkeypatch):
    if name != "photographs" and "CIFAR_DIR" not in os.environ:
        pytest.skip("needs the CIFAR excerpt")
    Image.new("RGB", (80, 80)).save(tmp_path / "photo.png")
    monkeypatch.setenv("PHOTOS_DIR", str(tmp_path))
    loaded = data.load(name)
    assert data_sets.image_numbers(name) == (len(loaded.train), len(loaded.validation))


def test_numbers_of_all_of_cifar_are_those_of_its_files():
    both = cifar.TRAIN_FILES, cifar.TEST_FILES
    whole = [sum(cifar.IMAGES[file] for file in files) for files in both]
    assert data_sets.image_numbers("cifar_all") == tuple(whole)
    lost = len(cifar.MISSING_TRAIN), len(cifar.MISSING_TEST)
    assert data_sets.image_numbers("cifar") == tuple(np.subtract(whole, lost).tolist())


def test_a_folders_pictures_are_read_once_to_be_counted(output, monkeypatch):
    for name in "abc":
        Image.new("RGB", (64, 96)).save(output / f"{name}.png")
    monkeypatch.chdir(output.parent)
    expected = (12, 6)
    assert data_sets.image_numbers(f"folder:{output}") == expected
    monkeypatch.setattr(folders, "read", None)
    assert data_sets.image_numbers(f"folder:{output}") == data_sets.image_numbers(f"folder:{output.name}") == expected


@pytest.mark.parametrize("name", ["", "kodak", "folder", "folder:", "folders:/a", "cifar10", "cifar10:cats", "Excerpt"])
def test_an_unknown_name_is_answered_with_all_there_are(name):
    with pytest.raises(
        StudyError, match=f"data='{name}' is not a data set; .*photographs.*cifar10:vehicles.*folder:PATH"
    ):
        data_sets.image_numbers(name)


def test_a_folder_that_is_not_there_has_no_number(tmp_path):
    with pytest.raises(StudyError, match=rf"There is no folder {tmp_path}/none; name one"):
        data_sets.image_numbers(f"folder:{tmp_path}/none")


def test_a_folder_whose_name_no_table_can_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    folder = os.fsdecode(bytes(tmp_path) + b"/\xe9t\xe9")
    os.mkdir(folder)
    monkeypatch.chdir(folder)
    for name in (folder, "."):
        with pytest.raises(StudyError, match=r"\\udce9t\\udce9' has bytes that are no characters"):
            data_sets.image_numbers(f"folder:{name}")


def test_a_folders_name_is_made_absolute_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "her"))
    absolute = data_sets.absolute
    assert absolute("folder:a/b/") == absolute("folder:./a/b") == f"folder:{tmp_path}/a/b"
    assert absolute("folder:~/Ä B") == f"folder:{tmp_path}/her/Ä B"
    for name in ("folder:/a/b", "folder:", "excerpt", "cifar10:vehicles", "kodak"):
        assert absolute(name) == name
