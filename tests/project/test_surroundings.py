"""Settings of other programs change nothing here, or are refused in a line; CONTRIBUTING.md has the table of them."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from study.codec import compression, weights
from study.experiments import runs
from study.grid import jobs
from study.ground import paths
from study.ground.errors import StudyError
from study.reporting import markdown

PLAIN = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.ROOT)}


def study(*arguments, cwd=paths.ROOT, **environment):
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=PLAIN | environment, capture_output=True, text=True)


def refused(done):
    """The one line in which a command ended."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("study: ")]
    assert done.returncode == 2 and "Traceback" not in done.stderr
    return line


# Keras


@pytest.fixture
def keras_home(tmp_path):
    """A home of Keras whose settings are these."""

    def keras_home(**settings):
        (tmp_path / "keras.json").write_text(json.dumps(settings))
        return str(tmp_path)

    return keras_home


def test_settings_of_keras_for_other_projects_change_no_byte_of_a_file(tmp_path, keras_home):
    """Those of Keras 1 and 2, and variables that would end a training after one step."""
    picture = np.random.default_rng(0).integers(0, 256, (33, 33, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    home = keras_home(floatx="float16", epsilon=0.1, backend="theano", image_data_format="channels_first")
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "1"}
    done = study("compress", tmp_path / "a.png", tmp_path / "a.rnn", "--iterations", 2, KERAS_HOME=home, **limits)
    assert done.returncode == 0, done.stderr
    here = compression.compress(weights.load(weights.DEFAULT), picture, 2).file
    assert (tmp_path / "a.rnn").read_bytes() == here


CONFIGURED = """
from study.engine import keras
c = keras.config
print(c.floatx(), c.epsilon(), c.image_data_format(), c.max_epochs(), c.max_steps_per_epoch(), c.backend())
"""


def test_keras_is_set_up_alike_also_where_another_module_has_loaded_it_before(keras_home):
    home = keras_home(floatx="float64", epsilon=1e-3, image_data_format="channels_first")
    environment = PLAIN | {"KERAS_HOME": home, "KERAS_MAX_EPOCHS": "1"}
    command = [sys.executable, "-c", "import keras\n" + CONFIGURED]
    done = subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["float32", "1e-07", "channels_last", "None", "None", "tensorflow"], done.stderr


@pytest.mark.parametrize(
    ("settings", "environment", "words"),
    [
        ({"floatx": "float8"}, {}, ["floatx=float8", "keras.json", "KERAS_HOME"]),
        (
            {},
            {"KERAS_BACKEND": "theano"},
            ["KERAS_BACKEND='theano' is no backend of the study", "tensorflow, jax, torch"],
        ),
    ],
)
def test_settings_that_keras_refuses_are_named_with_their_place(settings, environment, words, keras_home, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    environment |= {"KERAS_HOME": keras_home(**settings)}
    said = refused(study("compress", tmp_path / "a.png", tmp_path / "a.rnn", **environment))
    assert all(word in said for word in words), said


# Snakemake


def dry_run(tmp_path, output, **environment):
    """What the grid would do: its command, with another option."""
    code = (
        "import sys; from study.grid import jobs; run = jobs._run\n"
        "jobs._run = lambda command, preset: run([*command, '--dry-run'], preset)\n"
        "jobs.train_missing('smoke', 1)"
    )
    environment = PLAIN | {"HOME": str(tmp_path / "home"), "STUDY_OUTPUT": str(output)} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)


def test_profiles_of_snakemake_for_other_workflows_change_nothing_and_a_home_need_not_be_writable(tmp_path):
    """The variable, a folder `profiles/default` where the command is typed, spaces in names, and no home."""
    for folder in (tmp_path / "slurm", tmp_path / "profiles" / "default"):
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("executor: slurm\njobs: 50\n")
    output = tmp_path / "out put"
    done = dry_run(tmp_path, output, SNAKEMAKE_PROFILE=str(tmp_path / "slurm"), HOME="/proc/none")
    words = output / "results" / "runs" / "smoke.snakemake.txt"
    assert "slurm" not in words.read_text() and "invalid choice" not in words.read_text()
    assert "train" in words.read_text()
    # A dry run ends well and has trained nothing, which is not taken for success.
    assert "5 runs of smoke are not finished" in done.stderr
    assert [path for path in output.rglob("*") if path.is_file() and ".snakemake" not in path.parts] == [words]


def test_a_python_in_a_folder_with_a_space_is_one_word_of_the_jobs_command(tmp_path):
    python = tmp_path / "my study" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    command = [python, "-m", "snakemake", "--snakefile", paths.SNAKEFILE, "--directory", tmp_path / "o p"]
    command += ["--config", "preset=smoke", "--dry-run", "--printshellcmds", "--cores", "1"]
    environment = PLAIN | {"HOME": str(tmp_path), "STUDY_OUTPUT": str(tmp_path / "o p")}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(paths.ROOT), *(path for path in sys.path if "site-packages" in path)]
    )
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
    assert f"'{python}' -m study train" in done.stdout + done.stderr, done.stderr


def test_a_grid_whose_workflow_says_that_it_succeeded_and_did_nothing_has_failed(output, monkeypatch):
    """As one does that is told to run dry."""
    monkeypatch.setattr(jobs, "_run", lambda command, preset: 0)
    with pytest.raises(StudyError, match="5 runs of smoke are not finished; none of them has begun"):
        jobs.train_missing("smoke", 1)


# Python, the locale, Matplotlib


@pytest.fixture(scope="module")
def plan():
    """Prints what the smoke grid would take, in these surroundings."""

    def plan(**environment):
        done = study("plan", "--preset", "smoke", HOME="/proc/none", STUDY_OUTPUT="/proc/none/output", **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return plan


@pytest.fixture(scope="module")
def plain(plan):
    return plan()


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "123", "PYTHONSAFEPATH": "1", "PYTHONSTARTUP": "/nowhere"},
        {"PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"OMP_NUM_THREADS": "", "CUDA_VISIBLE_DEVICES": "", "GIT_DIR": "/nowhere", "COLUMNS": "20", "TERM": ""},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_variables_of_python_and_the_locale_change_no_word(environment, plan, plain):
    assert plan(**environment) == plain and "5 to train" in plain


def test_words_beyond_ascii_are_read_and_written_in_any_locale(tmp_path):
    """README has dashes, notebooks too."""
    code = (
        "import sys; from study.ground import paths; from study.reporting import markdown\n"
        "text = (paths.ROOT / 'README.md').read_text(encoding='utf-8')\n"
        "sys.stdout.buffer.write(markdown.fill(text).encode())"
    )
    environment = PLAIN | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == markdown.fill((paths.ROOT / "README.md").read_text(encoding="utf-8"))


def test_settings_of_matplotlib_for_other_figures_change_no_byte(tmp_path, output):
    """A person's own file, and a backend that needs a screen."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 40\naxes.facecolor: red\nbackend: TkAgg\n")
    drawn = []
    for environment in ({}, {"MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": "TkAgg", "HOME": str(tmp_path)}):
        code = (
            "from study.reporting import figures, style; from study.ground import paths\n"
            "style.save(figures.draw('recipe', 'architecture', published=True), 'recipe', 'a')"
        )
        made = tmp_path / str(len(drawn))
        environment = PLAIN | {"STUDY_OUTPUT": str(made)} | environment
        environment |= {"MPLBACKEND": "agg"} if not drawn else {}
        done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr
        drawn.append([(made / "figures" / "recipe" / f"a.{kind}").read_bytes() for kind in ("png", "pdf")])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("name", "value"), [("TF_NUM_INTRAOP_THREADS", "two"), ("TF_NUM_INTEROP_THREADS", "-1")])
def test_a_number_of_threads_that_is_none_is_refused(name, value, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    said = refused(study("compress", tmp_path / "a.png", tmp_path / "a.rnn", **{name: value}))
    assert f"{name}='{value}' is no number of threads" in said


def test_warnings_that_a_person_has_made_errors_end_no_training(tmp_path):
    """Keras' way to NumPy warns of something, say."""
    values = ("epochs=1", "width=1/32", "train_size=32", "batch_sizes=32", "seeds=0")
    arguments = ("train", "smoke", "--study", "batch_size", "--set", *values, "--name", "tiny")
    done = study(*arguments, STUDY_OUTPUT=str(tmp_path), PYTHONWARNINGS="error")
    assert done.returncode == 0 and "tables in" in done.stdout, done.stderr


# Disks


@pytest.fixture
def begun(output):
    """An output folder in which one run was begun by somebody else."""
    run = runs.plan("smoke")[0]
    runs.write_manifest(run, {"status": "running", "epochs_done": 1, "seconds": 3})
    (run.folder / "lock").touch()
    return output


def test_somebody_elses_runs_are_looked_at_without_writing(begun):
    if os.geteuid() == 0:
        mount = f"mount --bind {begun} {begun} && mount -o remount,ro,bind {begun} && exec "
        command = ["unshare", "-m", "sh", "-c", mount + f"{sys.executable} -m study progress --preset smoke"]
        if subprocess.run(["unshare", "-m", "sh", "-c", mount + "true"], capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
    else:
        command = [sys.executable, "-m", "study", "progress", "--preset", "smoke"]
        for folder in (begun, *(path for path in begun.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
    environment = PLAIN | {"STUDY_OUTPUT": str(begun)}
    done = subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True)
    for folder in (begun, *(path for path in begun.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert f"{runs.plan('smoke')[0].id}: cut off, epoch 1 of 6" in done.stdout


def test_a_disk_without_locks_is_named_in_a_line(begun, tmp_path):
    """By a Python that starts with a system call less, as on Lustre that was mounted without flock."""
    (tmp_path / "sitecustomize.py").write_text(
        "import errno, fcntl\ndef flock(*_):\n    raise OSError(errno.ENOSYS, 'Function not implemented')\n"
        "fcntl.flock = flock\n"
    )
    path = os.pathsep.join([str(tmp_path), str(paths.ROOT)])
    for command in (("progress", "--preset", "smoke"), ("tables", "--preset", "smoke")):
        said = refused(study(*command, STUDY_OUTPUT=str(begun), PYTHONPATH=path))
        assert "has no file locks (Function not implemented)" in said and "STUDY_OUTPUT" in said


def test_the_place_that_lists_what_comes_from_outside_has_every_variable_that_is_read():
    text = (paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in (paths.ROOT / "study").rglob("*.py"))
    families = "STUDY KERAS CIFAR PHOTOS KODAK CUDA TF OMP TQDM PYTHON JUPYTER IPYTHON MPL MATPLOTLIB SNAKEMAKE GIT XDG"
    read = set(re.findall(rf'"((?:{families.replace(" ", "|")})[A-Z_]*[A-Z])"', source))
    assert {"STUDY_OUTPUT", "KERAS_BACKEND", "PYTHONSTARTUP", "SNAKEMAKE_PROFILE"} <= read
    assert {name for name in read if f"`{name}`" not in text} == set()
