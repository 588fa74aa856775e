"""The list of runs: what was trained, how it went, and what to do with it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QHideEvent, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QInputDialog,
    QListView,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.runs import JobState, Run
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.methods import info_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, Theme, follow_theme
from desktop_app.gui.training import actions
from desktop_app.gui.training.groups import main_metric
from desktop_app.gui.training.run_rows import Live, RunDelegate, RunModel
from desktop_app.gui.training.summaries import RunSummary, summaries
from desktop_app.gui.widgets import EmptyState, SearchField, SectionHeader, named
from desktop_app.sdk.errors import LoupeError

_LIVE_MILLISECONDS = 500
_RECENT = 64  # steps among which the last value of a metric is looked for
_FEW = 5  # runs up to which nobody needs to search


class RunList(QWidget):
    """All runs of the workspace, newest first; a click opens one."""

    duplicate_wanted = Signal(object)
    """Carries the `Run` whose method is to be set up again."""
    extend_wanted = Signal(object)
    """Carries the `Run` that is to be opened and trained for more epochs."""
    compare_wanted = Signal(object)
    """Carries the runs to lay over the curves of the open one."""
    maps_wanted = Signal(object)
    """Carries the runs whose latent maps are to be shown side by side."""
    setup_wanted = Signal()
    """The analyst wants to train something."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._known: dict[Path, RunSummary] = {}
        self._words: list[str] = []
        self.search = SearchField(tr("Search runs"))
        self.search.searched.connect(self._filter)
        self.model = RunModel(self)
        self.list = named(
            QListView(), tr("Runs"), tr("Click to open; right-click for more; F2 renames")
        )
        self.list.setModel(self.model)
        self.list.setItemDelegate(
            RunDelegate(self._live, self._is_open, self._method_title, self.list)
        )
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.clicked.connect(self._click)
        self.list.activated.connect(self._activate)
        self._empty = EmptyState("chart", "")
        self._empty.acted.connect(self._act_on_empty)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.list)
        self._header = SectionHeader(tr("Runs"))
        head = QVBoxLayout()
        head.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, 0)
        head.setSpacing(SPACE.s)
        head.addWidget(self._header)
        head.addWidget(self.search)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        self._clock = QTimer(self, interval=_LIVE_MILLISECONDS)
        self._clock.timeout.connect(self._repaint)
        session.runs_changed.connect(self.refresh)
        session.run_changed.connect(self._repaint)
        session.catalog_changed.connect(self._repaint)
        session.jobs.jobs_changed.connect(self._take_jobs)
        session.jobs.job_ended.connect(self.refresh)
        follow_theme(self._themed)
        self.refresh()

    def refresh(self, _job: object = None) -> None:
        """Read behind how the runs are."""
        runs, known = list(self._session.runs), dict(self._known)
        self._session.background.run("summaries", lambda: summaries(runs, known), self._take)

    def selected(self) -> list[Run]:
        """Return the selected runs, in their order on screen."""
        rows = sorted(index.row() for index in self.list.selectionModel().selectedIndexes())
        return [Run(self.model.row(self.model.index(row)).path) for row in rows]

    def menu(self) -> QMenu:
        """Return the menu of the selected runs."""
        menu = QMenu(self)
        runs = self.selected()
        one = runs[0] if len(runs) == 1 else None
        summary = self._known.get(one.path) if one is not None else None
        if one is not None and summary is not None:
            self._add_single(menu, one, summary)
            menu.addSeparator()
        compare = self._add(
            menu, "compare", tr("Compare curves"), lambda: self.compare_wanted.emit(runs)
        )
        compare.setEnabled(self._session.run is not None)
        maps = self._add(menu, "map", tr("Compare maps"), lambda: self.maps_wanted.emit(runs))
        maps.setEnabled(len(runs) > 1 or self._is_beside(runs))
        if one is not None:
            self._add(
                menu, "external", tr("Show in file manager"), lambda: actions.reveal(one.path)
            )
        menu.addSeparator()
        idle = not any(self._is_busy(run) for run in runs)
        remove = self._add(menu, "trash", tr("Move to trash…"), lambda: self._throw_away(runs))
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        remove.setEnabled(idle)
        if not idle:
            remove.setText(tr("Move to trash (stop it first)"))
        return menu

    def rename(self, run: Run, title: str | None = None) -> None:
        """Give a run another title; asks for it when not told."""
        if title is None:
            summary = self._known.get(run.path)
            before = summary.title if summary is not None else ""
            title, sure = QInputDialog.getText(self, tr("Rename"), tr("Name:"), text=before)
            if not sure:
                return
        if title.strip():
            words = title
            self._try(lambda: actions.rename(run, words))
            self._session.refresh_runs()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Rename with F2, throw away with Delete."""
        runs = self.selected()
        if event.key() == Qt.Key.Key_F2 and len(runs) == 1:
            self.rename(runs[0])
        elif event.matches(QKeySequence.StandardKey.Delete) and runs:
            self._throw_away(runs)
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Follow running jobs while the list is on screen."""
        super().showEvent(event)
        self._take_jobs()

    def hideEvent(self, event: QHideEvent) -> None:
        """Repaint nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()

    # -- Rows --------------------------------------------------------------------------------

    def _take(self, rows: Sequence[RunSummary]) -> None:
        self._known = {row.path: row for row in rows}
        self._fill()

    def _filter(self, text: str) -> None:
        self._words = text.lower().split()
        self._fill()

    def _fill(self) -> None:
        rows = sorted(self._known.values(), key=lambda row: row.created, reverse=True)
        shown = [row for row in rows if self._matches(row)]
        kept = {run.path for run in self.selected()}
        self.model.set_rows(shown)
        for place, row in enumerate(shown):
            if row.path in kept:
                index = self.model.index(place)
                flag = self.list.selectionModel().SelectionFlag.Select
                self.list.selectionModel().select(index, flag)
        self._stack.setCurrentIndex(1 if shown else 0)
        self._header.set_remark(f"{len(rows):,}" if rows else "")
        self.search.setVisible(len(rows) > _FEW)
        if rows and not shown:
            self._empty.describe("search", tr("No run matches"), action=tr("Clear search"))
        elif not rows:
            self._empty.describe(
                "chart",
                tr("No runs yet"),
                tr("Every training leaves a run here: its curves, its method, its results."),
                tr("Choose a method"),
            )

    def _matches(self, row: RunSummary) -> bool:
        text = f"{row.title} {row.method} {self._method_title(row.method)} {row.folder}".lower()
        return all(word in text for word in self._words)

    def _live(self, row: RunSummary) -> Live | None:
        job = self._session.jobs.job_of(Run(row.path))
        if job is None:
            return None
        curves = job.feed.curves
        metric, value = main_metric(curves.names), None
        if metric:
            column = curves.values(metric)[-_RECENT:]
            finite = column[np.isfinite(column)]
            value = float(finite[-1]) if len(finite) else None
        return Live(job.state, job.feed.progress, metric, value)

    def _is_open(self, row: RunSummary) -> bool:
        return self._session.run is not None and self._session.run.path == row.path

    def _method_title(self, method_id: str) -> str:
        info = info_of(self._session, method_id)
        return info.text("title", language()) if info is not None else method_id

    def _is_beside(self, runs: Sequence[Run]) -> bool:
        """Tell whether there is one run, and another one is open."""
        opened = self._session.run
        return opened is not None and len(runs) == 1 and runs[0].path != opened.path

    def _is_busy(self, run: Run) -> bool:
        job = self._session.jobs.job_of(run)
        return job is not None and (job.state.is_active or job.state is JobState.QUEUED)

    def _take_jobs(self) -> None:
        if self.isVisible() and self._session.jobs.active():
            self._clock.start()
        else:
            self._clock.stop()
        self._repaint()

    def _repaint(self) -> None:
        self.list.viewport().update()

    def _themed(self, _theme: Theme) -> None:
        self._repaint()

    # -- What can be done --------------------------------------------------------------------

    def _add_single(self, menu: QMenu, run: Run, summary: RunSummary) -> None:
        """Add what can be done with one run alone."""
        session = self._session
        busy = self._is_busy(run)
        state = self._state(summary)
        self._add(menu, "chart", tr("Open"), lambda: session.open_run(run))
        if not busy and state is not JobState.FINISHED and not summary.problem:
            self._add(menu, "play", tr("Resume"), lambda: self._resume(run))
        if not busy and state is JobState.FINISHED and summary.extends:
            self._add(menu, "extend", tr("Extend…"), lambda: self.extend_wanted.emit(run))
        self._add(
            menu,
            "copy",
            tr("Duplicate with changes…"),
            lambda: self.duplicate_wanted.emit(run),
        )
        rename = self._add(menu, "edit", tr("Rename…"), lambda: self.rename(run))
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))

    def _add(self, menu: QMenu, icon: str, words: str, act: Callable[[], object]) -> QAction:
        action = menu.addAction(words)
        set_icon(action, icon)
        action.triggered.connect(lambda: act())
        return action

    def _state(self, summary: RunSummary) -> JobState:
        job = self._session.jobs.job_of(Run(summary.path))
        return job.state if job is not None else summary.state

    def _resume(self, run: Run) -> None:
        self._try(lambda: self._session.jobs.resume(run))

    def _throw_away(self, runs: Sequence[Run]) -> None:
        busy = [run for run in runs if self._is_busy(run)]
        if busy:
            self._session.problem.emit(tr("A run that is being worked on cannot be thrown away."))
            return
        names = [self._known[run.path].title for run in runs if run.path in self._known]
        question = (
            tr("Move '{name}' to the trash?", name=names[0])
            if len(names) == 1
            else tr("Move {n} runs to the trash?", n=len(runs))
        )
        answer = QMessageBox.question(self, tr("Move to trash"), question)
        if answer != QMessageBox.StandardButton.Yes:
            return
        for run in runs:
            if self._session.run is not None and self._session.run.path == run.path:
                self._session.open_run(None)
            self._try(lambda run=run: actions.throw_away(run))  # type: ignore[misc]
        self._session.refresh_runs()

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (LoupeError, OSError) as problem:
            self._session.problem.emit(str(problem))

    # -- Events ------------------------------------------------------------------------------

    def _click(self, index: QModelIndex) -> None:
        """Open a run, unless the click gathers several."""
        if len(self.selected()) == 1:
            self._activate(index)

    def _activate(self, index: QModelIndex) -> None:
        summary = self.model.row(index)
        if summary.problem:
            self._session.problem.emit(summary.problem)
        elif not self._is_open(summary):
            self._session.open_run(Run(summary.path))

    def _show_menu(self, place: QPoint) -> None:
        if self.selected():
            menu = self.menu()
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.list.viewport().mapToGlobal(place))

    def _act_on_empty(self) -> None:
        if self._words:
            self.search.clear()
        else:
            self.setup_wanted.emit()
