"""The menu of automatic thresholds: what each rests on, and why it cannot be chosen."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMenu, QWidget, QWidgetAction

from desktop_app.core.columns import ResultColumns
from desktop_app.core.synthetic import FEWEST, SyntheticScores, sampled
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.automatic import (
    Proposal,
    Rules,
    review_quantiles,
    rule_of_both,
    rules_by_synthetic,
    rules_by_tail,
    rules_by_truth,
    rules_by_usual,
    tail_of,
)
from desktop_app.gui.inspector.judging import Judgement
from desktop_app.gui.methods import can
from desktop_app.gui.scorescale import Reference, reference_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role


class AutomaticMenu(QMenu):
    """Offers thresholds by rule; the tail of the scores is fitted in the background."""

    chosen = Signal(float)
    both_chosen = Signal(object)
    """Carries Thresholds with a review zone."""

    def __init__(
        self,
        session: Session,
        judgement: Callable[[], Judgement | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._judgement = judgement
        self._reference = Reference(np.zeros(0), "")
        self._fitted = np.zeros(0)  # the scores whose tail is known
        self._tail: list[float] | None = None
        self._tail_actions: list[QAction] = []
        self._made: tuple[ResultColumns, SyntheticScores] | None = None  # and for which scores
        self._asked: ResultColumns | None = None
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        """Offer what follows from the present scores and verdicts."""
        self.clear()
        reference = reference_of(self._session)
        fitted = np.array_equal(reference.scores, self._fitted)
        self._reference = reference
        self._add(rules_by_truth(self._judgement()))
        self._add(rules_by_usual(reference))
        tail = self._tail if fitted else None
        self._tail_actions = self._add(rules_by_tail(reference, tail, pending=not fitted))
        self._add_synthetic(reference)
        self._add_both(reference)
        if not fitted:
            self._session.background.run("tail", lambda: tail_of(reference.scores), self._take_tail)

    def _add(self, rules: Rules) -> list[QAction]:
        if not self.isEmpty():
            self.addSeparator()
        heading = QLabel(rules.heading)
        heading.setContentsMargins(SPACE.s, SPACE.xs, SPACE.m, SPACE.xs)
        set_role(heading, "caption")
        title = QWidgetAction(self)  # the text of a section is not drawn by every style
        title.setDefaultWidget(heading)
        title.setText(rules.heading)
        title.setEnabled(False)
        self.addAction(title)
        return [self._entry(proposal, self.addAction("")) for proposal in rules.proposals]

    def _add_synthetic(self, reference: Reference) -> None:
        """Offer the threshold by made defects, or to make them, which the worker does."""
        result = self._session.result
        if result is None or not can(self._session, "scores"):
            return
        found = result.synthetic
        if self._made is not None and self._made[0] is result:
            found = self._made[1]
        (action,) = self._add(rules_by_synthetic(found, reference))
        if found is not None or len(reference) < FEWEST:
            return
        if self._asked is result:
            action.setText(f"{action.text().partition(chr(9))[0]}\t{tr('being scored…')}")
            return
        action.setEnabled(True)
        action.triggered.connect(lambda _on=False: self._ask(result, reference))

    def _ask(self, result: ResultColumns, reference: Reference) -> None:
        """Have defects made and scored; the threshold moves when that is done."""
        if result.scores is None:
            return
        rows = sampled(reference.rows)
        self._asked = result
        self._session.inference.request(
            "spoil",
            {"ids": self._session.table.ids[rows].tolist(), "images": reference.name},
            {"normal": result.scores[rows]},
            partial(self._take_synthetic, result),
            self._refused,
        )

    def _take_synthetic(
        self, result: ResultColumns, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        self._asked = None
        if result is not self._session.result:
            return
        found = SyntheticScores(
            arrays["normal"], arrays["made"], str(header["images"]), int(header["seed"])
        )
        self._made = (result, found)
        self.chosen.emit(found.best()[1])

    def _refused(self, problem: str) -> None:
        self._asked = None
        self._session.problem.emit(problem)

    def _add_both(self, reference: Reference) -> None:
        """Offer a rule that sets the threshold and the review zone."""
        found = review_quantiles(reference)
        if found is not None:
            self.addSeparator()
            action = self.addAction(f"{rule_of_both()}\t{found.review:.4g}, {found.fail:.4g}")
            action.triggered.connect(lambda _on=False: self.both_chosen.emit(found))

    def _entry(self, proposal: Proposal, action: QAction) -> QAction:
        value = proposal.value
        shown = proposal.short if value is None else f"{value:.4g}"
        action.setText(f"{proposal.name}\t{shown}")
        action.setEnabled(value is not None)
        action.setToolTip(proposal.detail)
        if value is not None:
            action.triggered.connect(lambda _on=False: self.chosen.emit(value))
        return action

    def _take_tail(self, tail: list[float] | None) -> None:
        self._tail, self._fitted = tail, self._reference.scores
        rules = rules_by_tail(self._reference, tail, pending=False)
        for proposal, action in zip(rules.proposals, self._tail_actions, strict=True):
            self._entry(proposal, action)
