"""The value of the maps that stands for a score."""

import numpy as np
import pytest

from desktop_app.gui.inspector.contours import scale_of

SCORES = np.linspace(1, 3, 50)


def test_scores_that_are_peaks_keep_their_value() -> None:
    scale = scale_of(SCORES, SCORES)
    assert scale is not None
    assert scale.is_one
    assert scale.value(1.7) == 1.7


def test_as_many_peaks_lie_above_the_value_as_scores_above_the_threshold() -> None:
    random = np.random.default_rng(0)
    peaks = SCORES**2 * 10 + random.normal(size=50)
    scale = scale_of(SCORES, peaks)
    assert scale is not None
    for threshold in (1.3, 2.0, 2.9):
        above = int(np.count_nonzero(threshold <= SCORES))
        assert abs(int((peaks >= scale.value(threshold)).sum()) - above) <= 1


def test_beyond_the_scores_the_value_goes_on() -> None:
    scale = scale_of(SCORES, SCORES * 2 + 5)
    assert scale is not None
    assert scale.value(4.0) == pytest.approx(13.0)
    assert scale.value(0.0) == pytest.approx(5.0)


def test_equal_scores_break_nothing() -> None:
    scale = scale_of(np.ones(10), np.arange(10.0))
    assert scale is not None
    assert np.isfinite(scale.value(2.0))


def test_a_few_images_tell_no_scale() -> None:
    assert scale_of(SCORES[:7], SCORES[:7]) is None
    assert scale_of(np.full(50, np.nan), SCORES) is None
