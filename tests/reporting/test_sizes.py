"""Claims at two numbers of images: the published excerpt beside a larger preset's, made up from it."""

import numpy as np
import pytest

from study.experiments import tables
from study.reporting import figures, sizes

CLAIM = "larger_batches_end_level_or_better"


@pytest.fixture
def larger(output):
    """Writes claims of `cifar`: the excerpt's, with what is named changed in one of them."""
    claims = tables.read("excerpt", "claims", published=True).assign(preset="cifar")

    def write(**changes):
        claims.loc[claims.claim == CLAIM, list(changes)] = list(changes.values())
        tables.write("cifar", "claims", claims)
        return sizes.beside("cifar").set_index("claim")

    return write


def test_claims_with_chance_in_them_stand_side_by_side(larger):
    rows = larger(estimate=0.02, low=0.01, high=0.03, verdict="holds", wording="Other words.")
    published = tables.read("excerpt", "claims", published=True).set_index("claim")
    assert set(rows.index) == set(published.index[published.over.notna() & (published.over != "")])
    row = rows.loc[CLAIM]
    assert (row.estimate_large, row.wording, row.same) == (0.02, "Other words.", "no")
    assert row.estimate_small == published.estimate[CLAIM] and row.verdict_small == "does not hold"
    assert set(rows.drop(index=CLAIM).same) == {"yes"}


def test_one_seed_shows_its_estimate_and_no_verdict(larger):
    row = larger(low=np.nan, high=np.nan, n=1, verdict="could not be tested here").loc[CLAIM]
    assert row.same == "not known yet"


def test_the_figure_has_both_estimates_of_each_difference(larger):
    rows = larger().reset_index()
    shown = rows[(rows.unit == "MS-SSIM") & (rows.region_low <= 0)]
    (axis,) = figures.draw("cifar", "claims_sizes").axes
    few, many = (container.lines[0].get_xdata().astype(float) for container in axis.containers)
    np.testing.assert_allclose(few, shown.estimate_small)
    np.testing.assert_allclose(many, shown.estimate_large)
    assert [text.get_text().replace("\n", " ") for text in axis.get_yticklabels()] == list(shown.wording)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["9,453 images", "99,920 images"]
