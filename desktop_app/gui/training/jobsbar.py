"""Jobs in the status bar: what is worked on, how far it is, and how many wait."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from desktop_app.core.runs import JobState
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.jobs import Job
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_tone
from desktop_app.gui.training.states import choices, state_words
from desktop_app.gui.widgets import Badge, named
from desktop_app.gui.wording import about

_MILLISECONDS = 500
_TITLE_LETTERS = 36


class JobsBar(QWidget):
    """One line about all jobs; the button opens a menu with each of them."""

    job_chosen = Signal(object)
    """Carries the `Job` that the analyst wants to see."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.button = named(QToolButton(), tr("Jobs"), tr("What runs and what waits"))
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.button)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.button.setMenu(self._menu)
        self.progress = named(QProgressBar(), tr("Progress of the job"))
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.words = QLabel()
        self.waiting = Badge()
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.s, 0, SPACE.s, 0)
        row.setSpacing(SPACE.s)
        for widget in (self.button, self.progress, self.words, self.waiting):
            row.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._clock = QTimer(self, interval=_MILLISECONDS)
        self._clock.timeout.connect(self._refresh)
        session.jobs.jobs_changed.connect(self._take_jobs)
        self._take_jobs()

    def menu(self) -> QMenu:
        """Return the menu of all jobs, filled."""
        self._fill_menu()
        return self._menu

    def showEvent(self, event: QShowEvent) -> None:
        """Follow running jobs while the bar is on screen."""
        super().showEvent(event)
        self._take_jobs()

    def hideEvent(self, event: QHideEvent) -> None:
        """Follow nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()

    def _take_jobs(self) -> None:
        if self.isVisible() and self._session.jobs.active():
            self._clock.start()
        else:
            self._clock.stop()
        self._refresh()

    def _refresh(self) -> None:
        active = self._session.jobs.active()
        queued = [job for job in self._session.jobs.jobs if job.state is JobState.QUEUED]
        job = active[0] if active else None
        title = _short(job.title) if job is not None else tr("No job runs")
        if title != self.button.text():
            self.button.setText(title)
            set_icon(self.button, "clock" if job is None else "chart", "text_secondary")
        self.button.setEnabled(bool(self._session.jobs.jobs))
        self.progress.setVisible(job is not None)
        self.words.setVisible(job is not None)
        if job is not None:
            self.progress.setValue(round(job.feed.progress * 1000))
            paused = job.state is JobState.PAUSED
            set_tone(self.progress, "warning" if paused else "")
            self.words.setText(_progress_words(job))
        waiting = len(queued) + max(0, len(active) - 1)
        self.waiting.setVisible(waiting > 0)
        self.waiting.setText(tr("{n} more", n=waiting))
        self.waiting.setToolTip(tr("{n} wait in the queue, {m} run", n=len(queued), m=len(active)))

    def _fill_menu(self) -> None:
        self._menu.clear()
        jobs = self._session.jobs.jobs
        shown = [job for job in jobs if job.state.is_active or job.state is JobState.QUEUED]
        for job in shown or jobs[-5:]:
            self._add_job(job)

    def _add_job(self, job: Job) -> None:
        word, _tone = state_words(job.state)
        menu = self._menu.addMenu(f"{_short(job.title)} – {word}")
        offered = choices(job.state, has_job=True)
        acts: list[tuple[str, str, Callable[[], object]]] = [
            ("chart", tr("Show"), lambda: self.job_chosen.emit(job))
        ]
        if offered.main == "pause" and job.result is None:
            acts.append(("pause", tr("Pause"), job.pause))
        if offered.main == "resume":
            acts.append(("play", tr("Resume"), job.resume))
        if offered.stops:
            queued = job.state is JobState.QUEUED
            acts.append(("stop", tr("Remove from queue") if queued else tr("Stop"), job.stop))
        if offered.kills:
            acts.append(("kill", tr("Kill"), job.kill))
        for icon, words, act in acts:
            action = menu.addAction(words)
            set_icon(action, icon)
            action.triggered.connect(lambda _on=False, act=act: act())


def _progress_words(job: Job) -> str:
    if job.feed.phase:
        return job.feed.phase
    if job.state is not JobState.RUNNING:
        return state_words(job.state)[0]
    share = f"{job.feed.progress:.0%}"
    remaining = about(job.feed.remaining)
    return f"{share} · {remaining}" if remaining else share


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_LETTERS else f"{title[: _TITLE_LETTERS - 1]}…"
