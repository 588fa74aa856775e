"""The threshold by made defects."""

from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.runs import Result
from desktop_app.core.synthetic import (
    MOST,
    SyntheticScores,
    forget_synthetic,
    read_synthetic,
    sampled,
    write_synthetic,
)
from desktop_app.sdk.errors import InvalidInput


def scores(normal: list[float], made: list[float]) -> SyntheticScores:
    return SyntheticScores(np.array(normal), np.array(made), "held-out images", 3)


def slow_f1(found: SyntheticScores, threshold: float) -> float:
    hits = sum(score >= threshold for score in found.made.tolist())
    alarms = sum(score >= threshold for score in found.normal.tolist())
    return 2 * hits / (hits + alarms + len(found.made))


def test_the_threshold_has_the_highest_f1_of_all() -> None:
    random = np.random.default_rng(0)
    found = SyntheticScores(random.normal(0, 1, 60), random.normal(1.5, 1, 50), "images", 0)
    f1, threshold = found.best()

    everything = [*found.normal.tolist(), *found.made.tolist()]
    assert f1 == pytest.approx(max(slow_f1(found, score) for score in everything))
    assert slow_f1(found, threshold) == pytest.approx(f1)


def test_the_threshold_lies_in_the_middle_of_a_gap() -> None:
    assert scores([1, 2, 3], [9, 10]).best() == (1.0, 6.0)


def test_images_with_several_defects_count_as_often() -> None:
    normal, made = [1.0, 2.0, 5.0], [4.0, 6.0, 6.0] * 3
    once, often = scores(normal, made[:3]), scores(normal, made)
    assert often.best() == once.best()


def test_equal_scores_still_have_a_threshold() -> None:
    f1, threshold = scores([1, 1], [1, 1]).best()
    assert (f1, threshold) == (pytest.approx(2 / 3), 1.0)


def test_the_basis_says_how_many_which_seed_and_how_far_to_trust_it() -> None:
    told = scores([1, 2, 3], [9, 10]).basis()
    for words in ("3 held-out images", "2 synthetic defects", "seed 3", "may look different"):
        assert words in told


def test_few_images_are_refused_and_many_are_sampled() -> None:
    with pytest.raises(InvalidInput, match="there are 4"):
        sampled(np.arange(4))
    chosen = sampled(np.arange(5000))
    assert (len(chosen), chosen[0], chosen[-1]) == (MOST, 0, 4999)


def test_what_was_scored_is_kept_until_the_scores_are_made_anew(tmp_path: Path) -> None:
    result, found = Result(tmp_path), scores([1, 2], [3])
    assert read_synthetic(result) is None
    write_synthetic(result, found)
    kept = read_synthetic(result)
    assert kept is not None
    assert (kept.best(), kept.basis()) == (found.best(), found.basis())
    (tmp_path / "synthetic.json").write_text("{", encoding="utf-8")
    assert read_synthetic(result) is None
    forget_synthetic(result)
    assert list(tmp_path.iterdir()) == []
