"""The answers' words and numbers, from made-up tables and, for chance, from scipy."""

import pandas as pd
import pytest
from scipy import stats

from study.experiments import runs, tables
from study.reporting import answers


@pytest.fixture
def batch_sizes(output, finish, monkeypatch):
    """Makes the table of final scores: MS-SSIM by batch size, one number per seed."""

    def make(scores, statuses=("done",)):
        rows = [
            {"batch_size": size, "seed": seed, "ms_ssim": value, "psnr": 10 + size, "status": statuses[0]}
            for size, values in scores.items()
            for seed, value in enumerate(values)
        ]
        rows[-1]["status"] = statuses[-1]
        table = pd.DataFrame(rows)
        monkeypatch.setattr(tables, "of_studies", lambda *names, **options: table)
        monkeypatch.setattr(tables, "final", lambda table: table)
        return answers.of_study("smoke", "batch_size")

    return make


def test_the_best_and_the_worst_setting_are_named_with_their_scores(batch_sizes):
    text = batch_sizes({8: [0.70, 0.72, 0.71], 16: [0.60, 0.61, 0.62], 32: [0.65, 0.66, 0.64]})
    assert text.startswith("At `smoke`, of 3 settings, **batch size 8** ends best, with an MS-SSIM[w3,L4] of 0.710 and")
    assert "batch size 16 worst, with 0.610 and 26.00\u00a0dB" in text


def test_chance_is_judged_for_all_pairs_together(batch_sizes):
    scores = {8: [0.70, 0.72, 0.71], 16: [0.60, 0.61, 0.64], 32: [0.65, 0.67, 0.68]}
    text = batch_sizes(scores)
    tests = {pair: stats.ttest_rel(scores[pair[0]], scores[pair[1]]) for pair in ((8, 16), (8, 32), (32, 16))}
    bounds = tests[8, 16].confidence_interval(0.95)
    assert f"is 0.093 [{bounds.low:.3f}, {bounds.high:.3f}] over 3 seeds" in text
    ps = sorted(test.pvalue for test in tests.values())
    expected = max(p * (3 - rank) for rank, p in enumerate(ps) if p <= tests[8, 16].pvalue)
    assert f"p = {expected:.3f} after Holm's correction for all 3 pairs" in text
    assert ("larger than chance" in text) == (expected < 0.05)


@pytest.mark.parametrize("scores", [{8: [0.7], 16: [0.6]}, {8: [0.7, 0.8, 0.9], 16: [0.6, float("nan"), float("nan")]}])
def test_a_difference_of_one_seed_cannot_be_told_from_chance(scores, batch_sizes):
    """Of one seed each, or of one that both have a score of."""
    assert "with so few seeds in common nobody can tell it from chance" in batch_sizes(scores)


def test_one_setting_has_nothing_beside_it(batch_sizes):
    text = batch_sizes({48: [0.7, 0.6]})
    assert text.startswith("At `smoke` there is one setting, batch size 48, which ends with an MS-SSIM[w3,L4] of 0.650")


def test_runs_that_failed_are_counted(batch_sizes):
    assert batch_sizes({8: [0.7], 16: [0.1]}, ("done", "collapsed")).endswith("Of 2 runs, 1 collapsed.")
    assert batch_sizes({48: [0.1]}, ("collapsed",)).endswith("it has nothing beside it. The run has collapsed.")
    assert batch_sizes({8: [float("nan")]}, ("diverged",)) == (
        "No run of this study has a score at `smoke`, so there is no answer yet. The run has diverged."
    )


def test_an_answer_of_no_runs(output, finish):
    finish(runs.plan("smoke", "train_size")[0])
    tables.collect("smoke")
    assert answers.of_study("smoke", "loss") == (
        "No run of this study has a score at `smoke`, so there is no answer yet."
    )


@pytest.mark.parametrize("study", ["batch_size", "train_size", "loss", "learning_rate", "passes"])
def test_published_answers_say_what_the_published_tables_hold(study):
    text = answers.of_study("excerpt", study, published=True)
    last = tables.final(tables.of_studies("excerpt", "history", study, published=True))
    varied = ["loss", "binarizer_gain", "schedule"] if study == "loss" else ["cell", "iterations"]
    means = last.groupby(varied if study in ("loss", "passes") else study).ms_ssim.mean()
    assert f"of {means.max():.3f} and" in text and f"with {means.min():.3f} and" in text


def test_answers_on_one_table_each():
    assert "12.46\u00a0dB" in answers.data("excerpt") and "9,453 images" in answers.data("excerpt")
    assert "30,225,283" in answers.network("excerpt") and "970,143,792" in answers.network("excerpt")
    assert "bytes on the same images without its header" in answers.samples("excerpt")
    assert "1.812" in answers.rates("codec")
    assert answers.colour("excerpt", published=True).count("after") == 4
    judged = tables.read("excerpt", "claims", published=True)
    assert f"Of {len(judged)} claims, {(judged.verdict == 'holds').sum()} hold" in answers.claims(judged)
    parts = tables.read("codec", "part_differences", published=True)
    assert answers.parts(parts).startswith("Of 6 comparisons")
    assert "of the original images right" in answers.use(tables.read("codec", "use", published=True))
