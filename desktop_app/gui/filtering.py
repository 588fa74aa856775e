"""The one filter of the window, put together from what each view asks for.

A view sets a named criterion - labels, a range of scores, words in the path - and the images that
meet all of them are visible everywhere. Criteria are asked again when what they speak of changes.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.zones import Zone
from desktop_app.gui.categories import (
    Categories,
    category_name,
    clusters_of,
    labels_of,
    searchable_paths,
    splits_of,
    tags_of,
    verdicts_of,
)
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.zones import zone_name

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Criterion:
    """One condition on images."""

    text: str
    """What it says, for the analyst."""
    mask: Callable[[Session], Mask | None]
    """Return (N,) for the present table; None where the condition cannot be asked."""
    keys: frozenset[str] = frozenset()
    """The words of a category that it lets pass."""
    depends_on: frozenset[str] = frozenset()
    """"result", "verdicts", "tags", "threshold", "left_out": with what its answer changes."""


class SharedFilter(QObject):
    """The criteria of all views of one session."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._criteria: dict[str, Criterion] = {}
        self._folder = session.folder
        session.table_changed.connect(self._follow_table)
        session.result_changed.connect(self._follow_result)
        session.verdicts_changed.connect(self._follow_verdicts)
        session.threshold_changed.connect(self._follow_threshold)
        session.left_out_changed.connect(self._follow_left_out)
        shared_tags(session).changed.connect(self._follow_tags)

    def criteria(self) -> dict[str, Criterion]:
        """Return the criteria by name, the oldest first."""
        return dict(self._criteria)

    def criterion(self, name: str) -> Criterion | None:
        """Return the criterion of a name, or None."""
        return self._criteria.get(name)

    def set(self, name: str, criterion: Criterion | None) -> None:
        """Put a criterion in the place of the one of this name; None takes it away."""
        if criterion is None and name not in self._criteria:
            return
        if criterion is None:
            del self._criteria[name]
        else:
            self._criteria[name] = criterion
        self._apply()
        self.changed.emit()

    def clear(self) -> None:
        """Show all images."""
        if self._criteria:
            self._criteria.clear()
            self._apply()
            self.changed.emit()

    def mask(self, *, without: Collection[str] = ()) -> Mask:
        """Return (N,), True for images that meet all criteria but those named."""
        visible = np.ones(len(self._session.table), np.bool_)
        for name, criterion in self._criteria.items():
            if name not in without:
                mask = criterion.mask(self._session)
                if mask is not None and len(mask) == len(visible):
                    visible &= mask
        return visible

    def _follow_table(self) -> None:
        """Ask again for the new table; another folder starts without a filter."""
        if self._session.folder is not self._folder:
            self._folder = self._session.folder
            self.clear()
        elif self._criteria:
            self._apply()

    def _apply(self) -> None:
        self._session.set_filter(self.mask() if self._criteria else None)

    def _follow_result(self) -> None:
        self._ask_again("result")

    def _follow_left_out(self) -> None:
        self._ask_again("left_out")

    def _follow_verdicts(self) -> None:
        self._ask_again("verdicts")

    def _follow_tags(self) -> None:
        self._ask_again("tags")

    def _follow_threshold(self) -> None:
        self._ask_again("threshold")

    def _ask_again(self, about: str) -> None:
        if any(about in criterion.depends_on for criterion in self._criteria.values()):
            self._apply()


def shared_filter(session: Session) -> SharedFilter:
    """Return the filter of a session; made by whoever asks first."""
    found = session.findChild(SharedFilter)
    return found if isinstance(found, SharedFilter) else SharedFilter(session)


COLUMNS: dict[str, Callable[[Session], Categories | None]] = {
    "label": labels_of,
    "split": splits_of,
    "verdict": verdicts_of,
    "cluster": clusters_of,
    "tag": tags_of,
}
"""The columns of words by which images are coloured and filtered."""


def among(kind: str, keys: frozenset[str]) -> Criterion:
    """Let pass the images whose label, split, verdict, cluster or tag is among `keys`."""
    names = [category_name(kind, key) for key in sorted(keys)]
    shown = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
    texts = {
        "label": tr("Label: {names}", names=shown),
        "split": tr("Split: {names}", names=shown),
        "verdict": tr("Verdict: {names}", names=shown),
        "cluster": tr("Cluster: {names}", names=shown),
        "tag": tr("Tag: {names}", names=shown),
    }

    def mask(session: Session) -> Mask | None:
        column = COLUMNS[kind](session)
        return column.mask(keys) if column is not None else None

    depends = {
        "verdict": frozenset({"verdicts"}),
        "cluster": frozenset({"result"}),
        "tag": frozenset({"tags"}),
    }
    return Criterion(texts[kind], mask, keys, depends.get(kind, frozenset()))


def path_contains(words: str) -> Criterion:
    """Let pass the images whose path contains every one of the words, in any case."""
    wanted = words.casefold().split()

    def mask(session: Session) -> Mask:
        paths = searchable_paths(session)
        found = (all(word in path for word in wanted) for path in paths)
        return np.fromiter(found, np.bool_, len(paths))

    return Criterion(tr("Path: {words}", words=words.strip()), mask)


def scored_between(low: float, high: float) -> Criterion:
    """Let pass the images whose score lies in a range, both ends included."""

    def mask(session: Session) -> Mask | None:
        scores = session.result.scores if session.result is not None else None
        return None if scores is None else (scores >= low) & (scores <= high)

    text = tr("Score: {low} to {high}", low=f"{low:.4g}", high=f"{high:.4g}")
    return Criterion(text, mask, depends_on=frozenset({"result"}))


def flagged() -> Criterion:
    """Let pass the images whose score reaches the threshold."""

    def mask(session: Session) -> Mask | None:
        scores = session.result.scores if session.result is not None else None
        if scores is None or session.threshold is None:
            return None
        return np.asarray(scores >= session.threshold)

    depends_on = frozenset({"result", "threshold"})
    return Criterion(tr("At or above the threshold"), mask, depends_on=depends_on)


def in_zone(zone: Zone) -> Criterion:
    """Let pass the images that pass, are for review, or fail."""

    def mask(session: Session) -> Mask | None:
        scores = session.result.scores if session.result is not None else None
        if scores is None or session.thresholds is None:
            return None
        return session.thresholds.within(scores, zone)

    text = tr("Zone: {name}", name=zone_name(zone))
    return Criterion(text, mask, frozenset({zone}), frozenset({"result", "threshold"}))


def only_left_out() -> Criterion:
    """Let pass the images that are left out of training."""
    depends_on = frozenset({"left_out"})
    return Criterion(
        tr("Left out of training"), lambda session: session.left_out.copy(), depends_on=depends_on
    )


def these(rows: NDArray[np.int64], count: int) -> Criterion:
    """Let pass exactly these rows of a table of `count` images."""
    chosen = np.zeros(count, np.bool_)
    chosen[rows] = True
    return Criterion(tr("{n} chosen images", n=f"{len(rows):,}"), lambda _session: chosen)
