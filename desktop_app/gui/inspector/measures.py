"""Scores and threshold of the folder: histogram, confusion matrix, ratios, curves."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.scoring import Confusion
from desktop_app.gui.categories import Categories, categories, labels_of
from desktop_app.gui.filtering import Criterion, scored_between, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.inspector.automaticmenu import AutomaticMenu
from desktop_app.gui.inspector.counts import ConfusionMatrix, outcome_name
from desktop_app.gui.inspector.curves import ScoreCurves
from desktop_app.gui.inspector.histogram import ScoreHistogram, binned
from desktop_app.gui.inspector.judging import (
    Judgement,
    best_first,
    judgement_by_verdicts,
    judgements_by_labels,
)
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, Theme, current_theme, follow_theme, set_role
from desktop_app.gui.widgets import (
    ChoiceField,
    ElidedLabel,
    NumberField,
    Readout,
    ReadoutRow,
    Segment,
    Segmented,
    named,
)

_OWN_CRITERIA = ("score", "flagged", "outcome")
"""What is chosen here leaves the bars as they are, so that the threshold can be dragged back."""

_MOST_LABELS = 8
"""More labels than these are counted as normal, anomalous or unknown."""


class Measures(QWidget):
    """Moves the threshold and tells at once what that means."""

    judgement_changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self._from_labels: list[Judgement] = []
        self._judgements: list[Judgement] = []
        self._judgement: Judgement | None = None
        self._outcome = ""
        self._drawn: NDArray[np.bool_] | None = None
        self.histogram = ScoreHistogram()
        self.matrix = ConfusionMatrix()
        self.curves = ScoreCurves()
        self.readouts = {
            "precision": Readout(
                tr("Precision"), tip=tr("Share of flagged images that are anomalous")
            ),
            "recall": Readout(tr("Recall"), tip=tr("Share of anomalous images that are flagged")),
            "f1": Readout(tr("F1"), tip=tr("Harmonic mean of precision and recall")),
            "false_positive_rate": Readout(
                tr("False alarms"), tip=tr("Share of normal images that are flagged")
            ),
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.m)
        row.addLayout(self._left(), 1)
        row.addWidget(self._right())
        self.histogram.threshold_moved.connect(session.set_threshold)
        self.histogram.range_chosen.connect(self._choose_range)
        self.histogram.range_cleared.connect(lambda: self._filter.set("score", None))
        self.matrix.chosen.connect(self._choose_outcome)
        session.result_changed.connect(self.show_scores)
        session.verdicts_changed.connect(self._show_verdicts)
        session.filter_changed.connect(self._show_bars)
        session.threshold_changed.connect(self.show_threshold)
        self._filter.changed.connect(self._show_filter)
        follow_theme(self._recolour)
        self.show_scores()

    def judgement(self) -> Judgement | None:
        """Return what the scores are measured against, None without knowledge."""
        return self._judgement

    def confusion(self) -> Confusion | None:
        """Return the counts at the present threshold."""
        threshold = self._session.threshold
        if self._judgement is None or threshold is None:
            return None
        return self._judgement.table.at(threshold)

    def show_scores(self) -> None:
        """Take over the scores of another result."""
        self._from_labels = judgements_by_labels(self._session)
        self._offer_judgements()
        self._choose_judgement()
        self._drawn = None
        self._show_bars()
        self.show_threshold()

    def show_threshold(self) -> None:
        """Take over the threshold of the session; nothing here depends on how many images."""
        threshold = self._session.threshold
        self.histogram.set_threshold(threshold)
        self._number.setEnabled(threshold is not None)
        if threshold is not None:
            with QSignalBlocker(self._number):
                self._number.setValue(threshold)
        confusion = self.confusion()
        self.matrix.set_confusion(confusion)
        self.curves.set_point(confusion)
        for name, readout in self.readouts.items():
            value = getattr(confusion, name) if confusion is not None else None
            readout.set_value("" if value is None else f"{100 * value:.1f} %")
        self._flagged_text.setText(self._flagged_sentence())

    # building

    def _left(self) -> QVBoxLayout:
        title = QLabel(tr("Threshold"))
        set_role(title, "heading")
        self._number: QDoubleSpinBox = NumberField(
            tr("Threshold"),
            -1e9,
            1e9,
            0,
            4,
            tr("Images with this score or a higher one are flagged"),
        )
        self._number.setFixedWidth(104)
        self._number.valueChanged.connect(self._session.set_threshold)
        self._menu = AutomaticMenu(self._session, self.judgement, self)
        self._menu.chosen.connect(self._session.set_threshold)
        self.automatic = named(
            QToolButton(), tr("Automatic threshold"), tr("Let a rule find the threshold")
        )
        self.automatic.setText(tr("Automatic"))
        self.automatic.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.automatic.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_icon(self.automatic, "target")
        self.automatic.setMenu(self._menu)
        self._logarithmic = named(
            QToolButton(), tr("Logarithmic counts"), tr("Show few images beside many")
        )
        self._logarithmic.setText(tr("Log scale"))
        self._logarithmic.setCheckable(True)
        self._logarithmic.toggled.connect(self.histogram.set_logarithmic)
        self._flagged_text = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._flagged_text, "caption")
        bar = QHBoxLayout()
        bar.setSpacing(SPACE.s)
        bar.addWidget(title)
        bar.addWidget(self._number)
        bar.addWidget(self.automatic)
        bar.addWidget(self._flagged_text, 1)
        bar.addWidget(self._logarithmic)
        column = QVBoxLayout()
        column.setSpacing(SPACE.xs)
        column.addLayout(bar)
        column.addWidget(self.histogram, 1)
        return column

    def _right(self) -> QWidget:
        self._pages = Segmented(
            tr("Measures"),
            [Segment("counts", tr("Counts")), Segment("curves", tr("Curves"))],
        )
        self._basis = ChoiceField(tr("Measured on"), tip=tr("Who says which images are anomalous"))
        self._basis.chosen.connect(lambda _key: self._choose_other_judgement())
        self._basis_text = QLabel(tr("by"))
        set_role(self._basis_text, "caption")
        bar = QHBoxLayout()
        bar.setSpacing(SPACE.s)
        bar.addWidget(self._pages)
        bar.addStretch(1)
        bar.addWidget(self._basis_text)
        bar.addWidget(self._basis)
        counts = QWidget()
        page = QVBoxLayout(counts)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(SPACE.s)
        page.addWidget(self.matrix, 1)
        page.addWidget(ReadoutRow(list(self.readouts.values())))
        unknown = QLabel(
            tr(
                "Precision and recall need images that are known to be normal or anomalous: "
                "labels from folder names, or your own verdicts (N and A on the keyboard)."
            )
        )
        unknown.setWordWrap(True)
        unknown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(unknown, "secondary")
        self._stack = QStackedWidget()
        for widget in (counts, self.curves, unknown):
            self._stack.addWidget(widget)
        self._pages.chosen.connect(lambda _key: self._show_page())
        right = QWidget()
        right.setFixedWidth(340)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addLayout(bar)
        column.addWidget(self._stack, 1)
        return right

    # what is known

    def _offer_judgements(self) -> None:
        by_verdicts = judgement_by_verdicts(self._session)
        found = [*self._from_labels, *([by_verdicts] if by_verdicts is not None else [])]
        self._judgements = best_first(found)
        self._basis.set_choices([(one.key, one.short) for one in self._judgements])
        for widget in (self._basis, self._basis_text):
            widget.setVisible(len(self._judgements) > 0)

    def _choose_judgement(self) -> None:
        chosen = {one.key: one for one in self._judgements}.get(self._basis.choice())
        self._judgement = chosen or (self._judgements[0] if self._judgements else None)
        self.curves.set_table(self._judgement.table if self._judgement is not None else None)
        self._show_page()
        self.judgement_changed.emit()

    def _choose_other_judgement(self) -> None:
        self._choose_judgement()
        self.show_threshold()

    def _show_page(self) -> None:
        if self._judgement is None:
            self._stack.setCurrentIndex(2)
        else:
            self._stack.setCurrentIndex(0 if self._pages.choice() == "counts" else 1)

    def _show_verdicts(self) -> None:
        """Measure anew where the verdicts are what is measured against."""
        before = self._judgement.key if self._judgement is not None else ""
        self._offer_judgements()
        if before in ("", "verdicts"):
            self._choose_judgement()
            self.show_threshold()

    # the histogram

    def _groups(self) -> Categories:
        """Return what the bars are stacked by: labels, or truth where there are too many."""
        labels = labels_of(self._session)
        if len(labels) <= _MOST_LABELS:
            return labels
        words = np.array(["", tr("Normal"), tr("Anomalous")])[self._session.truth + 1]
        return categories("label", words.tolist())

    def _show_bars(self) -> None:
        result = self._session.result
        if result is None or result.scores is None:
            return
        groups = self._groups()
        shown = self._filter.mask(without=_OWN_CRITERIA) & np.isfinite(result.scores)
        if self._drawn is not None and np.array_equal(shown, self._drawn):
            return
        self._drawn = shown
        finite = result.scores[np.isfinite(result.scores)]
        limits = (float(finite.min()), float(finite.max())) if len(finite) else None
        bars = binned(result.scores[shown], groups.codes[shown], len(groups), limits)
        theme = current_theme()
        colours = [groups.colour(code, theme) for code in range(len(groups))]
        if len(groups) == 1:
            colours = [theme.category(0)]
        self.histogram.set_bars(bars, colours)
        decimals = _decimals(limits)
        if decimals != self._number.decimals():
            with QSignalBlocker(self._number):
                self._number.setDecimals(decimals)
                self._number.setSingleStep(10.0 ** -(decimals - 1))
        self._flagged_text.setText(self._flagged_sentence())

    def _flagged_sentence(self) -> str:
        result, threshold = self._session.result, self._session.threshold
        if result is None or result.scores is None or threshold is None:
            return ""
        flagged = int(np.count_nonzero(result.scores >= threshold))
        total = int(np.count_nonzero(np.isfinite(result.scores)))
        return tr("flags {n} of {total}", n=f"{flagged:,}", total=f"{total:,}")

    def _choose_range(self, low: float, high: float) -> None:
        """Show and select the images with these scores."""
        result = self._session.result
        if result is not None and result.scores is not None:
            self._filter.set("score", scored_between(low, high))
            self._session.select((result.scores >= low) & (result.scores <= high))

    def _show_filter(self) -> None:
        if self._filter.criterion("score") is None:
            self.histogram.show_range(None, None)
        if self._filter.criterion("outcome") is None:
            self._outcome = ""
            self.matrix.mark("")

    # the matrix

    def _choose_outcome(self, kind: str) -> None:
        """Show the images of one cell alone, or all again."""
        if self._judgement is None:
            return
        self._outcome = "" if kind == self._outcome else kind
        self.matrix.mark(self._outcome)
        criterion = self._outcome_criterion(self._outcome) if self._outcome else None
        self._filter.set("outcome", criterion)

    def _outcome_criterion(self, kind: str) -> Criterion:
        def mask(session: Session) -> NDArray[np.bool_] | None:
            judgement, threshold = self._judgement, session.threshold
            scores = session.result.scores if session.result is not None else None
            if judgement is None or threshold is None or scores is None:
                return None
            return judgement.outcome(scores, threshold, kind)

        depends_on = frozenset({"result", "threshold", "verdicts"})
        return Criterion(outcome_name(kind), mask, depends_on=depends_on)

    def _recolour(self, _theme: Theme) -> None:
        self._drawn = None
        self._show_bars()


def _decimals(limits: tuple[float, float] | None) -> int:
    """Return how many decimals tell scores of this range apart."""
    if limits is None or limits[1] <= limits[0]:
        return 4
    return int(np.clip(np.ceil(4 - np.log10(limits[1] - limits[0])), 2, 10))
