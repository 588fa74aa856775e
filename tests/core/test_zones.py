"""Pass, review or fail."""

import numpy as np
import pytest

from desktop_app.core.scoring import ThresholdTable
from desktop_app.core.zones import NAMES, Thresholds, first_thresholds, zone_counts
from desktop_app.sdk.errors import InvalidInput

SCORES = np.array([0.0, 1.0, 2.0, 3.0, np.nan])


def test_a_score_is_in_exactly_one_zone() -> None:
    thresholds = Thresholds(2.0, 1.0)
    assert [thresholds.zone(score) for score in SCORES] == ["pass", "review", "fail", "fail", None]
    inside = np.array([thresholds.within(SCORES, zone) for zone in NAMES])
    assert inside.sum(axis=0).tolist() == [1, 1, 1, 1, 0]


def test_without_a_review_zone_nothing_is_for_review() -> None:
    thresholds = Thresholds(2.0)
    assert thresholds.zones == ("fail", "pass")
    assert not thresholds.within(SCORES, "review").any()
    assert thresholds.within(SCORES, "pass").sum() == 2


def test_one_threshold_makes_way_for_the_other() -> None:
    assert Thresholds(3.0, 2.0).with_fail(1.0) == Thresholds(1.0, 1.0)
    assert Thresholds(3.0, 2.0).with_review(4.0) == Thresholds(4.0, 4.0)
    assert Thresholds(3.0, 2.0).with_review(None) == Thresholds(3.0)


def test_a_review_zone_above_the_threshold_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"at or below the threshold 1, got 2"):
        Thresholds(1.0, 2.0)


@pytest.mark.parametrize("review", [None, 2.0, 5.0])
def test_counts_of_zones_equal_those_of_their_masks(review: float | None) -> None:
    random = np.random.default_rng(0)
    scores, positive = random.integers(0, 10, 200).astype(float), random.random(200) < 0.3
    thresholds = Thresholds(5.0, review)
    counts = zone_counts(ThresholdTable.build(scores, positive), thresholds)
    assert tuple(counts) == thresholds.zones
    for zone, count in counts.items():
        inside = thresholds.within(scores, zone)
        assert count.anomalous == (inside & positive).sum()
        assert count.normal == (inside & ~positive).sum()


def test_the_threshold_to_begin_with_follows_from_what_is_known() -> None:
    scores = np.concatenate([np.linspace(0, 1, 99), [9.0, 10.0, np.nan]])
    truth = np.full(102, -1, np.int8)
    unseen = np.ones(102, np.bool_)
    unseen[50:99] = False

    nothing_known = first_thresholds(scores, truth)
    assert (scores >= nothing_known.fail).sum() == 2  # both, and not a fixed share
    assert first_thresholds(scores[:99], truth[:99]).fail > 1  # of usual images alone none

    truth[:99] = 0
    assert (scores[:99] >= first_thresholds(scores, truth).fail).sum() == 0  # 99 * .01 < 1
    assert first_thresholds(scores, truth, unseen).fail < 0.6  # those not trained on alone

    truth[99] = 1
    assert first_thresholds(scores, truth).fail == 9.0
    truth[98] = 1  # at 1.0; three normal images, not test images, lie between
    scores[90:93] = 5.0
    tested = np.zeros(102, np.bool_)
    tested[[0, 1, 98, 99]] = True
    assert first_thresholds(scores, truth).fail > 5.0
    assert first_thresholds(scores, truth, tested=tested).fail == 1.0
    assert first_thresholds(scores, truth, tested=tested & (truth == 1)).fail > 5.0
    with pytest.raises(InvalidInput, match="at least one score"):
        first_thresholds(scores[101:], truth[101:])
