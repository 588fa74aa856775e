"""The open run, live: curves, numbers, pictures, and the buttons that steer it.

The panel follows `session.run`. A run that this window works on is followed through its job, any
other one by reading its events. Nothing is drawn per event: the feed says at most twenty times a
second that something is new.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QInputDialog,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.gui.feed import Reference, RunFeed
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.jobs import Job
from desktop_app.gui.methods import info_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_surface
from desktop_app.gui.training import actions
from desktop_app.gui.training.alarmcard import AlarmCard
from desktop_app.gui.training.curve_plot import Mark
from desktop_app.gui.training.curves import CurvesView, Overlay
from desktop_app.gui.training.details import details, probe_table
from desktop_app.gui.training.experimentcard import ExperimentCard
from desktop_app.gui.training.header import RunHeader
from desktop_app.gui.training.pictures import MethodPictures
from desktop_app.gui.training.previews import PreviewsView
from desktop_app.gui.training.readouts import Readouts
from desktop_app.gui.training.states import present_state
from desktop_app.gui.training.texts import traceback_window
from desktop_app.gui.training.trouble import TroubleCard
from desktop_app.gui.views.frame import view_frame
from desktop_app.gui.widgets import EmptyState
from desktop_app.gui.wording import about, moment
from desktop_app.sdk.errors import LoupeError

_BAR = 16  # logical pixels that a horizontal scroll bar may take
_MORE_EPOCHS = 20
_MOST_EPOCHS = 100_000
_TROUBLES = (JobState.FAILED, JobState.CRASHED, JobState.LOST)


class TrainingPanel(QWidget):
    """The live view of one run."""

    setup_wanted = Signal()
    """The analyst wants to train something."""
    duplicate_wanted = Signal(object)
    """Carries the `Run` whose method is to be set up again."""
    compare_maps_wanted = Signal(object)
    """Carries the runs (list) whose latent maps the analyst wants side by side."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._run: Run | None = None
        self._spec: JobSpec | None = None
        self._job: Job | None = None
        self._feed: RunFeed | None = None
        self._own_feed = _OwnFeed()
        self._overlaid: dict[str, _OwnFeed] = {}
        self._state = JobState.QUEUED
        self._stale = False
        self._probe: Mapping[str, Mapping[str, float]] = {}
        self.destroyed.connect(self._own_feed.close)
        self.header = RunHeader()
        self.readouts = Readouts()
        self.trouble = TroubleCard()
        self.alarm = AlarmCard()
        self.experiment = ExperimentCard(session)
        self.curves = CurvesView()
        self.previews = PreviewsView(session.background)
        self.pictures = MethodPictures(session.background, self._texts)
        self._details = QVBoxLayout()
        self.tabs = QTabWidget()
        self._stack = QStackedWidget()
        self._empty = EmptyState(
            "chart",
            tr("No run is open"),
            tr("Train a method, or open a run from the list, and watch it here."),
            tr("Choose a method"),
        )
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._connect()
        self._take_run()

    @property
    def state(self) -> JobState:
        """Where the run is."""
        return self._state

    def compare(self, runs: Sequence[Run]) -> None:
        """Lay other runs over the curves."""
        self._offer_comparable()
        self.curves.tools.compare([str(run.path) for run in runs])

    def extend(self, more: int | None = None) -> None:
        """Train for more epochs; asks how many when not told."""
        run, spec = self._run, self._spec
        if run is None or spec is None or not actions.can_extend(spec):
            return
        if more is None:
            more, sure = QInputDialog.getInt(
                self,
                tr("Extend"),
                tr("More epochs:"),
                _MORE_EPOCHS,
                1,
                _MOST_EPOCHS,
            )
            if not sure:
                return
        reached = self._reached_epoch()
        count = more
        self._try(lambda: self._continue_after(lambda: actions.extend(run, reached, count)))

    def close_feeds(self) -> None:
        """Follow no run any longer."""
        self._let_go()

    def showEvent(self, event: QShowEvent) -> None:
        """Show what came while nobody looked."""
        super().showEvent(event)
        if self._stale:
            self._refresh()

    # -- Parts -------------------------------------------------------------------------------

    def _page(self) -> QWidget:
        page = QWidget()
        set_surface(page, "background")
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.previews, tr("Previews"))
        self.tabs.addTab(self.pictures, tr("Pictures"))
        self.tabs.addTab(_scrolled(self._details), tr("Details"))
        self.tabs.setTabToolTip(0, tr("Pictures of the same few images while it learns"))
        self.tabs.setTabToolTip(1, tr("Pictures that only this method draws"))
        self.tabs.setTabToolTip(2, tr("What was asked for"))
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(_beside(self.curves, right=SPACE.m))
        self.splitter.addWidget(_beside(self.tabs, left=SPACE.m))
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([620, 380])
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.tabs.setMinimumWidth(220)
        column = QVBoxLayout(page)
        column.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.m)
        column.setSpacing(SPACE.m)
        column.addWidget(self.header)
        column.addWidget(self.readouts)
        column.addWidget(self.trouble)
        column.addWidget(self.alarm)
        column.addWidget(self.experiment)
        column.addWidget(self.splitter, 1)
        return page

    def _connect(self) -> None:
        session = self._session
        session.run_changed.connect(self._take_run)
        session.runs_changed.connect(self._offer_comparable)
        session.jobs.jobs_changed.connect(self._take_jobs)
        self._empty.acted.connect(self.setup_wanted)
        self.header.pressed.connect(self._press)
        self.trouble.retry_wanted.connect(self._retry)
        self.trouble.change_wanted.connect(self._duplicate)
        self.trouble.traceback_wanted.connect(self._show_traceback)
        self.alarm.change_wanted.connect(self._duplicate)
        self.experiment.curves_wanted.connect(self.compare)
        self.experiment.maps_wanted.connect(self.compare_maps_wanted)
        self.pictures.counted.connect(lambda count: self.tabs.setTabVisible(1, count > 0))
        self.pictures.failed.connect(session.problem)
        session.catalog_changed.connect(self.pictures.translate)
        self.curves.overlays_wanted.connect(self._take_overlays)
        self.curves.table_wanted.connect(self._write_values)
        self.curves.failed.connect(session.problem)

    # -- Which run ---------------------------------------------------------------------------

    def _take_run(self) -> None:
        """Follow the open run, through its job where it has one."""
        run = self._session.run
        job = self._session.jobs.job_of(run) if run is not None else None
        same = _path(run) == _path(self._run)
        if same and job is self._job and self._feed is not None:
            self._spec = self._read_spec()
            self._show_state()
            return
        self._let_go()
        self._run, self._job = run, job
        self._spec = self._read_spec()
        if run is None or self._spec is None:
            self._stack.setCurrentIndex(0)
            return
        feed = job.feed if job is not None else self._own_feed.follow(run.path)
        self._feed = feed
        feed.updated.connect(self._refresh)
        feed.restarted.connect(self._restart)
        self.header.set_title(self._title())
        self._stack.setCurrentIndex(1)
        if not same:
            self.tabs.setCurrentIndex(0)
            self.pictures.open_run(run.path)
        self._show_details()
        self._offer_comparable()
        self.experiment.show_experiment(self._spec.experiment)
        self._restart()
        self._renew_overlays()
        self.pictures.finish()

    def _let_go(self) -> None:
        if self._feed is not None:
            self._feed.updated.disconnect(self._refresh)
            self._feed.restarted.disconnect(self._restart)
        self._own_feed.close()
        self._feed = self._job = None
        for feed in self._overlaid.values():
            feed.close()
        self._overlaid.clear()
        self.curves.set_source(None)
        self.curves.set_overlays(())
        self.previews.set_previews({})

    def _take_jobs(self) -> None:
        """Notice that the open run got a job, or that its job is in another state."""
        if self._run is None:
            return
        if self._session.jobs.job_of(self._run) is not self._job:
            self._take_run()
        else:
            self._show_state()

    def _restart(self) -> None:
        """Begin again: the run was opened, or resumed from a checkpoint."""
        if self._feed is not None:
            self.curves.set_source(self._feed.curves, self._title())
            self._refresh()

    # -- What it shows -----------------------------------------------------------------------

    def _refresh(self) -> None:
        """Show what is new."""
        feed = self._feed
        if feed is None:
            return
        if not self.isVisible():
            self._stale = True
            return
        self._stale = False
        self.curves.set_marks([Mark(step, kind, text) for step, kind, text in feed.marks])
        self.curves.set_references(feed.references)
        self.curves.refresh()
        self.previews.set_previews(feed.previews)
        self.alarm.show_alarms(feed.alarms)
        self.pictures.follow(feed.views, live=self._state.is_active)
        if feed.probe != self._probe:
            self._show_details()
        self._show_state()

    def _show_state(self) -> None:
        run, spec, feed = self._run, self._spec, self._feed
        if run is None or spec is None or feed is None:
            return
        former = self._state
        self._state = present_state(run, self._job, feed)
        extends = actions.can_extend(spec)
        self.header.show_state(self._state, has_job=self._has_job(), extends=extends)
        detail = self._job.detail if self._job is not None else feed.detail
        trouble = self._show_trouble(former, detail)
        self.header.show_progress(feed.progress, self._phase(), "" if trouble else detail)
        best = self.curves.best()
        self.readouts.show_feed(feed, best, active=self._state is JobState.RUNNING)
        if self._state is not former and self._state is JobState.FINISHED:
            self.pictures.finish()

    def _phase(self) -> str:
        """Return what the run does, how far it is and how long it still takes."""
        feed = self._feed
        if feed is None:
            return ""
        if self._state is JobState.QUEUED:
            return self._queue_words()
        if feed.phase and self._state.is_active:
            return feed.phase
        if not len(feed.curves):
            return ""
        words = f"{feed.progress:.0%}"
        remaining = about(feed.remaining) if self._state is JobState.RUNNING else ""
        return tr("{share} · {time} left", share=words, time=remaining) if remaining else words

    def _queue_words(self) -> str:
        if self._job is None:
            return tr("Not started yet")
        queued = [job for job in self._session.jobs.jobs if job.state is JobState.QUEUED]
        place = queued.index(self._job) + 1 if self._job in queued else 1
        return tr("Waits for the run before it (place {n} in the queue)", n=place)

    def _show_trouble(self, former: JobState, detail: str) -> bool:
        """Show the card about what went wrong; return whether there is one."""
        feed = self._feed
        if feed is None:
            return False
        if self._state is JobState.OUT_OF_MEMORY:
            self.trouble.show_memory(feed.out_of_memory or {}, feed.memory)
        elif self._state in _TROUBLES:
            sentence = detail or tr("The worker is gone; the last checkpoint is kept.")
            self.trouble.show_problem(_trouble_title(self._state), sentence)
        else:
            self.trouble.hide()
            return False
        if self._state is not former:
            self.trouble.set_traceback(bool(self._traceback()[1]))
        return True

    def _show_details(self) -> None:
        """Show what was asked for, and above it what the labels say of the latents."""
        _clear(self._details)
        self._probe = self._feed.probe if self._feed is not None else {}
        if self._run is None or self._spec is None:
            return
        tables = [probe_table(self._probe)] if self._probe else []
        for table in (*tables, details(self._run, self._spec)):
            frame = view_frame(table)
            frame.content.setMinimumHeight(frame.content.sizeHint().height() + _BAR)
            frame.failed.connect(self._session.problem)
            self._details.addWidget(frame)
        self._details.addStretch()

    def _texts(self) -> Mapping[str, str]:
        """Return the translations of the method of the run."""
        info = info_of(self._session, self._spec.method) if self._spec is not None else None
        return info.translations.get(language(), {}) if info is not None else {}

    # -- What it does ------------------------------------------------------------------------

    def _press(self, action: str) -> None:
        job = self._job
        acts: dict[str, Callable[[], object]] = {
            "start": lambda: self._continue_after(lambda: None),
            "continue": lambda: self._continue_after(lambda: None),
            "extend": self.extend,
            "duplicate": self._duplicate,
            "reveal": lambda: actions.reveal(self._require_run().path),
        }
        if job is not None:
            acts |= {
                "pause": job.pause,
                "resume": job.resume,
                "stop": job.stop,
                "kill": job.kill,
                "save": job.checkpoint,
                "preview": job.preview,
            }
        if action in acts:
            self._try(acts[action])

    def _continue_after(self, change: Callable[[], None]) -> None:
        run = self._require_run()
        change()
        self._session.jobs.resume(run)
        self._take_run()

    def _retry(self, batch_size: int) -> None:
        spec = self._spec
        if spec is None:
            return

        def start() -> None:
            smaller = actions.with_batch_size(spec, batch_size)
            self._session.jobs.start(smaller, smaller.title, self._require_run().region())

        self._try(start)

    def _duplicate(self) -> None:
        if self._run is not None:
            self.duplicate_wanted.emit(self._run)

    def _show_traceback(self) -> None:
        sentence, trace = self._traceback()
        traceback_window(self._title(), sentence, trace, self).show()

    def _traceback(self) -> tuple[str, str]:
        """Return what went wrong and where: told by the worker, or printed as it crashed."""
        notes = self._feed.notes if self._feed is not None else []
        for note in reversed(notes):
            if note.get("traceback"):
                return note["text"], note["traceback"]
        if self._run is not None and self._state in (JobState.CRASHED, JobState.LOST):
            return tr("The worker printed this before it ended:"), actions.worker_log(self._run)
        return "", ""

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (LoupeError, OSError) as problem:
            self._session.problem.emit(str(problem))

    # -- Comparison and export ---------------------------------------------------------------

    def _offer_comparable(self) -> None:
        names = _names_of(self._session.runs)
        own = str(_path(self._run))
        self.curves.set_comparable([pair for pair in names.items() if pair[0] != own])

    def _renew_overlays(self) -> None:
        self._take_overlays(self.curves.tools.compared())

    def _take_overlays(self, keys: Sequence[str]) -> None:
        for key in set(self._overlaid) - set(keys):
            self._overlaid.pop(key).close()
        overlays = []
        names = _names_of(self._session.runs)
        for key in keys:
            if key not in names:
                continue
            if key not in self._overlaid:
                self._overlaid[key] = _OwnFeed()
                self.destroyed.connect(self._overlaid[key].close)
                feed = self._overlaid[key].follow(Path(key))
                feed.updated.connect(self.curves.refresh)
                feed.restarted.connect(self._renew_overlays)
            source = self._overlaid[key].feed
            if source is not None:
                overlays.append(
                    Overlay(key, names[key], source.curves, partial(_references, source))
                )
        self.curves.set_overlays(overlays)

    def _write_values(self, path: Path) -> None:
        feed = self._feed
        if feed is None:
            return
        source, names, length = feed.curves, list(feed.curves.names), len(feed.curves)
        self._session.background.run(
            "curves table",
            lambda: actions.write_values(path, source, names, length),
            lambda _done: None,
        )

    # -- Inside ------------------------------------------------------------------------------

    def _has_job(self) -> bool:
        """Tell whether a job of this window works on the run, or waits to."""
        job = self._job
        return job is not None and (job.state.is_active or job.state is JobState.QUEUED)

    def _reached_epoch(self) -> float:
        curves = self._feed.curves if self._feed is not None else None
        return float(curves.x("epoch")[-1]) if curves is not None and len(curves) else 0.0

    def _read_spec(self) -> JobSpec | None:
        run = self._session.run
        if run is None:
            return None
        try:
            return run.spec()
        except LoupeError as problem:
            self._session.problem.emit(str(problem))
            return None

    def _title(self) -> str:
        if self._spec is None or self._run is None:
            return ""
        return self._spec.title or self._run.path.name

    def _require_run(self) -> Run:
        if self._run is None:
            raise LoupeError(tr("Open a run first."))
        return self._run


class _OwnFeed:
    """A feed of a run that this window does not work on."""

    def __init__(self) -> None:
        self.feed: RunFeed | None = None

    def follow(self, path: Path) -> RunFeed:
        self.close()
        self.feed = RunFeed(path)
        return self.feed

    def close(self) -> None:
        if self.feed is not None:
            self.feed.close()
            self.feed = None


def _references(feed: RunFeed) -> Sequence[Reference]:
    return feed.references


def _trouble_title(state: JobState) -> str:
    return {
        JobState.FAILED: tr("The run failed"),
        JobState.CRASHED: tr("The run crashed"),
        JobState.LOST: tr("The run was interrupted"),
    }[state]


def _path(run: Run | None) -> Path | None:
    return run.path if run is not None else None


def _names_of(runs: Sequence[Run]) -> dict[str, str]:
    """Return path -> title of runs; where titles are equal, with the moment of the start."""
    specs: dict[str, JobSpec] = {}
    for run in runs:
        with suppress(LoupeError):
            specs[str(run.path)] = run.spec()
    titles = Counter(spec.title for spec in specs.values())
    return {
        path: spec.title if titles[spec.title] == 1 else f"{spec.title} ({moment(spec.created)})"
        for path, spec in specs.items()
    }


def _scrolled(column: QVBoxLayout) -> QScrollArea:
    inside = QWidget()
    column.setContentsMargins(0, SPACE.s, SPACE.s, SPACE.s)
    column.setSpacing(SPACE.m)
    inside.setLayout(column)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(inside)
    return scroll


def _beside(widget: QWidget, *, left: int = 0, right: int = 0) -> QWidget:
    """Return a widget with room beside it."""
    place = QWidget()
    column = QVBoxLayout(place)
    column.setContentsMargins(left, 0, right, 0)
    column.addWidget(widget)
    return place


def _clear(column: QVBoxLayout) -> None:
    while column.count():
        item = column.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.deleteLater()
