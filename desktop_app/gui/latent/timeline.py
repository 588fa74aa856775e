"""The slider below the map: how the map looked at each step of the training."""

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.latent.history import MapHistory, Moment
from desktop_app.gui.theme import SPACE, TYPE, number_font, set_role
from desktop_app.gui.widgets import named

_FRAME_MILLISECONDS = 180  # between two snapshots while they play


class Timeline(QWidget):
    """Runs over the snapshots of a history and, behind them, the trained method's map."""

    moment_changed = Signal(object)
    """Carries the Moment that is to be shown, None for the trained method."""

    def __init__(self, history: MapHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._has_final = False
        self._follows = True  # the newest snapshot is shown as it comes
        self.slider = named(
            QSlider(Qt.Orientation.Horizontal),
            tr("Step of the training"),
            tr("How the map looked while the run was trained"),
        )
        self.slider.valueChanged.connect(self._choose)
        self.text = QLabel()
        self.text.setFont(number_font(TYPE.caption))
        self.text.setMinimumWidth(128)
        set_role(self.text, "caption")
        self.play = named(QToolButton(), tr("Play"), tr("Play the training from its first step"))
        self.play.setCheckable(True)
        self.play.toggled.connect(self._play)
        set_icon(self.play, "play")
        self._clock = QTimer(self, interval=_FRAME_MILLISECONDS)
        self._clock.timeout.connect(self._advance)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.m, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(self.play)
        row.addWidget(self.text)
        row.addWidget(self.slider, 1)
        history.grown.connect(self.refresh)
        history.arrived.connect(self._take)
        self.refresh()

    def restart(self, has_final: bool) -> None:
        """Go to the newest map of all; `has_final` tells whether the trained method has one."""
        self._has_final = has_final
        self._follows = True
        self.play.setChecked(False)
        self.refresh()

    def refresh(self) -> None:
        """Let the slider run over what there is."""
        steps = self._history.steps
        last = len(steps) - 1 + int(self._has_final)
        self.setVisible(len(steps) > 1 or (len(steps) == 1 and self._has_final))
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, last))
            if self._follows:
                self.slider.setValue(max(0, last))
        if self._follows and steps and not self._has_final:
            self._history.show(steps[-1])
        self._tell()

    def ask_again(self) -> None:
        """Fetch the map of the chosen step anew, since it is to be seen along other axes."""
        steps, number = self._history.steps, self.slider.value()
        if number < len(steps):
            self._history.show(steps[number])

    def _choose(self, number: int) -> None:
        steps = self._history.steps
        self._follows = number == self.slider.maximum()
        self._tell()
        if number < len(steps):
            self._history.show(steps[number])
        else:
            self.moment_changed.emit(None)

    def _take(self, moment: Moment) -> None:
        steps, number = self._history.steps, self.slider.value()
        if number < len(steps) and steps[number] == moment.step:
            self.moment_changed.emit(moment)
            if self.play.isChecked():
                self._clock.start()

    def _play(self, playing: bool) -> None:
        set_icon(self.play, "pause" if playing else "play")
        self._clock.stop()
        if not playing:
            return
        if self.slider.value() == self.slider.maximum():
            self.slider.setValue(0)  # the clock starts when this snapshot is there
        else:
            self._clock.start()

    def _advance(self) -> None:
        """Show the next snapshot; the one after it follows when this one is there."""
        self._clock.stop()
        if self.slider.value() < self.slider.maximum():
            self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() == self.slider.maximum():
            self.play.setChecked(False)

    def _tell(self) -> None:
        steps, number = self._history.steps, self.slider.value()
        if number >= len(steps):
            self.text.setText(tr("Trained"))
            return
        text = tr("Step {n}", n=f"{steps[number]:,}")
        live = self._history.is_growing and self._follows
        self.text.setText(tr("{step}, live", step=text) if live else text)
