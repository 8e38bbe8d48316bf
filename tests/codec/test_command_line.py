"""The command line: files and folders in, one line for whatever goes wrong, exit code 2, and nothing half written."""

import os
import resource
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_codec import OPTIONS, small_codec

from study.__main__ import main
from study.codec import weights
from study.ground import images

SMALL = small_codec()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The small codec as a file of weights."""
    path = tmp_path_factory.mktemp("weights") / "small.npz"
    weights.save(path, SMALL.codec, OPTIONS, SMALL.context)
    return str(path)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 35, 3), np.uint8)).save(path)
    return path


def fails(capsys, *arguments):
    """What the command says on its way out with exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and said.startswith("study: ")
    return said


def leaves_out(capsys, *arguments):
    """What the command says, line by line, of a folder of which not all is done."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_there_and_back_in_another_process(tmp_path, photo, small, capsys):
    main(["compress", str(photo), str(tmp_path / "photo.rnn"), "--iterations", "3", "--model", small])
    said = capsys.readouterr().out
    assert "35x20, 3 passes" in said and "dB" in said
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "study", "decompress", tmp_path / "photo.rnn", elsewhere / "a.png"]
    subprocess.run([*command, "--model", small], check=True, timeout=120)
    psnr = float(said.split(" dB")[0].split()[-1])
    x, y = (np.asarray(Image.open(path), float) for path in (photo, elsewhere / "a.png"))
    assert x.shape == y.shape
    assert psnr == pytest.approx(10 * np.log10(255**2 / np.mean((x - y) ** 2)), abs=0.006)


def test_folders(tmp_path, photo, small, capsys):
    inner = tmp_path / "in" / "inner"
    inner.mkdir(parents=True)
    photo.rename(inner / "a.png")
    Image.new("L", (9, 9)).save(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"nothing")
    for name in ("small", "out"):
        (tmp_path / name).mkdir()
    lines = leaves_out(capsys, "compress", tmp_path / "in", tmp_path / "small", "--model", small, "--iterations", "1")
    assert len(lines) == 2 and "broken.png does not decode as an image (Pillow reads no such kind" in lines[0]
    assert lines[1] == "2 of 3 files done, 1 left out"
    written = sorted(path.relative_to(tmp_path / "small").as_posix() for path in (tmp_path / "small").rglob("*.rnn"))
    assert written == ["b.png.rnn", "inner/a.png.rnn"]
    main(["decompress", str(tmp_path / "small"), str(tmp_path / "out"), "--model", small])
    with Image.open(tmp_path / "out" / "inner" / "a.png.png") as image:
        assert image.size == (35, 20)


def test_info(tmp_path, photo, small, capsys):
    target = tmp_path / "photo.rnn"
    main(["compress", str(photo), str(target), "--iterations", "2", "--model", small])
    capsys.readouterr()
    main(["info", str(target)])
    lines = capsys.readouterr().out.splitlines()
    assert "35x20" in lines[0] and weights.load(small).id.hex() in lines[0] and "2 of 2 passes" in lines[0]
    assert f"up to here {target.stat().st_size} bytes" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compress", "photo.png", "none/photo.rnn"), "make it first"),
        (("compress", "none.png", "photo.rnn"), "There is no file"),
        (("compress", "text.png", "photo.rnn"), "text.png does not decode as an image"),
        (("compress", "photo.png", "photo.png"), "photo.png is read itself"),
        (("compress", "photo.png", "./photo.png"), "photo.png is read itself"),
        (("compress", "photo.png", "other.jpg"), "other.jpg is a picture's name"),
        (("compress", "photo.png", "other.JXL"), "other.JXL is a picture's name"),
        (("compress", ".", "photo.png"), "is a folder, and photo.png is none"),
        (("compress", "photo.png", "x" * 300), "File name too long"),
        (("decompress", "empty.rnn", "empty.rnn"), "is read itself"),
        (("decompress", "empty.rnn", "out.jpg"), "would not keep"),
        (("info", "."), "Is a directory"),
        (("compress", "photo.png", "photo.rnn", "--bpp", "9"), "--bpp 9"),
        (("compress", "photo.png", "photo.rnn", "--psnr", "99"), "16 passes reach"),
        (("decompress", "text.png", "out.png"), "does not start as"),
        (("decompress", "empty.rnn", "out.png"), "does not start as"),
        (("info", "text.png"), "does not start as"),
        (("info", "none.rnn"), "none.rnn"),
    ],
)
def test_bad_input_is_one_line_and_no_file(tmp_path, photo, small, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.rnn").touch()
    before = sorted(tmp_path.rglob("*"))
    model = [] if arguments[0] == "info" else ["--model", small]
    assert message in fails(capsys, *arguments, *model)
    assert sorted(tmp_path.rglob("*")) == before


def test_weights_that_are_not_there(tmp_path, photo, small, capsys):
    target = tmp_path / "photo.rnn"
    assert "no model 'none'" in fails(capsys, "compress", photo, target, "--model", "none")
    assert "none.npz" in fails(capsys, "compress", photo, target, "--model", tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no weights")
    assert "no file of weights" in fails(capsys, "compress", photo, target, "--model", tmp_path / "text.npz")
    main(["compress", str(photo), str(target), "--model", small, "--iterations", "1"])
    capsys.readouterr()
    assert "Name the file of its weights" in fails(capsys, "decompress", target, tmp_path / "out.png")


def test_lossy_kinds_are_refused_on_the_way_back(tmp_path, photo, small, capsys):
    target = tmp_path / "photo.rnn"
    main(["compress", str(photo), str(target), "--model", small, "--iterations", "1"])
    capsys.readouterr()
    assert "would not keep" in fails(capsys, "decompress", target, tmp_path / "out.jpg", "--model", small)
    assert not (tmp_path / "out.jpg").exists()


def compressed(photo, target, small):
    main(["compress", str(photo), str(target), "--model", small, "--iterations", "1"])
    return target.read_bytes()


def test_nothing_that_is_read_is_written_over_by_whatever_name(tmp_path, photo, small, capsys):
    before = photo.read_bytes()
    (tmp_path / "also.png").symlink_to(photo)
    os.link(photo, tmp_path / "hard.rnn")
    (tmp_path / "loop.rnn").symlink_to(photo)
    for source, target in (("also.png", "photo.png"), ("photo.png", "hard.rnn"), ("photo.png", "loop.rnn")):
        said = fails(capsys, "compress", tmp_path / source, tmp_path / target, "--model", small)
        assert "is read itself" in said and photo.read_bytes() == before
    shutil.copy(small, tmp_path / "weights.rnn.npz")
    copy = tmp_path / "weights.rnn.npz"
    assert "is read itself" in fails(capsys, "compress", photo, copy, "--model", copy)
    (tmp_path / "in").mkdir()
    photo.rename(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "a.png.rnn").symlink_to("a.png")
    lines = leaves_out(capsys, "compress", tmp_path / "in", tmp_path / "in", "--model", small)
    assert "is read itself" in lines[0] and (tmp_path / "in" / "a.png").read_bytes() == before


def test_results_go_through_links_and_keep_permissions(tmp_path, photo, small):
    expected = compressed(photo, tmp_path / "plain.rnn", small)
    real, link, dangling = (tmp_path / name for name in ("real", "link", "dangling"))
    real.write_text("old")
    real.chmod(0o664)
    link.symlink_to("real")
    dangling.symlink_to("new")
    assert compressed(photo, link, small) == expected
    assert link.is_symlink() and real.read_bytes() == expected and stat.S_IMODE(real.stat().st_mode) == 0o664
    assert compressed(photo, dangling, small) == expected and dangling.is_symlink()
    assert (tmp_path / "new").read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_pipes_devices_and_folders_stay_what_they_are(tmp_path, photo, small, capsys):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "out" / "photo.png.rnn").mkdir(parents=True)
    places = [tmp_path / "pipe", tmp_path / "out"]
    if os.geteuid() == 0:  # else nobody makes a device
        places.append(tmp_path / "null")
        os.mknod(places[-1], stat.S_IFCHR | 0o666, os.makedev(1, 3))
    before = [os.stat(place).st_mode for place in places]
    for place in places:
        said = fails(capsys, "compress", photo, place, "--model", small, "--iterations", "1")
        assert "is a folder, pipe or device" in said
    assert [os.stat(place).st_mode for place in places] == before and (tmp_path / "out" / "photo.png.rnn").is_dir()


def test_a_folders_left_out_files_are_named_and_counted(tmp_path, photo, small, capsys):
    folder, out, elsewhere = (tmp_path / name for name in ("in", "out", "elsewhere"))
    for made in (folder / "deep", out, elsewhere):
        made.mkdir(parents=True)
    for name in ("in/a.jfif", "in/deep/B.JPE", "elsewhere/trip.png"):
        Image.open(photo).save(tmp_path / name, "JPEG" if "elsewhere" not in name else "PNG")
    Image.open(photo).save(folder / "c.jxl")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "damaged.gif").write_bytes(b"GIF89a")
    (folder / "again.rnn").touch()  # of an earlier time
    (folder / ".hidden.png").touch()
    (folder / "2024").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    lines = leaves_out(capsys, "compress", folder, out, "--model", small, "--iterations", "1")
    named = {
        name
        for name in os.listdir(folder) + ["2024/back"]
        for line in lines
        if f"/{name} " in line or f"/{name}:" in line
    }
    assert named == {"phone.heic", "damaged.gif", "gone.png", "pipe.png", "2024/back"}
    assert lines[-1] == "4 of 9 files done, 5 left out" and len(lines) == 6
    found = {path.relative_to(out).as_posix() for path in out.rglob("*.rnn")}
    assert found == {"a.jfif.rnn", "deep/B.JPE.rnn", "c.jxl.rnn", "2024/trip.png.rnn"}
    back = tmp_path / "back"
    back.mkdir()
    (out / "broken.rnn").write_bytes(b"Rc")
    lines = leaves_out(capsys, "decompress", out, back, "--model", small)
    assert "broken.rnn" in lines[0] and lines[1] == "4 of 5 files done, 1 left out"


def test_a_folder_of_nothing_that_is_read(tmp_path, small, capsys):
    (tmp_path / "notes.txt").touch()
    assert "holds no file that ends in" in fails(capsys, "compress", tmp_path, tmp_path, "--model", small)
    assert "holds no file that ends in .rnn" in fails(capsys, "decompress", tmp_path, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        b"a b.png",
        b"\xff\xfe.png",
        b"a\nb.png",
        b"-x.png",
        b"x" * 251 + b".png",
        "木".encode() * 83 + b".png",
        b"\xe9" * 251 + b".png",
    ],
    ids=["space", "no characters", "line end", "like an option", "255 letters", "253 bytes", "255 bytes of no letter"],
)
def test_names_of_any_bytes_and_any_length(tmp_path, photo, small, capsys, name):
    folder, out, back = (tmp_path / part for part in ("in", "out", "back"))
    for made in (folder, out, back):
        made.mkdir()
    photo.rename(folder / os.fsdecode(name))
    Image.new("RGB", (9, 9)).save(folder / ("y" * 251 + ".png"))
    main(["compress", str(folder), str(out), "--model", small, "--iterations", "1"])
    main(["decompress", str(out), str(back), "--model", small])
    said = capsys.readouterr()
    assert said.out.count("\n") == 4 and said.err == 2 * "2 of 2 files done\n"
    assert sorted(images.read_pixels(path).shape[:2] for path in back.iterdir()) == [(9, 9), (20, 35)]


def test_relative_names_in_every_place(tmp_path, photo, small, capsys, monkeypatch):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    shutil.copy(small, tmp_path / "a" / "my weights.npz")
    monkeypatch.chdir(tmp_path / "b")
    main(["compress", "../photo.png", ".", "--model", "../a/my weights.npz", "--iterations", "1"])
    main(["decompress", "photo.png.rnn", "../a", "--model", "../a/my weights.npz"])
    main(["info", "../b/photo.png.rnn"])
    assert (tmp_path / "a" / "photo.png.png").exists()


def test_a_reader_that_goes_away_and_one_that_is_full(tmp_path, photo, small):
    """The files are what was asked for: all are made, and nobody complains."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir(), out.mkdir()
    for number in range(5):
        shutil.copy(photo, folder / f"{number}.png")
    arguments = [folder, out, "--model", small, "--iterations", "1"]
    command = [sys.executable, "-m", "study", "compress", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0 and len(list(out.iterdir())) == 5
    assert "Traceback" not in said and "Exception" not in said and "5 of 5 files done" in said
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "study", "info", str(out / "0.png.rnn")],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
            )
        assert done.returncode == 2 and done.stderr == "study: [Errno 28] No space left on device\n"


def test_a_rate_below_the_first_pass_a_worse_pass_and_a_larger_file_are_said(tmp_path, photo, small, capsys):
    target = tmp_path / "a.rnn"
    main(["compress", str(photo), str(target), "--model", small, "--bpp", "0.01"])
    assert "more than 0.01 bpp, as one pass takes that much" in capsys.readouterr().out
    main(["compress", str(photo), str(target), "--model", small, "--iterations", "16"])
    assert "; worse than after " in capsys.readouterr().out
    Image.new("L", (300, 300)).save(tmp_path / "small.png")
    main(["compress", str(tmp_path / "small.png"), str(target), "--model", small, "--iterations", "9"])
    assert "larger than the file that was read" in capsys.readouterr().out


@pytest.mark.parametrize("size", [(65_536, 1), (1, 70_000), (6_000, 6_000)])
def test_the_limit_of_a_side_is_named(tmp_path, small, capsys, size):
    Image.new("1", size).save(tmp_path / "a.png")
    said = fails(capsys, "compress", tmp_path / "a.png", tmp_path / "a.rnn", "--model", small)
    assert "at most 65,535 on a side" in said and "33,554,432 pixels" in said


def test_a_full_disk_leaves_nothing(tmp_path, small, capsys):
    """A limit on the size of files stands in for it."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        said = fails(capsys, "compress", tmp_path / "a.png", tmp_path / "a.rnn", "--model", small)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"File too large: '{tmp_path / 'a.rnn'}'" in said and os.listdir(tmp_path) == ["a.png"]
