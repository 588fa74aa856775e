"""Pass, review or fail: the zones into which one or two thresholds cut the scores of images.

Shapes: N images.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring import ThresholdTable, mad_threshold, quantile_threshold
from desktop_app.sdk.errors import InvalidInput

Zone = Literal["pass", "review", "fail"]

NAMES: tuple[Zone, ...] = ("pass", "review", "fail")
"""By code; the most unusual zone is the last."""


_QUANTILE = 0.99
"""Of the scores of images known to be normal: a hundredth of them is flagged."""


@dataclass(frozen=True)
class Thresholds:
    """Scores of `fail` or more fail; those below it, of `review` or more, are for a second look.

    Raises InvalidInput where images would fail before they are for review.
    """

    fail: float
    review: float | None = None
    """None: there is no zone for review."""

    def __post_init__(self) -> None:
        if self.review is not None and not self.review <= self.fail:
            raise InvalidInput(
                f"The review zone must begin at or below the threshold {self.fail:.6g}, "
                f"got {self.review:.6g}."
            )

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones that there are, the most unusual first."""
        return ("fail", "pass") if self.review is None else ("fail", "review", "pass")

    def with_fail(self, fail: float) -> "Thresholds":
        """Return these with another threshold; a review zone that began above it is empty."""
        return Thresholds(fail, None if self.review is None else min(self.review, fail))

    def with_review(self, review: float | None) -> "Thresholds":
        """Return these with another beginning of the review zone; the threshold makes way."""
        return Thresholds(self.fail if review is None else max(self.fail, review), review)

    def codes(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
        """Return the zone (N,) of scores (N,) as a place in NAMES, -1 where there is no score."""
        codes = np.full(len(scores), -1, np.int8)
        for code, zone in enumerate(NAMES):
            codes[self.within(scores, zone)] = code
        return codes

    def within(self, scores: NDArray[np.floating[Any]], zone: Zone) -> NDArray[np.bool_]:
        """Return (N,), True for the scores of a zone; no score is in no zone."""
        review = self.fail if self.review is None else self.review
        if zone == "fail":
            return np.asarray(scores >= self.fail)
        if zone == "review":
            return np.asarray((scores >= review) & (scores < self.fail))
        return np.asarray(scores < review)

    def zone(self, score: float) -> Zone | None:
        """Return the zone of one score; None where it is no number."""
        if not np.isfinite(score):
            return None
        if score >= self.fail:
            return "fail"
        return "review" if self.review is not None and score >= self.review else "pass"


@dataclass(frozen=True)
class ZoneCount:
    """Images of one zone whose truth is known."""

    anomalous: int
    normal: int


def zone_counts(table: ThresholdTable, thresholds: Thresholds) -> dict[Zone, ZoneCount]:
    """Count anomalous and normal images per zone, the most unusual zone first, in O(log N)."""
    fail = table.at(thresholds.fail)
    counts: dict[Zone, ZoneCount] = {"fail": ZoneCount(fail.tp, fail.fp)}
    last = fail
    if thresholds.review is not None:
        last = table.at(thresholds.review)
        counts["review"] = ZoneCount(last.tp - fail.tp, last.fp - fail.fp)
    counts["pass"] = ZoneCount(last.fn, last.tn)
    return counts


def first_thresholds(
    scores: NDArray[np.floating[Any]],
    truth: NDArray[np.int8],
    unseen: NDArray[np.bool_] | None = None,
    tested: NDArray[np.bool_] | None = None,
) -> Thresholds:
    """Return the threshold to begin with for scores (N,), NaN where there is none.

    `truth` (N,) is 1 for anomalous, 0 for normal, -1 for unknown images; `unseen` (N,) tells which
    were not trained on, `tested` (N,) which are test images. Where both kinds are known, the
    threshold of the best F1, on the test images if they hold both; with normal images alone, a high
    quantile of them; else three robust deviations above the median: a quantile
    would flag the same share of a folder whatever is in it. Raises InvalidInput without a score.
    """
    there = np.isfinite(scores)
    normal, anomalous = there & (truth == 0), there & (truth == 1)
    if normal.any() and anomalous.any():
        known = normal | anomalous
        if tested is not None and (normal & tested).any() and (anomalous & tested).any():
            known &= tested
        return Thresholds(ThresholdTable.build(scores[known], truth[known] == 1).best_f1()[1])
    usual = normal if normal.any() else there
    if unseen is not None and (usual & unseen).any():
        usual = usual & unseen
    if normal.any():
        return Thresholds(quantile_threshold(scores[usual], _QUANTILE))
    return Thresholds(mad_threshold(scores[usual]))
