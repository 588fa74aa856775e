"""Orders of the gallery: rows sorted by path, label, score or verdict."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.gui.categories import labels_of
from desktop_app.gui.session import Session

SortKey = Literal["path", "label", "score", "verdict"]

_VERDICT_PLACES = np.array([3, 2, 0, 1])
"""Anomalous first, then unsure, normal, not judged."""


def sorted_rows(
    session: Session, rows: NDArray[np.int64], key: SortKey, *, descending: bool = False
) -> NDArray[np.int64]:
    """Return the rows sorted; equal ones by path, those without a score last either way."""
    rows = np.sort(rows)  # the table is sorted by path
    values = _values(session, key)
    if values is None:
        return rows[::-1] if descending else rows
    chosen = values[rows]
    missing = np.isnan(chosen)
    order = np.argsort(-chosen if descending else chosen, kind="stable")
    order = np.concatenate([order[~missing[order]], order[missing[order]]])
    return rows[order]


def _values(session: Session, key: SortKey) -> NDArray[np.float64] | None:
    """Return what is sorted by (N,), or None for the order of the table."""
    if key == "label":
        return labels_of(session).codes.astype(np.float64)
    if key == "verdict":
        return _VERDICT_PLACES[session.verdicts].astype(np.float64)
    if key == "score" and session.result is not None and session.result.scores is not None:
        return session.result.scores.astype(np.float64)
    return None
