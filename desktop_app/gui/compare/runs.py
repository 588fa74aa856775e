"""The runs that the open one can be compared with: how far they agree, and which are averaged."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QBrush
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from desktop_app.gui.compare.comparison import Candidate
from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import TYPE, Theme, current_theme, follow_theme, number_font
from desktop_app.gui.widgets import named

_NUMBER = 1  # column


class CandidateList(QTreeWidget):
    """One line for each run; a tick takes it into the ensemble."""

    chosen = Signal()
    """Another run stands beside the open one."""
    ticked = Signal()

    def __init__(self) -> None:
        super().__init__()
        named(self, tr("Runs to compare with"), tr("Click compares, a tick averages"))
        self.setToolTip("")
        self._candidates: list[Candidate] = []
        self._items: list[QTreeWidgetItem] = []
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setHeaderLabels([tr("Run"), "ρ"])
        self.headerItem().setToolTip(_NUMBER, tr("Spearman's rank correlation"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(_NUMBER, QHeaderView.ResizeMode.ResizeToContents)
        self.currentItemChanged.connect(lambda _now, _before: self.chosen.emit())
        self.itemChanged.connect(lambda _item, _column: self.ticked.emit())
        follow_theme(self._themed)

    def set_candidates(self, candidates: list[Candidate]) -> None:
        """Show other runs; the one beside the open run and the ticks stay where they can."""
        before, ticks = self.candidate(), {one.run.path for one in self.averaged()}
        self._candidates = candidates
        with QSignalBlocker(self):
            self.clear()
            self._items = [self._item(one, one.run.path in ticks) for one in candidates]
            self.addTopLevelItems(self._items)
            self._choose(before)
        self.chosen.emit()
        self.ticked.emit()

    def candidate(self) -> Candidate | None:
        """Return the run that stands beside the open one."""
        current = self.currentItem()
        pairs = zip(self._candidates, self._items, strict=True)
        return next((one for one, item in pairs if item is current), None)

    def averaged(self) -> list[Candidate]:
        """Return the runs that are ticked."""
        checked = Qt.CheckState.Checked
        pairs = zip(self._candidates, self._items, strict=True)
        return [one for one, item in pairs if item.checkState(0) is checked]

    def tick(self, place: int, on: bool = True) -> None:
        """Take a run into the ensemble, or out of it."""
        state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        self._items[place].setCheckState(0, state)

    def choose(self, place: int) -> None:
        """Compare with the run in this line."""
        self.setCurrentItem(self._items[place])

    def _choose(self, before: Candidate | None) -> None:
        paths = [one.run.path for one in self._candidates]
        if before is not None and before.run.path in paths:
            self.choose(paths.index(before.run.path))
        elif self._candidates and self._candidates[0].scores is not None:
            self.choose(0)

    def _item(self, candidate: Candidate, ticked: bool) -> QTreeWidgetItem:
        agreed = candidate.agreed
        words, tip = tr("not scored"), tr("This run has not looked at the folder yet.")
        if candidate.scores is not None:
            words = "–" if agreed is None else f"{agreed.correlation:.3f}"
            tip = tr("Too few images were scored by both runs.")
        if agreed is not None:
            tip = tr(
                "Spearman's rank correlation with the open run on {n} images; "
                "95 % interval {low} to {high}",
                n=f"{agreed.count:,}",
                low=f"{agreed.interval.low:.3f}",
                high=f"{agreed.interval.high:.3f}",
            )
        item = QTreeWidgetItem([candidate.title, words])
        item.setToolTip(0, f"{candidate.title}\n{candidate.run.path}")
        item.setToolTip(_NUMBER, tip)
        item.setFont(_NUMBER, number_font(TYPE.body))
        if agreed is not None and not candidate.is_ensemble:
            state = Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
            item.setCheckState(0, state)
        if candidate.scores is None:
            self._shade(item)
        return item

    def _shade(self, item: QTreeWidgetItem) -> None:
        brush = QBrush(current_theme().colour("text_secondary"))
        for column in (0, _NUMBER):
            item.setForeground(column, brush)

    def _themed(self, _theme: Theme) -> None:
        with QSignalBlocker(self):
            for candidate, item in zip(self._candidates, self._items, strict=True):
                if candidate.scores is None:
                    self._shade(item)
