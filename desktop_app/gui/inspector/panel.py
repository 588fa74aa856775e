"""The anomaly inspector: the most unusual images first, the current one large, the threshold."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QSplitter,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.filterbar import FilterBar
from desktop_app.gui.filtering import among, flagged, in_zone, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.inspector.measures import Measures
from desktop_app.gui.inspector.rooms import Rooms
from desktop_app.gui.inspector.triage import TriageBar
from desktop_app.gui.inspector.viewer import Viewer
from desktop_app.gui.inspector.zonebar import ZoneBar
from desktop_app.gui.jobs import Job
from desktop_app.gui.library.linked import LinkedGallery
from desktop_app.gui.methods import can, method_title
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, TYPE, number_font, set_role, set_surface
from desktop_app.gui.widgets import EmptyState, Segment, Segmented, named

_TILE = 96  # logical pixels
_RANKING_WIDTH = 252
_AHEAD = 3  # photographs decoded before they are asked for

_VERDICT_OF_KEY = {Qt.Key.Key_N: 1, Qt.Key.Key_A: 2, Qt.Key.Key_U: 3, Qt.Key.Key_Backspace: 0}
_STEP_OF_KEY = {
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_J: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_K: -1,
}


class InspectorPanel(QWidget):
    """Ranks the images of the open folder by the open run and lets the analyst judge them."""

    place_wanted = Signal(str)
    """The analyst wants to go to the "gallery" or the "map"."""
    open_wanted = Signal()
    """The analyst wants to choose a folder."""
    method_wanted = Signal()
    """The analyst wants to choose a method to train, or a run."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self._job: Job | None = None
        self.ranking = _Ranking(session)
        self.viewer = Viewer(session)
        self.viewer.set_sources(self.ranking.thumbnail, self._next_rows)
        self.triage = TriageBar(session)
        self.zones = ZoneBar(session)
        self.measures = Measures(session)
        self.actions_ = ImageActions(session, self, self.place_wanted.emit, "inspector")
        self.ranking.menu_requested.connect(self.actions_.show_menu)
        self._empty = EmptyState("heat", "")
        self._empty.acted.connect(self._act_on_empty)
        images = QWidget()
        self.rooms = Rooms(images)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.rooms)
        self._stack = QStackedLayout(images)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self.triage.stepped.connect(self.step)
        self.triage.judged.connect(self.judge)
        session.folder_changed.connect(self._show_state)
        session.table_changed.connect(self._show_state)
        session.run_changed.connect(self._show_state)
        session.result_changed.connect(self._show_state)
        session.catalog_changed.connect(self._show_state)
        session.current_changed.connect(self._show_progress)
        session.filter_changed.connect(self._show_progress)
        session.verdicts_changed.connect(self._show_progress)
        session.threshold_changed.connect(self._show_review)
        self._filter.changed.connect(self._show_choice)
        self._show_review()
        self._show_state()

    def step(self, by: int) -> None:
        """Go to the next or the previous image of the ranking."""
        order = self.ranking.order()
        if not len(order):
            return
        place = self._place()
        target = 0 if place < 0 else max(0, min(len(order) - 1, place + by))
        self._go_to(int(order[target]))

    def judge(self, code: int) -> None:
        """Give the current image a verdict, 0 to take it back, and go to the next one."""
        row = self._session.current
        if row < 0:
            return
        place = self._place()
        following = self._row_after(place)
        self._session.set_verdict(np.array([row], np.int64), code)
        if code and self._advances.isChecked() and following >= 0:
            self._go_to(following)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Judge and walk by keyboard."""
        key, plain = Qt.Key(event.key()), not event.modifiers()
        if not self._has_scores():
            super().keyPressEvent(event)
        elif plain and key in _VERDICT_OF_KEY:
            self.judge(_VERDICT_OF_KEY[key])
        elif plain and key in _STEP_OF_KEY:
            self.step(_STEP_OF_KEY[key])
        elif event.matches(QKeySequence.StandardKey.Undo):
            self._session.undo()
        elif event.matches(QKeySequence.StandardKey.Redo):
            self._session.redo()
        else:
            super().keyPressEvent(event)

    # building

    def _page(self) -> QWidget:
        left = QWidget()
        set_surface(left, "surface")
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._ranking_tools())
        column.addWidget(self.ranking, 1)
        centre = QWidget()
        set_surface(centre, "surface")
        middle = QVBoxLayout(centre)
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(self.viewer, 1)
        middle.addWidget(self.triage)
        top = QSplitter(Qt.Orientation.Horizontal)
        top.addWidget(left)
        top.addWidget(centre)
        top.setStretchFactor(1, 1)
        top.setSizes([_RANKING_WIDTH, 900])
        bottom = QWidget()
        set_surface(bottom, "surface")
        below = QVBoxLayout(bottom)
        below.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        below.addWidget(self.measures)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(top)
        whole.addWidget(bottom)
        whole.setStretchFactor(0, 1)
        whole.setSizes([560, 226])
        for splitter in (top, whole):
            splitter.setChildrenCollapsible(False)
        return whole

    def _ranking_tools(self) -> QVBoxLayout:
        self._shown = Segmented(
            tr("Images in the ranking"),
            [
                Segment("all", tr("All")),
                Segment("flagged", tr("Flagged"), tip=tr("At or above the threshold")),
                Segment(
                    "open",
                    tr("To judge"),
                    tip=tr("Without a verdict; those of the review zone come first"),
                ),
            ],
        )
        self._shown.chosen.connect(self._choose_shown)
        self._options = QMenu(self)
        self._advances = self._options.addAction(tr("Go to the next image after a verdict"))
        self._advances.setCheckable(True)
        self._advances.setChecked(True)
        self._options.addSeparator()
        self._exports = self._options.addMenu(tr("Export"))
        self._exports.aboutToShow.connect(self._fill_exports)
        more = named(QToolButton(), tr("Options and export"))
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(self._options)
        set_icon(more, "more")
        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        row.addWidget(self._shown)
        row.addStretch(1)
        row.addWidget(more)
        self._progress = named(QProgressBar(), tr("Judged images"))
        self._progress.setTextVisible(False)
        self._progress_text = QLabel()
        self._progress_text.setFont(number_font(TYPE.caption))
        set_role(self._progress_text, "caption")
        progress = QHBoxLayout()
        progress.setContentsMargins(0, 0, SPACE.xs, 0)
        progress.setSpacing(SPACE.s)
        progress.addWidget(self._progress, 1)
        progress.addWidget(self._progress_text)
        column = QVBoxLayout()
        column.setContentsMargins(SPACE.s, SPACE.xs, SPACE.xs, SPACE.xs)
        column.setSpacing(SPACE.xs)
        column.addLayout(row)
        column.addLayout(progress)
        column.addWidget(self.zones)
        column.addWidget(FilterBar(self._session, without=("flagged", "zone")))
        return column

    def _fill_exports(self) -> None:
        self._exports.clear()
        for form, text in (
            (".html", tr("Report as HTML…")),
            (".pdf", tr("Report as PDF…")),
        ):
            report = self._exports.addAction(text)
            set_icon(report, "chart")
            report.triggered.connect(lambda _on=False, form=form: self.actions_.export_report(form))
        selected = np.flatnonzero(self._session.selected).astype(np.int64)
        shown = self.ranking.order()
        self._exports.addSection(tr("Images in the ranking"))
        self.actions_.add_exports(self._exports, shown)
        if len(selected) > 1:
            self._exports.addSection(tr("Selected images"))
            self.actions_.add_exports(self._exports, selected)

    # state

    def _has_scores(self) -> bool:
        result = self._session.result
        return result is not None and result.scores is not None

    def _show_state(self) -> None:
        """Show the ranking, or say what is missing and offer to do it."""
        if self._has_scores():
            self._stack.setCurrentIndex(1)
            self._show_first()
            self._show_progress()
            return
        self._stack.setCurrentIndex(0)
        self._empty.describe("heat", *self._what_is_missing())

    def _what_is_missing(self) -> tuple[str, str, str]:
        session = self._session
        if session.folder is None:
            title, text = tr("No folder is open"), tr("Open a folder to rank its images.")
            return title, text, tr("Open folder…")
        if session.run is None:
            text = tr(
                "Train a method on this folder, or open a run: "
                "then the most unusual images come first."
            )
            return tr("Nothing is ranked yet"), text, tr("Choose a method")
        if self._is_unable():
            text = tr("{method} does not score images. Choose a run of a method that does.")
            text = text.format(method=method_title(session) or tr("The method of the open run"))
            return tr("This run cannot rank images"), text, tr("Choose a method")
        if self._job is not None:
            return tr("Scoring the images"), self._job.feed.phase or self._job.title, ""
        text = tr("The open run has not looked at the images of this folder yet.")
        return tr("Not scored yet"), text, tr("Score the images")

    def _is_unable(self) -> bool:
        """Whether the method of the open run is known not to do what this panel needs."""
        return bool(self._session.catalog) and not can(self._session, "scores")

    def _act_on_empty(self) -> None:
        session = self._session
        if session.folder is None:
            self.open_wanted.emit()
        elif session.run is None or self._is_unable():
            self.method_wanted.emit()
        else:
            self._score()

    def _score(self) -> None:
        job = self._session.score_folder()
        if job is None:
            return
        self._job = job
        job.feed.updated.connect(self._show_state)
        job.ended.connect(self._end_scoring)
        self._show_state()

    def _end_scoring(self) -> None:
        self._job = None
        self._show_state()

    def _show_first(self) -> None:
        """Begin with the most unusual image where none is chosen."""
        order = self.ranking.order()
        if self._session.current < 0 and len(order):
            self._go_to(int(order[0]))

    def _show_progress(self) -> None:
        order = self.ranking.order()
        if len(self._session.verdicts) == 0 or not self._has_scores():
            return
        self.triage.set_place(self._place() + 1, len(order))
        judged, total = self._judged()
        self._progress_text.setText(
            tr("judged {n} of {total}", n=f"{judged:,}", total=f"{total:,}")
        )
        self._progress.setRange(0, max(1, total))
        self._progress.setValue(judged)

    def _judged(self) -> tuple[int, int]:
        """Return how many images have a verdict, and of how many that would be all.

        Those that a verdict takes out of the ranking count too.
        """
        result = self._session.result
        shown = self._filter.mask(without=("verdict",))
        if result is not None and result.scores is not None:
            shown = shown & np.isfinite(result.scores)
        return int(np.count_nonzero(shown & (self._session.verdicts > 0))), int(shown.sum())

    # the ranking

    def _choose_shown(self, key: str) -> None:
        self._filter.set("flagged", flagged() if key == "flagged" else None)
        unjudged = among("verdict", frozenset({""}))
        before = self._filter.criterion("verdict")
        self.ranking.set_review_first(key == "open")
        if key == "open":
            self._filter.set("verdict", unjudged)
            self._show_unjudged()
        elif before is not None and before.keys == unjudged.keys:
            self._filter.set("verdict", None)

    def _show_unjudged(self) -> None:
        """Begin with the first image to judge: of the review zone, if there is one."""
        order = self.ranking.order()
        if len(order) and (self._place() < 0 or self._session.review is not None):
            self._go_to(int(order[0]))

    def _show_review(self) -> None:
        """Offer the zones in the place of what is flagged while there is one for review."""
        has_review = self._session.review is not None
        self._shown.button("flagged").setVisible(not has_review)
        if has_review and self._shown.choice() == "flagged":
            self._shown.choose("all")
            self._filter.set("zone", in_zone("fail"))

    def _show_choice(self) -> None:
        """Follow conditions that were taken away elsewhere."""
        verdict = self._filter.criterion("verdict")
        if self._filter.criterion("flagged") is not None:
            key = "flagged"
        elif verdict is not None and verdict.keys == frozenset({""}):
            key = "open"
        else:
            key = "all"
        if key != self._shown.choice():
            self._shown.choose(key)

    def _place(self) -> int:
        """Return where in the ranking the current image is, or -1."""
        found = np.flatnonzero(self.ranking.order() == self._session.current)
        return int(found[0]) if len(found) else -1

    def _row_after(self, place: int) -> int:
        order = self.ranking.order()
        return int(order[place + 1]) if 0 <= place < len(order) - 1 else -1

    def _go_to(self, row: int) -> None:
        self._session.set_current(row)
        self._session.select(np.array([row], np.int64))

    def _next_rows(self) -> tuple[int, ...]:
        place, order = self._place(), self.ranking.order()
        if place < 0:
            return ()
        rows: list[int] = order[place + 1 : place + 1 + _AHEAD].tolist()
        return tuple(rows)


class _Ranking(LinkedGallery):
    """Scored images, the most unusual first."""

    def __init__(self, session: Session) -> None:
        self._review_first = False
        super().__init__(session, sort="score", descending=True)
        self.set_tile_size(_TILE)
        self.setAccessibleName(tr("Images ranked by their score"))
        session.threshold_changed.connect(self._show_zones)

    def set_review_first(self, on: bool) -> None:
        """Put images for review before those that fail or pass, which need no second look."""
        if on != self._review_first:
            self._review_first = on
            self._show_zones()

    def wanted_order(self) -> NDArray[np.int64]:
        """Return the scored rows that are visible, the most unusual first."""
        order, result = super().wanted_order(), self._session.result
        if result is None or result.scores is None:
            return order
        order = order[np.isfinite(result.scores[order])]
        thresholds = self._session.thresholds
        if thresholds is None or thresholds.review is None or not self._review_first:
            return order
        inside = thresholds.within(result.scores[order], "review")
        return np.concatenate([order[inside], order[~inside]])

    def _show_zones(self) -> None:
        if self._review_first:
            self.show_order()
