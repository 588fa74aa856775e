"""The row of tools above the curves: axes, smoothing, plots, comparison, export."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.theme import SPACE, set_role
from desktop_app.gui.training.curve_plot import Look
from desktop_app.gui.training.flow import FlowLayout
from desktop_app.gui.widgets import Segment, Segmented, SliderField, named

_SUGGESTED_STEP = 1.5  # factor from which a suggestion differs from what is shown
_LARGEST_WINDOW = 10_000.0


class CurveTools(QWidget):
    """Says how the curves are to be shown; knows nothing of them."""

    look_changed = Signal(object, object)
    """Carries the new and the former `Look`."""
    window_changed = Signal(float)
    """Carries the number of values that are smoothed over."""
    grouping_changed = Signal()
    fit_wanted = Signal()
    overlays_wanted = Signal(object)
    """Carries the keys of all runs that are to be laid over."""
    copy_wanted = Signal()
    export_wanted = Signal(str, object)
    """Carries png, svg or csv and the path."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = Look(smoothing=False)
        self._chosen = False  # whether the analyst moved the slider
        self._axis = Segmented(
            tr("Horizontal axis"),
            [
                Segment("step", tr("Step"), tip=tr("Over optimiser steps")),
                Segment("epoch", tr("Epoch"), tip=tr("Over passes through the images")),
                Segment("elapsed", tr("Time"), tip=tr("Over time, pauses not counted")),
            ],
        )
        self._log = _switch(tr("Log scale"), tr("Logarithmic vertical axis"))
        self._robust = _switch(
            tr("Zoom to bulk"),
            tr("Show the range of nearly all values; outliers lie beyond, none is removed"),
        )
        self._smoothing = SliderField(
            tr("Smoothing"),
            1,
            _LARGEST_WINDOW,
            1,
            decimals=0,
            logarithmic=True,
            tip=tr("Values that are smoothed over; 1 shows the raw values"),
        )
        self._smoothing.setFixedWidth(190)
        self._plots = _tool("layers", tr("Plots"), tr("Which metrics share a plot"))
        self._plots.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._groupings = QActionGroup(self)
        self._plots.setMenu(self._grouping_menu())
        self._compare = _tool("compare", tr("Compare"), tr("Lay other runs over these curves"))
        self._compare.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._runs = QMenu(self._compare)
        self._compare.setMenu(self._runs)
        fit = _tool("zoom-fit", tr("Show everything"), tr("Show everything and follow what comes"))
        copy = _tool("copy", tr("Copy picture"), tr("Copy the curves as a picture"))
        export = _tool("export", tr("Export"), tr("Save the curves to a file"))
        export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        export.setMenu(self._export_menu(export))
        flow = FlowLayout(self, SPACE.s)
        smoothing = self._smoothing_place()
        flow.addWidget(self._axis)
        for widget in (self._log, self._robust):
            flow.addWidget(widget)
        flow.addWidget(smoothing)
        for widget in (self._plots, self._compare, fit, copy, export):
            flow.addWidget(widget)
        self.set_comparable(())
        self._axis.chosen.connect(self._change)
        self._log.toggled.connect(self._change)
        self._robust.toggled.connect(self._change)
        self._smoothing.value_changed.connect(self._smooth)
        self._groupings.triggered.connect(lambda _action: self.grouping_changed.emit())
        fit.clicked.connect(self.fit_wanted)
        copy.clicked.connect(self.copy_wanted)

    def look(self) -> Look:
        """Return how the curves are to be shown."""
        return self._look

    def smoothing(self) -> float:
        """Return the number of values that are smoothed over."""
        return self._smoothing.value()

    def suggest_smoothing(self, window: float) -> bool:
        """Smooth over so many values unless the analyst chose; return whether that is new."""
        known = self.smoothing()
        near = known / _SUGGESTED_STEP <= window <= known * _SUGGESTED_STEP
        if self._chosen or near:
            return False
        self._smoothing.set_value(window)
        self._change()
        return True

    def grouping(self) -> str:
        """Return auto, separate or together."""
        chosen = self._groupings.checkedAction()
        return str(chosen.data()) if chosen is not None else "auto"

    def choose(
        self,
        *,
        axis: str | None = None,
        logarithmic: bool | None = None,
        robust: bool | None = None,
        window: float | None = None,
        grouping: str | None = None,
    ) -> None:
        """Choose as the analyst would."""
        if axis is not None:
            self._axis.choose(axis)
        if logarithmic is not None:
            self._log.setChecked(logarithmic)
        if robust is not None:
            self._robust.setChecked(robust)
        if window is not None:
            self._smoothing.number.setValue(window)
        if grouping is not None:
            next(act for act in self._groupings.actions() if act.data() == grouping).trigger()

    def set_comparable(self, runs: Sequence[tuple[str, str]]) -> None:
        """Offer runs (key, title); those that are laid over stay so."""
        checked = set(self.compared())
        self._runs.clear()
        for key, title in runs:
            action = self._runs.addAction(title)
            action.setCheckable(True)
            action.setChecked(key in checked)
            action.setData(key)
            action.toggled.connect(lambda _on: self.overlays_wanted.emit(self.compared()))
        self._compare.setEnabled(bool(runs))
        tip = tr("Lay other runs over these curves")
        self._compare.setToolTip(tip if runs else tr("There is no other run to compare with"))

    def compared(self) -> list[str]:
        """Return the keys of the runs that are to be laid over."""
        return [action.data() for action in self._runs.actions() if action.isChecked()]

    def compare(self, keys: Sequence[str]) -> None:
        """Check these runs and no others."""
        for action in self._runs.actions():
            action.blockSignals(True)
            action.setChecked(action.data() in keys)
            action.blockSignals(False)
        self.overlays_wanted.emit(self.compared())

    def _change(self, _value: object = None) -> None:
        former = self._look
        self._look = Look(
            self._axis.choice(),
            self._log.isChecked(),
            self._robust.isChecked(),
            self.smoothing() > 1,
        )
        if self._look != former:
            self.look_changed.emit(self._look, former)

    def _smooth(self, window: float) -> None:
        self._chosen = True
        self._change()
        self.window_changed.emit(window)

    def _smoothing_place(self) -> QWidget:
        """Return the slider behind its name."""
        caption = QLabel(tr("Smooth"))
        set_role(caption, "secondary")
        place = QWidget()
        row = QHBoxLayout(place)
        row.setContentsMargins(SPACE.xs, 0, 0, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(caption)
        row.addWidget(self._smoothing)
        return place

    def _grouping_menu(self) -> QMenu:
        menu = QMenu(self._plots)
        for key, words in (
            ("auto", tr("Group metrics of one size")),
            ("separate", tr("One plot each")),
            ("together", tr("All in one plot")),
        ):
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(key == "auto")
            action.setData(key)
            self._groupings.addAction(action)
        return menu

    def _export_menu(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        menu.addAction(tr("Picture (PNG)"), lambda: self._ask("png"))
        menu.addAction(tr("Drawing (SVG)"), lambda: self._ask("svg"))
        menu.addAction(tr("All values (CSV)"), lambda: self._ask("csv"))
        return menu

    def _ask(self, kind: str) -> None:
        title = tr("Save the curves")
        path, _ = QFileDialog.getSaveFileName(self, title, f"curves.{kind}", f"*.{kind}")
        if path:
            self.export_wanted.emit(kind, Path(path).with_suffix(f".{kind}"))


def _switch(name: str, tip: str) -> QToolButton:
    button = named(QToolButton(), name, tip)
    button.setText(name)
    button.setCheckable(True)
    return button


def _tool(icon: str, name: str, tip: str) -> QToolButton:
    button = named(QToolButton(), name, tip)
    set_icon(button, icon, "text_secondary")
    return button
