"""Data sets, from which files they come and how these are trusted; subsets, rotations, flips and batches."""

import hashlib
import inspect
import json
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image

from study import cifar, data
from study.ground import paths
from study.ground.errors import StudyError

PHOTOGRAPHS = "e9ff76dba38583368d0d4c805bc02edede5fb989523ee8d3beac2c1180a44595"
EXCERPT = "8868847d50778293cbbda644ec9f776ff9589588c91e6b8fdd770f80ba8c738e"


@pytest.fixture(autouse=True)
def fresh_cache():
    data._load.cache_clear()
    yield
    data._load.cache_clear()


@pytest.fixture
def real_cifar(monkeypatch):
    folder = Path(os.environ.get("CIFAR_DIR") or paths.ROOT.parent / "shared" / "data")
    if not (folder / "cifar-10-batches-py").is_dir():
        pytest.skip("no CIFAR images here; CIFAR_DIR names a folder that holds them")
    monkeypatch.setenv("CIFAR_DIR", str(folder))
    return folder


def write_pickle(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def random_images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def stored(images):
    """Images as CIFAR stores them, written out: all red values, all green, all blue."""
    rows = [np.concatenate([image[:, :, channel].ravel() for channel in range(3)]) for image in images]
    return np.stack(rows)


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """A made-up archive of 7 images a file, whose excerpt is the first 3 of each; the images of each file."""
    images = {}
    for table in ("TRAIN_FILES", "TEST_FILES"):
        files = {}
        for seed, file in enumerate(getattr(cifar, table), start=len(images)):
            images[file] = random_images(7, seed)
            write_pickle(tmp_path / file, {b"data": stored(images[file]), b"labels": [0] * 7})
            files[file] = (hashlib.md5((tmp_path / file).read_bytes()).hexdigest(), 3)
        monkeypatch.setattr(cifar, table, files)
        leading = np.concatenate([stored(images[file][:3]) for file in files])
        name = "EXCERPT_TRAIN" if table == "TRAIN_FILES" else "EXCERPT_TEST"
        monkeypatch.setattr(cifar, name, hashlib.sha256(leading.tobytes()).hexdigest())
    monkeypatch.setenv("CIFAR_DIR", str(tmp_path))
    return tmp_path, images


# CIFAR


def test_excerpt_is_the_published_one(real_cifar):
    excerpt = data.load("excerpt")
    assert excerpt.train.shape == (9453, 32, 32, 3) and excerpt.validation.shape == (1933, 32, 32, 3)
    for images, digest in (  # from the README beside the images
        (excerpt.train, "4be24fb26b4e90ba4fc4088b9793056c4eaa7b554fff066b2c54f80637bda2db"),
        (excerpt.validation, "933765390be9338266181ee6b7661193e855d11f8a4d5d3e88bb4d4da6466a20"),
    ):
        assert hashlib.sha256(images.transpose(0, 3, 1, 2).tobytes()).hexdigest() == digest
    assert excerpt.fingerprint() == EXCERPT


def test_mean_image_of_the_excerpt_scores_what_its_readme_says(real_cifar):
    excerpt = data.load("excerpt")
    error = ((excerpt.validation / 255 - excerpt.mean_image()) ** 2).mean(axis=(1, 2, 3))
    assert (-10 * np.log10(error)).mean() == pytest.approx(12.46, abs=0.005)


FROM_ARCHIVES = """
import json, sys
from study import cifar, data
from study.ground import paths
from study.ground.errors import StudyError
cifar.ARCHIVES = json.loads(sys.argv[1])
print(data.load(sys.argv[2]).fingerprint())
"""


def fingerprint_from_archives(folder, name):
    """Of the data set of that name as somebody has it who never set CIFAR_DIR: Keras fetches both, packed from here."""
    archives = pack(folder, folder)
    environment = {name: value for name, value in os.environ.items() if name != "CIFAR_DIR"}
    environment |= {"KERAS_HOME": str(folder / "keras")}
    command = [sys.executable, "-c", FROM_ARCHIVES, json.dumps(archives), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (folder / "keras" / "datasets").is_dir(), done.stderr
    return done.stdout.split()[-1]


def test_excerpt_is_the_same_from_the_full_archives_without_cifar_dir(real_cifar, tmp_path):
    rest = iter(range(100))
    for file in cifar.TRAIN_FILES | cifar.TEST_FILES:
        pixels = cifar.read_pixels(real_cifar / file)
        full = 50_000 if file == "cifar-100-python/train" else 10_000
        others = np.full((full - len(pixels), 3072), next(rest), np.uint8)
        write_pickle(tmp_path / file, {b"data": np.concatenate([pixels, others])})
    assert fingerprint_from_archives(tmp_path, "excerpt") == EXCERPT


def test_full_cifar_keeps_file_order_and_pixels(small_cifar):
    _, images = small_cifar
    full = data.load("cifar_all")
    files = [f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)] + ["cifar-100-python/train"]
    np.testing.assert_array_equal(full.train, np.concatenate([images[file] for file in files]))
    tests = ["cifar-10-batches-py/test_batch", "cifar-100-python/test"]
    np.testing.assert_array_equal(full.validation, np.concatenate([images[file] for file in tests]))


def test_excerpt_takes_the_leading_images(small_cifar):
    _, images = small_cifar
    train = data.load("excerpt").train
    np.testing.assert_array_equal(train[:3], images["cifar-10-batches-py/data_batch_1"][:3])
    np.testing.assert_array_equal(train[-3:], images["cifar-100-python/train"][:3])


def test_full_cifar_refuses_the_excerpt_by_its_md5(real_cifar):
    if (real_cifar / "cifar-10-batches-py" / "data_batch_1").stat().st_size > 30_000_000:
        pytest.skip("CIFAR_DIR holds the full archives")
    with pytest.raises(StudyError, match="data_batch_1 .*md5.*c99cafc1.*Unpack.*excerpt"):
        data.load("cifar_all")


@pytest.fixture
def nearly_all(small_cifar, monkeypatch):
    """Of the made-up archive all images but two for training and one for test; those that are left, as stored."""
    _, images = small_cifar
    monkeypatch.setattr(cifar, "IMAGES", dict.fromkeys(images, 7))
    kept = []
    for files, missing, name in ((cifar.TRAIN_FILES, (2, 30), "TRAIN"), (cifar.TEST_FILES, (6,), "TEST")):
        every = np.concatenate([stored(images[file]) for file in files])
        kept.append(every[[i for i in range(len(every)) if i not in missing]])
        monkeypatch.setattr(cifar, f"MISSING_{name}", missing)
        monkeypatch.setattr(cifar, f"NEARLY_ALL_{name}", hashlib.sha256(kept[-1].tobytes()).hexdigest())
    return kept


def test_nearly_all_of_cifar_is_everything_but_some_images_by_their_place(nearly_all):
    found = data.load("cifar")
    for images, kept in zip((found.train, found.validation), nearly_all, strict=True):
        np.testing.assert_array_equal(images.transpose(0, 3, 1, 2).reshape(-1, 3072), kept)
    assert [len(cifar.MISSING_TRAIN), len(cifar.MISSING_TEST)] == [2, 1]


def test_pixels_of_missing_images_do_not_matter_and_others_do(nearly_all, small_cifar):
    folder, images = small_cifar
    path, pixels = folder / "cifar-10-batches-py/test_batch", images["cifar-10-batches-py/test_batch"]
    write_pickle(path, {b"data": stored(np.concatenate([pixels[:6], 0 * pixels[6:]]))})
    assert len(data.load("cifar").validation) == 13
    write_pickle(path, {b"data": stored(np.concatenate([0 * pixels[:1], pixels[1:]]))})
    data._load.cache_clear()
    with pytest.raises(StudyError, match="CIFAR-10 without 103 images.*sha256.*CIFAR_DIR"):
        data.load("cifar")


def test_the_missing_images_are_as_many_as_the_name_says():
    assert (len(set(cifar.MISSING_TRAIN)), len(set(cifar.MISSING_TEST))) == (80, 23)
    assert max(cifar.MISSING_TRAIN) < 50_000 and max(cifar.MISSING_TEST) < 10_000


@pytest.fixture
def nearly_all_of_cifar(real_cifar):
    if (real_cifar / "cifar-10-batches-py" / "data_batch_1").stat().st_size < 30_000_000:
        pytest.skip("CIFAR_DIR holds the excerpt alone")
    return real_cifar


def test_nearly_all_of_cifar_is_the_same_from_archives_that_have_every_image(nearly_all_of_cifar, tmp_path):
    """The sha256 of its pixels are checked on reading; here the 103 images, whatever they are, are not to matter."""
    given = data.load("cifar")
    assert (given.train.shape, given.validation.shape) == ((99_920, 32, 32, 3), (19_977, 32, 32, 3))
    assert given.train.any(axis=(1, 2, 3)).all() and given.validation.any(axis=(1, 2, 3)).all()
    for files, missing in ((cifar.TRAIN_FILES, cifar.MISSING_TRAIN), (cifar.TEST_FILES, cifar.MISSING_TEST)):
        pixels = {file: cifar.read_pixels(nearly_all_of_cifar / file).copy() for file in files}
        rows = [row for of_file in pixels.values() for row in of_file]  # views, in the order that `missing` counts in
        for i in missing:
            rows[i][:] = 255 - rows[i]
        for file in files:
            write_pickle(tmp_path / file, {b"data": pixels[file]})
    assert fingerprint_from_archives(tmp_path, "cifar") == given.fingerprint()


def test_twelve_images_of_cifars_test_files_are_training_images_too(nearly_all_of_cifar):
    """As many as the data's README says. They stay, as the report's data had them; edges.csv marks them."""
    shared = [1489, 11077, 11334, 12201, 12592, 12973, 13476, 13909, 14693, 15541, 16503, 19501]
    assert np.flatnonzero(data.load("cifar").in_training()).tolist() == shared


def test_validation_images_that_are_training_images_too():
    train, validation = random_images(5), random_images(4, seed=1)
    validation[[1, 3]] = train[[4, 0]]
    validation[2] = train[2]
    validation[2, 0, 0, 0] ^= 1
    assert data.DataSet("made up", train, validation, "").in_training().tolist() == [False, True, False, True]


def test_excerpt_with_other_pixels(small_cifar):
    folder, _ = small_cifar
    write_pickle(folder / "cifar-100-python/test", {b"data": stored(random_images(7, seed=99))})
    with pytest.raises(StudyError, match="test images .* sha256 .* expected .*CIFAR_DIR"):
        data.load("excerpt")


def test_excerpt_with_fewer_images(small_cifar):
    folder, images = small_cifar
    file = "cifar-10-batches-py/data_batch_2"
    write_pickle(folder / file, {b"data": stored(images[file][:2])})
    with pytest.raises(StudyError, match="data_batch_2 holds 2 images.*first 3.*CIFAR_DIR"):
        data.load("excerpt")


def test_missing_file_and_folder(small_cifar, monkeypatch):
    folder, _ = small_cifar
    (folder / "cifar-10-batches-py/test_batch").unlink()
    with pytest.raises(StudyError, match="test_batch is missing.*CIFAR_DIR"):
        data.load("excerpt")
    monkeypatch.setenv("CIFAR_DIR", str(folder / "nowhere"))
    with pytest.raises(StudyError, match="nowhere.*CIFAR_DIR"):
        data.load("cifar")


class RunsCode:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("name", ["excerpt", "cifar"])
def test_pickle_that_would_run_code_is_refused(small_cifar, name):
    folder, _ = small_cifar
    target = folder / "was-run"
    write_pickle(folder / "cifar-10-batches-py/data_batch_1", RunsCode(os.system, f"touch {target}"))
    with pytest.raises(StudyError, match="data_batch_1"):
        data.load(name)
    assert not target.exists()


@pytest.mark.parametrize("function", [eval, print, np.load, np.fromfile, getattr, hashlib.md5])
def test_reader_refuses_every_other_name(tmp_path, function):
    write_pickle(tmp_path / "file", {b"data": RunsCode(function, "1")})
    with pytest.raises(StudyError, match=r"file could not be read .* asks for \S+, which no array needs"):
        cifar.read_pixels(tmp_path / "file")


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_reader_takes_arrays_of_old_and_new_numpy(tmp_path, module):
    write_pickle(tmp_path / "file", {b"data": stored(random_images(2))})
    content = (tmp_path / "file").read_bytes().replace(b"numpy._core.multiarray", module)
    (tmp_path / "file").write_bytes(content)
    np.testing.assert_array_equal(cifar.read_pixels(tmp_path / "file"), stored(random_images(2)))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02}q", b"P1\n.", bytes(range(256))])
def test_damaged_file(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StudyError, match="file could not be read as a CIFAR file.*CIFAR_DIR"):
        cifar.read_pixels(tmp_path / "file")


def test_truncated_file(tmp_path):
    write_pickle(tmp_path / "file", {b"data": stored(random_images(2))})
    whole = (tmp_path / "file").read_bytes()
    for length in range(1, len(whole), 97):
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(StudyError, match="file could not be read as a CIFAR file"):
            cifar.read_pixels(tmp_path / "file")


@pytest.mark.parametrize(
    "content", [[1], {b"pixels": 1}, {b"data": [1]}, {b"data": np.zeros((2, 3072))}, {b"data": np.uint8([1])}]
)
def test_pickle_that_is_no_cifar_file(tmp_path, content):
    write_pickle(tmp_path / "file", content)
    with pytest.raises(StudyError, match="file is no CIFAR file.*3072.*CIFAR_DIR"):
        cifar.read_pixels(tmp_path / "file")


def pack(folder, target):
    """CIFAR's archives, of this folder's files: their addresses and digests."""
    archives = {}
    for inside in cifar.ARCHIVES:
        with tarfile.open(target / f"{inside}.tar.gz", "w:gz", compresslevel=1) as packed:
            packed.add(folder / inside, inside)
        content = (target / f"{inside}.tar.gz").read_bytes()
        archives[inside] = (target / f"{inside}.tar.gz").as_uri(), hashlib.sha256(content).hexdigest()
    return archives


def test_without_cifar_dir_keras_downloads_into_its_own_cache(small_cifar, monkeypatch, tmp_path_factory):
    folder, images = small_cifar
    home = tmp_path_factory.mktemp("home")
    monkeypatch.delenv("CIFAR_DIR")
    monkeypatch.setenv("KERAS_HOME", str(home))
    asked, archives = [], pack(folder, home)

    def get_file(fname, origin, file_hash, cache_dir):
        asked.append((fname.removesuffix("_archive"), origin, file_hash))
        assert cache_dir == home
        return str(home / f"{fname.removesuffix('-target_archive')}.tar.gz")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    np.testing.assert_array_equal(data.load("excerpt").train[:3], images["cifar-10-batches-py/data_batch_1"][:3])
    assert archives.keys() == cifar.ARCHIVES.keys()
    sources = (
        inspect.getsource(keras.datasets.cifar10.load_data),
        inspect.getsource(keras.datasets.cifar100.load_data),
    )
    assert len(asked) == len(set(asked)) == 2  # each once, whatever the number of files
    for call in asked:
        assert any(all(f'"{value}"' in source for value in call) for source in sources)


READ = """
import json, sys
from study import cifar
cifar.ARCHIVES = json.loads(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    for file in cifar.TRAIN_FILES | cifar.TEST_FILES:
        assert len(cifar.read_pixels(cifar._path(file))) == 7
"""


def test_processes_that_read_cifar_at_once_unpack_it_once(small_cifar, tmp_path_factory):
    """Each reads all files three times. What a process left that was killed while it unpacked is gone."""
    folder, _ = small_cifar
    home = tmp_path_factory.mktemp("home")
    left = home / "datasets" / "study" / ".unpack-killed"
    left.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "CIFAR_DIR"}
    environment |= {"KERAS_HOME": str(home)}
    command = [sys.executable, "-c", READ, json.dumps(pack(folder, home))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    readers = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == b"ready\n"
    for reader in readers:
        reader.stdin.write(b"\n")
        reader.stdin.flush()
    for reader in readers:
        _, error = reader.communicate()
        assert reader.returncode == 0, error
    unpacked = home / "datasets" / "study"
    assert sorted(path.name for path in unpacked.iterdir()) == sorted(cifar.ARCHIVES)
    dates = {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")}
    subprocess.run(command, env=environment, input=b"\n", check=True, capture_output=True)
    assert dates == {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")}


def test_download_that_fails(monkeypatch):
    def get_file(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.delenv("CIFAR_DIR", raising=False)
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(StudyError, match="cifar-10-python.tar.gz.*URL fetch failure.*CIFAR_DIR"):
        data.load("cifar")


def test_the_recipe_is_chosen_on_training_images_alone(real_cifar):
    excerpt, aside = data.load("excerpt"), data.load("recipe")
    assert len(aside.train) == 8000 and len(aside.validation) == data.SET_ASIDE
    both = np.concatenate([aside.train, aside.validation])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in excerpt.train}
    assert not {image.tobytes() for image in both} & {image.tobytes() for image in excerpt.validation}


# Photographs, folders, names


def test_photographs_come_without_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "socket", refuse)
    photographs = data.load("photographs")
    assert photographs.train.shape == (3259, 32, 32, 3) and photographs.train.dtype == np.uint8
    assert photographs.validation.shape == (345, 32, 32, 3) and photographs.validation.dtype == np.uint8
    assert photographs.fingerprint() == PHOTOGRAPHS
    assert data.load("photographs") is photographs


def test_photographs_are_tiles_and_none_is_shared():
    photographs = data.load("photographs")
    motorcycle = skimage.io.imread(Path(skimage.data.__file__).parent / "motorcycle_left.png")
    np.testing.assert_array_equal(photographs.validation[24], motorcycle[32:64, 32:64])
    np.testing.assert_array_equal(photographs.validation[-1], motorcycle[448:480, 704:736])
    train = {image.tobytes() for image in photographs.train}
    assert not train & {image.tobytes() for image in photographs.validation}
    for photograph in (skimage.data.astronaut(), skimage.data.rocket()):
        corners = [(top, left) for top in range(0, 380, 16) for left in range(0, 480, 16)]
        assert {photograph[top : top + 32, left : left + 32].tobytes() for top, left in corners} <= train
    assert not set(data.TRAIN_PHOTOGRAPHS) & set(data.VALIDATION_PHOTOGRAPHS)
    assert not any(name.endswith("jpg") for name in data.VALIDATION_PHOTOGRAPHS)


def test_leading_photographs_are_mixed():
    rocket = skimage.data.rocket()
    tiles = {tile.tobytes() for tile in data.tiles(rocket, 16)}
    share = np.mean([image.tobytes() in tiles for image in data.load("photographs").train[:300]])
    assert share == pytest.approx(975 / 3259, abs=0.08)


def test_fingerprint_is_what_it_says():
    train, validation = random_images(3), random_images(2, seed=1)
    expected = hashlib.sha256(
        b"(3, 32, 32, 3)" + train.tobytes() + b"(2, 32, 32, 3)" + validation.tobytes()
    ).hexdigest()
    assert data.DataSet("", train, validation, "").fingerprint() == expected
    assert data.DataSet("", validation, train, "").fingerprint() != expected


def test_cached_images_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        data.load("photographs").train[0] = 0


@pytest.mark.parametrize("name", ["", "kodak", "folder", "folder:", "photographs:x"])
def test_unknown_name(name):
    with pytest.raises(StudyError, match=f"data='{name}' .*photographs.*excerpt.*cifar.*folder:PATH"):
        data.load(name)


def test_a_folder_is_a_data_set_by_whatever_path_it_is_named(output, monkeypatch):
    pixels = random_images(2)
    for name, image in zip(("a.png", "b.png"), pixels, strict=True):
        Image.fromarray(image).save(output / name)
    loaded = data.load(f"folder:{output}")
    np.testing.assert_array_equal(loaded.train, pixels[:1])
    np.testing.assert_array_equal(loaded.validation, pixels[1:])
    expected = hashlib.sha256(b"".join(b"(1, 32, 32, 3)" + image.tobytes() for image in pixels)).hexdigest()
    assert loaded.fingerprint() == expected and str(output) in loaded.source
    monkeypatch.chdir(output.parent)
    assert data.load(f"folder:{output.name}") is loaded
    with pytest.raises(ValueError, match="read-only"):
        loaded.train[0] = 0


def test_random_crops_come_from_the_photographs():
    photographs = [np.random.default_rng(i).integers(0, 256, (9, 12, 3), dtype=np.uint8) for i in range(2)]
    crops = data.random_crops(photographs, count=200, size=8, seed=1)
    assert crops.shape == (200, 8, 8, 3) and crops.dtype == np.uint8
    possible = {
        photograph[top : top + 8, left : left + 8].tobytes()
        for photograph in photographs
        for top in range(2)
        for left in range(5)
    }
    assert {crop.tobytes() for crop in crops} == possible
    np.testing.assert_array_equal(crops, data.random_crops(photographs, 200, 8, seed=1))
    with pytest.raises(StudyError, match="size=10 .*shortest side is 9 .*smaller crops"):
        data.random_crops(photographs, 1, 10, seed=1)


# Training sets and batches


def test_take_turns_as_numpy_does():
    images = random_images(6)
    index, turns = np.array([5, 0, 0, 3, 2]), np.array([0, 1, 2, 3, 1])
    expected = np.stack([np.rot90(images[i], k) for i, k in zip(index, turns, strict=True)])
    np.testing.assert_array_equal(data.take(images, index, turns), expected)


def test_flips_are_numpys():
    images = random_images(4)
    index, versions = np.array([3, 1, 0, 2]), np.array([0, 1, 2, 3])
    expected = np.stack([images[3], np.fliplr(images[1]), np.flipud(images[0]), np.flipud(np.fliplr(images[2]))])
    np.testing.assert_array_equal(data.take(images, index, versions, "flip"), expected)
    with pytest.raises(StudyError, match="augmentation='mirror' is not known; expected one of rotation, flip"):
        data.take(images, index, versions, "mirror")


def test_training_sets_nest_and_turn_only_when_all_are_used():
    index, turns = data.training_index(1000, 4000)
    for size in (1, 500, 1000, 2500):
        smaller = data.training_index(1000, size)
        np.testing.assert_array_equal(smaller[0], index[:size])
        np.testing.assert_array_equal(smaller[1], turns[:size])
    assert not turns[:1000].any() and set(index[:1000]) == set(range(1000))
    assert len(set(zip(index.tolist(), turns.tolist(), strict=True))) == 4000
    assert index.dtype == np.int32 and turns.dtype == np.uint8


def test_order_of_images_and_epochs_is_the_published_runs():
    # recorded: other values would mean other training sets than those behind the tracked tables
    assert data.training_index(9453, 5)[0].tolist() == [3525, 3822, 4937, 8478, 7005]
    assert data.Batches(random_images(100), 100, 10, seed=3).order(2)[:5].tolist() == [72, 30, 97, 90, 10]


def test_leading_half_of_cifar_mixes_its_two_halves():
    index, _ = data.training_index(100_000, 50_000)
    assert np.mean(index < 50_000) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("size", [0, -1, 37_813, 50_000])
def test_train_size_that_the_data_do_not_allow(size):
    match = f"train_size={size} .*the data have 9,453 .37,812 with rotations.*Choose 1 to 37,812"
    with pytest.raises(StudyError, match=match):
        data.training_index(9453, size)


@pytest.mark.parametrize("batch_size", [0, 101])
def test_batch_size_that_the_train_size_does_not_allow(batch_size):
    with pytest.raises(StudyError, match=f"batch_size={batch_size} .*train_size=100.*1 to 100"):
        data.Batches(random_images(100), 100, batch_size, seed=0)


def test_an_epoch_shows_every_turn_of_every_image_once():
    images = random_images(10)
    batches = data.Batches(images, size=40, batch_size=8, seed=1)
    shown = np.concatenate([batches[i][0] for i in range(batches.steps)])
    assert shown.dtype == np.float32 and shown.min() >= 0 and shown.max() <= 1
    every = {np.rot90(image, k).tobytes() for image in images for k in range(4)}
    assert len(shown) == 40 and {np.uint8(np.round(image * 255)).tobytes() for image in shown} == every


def test_input_is_target_and_scaled_by_255():
    images = random_images(8)
    batches = data.Batches(images, size=8, batch_size=8, seed=0)
    inputs, targets = batches[0]
    np.testing.assert_array_equal(inputs, targets)
    assert not np.shares_memory(inputs, targets)  # or TensorFlow may overwrite one: on two devices 9 of 5,760 steps
    chosen = batches.index[batches.order(0)]
    np.testing.assert_array_equal(inputs, images[chosen].astype(np.float32) / np.float32(255))


def test_images_are_referenced_and_left_as_they_were():
    images = random_images(8)
    before = images.copy()
    batches = data.Batches(images, size=32, batch_size=4, seed=0)
    for i in range(2 * batches.steps):
        batches[i][0][:] = 0
    assert batches.images is images
    np.testing.assert_array_equal(images, before)


def test_order_depends_on_seed_and_epoch_alone():
    one, same = (data.Batches(random_images(50), 50, 8, seed=4) for _ in range(2))
    np.random.default_rng().random()
    orders = [one.order(epoch).tolist() for epoch in (0, 1, 2)]
    assert [same.order(epoch).tolist() for epoch in (2, 0, 1)] == [orders[2], orders[0], orders[1]]
    other = data.Batches(random_images(50), 50, 8, seed=5)
    assert len({tuple(order) for order in orders + [other.order(0).tolist()]}) == 4


def test_images_left_out_of_the_last_batch_differ_between_epochs():
    batches = data.Batches(random_images(50), 50, 8, seed=0)
    assert batches.steps == 6
    assert set(batches.order(0)[48:]) != set(batches.order(1)[48:])


def test_resuming_goes_on_with_the_same_batches():
    images = random_images(20)
    whole, resumed = (data.Batches(images, 60, 7, seed=2, first_step=step) for step in (0, 3 * 8 + 5))
    for i in range(2 * resumed.steps):
        np.testing.assert_array_equal(resumed[i][0], whole[3 * 8 + 5 + i][0])


class Recorder(keras.callbacks.Callback):
    """The image of each step, from the running mean of a loss that is the image's grey level."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.sums = [0.0]

    def on_train_batch_end(self, batch, logs=None):
        self.sums.append(logs["loss"] * (batch + 1))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(np.round(np.diff(self.sums) * 255).astype(int).tolist())


def images_that_fit_sees(batches, epoch, epochs, built):
    model = keras.Sequential([keras.layers.Conv2D(3, 1)])
    if built:
        model.build((None, 32, 32, 3))
    # on the mean of the target alone; the prediction is there so that a gradient exists
    model.compile("sgd", loss=lambda true, pred: keras.ops.mean(true) + 0 * keras.ops.mean(pred))
    recorder = Recorder()
    model.fit(
        batches,
        steps_per_epoch=batches.steps,
        shuffle=False,
        initial_epoch=epoch,
        epochs=epochs,
        verbose=0,
        callbacks=[recorder],
    )
    return recorder.epochs


@pytest.mark.parametrize("built", [True, False])
def test_fit_sees_each_epoch_in_its_order_from_any_start(built):
    images = np.tile(np.arange(24, dtype=np.uint8)[:, None, None, None], (1, 32, 32, 3))
    batches = data.Batches(images, 24, 1, seed=6)
    expected = [batches.index[batches.order(epoch)].tolist() for epoch in range(3)]
    assert images_that_fit_sees(batches, 0, 3, built) == expected
    resumed = data.Batches(images, 24, 1, seed=6, first_step=24)
    assert images_that_fit_sees(resumed, 1, 3, built) == expected[1:]


def peak_of_an_epoch(images, size):
    tracemalloc.reset_peak()
    batches = data.Batches(images, size, 128, seed=0)
    for i in range(0, batches.steps + 20, 40):  # into the next epoch, whose order is made anew
        batches[i]
    return tracemalloc.get_traced_memory()[1]


def test_rotations_take_no_memory():
    tracemalloc.start()
    try:
        images = np.zeros((100_000, 32, 32, 3), np.uint8)
        unturned = peak_of_an_epoch(images, 100_000)
        turned = peak_of_an_epoch(images, 400_000)
    finally:
        tracemalloc.stop()
    assert images.nbytes < unturned < turned < 1.05 * unturned
