"""The command line: files and folders in, one line for whatever goes wrong, exit code 2, and nothing half written."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_codec import OPTIONS, small_codec

from study.__main__ import main
from study.codec import weights

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
    said = fails(capsys, "compress", tmp_path / "in", tmp_path / "small", "--model", small, "--iterations", "1")
    assert "broken.png does not decode" in said
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
        (("compress", "text.png", "photo.rnn"), "does not decode"),
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
