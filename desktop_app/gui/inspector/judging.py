"""What scores are measured against: labels of the folder, or the analyst's own verdicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring import (
    ThresholdTable,
    false_alarm_threshold,
    mad_threshold,
    quantile_threshold,
)
from desktop_app.gui.categories import splits_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.scorescale import reference_of
from desktop_app.gui.session import Session

Mask = NDArray[np.bool_]

OUTCOMES = ("tp", "fn", "fp", "tn")
"""Found, missed, false alarm, passed."""


@dataclass(frozen=True)
class Judgement:
    """Scored images of which it is known whether they are anomalous."""

    key: str
    """"test", "labels" or "verdicts"."""
    name: str
    """What the images are, for the analyst."""
    known: Mask
    """(N,): images that count."""
    anomalous: Mask
    """(N,): anomalous ones among them."""
    table: ThresholdTable

    @property
    def is_complete(self) -> bool:
        """Whether both kinds are there, so that every measure is defined."""
        return bool(self.table.positives and self.table.negatives)

    def outcome(self, scores: NDArray[np.floating], threshold: float, kind: str) -> Mask:
        """Return (N,), True for the images of one cell of the confusion matrix."""
        flagged = scores >= threshold
        cells = {
            "tp": self.anomalous & flagged,
            "fn": self.anomalous & ~flagged,
            "fp": ~self.anomalous & flagged,
            "tn": ~self.anomalous & ~flagged,
        }
        return np.asarray(self.known & cells[kind])


def judgements(session: Session) -> list[Judgement]:
    """Return what the scores can be measured against, the best first; none without knowledge."""
    result = session.result
    if result is None or result.scores is None:
        return []
    scores = result.scores
    scored = np.isfinite(scores)
    labelled = scored & (session.truth >= 0)
    on_test = labelled & splits_of(session).mask(frozenset({"test"}))
    judged = scored & np.isin(session.verdicts, (1, 2))
    found = []
    for key, name, known, anomalous in (
        ("test", tr("labelled test images"), on_test, session.truth == 1),
        ("labels", tr("labelled images"), labelled, session.truth == 1),
        ("verdicts", tr("images judged by you"), judged, session.verdicts == 2),
    ):
        if known.any():
            table = ThresholdTable.build(scores[known], anomalous[known])
            found.append(Judgement(key, name, known, known & anomalous, table))
    same = len(found) > 1 and [one.key for one in found[:2]] == ["test", "labels"]
    if same and (found[0].known == found[1].known).all():
        del found[1]
    return sorted(found, key=lambda one: not one.is_complete)


@dataclass(frozen=True)
class Proposal:
    """A threshold that follows from a rule."""

    name: str
    value: float | None
    """None where the rule cannot be followed."""
    detail: str
    """What it means, or why it cannot be followed."""


def proposals(session: Session, judgement: Judgement | None) -> list[Proposal]:
    """Return the automatic thresholds: by labels where there are some, else by normal images."""
    found = [_best_f1(judgement)]
    reference = reference_of(session)
    if len(reference) < _FEWEST:
        reason = tr("Needs at least {n} scored images.", n=_FEWEST)
        return [*found, *(Proposal(name, None, reason) for name in _rule_names())]
    quantile, alarms, deviations = _rule_names()
    count = f"{len(reference):,} {reference.name}"
    alarm = false_alarm_threshold(reference.scores, _RATE)
    interval = f"{100 * alarm.interval.low:.1f}-{100 * alarm.interval.high:.1f} %"
    return [
        *found,
        Proposal(quantile, quantile_threshold(reference.scores, _QUANTILE), count),
        Proposal(
            alarms,
            alarm.threshold,
            tr("{count}; true rate {interval} (95 %)", count=count, interval=interval),
        ),
        Proposal(deviations, mad_threshold(reference.scores, _DEVIATIONS), count),
    ]


_FEWEST = 5
_QUANTILE, _RATE, _DEVIATIONS = 0.99, 0.01, 3.0


def _rule_names() -> tuple[str, str, str]:
    return (
        tr("99 % quantile"),
        tr("At most 1 % false alarms"),
        tr("Median + 3 robust deviations"),
    )


def _best_f1(judgement: Judgement | None) -> Proposal:
    name = tr("Best F1")
    if judgement is None or not judgement.is_complete:
        reason = tr("Needs images known to be normal and anomalous: labels, or your verdicts.")
        return Proposal(name, None, reason)
    f1, threshold = judgement.table.best_f1()
    count = int(judgement.known.sum())
    detail = tr("F1 {f1} on {n} {images}", f1=f"{f1:.3f}", n=f"{count:,}", images=judgement.name)
    return Proposal(name, threshold, detail)
