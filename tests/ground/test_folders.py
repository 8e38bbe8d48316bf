"""Own pictures: which tiles of them are taken, what is skipped, and what is kept of a folder that was read."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from study.ground import folders, images, paths
from study.ground.errors import StudyError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for pictures; output goes elsewhere."""
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path / "output"))
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


def save(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(picture).save(path)
    return picture


def tiles_by_hand(picture):
    found = []
    top = 0
    while top + 32 <= len(picture):
        left = 0
        while left + 32 <= len(picture[0]):
            found.append([row[left : left + 32] for row in picture[top : top + 32]])
            left += 32
        top += 32
    return found


def cache():
    (file,) = paths.tile_cache().iterdir()
    return file


@pytest.fixture
def unread(monkeypatch):
    """From here on no picture is to be read."""

    def unread():
        monkeypatch.setattr(images, "read_picture", lambda path: pytest.fail(f"{path} was read"))

    return unread


# Tiles


def test_tiles_are_side_by_side_and_the_last_tenth_of_the_pictures_is_for_validation(folder, capsys):
    sizes = [(32, 32), (63, 65), (64, 64), (95, 200), (33, 100)]
    pictures = [save(folder / f"{i // 10}" / f"{i:02}.png", *sizes[i % 5], seed=i) for i in range(21)]
    save(folder / ".hidden" / "99.png", 40, 70)
    (folder / "notes.txt").write_text("not an image")
    train, validation = folders.read(folder)
    for tiles, of in ((train, pictures[:19]), (validation, pictures[19:])):
        np.testing.assert_array_equal(tiles, [tile for picture in of for tile in tiles_by_hand(picture)])
        assert tiles.dtype == np.uint8
    assert capsys.readouterr().out == ""


def test_of_two_pictures_the_last_by_name_is_for_validation(folder):
    first, second = save(folder / "a.png", 32, 32), save(folder / "b.PNG", 32, 32, seed=1)
    train, validation = folders.read(folder)
    np.testing.assert_array_equal(train, first[None])
    np.testing.assert_array_equal(validation, second[None])


def test_pictures_are_taken_as_compress_takes_them(folder):
    Image.new("L", (32, 32), 7).save(folder / "a.png")
    Image.new("RGBA", (32, 32), (1, 2, 3, 0)).save(folder / "b.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise
    picture = save(folder / "c.png", 32, 64)
    Image.fromarray(picture).save(folder / "c.png", exif=turned)
    save(folder / "d.png", 32, 32)
    train, _ = folders.read(folder)
    assert (train[0] == 7).all() and (train[1] == 255).all()
    np.testing.assert_array_equal(train[2:], tiles_by_hand(np.rot90(picture, -1)))


def test_a_large_picture_gives_its_share_of_the_most_tiles(folder, monkeypatch, capsys):
    monkeypatch.setattr(folders, "MOST", 10)
    pictures = [save(folder / f"{i}.png", 32 * rows, 64, seed=i) for i, rows in enumerate((5, 1, 9))]
    train, validation = folders.read(folder)
    assert "Of each picture 3 tiles are taken at most, so that there are no more than 10." in capsys.readouterr().out
    for drawn, picture in zip((train[:3], train[3:], validation), pictures, strict=True):
        places = [[np.array_equal(tile, one) for one in tiles_by_hand(picture)].index(True) for tile in drawn]
        assert len(places) == min(3, len(tiles_by_hand(picture))) and places == sorted(set(places))
    cache().unlink()
    np.testing.assert_array_equal(folders.read(folder)[0], train)


# What is skipped


def test_small_and_broken_files_are_skipped_and_named_once(folder, capsys):
    for i in range(7):
        save(folder / f"small {i}.png", 31, 400)
    save(folder / "a.png", 40, 40)
    whole = save(folder / "b.png", 40, 40, seed=1)
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:900])
    (folder / "text.png").write_text("no picture")
    Image.fromarray(np.full((40, 40), 0.5, np.float32)).save(folder / "wide.tif")  # whose white nobody knows
    train, validation = folders.read(folder)
    assert len(train) == 1 and np.array_equal(validation, [whole[:32, :32]])
    small, broken = capsys.readouterr().out.splitlines()
    assert small == (
        "7 of 12 pictures are smaller than 32x32 pixels and were skipped: "
        "small 0.png, small 1.png, small 2.png, small 3.png, small 4.png and 2 more."
    )
    start, first = broken.split(". The first: ")
    assert start == "3 of 12 files could not be read as pictures and were skipped: cut.png, text.png, wide.tif"
    assert first.startswith(f"{folder}/cut.png does not decode") and first.endswith("; repair or remove it.")
    folders.read(folder)
    assert capsys.readouterr().out == ""  # said once


def test_one_small_picture_is_said_in_the_singular(folder, capsys):
    for name, side in (("a", 32), ("b", 31), ("c", 32)):
        save(folder / f"{name}.png", side, 32)
    folders.read(folder)
    expected = "1 of 3 pictures is smaller than 32x32 pixels and was skipped: b.png.\n"
    assert capsys.readouterr().out == expected


def test_too_few_pictures_are_refused_with_the_remedy(folder, tmp_path):
    with pytest.raises(StudyError, match=r"no folder .*none; name one"):
        folders.read(tmp_path / "none")
    with pytest.raises(StudyError, match=r"pictures holds no image; expected .*\.png"):
        folders.read(folder)
    save(folder / "a.png", 32, 32)
    with pytest.raises(
        StudyError, match=r"has one picture .* at least two, .*validation. Add pictures .* 32x32 pixels\.$"
    ):
        folders.read(folder)
    save(folder / "b.png", 8, 8)
    (folder / "c.png").write_text("no picture")
    with pytest.raises(StudyError, match=r"Add .*skipped: b\.png\. 1 of 3 files .*c\.png\. The first: .*remove it\.$"):
        folders.read(folder)
    assert not paths.tile_cache().exists()


def test_names_may_have_any_letters(folder, capsys):
    for name in ("Ünïcode 木🦊.png", "a b.png", 'quote".png', "new\nline.png"):
        save(folder / "Ferien – été" / name, 32, 32)
    (folder / "Ferien – été" / "木.png").write_text("no picture")
    for _ in range(2):
        train, validation = folders.read(folder)
        assert (len(train), len(validation)) == (3, 1)
    assert "was skipped: Ferien – été/木.png. The first" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are characters")
def test_names_may_have_bytes_that_are_no_characters(folder, capsys):
    for name in (b"\xff\xfe.png", b"\xe9t\xe9.png"):
        with open(bytes(folder) + b"/" + name, "wb") as file:
            Image.new("RGB", (32, 32)).save(file, "PNG")
    with open(bytes(folder) + b"/\xff.png", "wb") as file:
        file.write(b"no picture")
    for _ in range(2):
        assert [len(side) for side in folders.read(folder)] == [1, 1]
    assert "1 of 3 files could not be read as pictures and was skipped: ?.png. The first" in capsys.readouterr().out


# What is kept


def test_a_folder_is_read_once(folder, unread):
    save(folder / "a.png", 64, 64)
    save(folder / "b.png", 64, 32)
    first = folders.read(folder)
    unread()
    (folder.parent / "link").symlink_to(folder)
    for path in (folder, folder / ".." / "pictures", folder.parent / "link"):
        for one, other in zip(first, folders.read(path), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    (folder / "notes.txt").write_text("no picture, and none of the data")
    folders.read(folder)


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "written", "touched"])
def test_a_folder_that_changed_is_read_anew_and_its_old_tiles_go(folder, change):
    for i, name in enumerate("abc"):
        save(folder / f"{name}.png", 32, 64, seed=i)
    before, old = folders.read(folder), cache().read_bytes()
    if change == "added":
        save(folder / "aa.png", 32, 32, seed=9)
    elif change == "removed":
        (folder / "a.png").unlink()
    elif change == "renamed":
        (folder / "c.png").rename(folder / "0.png")
    elif change == "written":
        save(folder / "b.png", 32, 64, seed=9)
    else:
        os.utime(folder / "b.png", ns=(0, 0))
    after, new = folders.read(folder), cache().read_bytes()
    assert new != old
    assert np.array_equal(after[0], before[0]) == (change == "touched")


def test_folders_of_one_name_have_tiles_of_their_own(folder):
    for name in ("a/pictures", "b/pictures"):
        save(folder / name / "1.png", 32, 32, seed=len(list(folder.iterdir())))
        save(folder / name / "2.png", 32, 32)
    one, other = (folders.read(folder / name / "pictures")[0] for name in "ab")
    assert not np.array_equal(one, other) and len(list(paths.tile_cache().iterdir())) == 2


def test_damaged_tiles_are_made_anew_which_is_said(folder, capsys):
    save(folder / "a.png", 64, 64)
    save(folder / "b.png", 64, 64)
    expected, whole = folders.read(folder), cache().read_bytes()
    damaged = [b"", b"garbage", whole[:-100], whole[: len(whole) // 2]]
    for place in np.random.default_rng(0).integers(len(whole), size=40):
        damaged.append(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
    said = 0
    for content in damaged:
        cache().write_bytes(content)
        for one, other in zip(expected, folders.read(folder), strict=True):
            np.testing.assert_array_equal(one, other)
        out = capsys.readouterr().out
        assert out.count("\n") == out.count("is damaged") <= 1
        said += "is damaged (" in out and out.endswith("; the pictures are read anew.\n")
        assert (cache().read_bytes() == whole) or not out  # some bytes of an archive mean nothing
    assert said > 35


def test_tiles_that_are_kept_take_their_own_memory_and_little_more(folder):
    for i in range(4):
        save(folder / f"{i}.png", 1024, 1024, seed=i)
    size = sum(side.nbytes for side in folders.read(folder))
    tracemalloc.start()
    kept = folders.read(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == sum(side.nbytes for side in kept) == 4 * 1024 * 1024 * 3
    assert peak < 1.1 * size


READER = """
import json, sys
from pathlib import Path
from study.ground import folders
print("ready", flush=True)
sys.stdin.readline()
train, validation = folders.read(Path(sys.argv[1]))
print(json.dumps([len(train), int(train.sum()), len(validation), int(validation.sum())]))
"""


def test_two_processes_that_read_a_folder_at_once_both_succeed(folder):
    pictures = [save(folder / f"{i}.png", 320, 320, seed=i) for i in range(6)]
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, folder],
            cwd=paths.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    for reader in readers:
        reader.stdin.write("\n")
        reader.stdin.flush()
    expected = [500, int(np.sum(pictures[:5])), 100, int(np.sum(pictures[5]))]
    for reader in readers:
        assert json.loads(reader.communicate()[0]) == expected and reader.returncode == 0
    cache()  # one, and nothing beside it


# Crops


def test_crops_are_of_the_training_pictures_that_have_room(folder):
    pictures = [
        save(folder / f"{i}.png", *size, seed=i) for i, size in enumerate([(50, 60), (39, 90), (40, 40), (90, 90)])
    ]
    crops = folders.crops(folder, count=10, size=40, seed=3)
    assert crops.shape == (6, 40, 40, 3)  # three of each file: of the first and third, the last is for validation
    possible = [picture[i : i + 40, j : j + 40] for picture in pictures[:3] for i in range(11) for j in range(21)]
    assert {crop.tobytes() for crop in crops} <= {crop.tobytes() for crop in possible if crop.shape == (40, 40, 3)}
    np.testing.assert_array_equal(crops, folders.crops(folder, 10, 40, seed=3))
    assert not np.array_equal(crops, folders.crops(folder, 10, 40, seed=4))
    assert folders.crops(folder, 10, 100, seed=3).shape == (0, 100, 100, 3)
