"""Studies: what each asks for can be trained, told apart, shown and drawn."""

from dataclasses import replace

import pytest

from study.experiments import presets, runs, studies
from study.experiments.presets import PRESETS
from study.experiments.studies import STUDIES
from study.ground import paths
from study.ground.errors import StudyError
from study.reporting import figures

EACH = [(study, preset) for study in STUDIES.values() for preset in study.presets]
IDS = [f"{study.name}-{preset}" for study, preset in EACH]


def test_no_study_hides_another_of_its_name():
    assert len(STUDIES) == len(studies._ALL) and len(PRESETS) == len(presets._ALL)
    assert all(name == study.name for name, study in STUDIES.items())


def test_every_preset_has_a_study_and_every_study_presets_that_are_there():
    assert {preset for _, preset in EACH} == set(PRESETS)
    for preset in PRESETS:
        of_preset = [study.name for study in studies.of_preset(preset)]
        assert of_preset == [study.name for study in STUDIES.values() if runs.plan(preset, study.name)]


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_a_study_is_shown_by_a_notebook_that_is_there(study):
    assert (paths.NOTEBOOKS / f"{study.notebook}.ipynb").is_file()
    assert study.question.endswith("?")


@pytest.mark.parametrize(("study", "preset"), EACH, ids=IDS)
def test_settings_are_fields_of_a_run_and_none_is_asked_for_twice(study, preset):
    settings = study.settings(PRESETS[preset])
    assert settings and study.presets[preset]
    for setting in settings:
        assert set(setting) <= set(runs.PARAMETERS) - {"seed"}
    assert set(study.varies) <= set(runs.PARAMETERS)
    planned = runs.plan(preset, study.name)
    assert len(planned) == len(settings) * len(set(study.presets[preset]))


@pytest.mark.parametrize(("study", "preset"), EACH, ids=IDS)
def test_a_settings_words_are_its_own(study, preset):
    """Seeds of one setting share its words, and no other setting has them."""
    words = {}
    for run in runs.plan(preset, study.name):
        words.setdefault(study.setting(run), set()).add(replace(run, seed=0))
    assert all(len(settings) == 1 for settings in words.values())
    assert len(words) == len(study.settings(PRESETS[preset]))


def test_a_settings_words_are_fields_with_their_values():
    run = runs.plan("excerpt", "scaled_rate", batch_size=[32], seed=[0])[0]
    assert STUDIES["scaled_rate"].setting(run) == "batch size 32, learning rate 0.005"
    assert STUDIES["batch_size"].setting(run) == "batch size 32"


KINDS = [(study.name, kind) for study in STUDIES.values() for kind in study.figures]


@pytest.mark.parametrize(("study", "kind"), KINDS)
def test_a_studys_figures_are_known_to_those_who_draw_them(study, kind, output):
    """Of tables that are not there, only these are missed."""
    with pytest.raises(StudyError, match=r"(history|runs)\.csv is not there"):
        figures.draw("smoke", f"{study}_{kind}")


def test_a_figure_that_no_study_has_is_refused(output):
    with pytest.raises(StudyError, match="There is no figure 'batch_size_dreams'; choose one of .*batch_size_quality"):
        figures.draw("smoke", "batch_size_dreams")


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(
        StudyError, match="There is no preset 'tiny'; choose one of smoke, laptop, excerpt, cifar, codec"
    ):
        presets.preset("tiny")
