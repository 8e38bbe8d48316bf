"""All files of a folder, and a reason for whatever is passed over."""

import os

import pytest

from study.ground import walk
from study.ground.errors import StudyError


def found(folder):
    files, passed_over = walk.files_below(folder)
    return [os.fspath(path.relative_to(folder)) for path in files], {
        os.fspath(path.relative_to(folder)): reason for path, reason in passed_over.items()
    }


def test_files_by_name_without_hidden_ones(tmp_path):
    for name in ("b/z", "b/a", "a.png", "b.png", ".hidden", ".folder/a", "b/.x", "c d/\udcff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path) == (["a.png", "b.png", "b/a", "b/z", "c d/\udcff"], {})


def test_links_are_followed_but_not_in_circles(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    (elsewhere / "deep").mkdir(parents=True), folder.mkdir()
    (elsewhere / "deep" / "a").touch()
    (folder / "one").symlink_to(elsewhere)
    (folder / "two").symlink_to(elsewhere / "deep")
    (folder / "file").symlink_to(elsewhere / "deep" / "a")
    (folder / "self").symlink_to(".")
    (elsewhere / "deep" / "back").symlink_to(folder)
    files, passed_over = found(folder)
    assert files == ["file", "one/deep/a", "two/a"]
    assert set(passed_over) == {"self", "one/deep/back", "two/back"}
    assert all("back to a folder above" in reason for reason in passed_over.values())


def test_what_is_no_file_is_passed_over_with_its_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    files, passed_over = found(tmp_path)
    assert files == [] and set(passed_over) == {"pipe", "gone", "loop"}
    assert "pipe" in passed_over["pipe"] and "nowhere" in passed_over["gone"]


def test_folders_so_deep_that_their_names_are_too_long(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    files, passed_over = found(tmp_path)
    assert files == ["a"] and len(passed_over) == 1
    assert "too long" in next(iter(passed_over.values()))


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(walk.os, "scandir", refuse)  # root may read all folders
    assert found(tmp_path) == ([], {"locked": "the folder cannot be read (Permission denied)"})


def test_no_folder(tmp_path):
    with pytest.raises(StudyError, match="There is no folder"):
        walk.files_below(tmp_path / "none")
