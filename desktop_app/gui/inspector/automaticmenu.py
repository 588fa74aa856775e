"""The menu of automatic thresholds: what each rests on, and why it cannot be chosen."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMenu, QWidget, QWidgetAction

from desktop_app.gui.inspector.automatic import (
    Proposal,
    Rules,
    review_quantiles,
    rule_of_both,
    rules_by_tail,
    rules_by_truth,
    rules_by_usual,
    tail_of,
)
from desktop_app.gui.inspector.judging import Judgement
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
