import numpy as np
import pytest
from scipy.stats import spearmanr

from desktop_app.core.agreement import agreement, correlation_interval, shares_below
from desktop_app.sdk.errors import InvalidInput


def test_the_correlation_is_spearmans() -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=200).round(1)  # with ties
    second = np.exp(first) + random.normal(size=200)

    found = agreement([first, second])

    assert found.correlation[0, 1] == pytest.approx(spearmanr(first, second).statistic)


def test_a_monotone_change_of_scale_changes_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=50)

    found = agreement([scores, np.exp(3 * scores) + 7])

    assert found.correlation[0, 1] == pytest.approx(1)
    assert found.disagreement.max() == 0
    np.testing.assert_array_equal(np.argsort(found.together), np.argsort(scores))


def test_images_on_which_runs_disagree_stand_out() -> None:
    first = np.arange(100.0)
    second = first.copy()
    second[3] = 1000  # usual to one, the most unusual of all to the other

    found = agreement([first, second])

    assert int(np.nanargmax(found.disagreement)) == 3
    assert found.disagreement[3] > 0.9


def test_images_that_one_run_has_not_scored_are_left_out() -> None:
    first = np.array([1.0, 2.0, np.nan, 4.0])

    found = agreement([first, np.arange(4.0)])

    assert np.isnan(found.together[2])
    assert np.isfinite(found.together[[0, 1, 3]]).all()


def test_a_run_whose_scores_are_all_equal_correlates_with_none() -> None:
    assert agreement([np.zeros(5), np.arange(5.0)]).correlation[0, 1] == 0


@pytest.mark.parametrize(
    "scores", [[np.zeros(3)], [np.zeros(3), np.zeros(4)], [np.full(3, np.nan), np.zeros(3)]]
)
def test_what_cannot_be_compared_is_refused(scores: list[np.ndarray]) -> None:
    with pytest.raises(InvalidInput, match="Expected"):
        agreement(scores)


def test_the_interval_of_a_correlation_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    normal = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(400, 60))
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a normal pair

    intervals = [
        correlation_interval(float(agreement([pair[:, 0], pair[:, 1]]).correlation[0, 1]), 60)
        for pair in normal
    ]

    covered = np.mean([one.low <= truth <= one.high for one in intervals])
    assert 0.91 < covered < 0.985


def test_the_interval_of_a_few_images_says_nothing() -> None:
    few = correlation_interval(1.0, 4)
    assert (few.low, few.high) == (-1, 1)
    many = correlation_interval(1.0, 1000)
    assert many.low > 0.999


def test_new_scores_are_placed_among_a_reference() -> None:
    shares = shares_below(np.array([0.0, 2.0, 9.0, np.nan]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert shares[:3].tolist() == [0, 0.375, 1]
    assert np.isnan(shares[3])
