"""The log: notes and problems of all jobs, and of the window itself."""

import json
import time
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStackedWidget,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.runs import Run
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.jobs import Job
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_role
from desktop_app.gui.training.log_rows import ENTRY, LogEntry, LogFilter, LogModel
from desktop_app.gui.training.texts import traceback_window
from desktop_app.gui.widgets import (
    EmptyState,
    SearchField,
    Segment,
    Segmented,
    named,
)
from desktop_app.sdk.errors import LoupeError

_ROW = 24  # logical pixels


class LogPanel(QWidget):
    """Entries with a level filter and a search; a double click shows the traceback."""

    counted = Signal(int)
    """Carries the number of errors, for a badge on the tab."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._told: dict[Job, list[dict[str, Any]]] = {}
        self._read: set[str] = set()
        self.model = LogModel(self)
        self._filter = LogFilter(self)
        self._filter.setSourceModel(self.model)
        self.table = named(QTableView(), tr("Log"), tr("Double-click shows the traceback"))
        self._dress_table()
        self.levels = Segmented(
            tr("Level"),
            [
                Segment("info", tr("All")),
                Segment("warning", tr("Warnings"), tip=tr("Warnings and errors")),
                Segment("error", tr("Errors"), tip=tr("Errors alone")),
            ],
        )
        self.levels.chosen.connect(self._choose_level)
        self.search = SearchField(tr("Search the log"))
        self.search.setMaximumWidth(260)
        self.search.searched.connect(self._search)
        copy = _tool("copy", tr("Copy"), tr("Copy the selected entries, or all that are shown"))
        copy.clicked.connect(self.copy)
        clear = _tool("trash", tr("Clear"), tr("Empty this view; the runs keep their notes"))
        clear.clicked.connect(self.clear)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, 0)
        row.setSpacing(SPACE.s)
        heading = QLabel(tr("Log"))
        set_role(heading, "heading")
        row.addWidget(heading)
        row.addSpacing(SPACE.s)
        row.addWidget(self.levels)
        row.addWidget(self.search, 1)
        row.addStretch()
        row.addWidget(copy)
        row.addWidget(clear)
        self._empty = EmptyState(
            "log", tr("Nothing to tell"), tr("Notes and problems of trainings appear here.")
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        session.jobs.jobs_changed.connect(self._take_jobs)
        session.run_changed.connect(self._take_run)
        session.problem.connect(self._take_problem)
        follow_theme(self._themed)
        self._take_jobs()
        self._take_run()

    def add(self, level: str, source: str, text: str, traceback: str = "") -> None:
        """Append an entry of the window itself; `level` is info, warning or error."""
        self._append([LogEntry(time.time(), level, source, text, traceback)])

    def copy(self) -> None:
        """Put the selected entries, or all that are shown, on the clipboard."""
        selected = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        entries = [
            self._filter.index(row, 0).data(ENTRY)
            for row in selected or range(self._filter.rowCount())
        ]
        parts = [part for entry in entries for part in (entry.words(), entry.traceback) if part]
        QGuiApplication.clipboard().setText("\n".join(parts))

    def clear(self) -> None:
        """Forget all entries."""
        self.model.forget()
        self._count()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy with the usual keys."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _dress_table(self) -> None:
        table = self.table
        table.setModel(self._filter)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.resizeSection(0, 104)
        header.resizeSection(1, 180)
        table.doubleClicked.connect(self._show_traceback)

    # -- Where entries come from -------------------------------------------------------------

    def _take_jobs(self) -> None:
        """Follow the jobs that are new; a run that is resumed tells everything anew."""
        for job in self._session.jobs.jobs:
            if job not in self._told:
                self._told[job] = []
                self._read.add(str(job.run.path))
                if job.result is None:
                    self.model.forget(str(job.run.path))
                job.feed.updated.connect(self._take_notes)
        self._take_notes()

    def _take_notes(self) -> None:
        """Take over what the jobs told since the last time."""
        for job, told in self._told.items():
            notes, key = job.feed.notes, str(job.run.path)
            if notes[: len(told)] != told:  # resumed at a checkpoint: what followed it comes again
                self.model.forget(key)
                told.clear()
            if len(notes) > len(told):
                self._append(_entries(notes[len(told) :], job.title, key))
                told.extend(notes[len(told) :])

    def _take_run(self) -> None:
        """Read behind the notes of a run that this window did not train."""
        run = self._session.run
        if run is None or str(run.path) in self._read or self._session.jobs.job_of(run) is not None:
            return
        self._read.add(str(run.path))
        self._session.background.run(f"notes of {run.path}", lambda: run_notes(run), self._append)

    def _take_problem(self, sentence: str) -> None:
        self.add("error", tr("Loupe"), sentence)

    def _append(self, entries: Sequence[LogEntry]) -> None:
        bar = self.table.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - _ROW
        self.model.add(entries)
        self._count()
        if follows:
            self.table.scrollToBottom()

    # -- Events ------------------------------------------------------------------------------

    def _count(self) -> None:
        self._stack.setCurrentIndex(1 if self._filter.rowCount() else 0)
        if self.model.entries:
            self._empty.describe("filter", tr("No entry of this kind"))
        else:
            self._empty.describe(
                "log", tr("Nothing to tell"), tr("Notes and problems of trainings appear here.")
            )
        self.counted.emit(sum(entry.level == "error" for entry in self.model.entries))

    def _choose_level(self, level: str) -> None:
        self._filter.set_level(level)
        self._count()

    def _search(self, text: str) -> None:
        self._filter.set_words(text)
        self._count()

    def _show_traceback(self, index: QModelIndex) -> None:
        entry: LogEntry = index.data(ENTRY)
        traceback_window(entry.source, entry.text, entry.traceback, self).show()

    def _themed(self, _theme: Theme) -> None:
        self.table.viewport().update()


def run_notes(run: Run) -> list[LogEntry]:
    """Return the notes of a run without parsing its metrics."""
    try:
        title = run.spec().title or run.path.name
        with run.events_path.open("rb") as file:
            notes = [json.loads(line) for line in file if b'"type": "note"' in line[:40]]
    except (OSError, ValueError, LoupeError):
        return []
    return _entries(notes, title, str(run.path))


def _entries(notes: Sequence[dict[str, Any]], source: str, key: str) -> list[LogEntry]:
    return [
        LogEntry(
            float(note.get("time", 0.0)),
            str(note.get("level", "info")),
            source,
            str(note.get("text", "")),
            str(note.get("traceback") or ""),
            key,
        )
        for note in notes
    ]


def _tool(icon: str, name: str, tip: str) -> QToolButton:
    button = named(QToolButton(), name, tip)
    set_icon(button, icon, "text_secondary")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
