"""Scores and thresholds of the folder: histogram, table of counts, ratios, curves."""

from collections.abc import Callable

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
from desktop_app.core.zones import NAMES, Thresholds, Zone, zone_counts
from desktop_app.gui.categories import Categories, categories, labels_of
from desktop_app.gui.filtering import Criterion, scored_between, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.inspector.automaticmenu import AutomaticMenu
from desktop_app.gui.inspector.counts import (
    CountTable,
    cell_name,
    judged_zone_counts,
    outcome_counts,
    zone_only_counts,
)
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
from desktop_app.gui.zones import zone_name

_OWN_CRITERIA = ("score", "flagged", "zone", "outcome")
"""What is chosen here leaves the bars as they are, so that the threshold can be dragged back."""

_NEW_ZONE = 0.1
"""Share of the images that a review zone holds at first."""

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
        self._has_review = False
        self._sorted: NDArray[np.floating] = np.zeros(0)  # finite scores, ascending
        self._drawn: NDArray[np.bool_] | None = None
        self.histogram = ScoreHistogram()
        self.matrix = CountTable()
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
            "escaped": Readout(
                tr("Escaped"), tip=tr("Share of anomalous images that pass: nobody looks at them")
            ),
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.m)
        row.addLayout(self._left(), 1)
        row.addWidget(self._right())
        self.histogram.threshold_moved.connect(session.set_threshold)
        self.histogram.review_moved.connect(session.set_review)
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
        result = self._session.result
        scores = result.scores if result is not None else None
        self._sorted = np.zeros(0) if scores is None else np.sort(scores[np.isfinite(scores)])
        self._from_labels = judgements_by_labels(self._session)
        self._offer_judgements()
        self._choose_judgement()
        self._drawn = None
        self._show_bars()
        self.show_threshold()

    def show_threshold(self) -> None:
        """Take over the thresholds of the session; nothing here loops over images."""
        thresholds = self._session.thresholds
        self.histogram.set_thresholds(thresholds)
        self._show_numbers(thresholds)
        has_review = thresholds is not None and thresholds.review is not None
        if has_review != self._has_review:
            self._has_review = has_review
            self._filter.set("outcome", None)  # its cells are of another table
            self._show_page()
        confusion = self.confusion()
        self.curves.set_point(confusion)
        for name, readout in self.readouts.items():
            value = getattr(confusion, name, None)
            readout.set_value("" if value is None else f"{100 * value:.1f} %")
        self._flagged_text.setText(self._flagged_sentence())
        self._show_counts(confusion)

    def _show_numbers(self, thresholds: Thresholds | None) -> None:
        fail = None if thresholds is None else thresholds.fail
        review = None if thresholds is None else thresholds.review
        for field, value in ((self._number, fail), (self._review_number, review)):
            field.setEnabled(value is not None)
            if value is not None:
                with QSignalBlocker(field):
                    field.setValue(value)
        for widget in self._review_widgets:
            widget.setVisible(review is not None)
        self._add_review.setVisible(review is None)
        self._add_review.setEnabled(fail is not None)
        self._title.setText(tr("Threshold") if review is None else zone_name("fail"))
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        if review is not None:  # two of each take the room of one
            style = Qt.ToolButtonStyle.ToolButtonIconOnly
        self.automatic.setToolButtonStyle(style)

    def _show_counts(self, confusion: Confusion | None) -> None:
        """Count the images of each cell, or of each zone where their truth is not known."""
        thresholds = self._session.thresholds
        if thresholds is None:
            return
        if self._judgement is None or confusion is None:
            self.matrix.set_counts(zone_only_counts(self._zone_sizes(thresholds)))
            return
        if thresholds.review is None:
            self.matrix.set_counts(outcome_counts(confusion))
            return
        counted = zone_counts(self._judgement.table, thresholds)
        self.matrix.set_counts(judged_zone_counts(counted))
        escaped, positives = counted["pass"].anomalous, self._judgement.table.positives
        share = f"{100 * escaped / positives:.1f} %" if positives else ""
        self.readouts["escaped"].set_value(share)

    def _zone_sizes(self, thresholds: Thresholds) -> dict[Zone, int]:
        """Return how many scored images each zone holds, in O(log N)."""
        review = thresholds.fail if thresholds.review is None else thresholds.review
        places = np.searchsorted(self._sorted, (review, thresholds.fail))
        sizes = np.diff(np.concatenate([[0], places, [len(self._sorted)]])).tolist()
        by_zone = dict(zip(NAMES, sizes, strict=True))
        return {zone: by_zone[zone] for zone in thresholds.zones}

    # building

    def _left(self) -> QVBoxLayout:
        self._title = QLabel(tr("Threshold"))
        set_role(self._title, "heading")
        self._number = _number(
            tr("Threshold"), tr("Images with this score or a higher one are flagged")
        )
        self._number.valueChanged.connect(self._session.set_threshold)
        self.automatic = self._rules(
            tr("Automatic threshold"),
            tr("Let a rule find the threshold"),
            self._session.set_threshold,
        )
        review_title = QLabel(zone_name("review"))
        set_role(review_title, "heading")
        self._review_number = _number(
            tr("Beginning of the review zone"),
            tr("Images with this score or a higher one, below the threshold, need a second look"),
        )
        self._review_number.valueChanged.connect(self._session.set_review)
        self.automatic_review = self._rules(
            tr("Automatic beginning of the review zone"),
            tr("Let a rule find where the review zone begins"),
            self._session.set_review,
        )
        self.automatic_review.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        remove = named(QToolButton(), tr("Remove the review zone"), tr("Back to one threshold"))
        set_icon(remove, "x")
        remove.clicked.connect(lambda: self._session.set_review(None))
        self._review_widgets = (review_title, self._review_number, self.automatic_review, remove)
        self._add_review = named(
            QToolButton(),
            tr("Add a review zone"),
            tr("A second threshold: images between both are neither passed nor failed"),
        )
        self._add_review.setText(tr("Review zone"))
        self._add_review.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_icon(self._add_review, "plus")
        self._add_review.clicked.connect(self.add_review_zone)
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
        for widget in self._review_widgets:
            bar.addWidget(widget)
        for widget in (self._title, self._number, self.automatic, self._add_review):
            bar.addWidget(widget)
        bar.addStretch()
        bar.addWidget(self._logarithmic)
        column = QVBoxLayout()
        column.setSpacing(SPACE.xs)
        column.addLayout(bar)
        column.addWidget(self._flagged_text)  # beside the buttons it had room for a few letters
        column.addWidget(self.histogram, 1)
        return column

    def _rules(self, name: str, tip: str, choose: Callable[[float], None]) -> QToolButton:
        """Return a button with the menu of rules for one of the thresholds."""
        menu = AutomaticMenu(self._session, self.judgement, self)
        menu.chosen.connect(choose)
        menu.both_chosen.connect(self._session.set_thresholds)
        button = named(QToolButton(), name, tip)
        button.setText(tr("Automatic"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_icon(button, "target")
        button.setMenu(menu)
        return button

    def add_review_zone(self) -> None:
        """Begin a review zone that holds a share of the images, those just below the threshold."""
        thresholds = self._session.thresholds
        if thresholds is None or not len(self._sorted):
            return
        first = int(np.searchsorted(self._sorted, thresholds.fail))
        place = max(0, first - max(1, round(_NEW_ZONE * len(self._sorted))))
        self._session.set_review(min(float(self._sorted[place]), thresholds.fail))

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
        self._readout_row = ReadoutRow(list(self.readouts.values()))
        page.addWidget(self._readout_row)
        self._unknown = QLabel(
            tr(
                "Precision and recall need images that are known to be normal or anomalous: "
                "labels from folder names, or your own verdicts (N and A on the keyboard)."
            )
        )
        self._unknown.setWordWrap(True)
        self._unknown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self._unknown, "secondary")
        page.addWidget(self._unknown)
        self._stack = QStackedWidget()
        for widget in (counts, self.curves):
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
        known = self._judgement is not None
        self._pages.setVisible(known)
        self._readout_row.setVisible(known)
        self._unknown.setVisible(not known)
        hidden = "f1" if self._has_review else "escaped"
        self._readout_row.show_only([one for key, one in self.readouts.items() if key != hidden])
        is_counts = not known or self._pages.choice() == "counts"
        self._stack.setCurrentIndex(0 if is_counts else 1)

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
        for field in (self._number, self._review_number):
            if decimals != field.decimals():
                with QSignalBlocker(field):
                    field.setDecimals(decimals)
                    field.setSingleStep(10.0 ** -(decimals - 1))
        self._flagged_text.setText(self._flagged_sentence())

    def _flagged_sentence(self) -> str:
        thresholds = self._session.thresholds
        if thresholds is None or not len(self._sorted):
            return ""
        sizes = {zone: f"{size:,}" for zone, size in self._zone_sizes(thresholds).items()}
        total = f"{len(self._sorted):,}"
        if thresholds.review is None:
            return tr("flags {n} of {total}", n=sizes["fail"], total=total)
        text = tr("{fail} fail, {review} for review, of {total}")
        return text.format(fail=sizes["fail"], review=sizes["review"], total=total)

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
        self._outcome = "" if kind == self._outcome else kind
        self.matrix.mark(self._outcome)
        criterion = self._outcome_criterion(self._outcome) if self._outcome else None
        self._filter.set("outcome", criterion)

    def _outcome_criterion(self, kind: str) -> Criterion:
        def mask(session: Session) -> NDArray[np.bool_] | None:
            judgement, thresholds = self._judgement, session.thresholds
            scores = session.result.scores if session.result is not None else None
            if thresholds is None or scores is None:
                return None
            if kind in NAMES:
                return thresholds.within(scores, kind)
            return None if judgement is None else judgement.outcome(scores, thresholds, kind)

        depends_on = frozenset({"result", "threshold", "verdicts"})
        return Criterion(cell_name(kind), mask, depends_on=depends_on)

    def _recolour(self, _theme: Theme) -> None:
        self._drawn = None
        self._show_bars()


def _number(name: str, tip: str) -> QDoubleSpinBox:
    """Return a field for a score."""
    field = NumberField(name, -1e9, 1e9, 0, 4, tip)
    field.setFixedWidth(96)
    return field


def _decimals(limits: tuple[float, float] | None) -> int:
    """Return how many decimals tell scores of this range apart."""
    if limits is None or limits[1] <= limits[0]:
        return 4
    return int(np.clip(np.ceil(4 - np.log10(limits[1] - limits[0])), 2, 10))
