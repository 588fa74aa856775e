"""The head of a run: its title and state, how far it is, and the buttons that steer it."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.runs import JobState
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.theme import SPACE, set_kind, set_role, set_tone
from desktop_app.gui.training.states import Choices, choices, state_words
from desktop_app.gui.widgets import Badge, ElidedLabel, named
from desktop_app.gui.widgets.badge import Tone

_PROGRESS_STEPS = 1000


class RunHeader(QWidget):
    """Shows what it is told and says which button was pressed."""

    pressed = Signal(str)
    """Carries start, pause, resume, continue, extend, stop, kill, duplicate, save or preview."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._main_action = ""
        self._title = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._title, "title")
        self.badge = Badge()
        self.main_button = QPushButton()
        set_kind(self.main_button, "primary")
        self.main_button.clicked.connect(lambda: self.pressed.emit(self._main_action))
        self.stop_button = _button("stop", tr("Stop"), tr("Save a checkpoint, then end the run"))
        self.kill_button = _button(
            "kill", tr("Kill"), tr("End the process at once; only the last checkpoint is kept")
        )
        set_kind(self.kill_button, "danger")
        self.stop_button.clicked.connect(lambda: self.pressed.emit("stop"))
        self.kill_button.clicked.connect(lambda: self.pressed.emit("kill"))
        self.more_button = named(QToolButton(), tr("More"), tr("More to do with this run"))
        set_icon(self.more_button, "more")
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more_button.setProperty("menu", "none")
        self._build_menu()
        self.progress = named(QProgressBar(), tr("Progress"))
        self.progress.setRange(0, _PROGRESS_STEPS)
        self.progress.setTextVisible(False)
        self.phase = QLabel()
        self.detail = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self.phase, "secondary")
        set_role(self.detail, "secondary")
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(self._title, 1)
        top.addWidget(self.badge)
        top.addSpacing(SPACE.s)
        for button in (self.main_button, self.stop_button, self.kill_button, self.more_button):
            top.addWidget(button)
        below = QHBoxLayout()
        below.setSpacing(SPACE.m)
        below.addWidget(self.phase)
        below.addWidget(self.detail, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(top)
        column.addWidget(self.progress)
        column.addLayout(below)

    def set_title(self, title: str) -> None:
        """Name the run."""
        self._title.setText(title)

    def show_state(self, state: JobState, *, has_job: bool, extends: bool) -> None:
        """Show a state and offer what can be done in it."""
        word, tone = state_words(state)
        self.badge.show_state(word, tone)
        offered = choices(state, has_job=has_job)
        if offered.main == "extend" and not extends:
            offered = Choices("", offered.stops, offered.kills)
        self._show_main(offered.main)
        self.stop_button.setVisible(offered.stops)
        self.kill_button.setVisible(offered.kills)
        if state is JobState.QUEUED:
            self.stop_button.setText(tr("Remove from queue"))
            self.stop_button.setToolTip(tr("Do not start this run; its settings are kept"))
        else:
            self.stop_button.setText(tr("Stop"))
            self.stop_button.setToolTip(tr("Save a checkpoint, then end the run"))
        listening = has_job and state is JobState.RUNNING
        self._save.setEnabled(listening)
        self._preview.setEnabled(listening)
        set_tone(self.progress, _TONES.get(state, ""))

    def show_progress(self, share: float, phase: str, detail: str, *, bad: bool = False) -> None:
        """Show how far the run is, in [0, 1], what it does, and what there is to say about it."""
        self.progress.setValue(round(share * _PROGRESS_STEPS))
        if phase != self.phase.text():
            self.phase.setText(phase)
        if detail != self.detail.text():
            self.detail.setText(detail)
        set_tone(self.detail, "bad" if bad else "")

    def _show_main(self, action: str) -> None:
        self._main_action = action
        self.main_button.setVisible(bool(action))
        if not action:
            return
        icon, word, tip = {
            "start": ("play", tr("Start"), tr("Start this run")),
            "pause": ("pause", tr("Pause"), tr("Save a checkpoint and wait; nothing is lost")),
            "resume": ("play", tr("Resume"), tr("Go on where it paused")),
            "continue": (
                "play",
                tr("Resume"),
                tr("Go on from the last checkpoint, with the same losses as without interruption"),
            ),
            "extend": (
                "extend",
                tr("Extend…"),
                tr("Train for more epochs; what was learnt is kept"),
            ),
        }[action]
        primary = action in ("start", "resume", "continue")
        set_kind(self.main_button, "primary" if primary else "secondary")
        self.main_button.setText(word)
        named(self.main_button, word, tip)
        set_icon(self.main_button, icon, "on_accent" if primary else "text")

    def _build_menu(self) -> None:
        menu = QMenu(self.more_button)
        duplicate = menu.addAction(tr("Duplicate with changes…"))
        set_icon(duplicate, "copy")
        duplicate.triggered.connect(lambda: self.pressed.emit("duplicate"))
        reveal = menu.addAction(tr("Show in file manager"))
        set_icon(reveal, "external")
        reveal.triggered.connect(lambda: self.pressed.emit("reveal"))
        menu.addSeparator()
        self._save = menu.addAction(tr("Save a checkpoint now"))
        set_icon(self._save, "save")
        self._save.triggered.connect(lambda: self.pressed.emit("save"))
        self._preview = menu.addAction(tr("Draw previews now"))
        set_icon(self._preview, "image")
        self._preview.triggered.connect(lambda: self.pressed.emit("preview"))
        self.more_button.setMenu(menu)


_TONES: dict[JobState, Tone] = {
    JobState.FINISHED: "good",
    JobState.PAUSED: "warning",
    JobState.PAUSING: "warning",
    JobState.FAILED: "bad",
    JobState.OUT_OF_MEMORY: "bad",
    JobState.CRASHED: "bad",
}


def _button(icon: str, name: str, tip: str) -> QPushButton:
    button = named(QPushButton(name), name, tip)
    button.setIconSize(QSize(16, 16))
    set_icon(button, icon, "bad" if icon == "kill" else "text")
    return button
