"""What scores are measured against: labels of the folder, or the analyst's own verdicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring import ThresholdTable
from desktop_app.core.zones import NAMES, Thresholds, Zone
from desktop_app.gui.categories import splits_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session

Mask = NDArray[np.bool_]

_CELLS: dict[str, tuple[tuple[Zone, ...], bool]] = {
    "tp": (("fail",), True),
    "fn": (("review", "pass"), True),
    "fp": (("fail",), False),
    "tn": (("review", "pass"), False),
    **{f"{zone}-anomalous": ((zone,), True) for zone in NAMES},
    **{f"{zone}-normal": ((zone,), False) for zone in NAMES},
}
"""The zones and the truth that each cell of a table of counts stands for."""


@dataclass(frozen=True)
class Judgement:
    """Scored images of which it is known whether they are anomalous."""

    key: str
    """"test", "labels" or "verdicts"."""
    short: str
    """Whose word it is: "test labels"."""
    name: str
    """What the images are, for sentences: "labelled test images"."""
    known: Mask
    """(N,): images that count."""
    anomalous: Mask
    """(N,): anomalous ones among them."""
    table: ThresholdTable

    @property
    def is_complete(self) -> bool:
        """Whether both kinds are there, so that every measure is defined."""
        return bool(self.table.positives and self.table.negatives)

    def outcome(self, scores: NDArray[np.floating], thresholds: Thresholds, kind: str) -> Mask:
        """Return (N,), True for the images of one cell of the table of counts.

        `kind` is "tp", "fn", "fp", "tn", or a zone and a truth such as "review-normal".
        """
        zones, anomalous = _CELLS[kind]
        inside = np.zeros(len(scores), np.bool_)
        for zone in zones:
            inside |= thresholds.within(scores, zone)
        return np.asarray(self.known & inside & (self.anomalous == anomalous))


def judgements(session: Session) -> list[Judgement]:
    """Return what the scores can be measured against, the best first; none without knowledge."""
    by_verdicts = judgement_by_verdicts(session)
    found = [*judgements_by_labels(session), *([by_verdicts] if by_verdicts is not None else [])]
    return best_first(found)


def judgements_by_labels(session: Session) -> list[Judgement]:
    """Return what labels say of the test images, and of all where that is something else."""
    labelled = session.truth >= 0
    on_test = labelled & splits_of(session).mask(frozenset({"test"}))
    kinds = [("test", (tr("test labels"), tr("labelled test images")), on_test)]
    if (labelled != on_test).any():
        kinds.append(("labels", (tr("all labels"), tr("labelled images")), labelled))
    anomalous = session.truth == 1
    found = [_judgement(session, key, names, known, anomalous) for key, names, known in kinds]
    return [one for one in found if one is not None]


def judgement_by_verdicts(session: Session) -> Judgement | None:
    """Return what the analyst says; None before the first verdict."""
    judged = np.isin(session.verdicts, (1, 2))
    names = (tr("my verdicts"), tr("images judged by you"))
    return _judgement(session, "verdicts", names, judged, session.verdicts == 2)


def best_first(found: list[Judgement]) -> list[Judgement]:
    """Return those first by which every measure is defined."""
    return sorted(found, key=lambda one: not one.is_complete)


def _judgement(
    session: Session, key: str, names: tuple[str, str], known: Mask, anomalous: Mask
) -> Judgement | None:
    result = session.result
    if result is None or result.scores is None or len(known) != len(result.scores):
        return None
    known = known & np.isfinite(result.scores)
    if not known.any():
        return None
    table = ThresholdTable.build(result.scores[known], anomalous[known])
    return Judgement(key, *names, known, known & anomalous, table)
