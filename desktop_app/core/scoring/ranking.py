"""Measures of images at one threshold and over all thresholds, from scores and truth.

A threshold found here is one of the scores itself, so applying it to the same scores gives the same
counts. Areas are exact: ties are handled by counting, no curve is sampled.

Letters: N images, T distinct thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from desktop_app.core.scoring.checks import (
    Counts,
    Floats,
    finite_scores,
    require_length,
)
from desktop_app.core.scoring.labels import truth_from_labels
from desktop_app.sdk.errors import InvalidInput


@dataclass(frozen=True)
class Confusion:
    """Counts of flagged and unflagged images at one threshold; a ratio of nothing is `None`."""

    tp: int
    """Anomalous and flagged."""
    fp: int
    """Normal but flagged: a false alarm."""
    fn: int
    """Anomalous but not flagged: missed."""
    tn: int
    """Normal and not flagged."""

    @property
    def precision(self) -> float | None:
        """Share of flagged images that are anomalous."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of anomalous images that are flagged."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float | None:
        """Share of all images that are judged rightly."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def false_positive_rate(self) -> float | None:
        """Share of normal images that are flagged."""
        return _ratio(self.fp, self.fp + self.tn)


@dataclass(frozen=True)
class ThresholdTable:
    """Sorted scores with cumulative counts, so that any threshold is answered in O(log N)."""

    scores: Floats
    """All scores, ascending, shape (N,)."""
    positives_from: Counts
    """Anomalous images among `scores[i:]`, shape (N + 1,)."""

    @classmethod
    def build(cls, scores: ArrayLike, positive: ArrayLike) -> "ThresholdTable":
        """Sort scores (N,) beside their truth (N,), once.

        Raises InvalidInput where the lengths differ or a score is not finite.
        """
        values = finite_scores(scores)
        truth = np.asarray(positive, dtype=np.bool_)
        require_length("truth values", len(truth), len(values))
        order = np.argsort(values, kind="stable")
        positives_from = np.zeros(len(values) + 1, dtype=np.int64)
        positives_from[:-1] = truth[order][::-1].cumsum()[::-1]
        return cls(values[order], positives_from)

    @property
    def positives(self) -> int:
        """Anomalous images in all."""
        return int(self.positives_from[0])

    @property
    def negatives(self) -> int:
        """Normal images in all."""
        return len(self.scores) - self.positives

    def at(self, threshold: float) -> Confusion:
        """Return the counts when every score >= threshold is flagged."""
        first = int(np.searchsorted(self.scores, threshold, side="left"))
        tp = int(self.positives_from[first])
        fp = len(self.scores) - first - tp
        return Confusion(tp=tp, fp=fp, fn=self.positives - tp, tn=self.negatives - fp)

    def steps(self) -> tuple[Floats, Counts, Counts]:
        """Return the distinct scores from high to low with true and false positives, each (T,)."""
        is_first = np.ones(len(self.scores), dtype=np.bool_)
        is_first[1:] = self.scores[1:] != self.scores[:-1]
        first = np.flatnonzero(is_first)[::-1]
        true_positives = self.positives_from[first]
        return self.scores[first], true_positives, len(self.scores) - first - true_positives

    def auroc(self) -> float:
        """Return the probability that an anomalous image outscores a normal one, ties one half."""
        self._require_both_kinds("AUROC")
        _, tp, fp = self.steps()
        tp, fp = np.append(0, tp), np.append(0, fp)
        twice_the_wins = int(np.sum(np.diff(fp) * (tp[1:] + tp[:-1])))  # exact: whole numbers
        return twice_the_wins / (2 * self.positives * self.negatives)

    def average_precision(self) -> float:
        """Return the precision averaged over the steps of recall, without interpolation."""
        self._require_positives("Average precision")
        _, tp, fp = self.steps()
        gained = np.diff(tp, prepend=0)
        return float(np.sum(gained * (tp / (tp + fp))) / self.positives)

    def best_f1(self) -> tuple[float, float]:
        """Return the largest F1 and the highest threshold that reaches it."""
        self._require_positives("F1")
        thresholds, tp, fp = self.steps()
        f1 = 2 * tp / (tp + fp + self.positives)
        best = int(np.argmax(f1))  # the first: fewest flagged
        return float(f1[best]), float(thresholds[best])

    def _require_positives(self, measure: str) -> None:
        if not self.positives:
            raise InvalidInput(
                f"{measure} needs at least one anomalous image; "
                f"all {len(self.scores)} images are normal."
            )

    def _require_both_kinds(self, measure: str) -> None:
        if not self.positives or not self.negatives:
            raise InvalidInput(
                f"{measure} needs at least one normal and one anomalous image; "
                f"came {self.negatives} normal and {self.positives} anomalous."
            )


def confusion(scores: ArrayLike, positive: ArrayLike, threshold: float) -> Confusion:
    """Count flagged and unflagged images of scores (N,) at one threshold."""
    return ThresholdTable.build(scores, positive).at(threshold)


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve of scores (N,); a tie counts one half (Mann-Whitney)."""
    return ThresholdTable.build(scores, positive).auroc()


def aupr(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the average precision of scores (N,): the area under the precision-recall steps."""
    return ThresholdTable.build(scores, positive).average_precision()


def f1_max(scores: ArrayLike, positive: ArrayLike) -> tuple[float, float]:
    """Return the largest F1 of scores (N,) and the highest score that reaches it as threshold."""
    return ThresholdTable.build(scores, positive).best_f1()


@dataclass(frozen=True)
class RocCurve:
    """One point per distinct threshold from high to low, after the point (0, 0); each (T + 1,)."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats
    """The first is infinite: nothing is flagged."""


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """One point per distinct threshold from high to low, after recall 0; each (T + 1,)."""

    recall: Floats
    precision: Floats
    thresholds: Floats
    """The first is infinite: nothing is flagged, and precision is 1 by convention."""


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> RocCurve:
    """Return the receiver operating characteristic of scores (N,)."""
    table = ThresholdTable.build(scores, positive)
    table._require_both_kinds("The ROC curve")
    thresholds, tp, fp = table.steps()
    return RocCurve(
        false_positive_rate=np.append(0.0, fp / table.negatives),
        true_positive_rate=np.append(0.0, tp / table.positives),
        thresholds=np.append(np.inf, thresholds),
    )


def precision_recall_curve(scores: ArrayLike, positive: ArrayLike) -> PrecisionRecallCurve:
    """Return precision over recall of scores (N,)."""
    table = ThresholdTable.build(scores, positive)
    table._require_positives("The precision-recall curve")
    thresholds, tp, fp = table.steps()
    return PrecisionRecallCurve(
        recall=np.append(0.0, tp / table.positives),
        precision=np.append(1.0, tp / (tp + fp)),
        thresholds=np.append(np.inf, thresholds),
    )


def per_defect(scores: ArrayLike, labels: Sequence[str]) -> dict[str, float]:
    """Return, for each anomalous label in alphabetical order, its AUROC against all normal images.

    Raises InvalidInput when no image has a normal label.
    """
    values = finite_scores(scores)
    require_length("labels", len(labels), len(values))
    truth = truth_from_labels(labels)
    if truth is None:
        raise InvalidInput(
            "The AUROC per defect needs images labelled good, normal or ok; none has such a label."
        )
    names = np.array(labels, dtype=np.str_)
    normal = truth.labelled & ~truth.anomalous
    defects = sorted(set(names[truth.anomalous].tolist()))
    return {
        defect: auroc(values[chosen], (names == defect)[chosen])
        for defect in defects
        for chosen in [normal | (names == defect)]
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
