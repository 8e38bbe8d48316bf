"""What a person can mend is one line; what the program did wrong keeps its traceback."""

import os
import subprocess
import sys

import pytest

from study.__main__ import main
from study.experiments import runs

# `python -m study`, in which counting a preset's runs fails as a program does that has a fault.
BROKEN = """
import runpy
from study.experiments import runs

def broken(*_, **__):
    raise ValueError("as NumPy does")

runs.plan = broken
runpy.run_module("study", run_name="__main__", alter_sys=True)
"""


def study(output, *arguments, code=None, **environment):
    """The command line in a process of its own, with everything it makes below `output`."""
    command = [sys.executable, *(("-c", code) if code else ("-m", "study")), *arguments]
    environment = os.environ | {"STUDY_OUTPUT": str(output)} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_what_a_person_can_mend_is_one_line(tmp_path):
    done = study(tmp_path, "train", "smoke", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("study: There is no run 'nothing' in smoke; its ")


def test_its_traceback_is_shown_to_those_who_ask(tmp_path):
    done = study(tmp_path, "train", "smoke", "nothing", STUDY_TRACEBACK="1")
    assert done.returncode == 1 and done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1].startswith("study.ground.errors.StudyError: There is no run 'nothing'")


def test_a_fault_of_the_program_keeps_its_traceback(tmp_path):
    """A ValueError too, of which StudyError is a kind."""
    done = study(tmp_path, "plan", "--preset", "smoke", code=BROKEN)
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "in broken" in done.stderr and "study: " not in done.stderr
    assert done.stderr.splitlines()[-1] == "ValueError: as NumPy does"


@pytest.mark.parametrize("error", [KeyError("a"), TypeError(), ZeroDivisionError()])
def test_so_do_other_faults(error, output, monkeypatch):
    monkeypatch.setattr(runs, "plan", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(type(error)):
        main(["plan", "--preset", "smoke"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--preset", "smoke"], "history.csv is not there. `make study PRESET=smoke` makes it."),
        (["tables", "--preset", "smoke"], "no finished run yet. `make study PRESET=smoke` makes them."),
        (["unpack", "nowhere.tar.gz"], "No such file or directory: 'nowhere.tar.gz'"),
        (["info", "nowhere.rnn"], "nowhere.rnn"),
    ],
)
def test_every_command_says_what_is_wrong_in_a_line(arguments, message, output, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and line.startswith("study: ") and message in line


def test_problems_of_tables_are_lines_before_that_one(output, capsys):
    folder = output / "results" / "smoke"
    folder.mkdir(parents=True)
    for name in ("one.csv", "other.csv"):
        (folder / name).write_text("a\n1\n")
    with pytest.raises(SystemExit):
        main(["check", "--preset", "smoke"])
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{name} is no table of the study" for name in ("one.csv", "other.csv")]
    assert said.err == "study: The tables of smoke are not in order: 2 problems, listed above.\n"
