"""The command line: its steps in order, a fresh study beside the tracked one, and what a person is told."""

import os
import shutil

import pytest

from study import __main__ as command_line
from study.experiments import tables
from study.experiments.presets import DEFAULT, PUBLISHED
from study.ground import paths
from study.ground.errors import StudyError

STEPS = ("train_missing", "collect", "execute_notebooks", "judge_claims", "draw", "print_paper")


@pytest.fixture
def steps(output, monkeypatch):
    """Which steps are taken, each with its preset and output folder: instead of the steps, which take hours."""
    taken = []
    monkeypatch.setattr(paths, "FRESH", output / "build" / "fresh")
    for name in STEPS:

        def step(options, name=name):
            taken.append((name, options.preset, paths.output(), sorted(paths.FRESH.rglob("*"))))

        monkeypatch.setattr(command_line, name, step)
    return taken


def test_a_study_is_grid_tables_notebooks_claims_figures_and_paper(steps, output):
    command_line.main(["all", "--preset", "excerpt", "--cores", "1"])
    assert steps == [(name, "excerpt", output, []) for name in STEPS]
    steps.clear()
    command_line.main(["all"])
    assert [preset for _, preset, _, _ in steps] == [DEFAULT] * len(STEPS)


def test_a_fresh_study_begins_with_nothing_in_a_folder_of_its_own(steps, output, capsys):
    old = paths.FRESH / "results" / "runs" / "some" / "history.csv"
    old.parent.mkdir(parents=True)
    old.write_text("of an older one")
    command_line.main(["all", "--preset", "smoke", "--fresh"])
    assert steps == [(name, "smoke", output / "build" / "fresh", []) for name in STEPS]
    assert "The tables of smoke are not tracked, so there is nothing to compare" in capsys.readouterr().out


def test_a_study_that_is_not_fresh_keeps_what_is_there(steps, output):
    kept = paths.FRESH / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    command_line.main(["all", "--preset", "smoke"])
    assert kept.exists() and {folder for _, _, folder, _ in steps} == {output}


@pytest.fixture
def fresh(steps):
    """A fresh study whose tables are the tracked ones but for clock times."""
    shutil.copytree(paths.published_tables("recipe"), paths.FRESH / "results" / "recipe")
    (paths.FRESH / "results" / "recipe" / "runs.csv").write_text("of another day")
    return paths.FRESH / "results" / "recipe"


@pytest.fixture
def compared(fresh, monkeypatch):
    """Compares it, as after its last step."""
    monkeypatch.setattr(command_line.shutil, "rmtree", lambda *_, **__: None)  # it stays there as it was made
    return lambda: command_line.main(["all", "--preset", "recipe", "--fresh"])


def test_a_fresh_study_with_the_same_tables_is_said_to_be_equal(compared, capsys):
    compared()
    names = sorted(file.name for file in paths.published_tables("recipe").glob("*.csv") if file.name != "runs.csv")
    assert f"fresh tables equal the tracked ones: {', '.join(names)}\n" in capsys.readouterr().out


def change_a_digit(folder):
    file = folder / "summary.csv"
    file.write_text(file.read_text().replace("7", "8", 1))
    return file.name


def add_a_table(folder):
    (folder / "edges.csv").write_text("preset\n")
    return "edges.csv"


def leave_a_table_out(folder):
    (folder / "networks.csv").unlink()
    return "networks.csv"


@pytest.mark.parametrize("change", [change_a_digit, add_a_table, leave_a_table_out])
def test_a_fresh_study_with_another_table_is_refused_with_its_name(change, compared, fresh, capsys):
    name = change(fresh)
    with pytest.raises(SystemExit) as stopped:
        compared()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"study: {name} in {fresh} differ from those in ")


def test_every_published_preset_is_compared():
    assert all((paths.published_tables(preset) / "history.csv").exists() for preset in PUBLISHED)


@pytest.fixture
def fails(monkeypatch):
    """Runs a command that fails in some way."""

    def fails(error):
        def command(options):
            raise error

        monkeypatch.setattr(command_line, "show_plan", command)
        command_line.main(["plan"])

    return fails


@pytest.mark.parametrize(
    "error", [StudyError("do this"), FileNotFoundError(2, "do this", "x"), PermissionError("do this")]
)
def test_what_a_person_can_mend_is_one_line(error, fails, capsys, monkeypatch):
    monkeypatch.delenv("STUDY_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as stopped:
        fails(error)
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said == f"study: {error}\n" and "do this" in said
    monkeypatch.setenv("STUDY_TRACEBACK", "1")
    with pytest.raises(type(error), match="do this"):
        fails(error)


@pytest.mark.parametrize("error", [ValueError("a fault"), KeyError("a fault"), ZeroDivisionError("a fault")])
def test_a_fault_of_the_program_keeps_its_traceback(error, fails):
    with pytest.raises(type(error), match="a fault"):
        fails(error)


def test_commands_of_the_study_need_its_repository_and_those_of_files_do_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "SNAKEFILE", tmp_path / "Snakefile")
    with pytest.raises(SystemExit):
        command_line.main(["plan"])
    said = capsys.readouterr().err
    assert said.startswith("study: This command needs the repository") and said.count("\n") == 1
    (tmp_path / "a.rnn").write_bytes(b"nothing")
    with pytest.raises(SystemExit):
        command_line.main(["info", str(tmp_path / "a.rnn")])
    assert "does not start as" in capsys.readouterr().err


def test_the_tables_of_a_preset_are_said_to_be_in_order_or_not(capsys, monkeypatch, output):
    shutil.copytree(paths.published_tables("recipe"), paths.tables("recipe"))
    command_line.main(["check", "--preset", "recipe"])
    assert capsys.readouterr().out == "recipe: tables in order, 17 of 17 runs in them\n"
    (tables.path("recipe", "history").parent / "other.csv").write_text("")
    with pytest.raises(SystemExit):
        command_line.main(["check", "--preset", "recipe"])
    told = capsys.readouterr()
    assert told.out == "other.csv is no table of the study\n"
    assert told.err == "study: The tables of recipe are not in order: 1 problems, listed above.\n"


def test_a_train_job_is_quiet_and_has_one_thread(output, monkeypatch, capsys):
    """What makes a run's numbers: they must be set before Keras is imported, which reads them once."""
    from study import training
    from study.experiments import runs

    run, seen = runs.plan("smoke")[0], {}

    def train(run):
        seen.update(os.environ)
        return "done"

    monkeypatch.setattr(training, "train", train)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    command_line.main(["train", "smoke", run.id])
    assert capsys.readouterr().out == f"{run.id} done\n"
    assert seen["TF_NUM_INTRAOP_THREADS"] == seen["OMP_NUM_THREADS"] == seen["TQDM_DISABLE"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    command_line.main(["train", "smoke", run.id])
    assert seen["OMP_NUM_THREADS"] == "3"
