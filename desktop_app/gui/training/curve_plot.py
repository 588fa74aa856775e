"""One plot of curves that share an axis: faint raw values, a strong smoothed line, and marks.

Everything is drawn from at most two points per pixel and line, so that a repaint costs the same
after a thousand and after a million steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import TYPE, Theme, current_theme, set_role, ui_font
from desktop_app.gui.training.axis import RunAxis, ValueAxis
from desktop_app.gui.training.groups import direction
from desktop_app.gui.training.series import Floats, Metrics, Series
from desktop_app.gui.views.chips import Chip, ChipRow
from desktop_app.gui.views.plots import Plot, thin
from desktop_app.gui.widgets import ElidedLabel
from desktop_app.gui.wording import number

RAW_OPACITY = 0.32
_MARK_HEIGHT = (0.0, 0.06)  # share of the plot
_ROBUST = (0.02, 0.98)  # quantiles that a view without outliers spans
_LEAST_HEIGHT = 136  # logical pixels
_DOT = 5  # logical pixels
_MOST_DOTTED = 200  # points on screen up to which each has a dot
_SAMPLE = 4000  # points that quantiles are taken of
_ROOM = 0.06  # above and below the curves
_MARK_TINTS = {
    "checkpoint": "border_strong",
    "running": "good",
    "paused": "warning",
    "learning rate": "accent",
    "out of memory": "bad",
    "alarm": "warning",
}
_LABEL_PLACES = (0.98, 0.72, 0.46, 0.2)
"""Shares of the width at which labels of neighbouring levels stand, so that none hides one."""
_LABEL_ANCHORS = [(1, 0), (1, 1)]
"""Below a line in the upper half of the plot, above one in the lower half."""
_REACH = 3.0  # heights of the curves within which a level is brought into sight


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step: its kind, and a sentence about it."""

    step: float
    kind: str
    text: str


@dataclass(frozen=True)
class Level:
    """A horizontal line: the value that a curve has without having learned, or should have."""

    line: str
    """The key of the line that it belongs to; it is hidden with it."""
    value: float
    words: str
    colour: int | None
    """Place in the theme's list of category colours; None where it belongs to several lines."""


@dataclass
class Line:
    """One metric of one run in a plot."""

    key: str
    metric: str
    name: str
    colour: int
    """Place in the theme's list of category colours."""
    source: Metrics
    series: Series
    dashed: bool = False
    dotted: bool = False
    """Few values, far apart: each has a dot."""
    shown: bool = True
    raw: Any = field(default_factory=lambda: pg.PlotCurveItem(connect="finite"))
    smooth: Any = field(default_factory=lambda: pg.PlotCurveItem(connect="finite", antialias=True))
    dots: Any = field(default_factory=lambda: pg.ScatterPlotItem(size=_DOT, pxMode=True, pen=None))


@dataclass(frozen=True)
class Look:
    """How all plots of a run show their curves."""

    axis: str = "step"
    logarithmic: bool = False
    robust: bool = False
    smoothing: bool = True


class CurvePlot(QWidget):
    """Chips with names and values, and below them the plot."""

    moved = Signal()
    """The analyst changed the range on screen."""
    fitted = Signal()
    """The analyst asked to see everything."""
    hovered = Signal(float, QPointF)
    """Carries the pointer's place on the x axis and on the screen."""
    left = Signal()
    """The pointer left the plot."""

    def __init__(self, lines: Sequence[Line], name: str, title: str = "") -> None:
        """`title` stands above the chips where these do not name the metric."""
        super().__init__()
        self.lines = list(lines)
        self.follows = True
        """Whether the vertical range follows the curves."""
        self._look = Look()
        self.chips = ChipRow(name)
        self.remark = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self.remark, "caption")
        self._axis = RunAxis()
        self.plot = Plot(name, {"bottom": self._axis, "left": ValueAxis()})
        self.plot.setToolTip(
            tr("Drag a box to zoom, Ctrl+wheel zooms, double-click shows everything")
        )
        self.box = self.plot.plotItem.vb
        self.box.setMouseMode(self.box.RectMode)
        self.box.disableAutoRange()
        self._best = pg.ScatterPlotItem(size=9, pxMode=True)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.setVisible(False)
        self._levels: list[tuple[Level, Any]] = []
        self._marks = {kind: pg.VTickGroup(yrange=_MARK_HEIGHT) for kind in _MARK_TINTS}
        for line in self.lines:
            self.plot.addItem(line.raw, ignoreBounds=True)
            self.plot.addItem(line.smooth, ignoreBounds=True)
            if line.dotted:
                self.plot.addItem(line.dots, ignoreBounds=True)
        for item in (self._best, self._cursor, *self._marks.values()):
            self.plot.addItem(item, ignoreBounds=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.title = ElidedLabel(title, Qt.TextElideMode.ElideRight)
        self.title.setVisible(bool(title))
        column.addWidget(self.title)
        column.addWidget(self.chips)
        column.addWidget(self.plot, 1)
        column.addWidget(self.remark)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.chips.toggled.connect(self._toggle)
        self.box.sigRangeChangedManually.connect(self._move)
        self.plot.scene().sigMouseMoved.connect(self._hover)
        self.plot.scene().sigMouseClicked.connect(self._click)
        self.plot.viewport().installEventFilter(self)
        self.plot.coloured(self._colour)

    def set_look(self, look: Look) -> None:
        """Change axes and smoothing; the next `draw` shows it."""
        if look.logarithmic != self._look.logarithmic or look.axis != self._look.axis:
            self.follows = True
        self._look = look
        self.plot.getAxis("left").setLogMode(look.logarithmic)
        self._axis.set_timed(look.axis == "elapsed")
        self._colour(current_theme())

    def set_marks(self, places: Mapping[str, Floats]) -> None:
        """Show ticks at these places of the x axis (n,), by kind."""
        for kind, ticks in self._marks.items():
            wanted = places.get(kind, np.zeros(0))
            if not np.array_equal(wanted, ticks.xvals):
                ticks.setXVals(wanted.tolist())

    def set_levels(self, levels: Sequence[Level]) -> None:
        """Show these horizontal lines and no others."""
        if list(levels) == [level for level, _ in self._levels]:
            return
        for _, item in self._levels:
            self.plot.removeItem(item)
        self._levels = []
        for place, level in enumerate(sorted(levels, key=lambda part: part.value)):
            options = {
                "position": _LABEL_PLACES[place % len(_LABEL_PLACES)],
                "anchors": _LABEL_ANCHORS,
            }
            item = pg.InfiniteLine(angle=0, label=level.words, labelOpts=options)
            item.label.setFont(ui_font(TYPE.caption))
            self.plot.addItem(item, ignoreBounds=True)
            self._levels.append((level, item))
        self._levels.sort(key=lambda pair: list(levels).index(pair[0]))
        self._colour_levels(current_theme())

    def draw(self, low: float, high: float, width: int) -> None:
        """Draw what lies between `low` and `high` of the x axis on `width` pixels."""
        extents = [self._draw_line(line, low, high, width) for line in self.lines]
        extents += self._place_levels(extents)
        self._draw_best()
        self._draw_remark()
        if self.follows:
            self._fit(extents)

    def set_values(self, row: int | None) -> None:
        """Show beside each name the value at a row of the source, or the last one."""
        self.chips.set_values(
            {line.key: self.value_text(line, row) for line in self.lines if len(line.series)}
        )

    def value_text(self, line: Line, row: int | None) -> str:
        """Return the smoothed value of a line at a row, or its last one."""
        point = len(line.series) - 1 if row is None else line.series.point_at(row)
        if point < 0:
            return ""
        values = line.series.smooth if self._look.smoothing else line.series.raw
        return number(float(values[point]))

    def show_cursor(self, place: float | None) -> None:
        """Draw the vertical line at a place of the x axis, or take it away."""
        self._cursor.setVisible(place is not None)
        if place is not None:
            self._cursor.setPos(place)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that the pointer leaves; leave the wheel to the panel unless Ctrl is held."""
        if event.type() == QEvent.Type.Leave:
            self.left.emit()
        if isinstance(event, QWheelEvent):
            zooms = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if not zooms:
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def _draw_line(
        self, line: Line, low: float, high: float, width: int
    ) -> tuple[float, float] | None:
        series, look = line.series, self._look
        visible = line.shown and len(series) > 0
        line.raw.setVisible(visible)
        line.smooth.setVisible(visible and look.smoothing)
        line.dots.setVisible(visible)
        if not visible:
            return None
        x = line.source.x(look.axis)
        first = int(np.searchsorted(x, low))
        last = int(np.searchsorted(x, high, side="right"))
        start, stop = series.between(first, last)
        for smooth, item in ((False, line.raw), (True, line.smooth)):
            if smooth and not look.smoothing:
                continue
            rows, values = series.drawn(start, stop, 2 * width, smooth=smooth)
            item.setData(x[rows], self._scaled(values))
        if line.dotted:
            few = stop - start <= _MOST_DOTTED
            rows, values = series.drawn(start, stop if few else start, 2 * width, smooth=False)
            line.dots.setData(x[rows], self._scaled(values))
        return self._extent(series, start, stop)

    def _scaled(self, values: Floats) -> Floats:
        """Return the values as the axis places them, NaN where a logarithm does not exist."""
        if not self._look.logarithmic:
            return values
        positive = values > 0
        return np.log10(values, out=np.full(len(values), np.nan), where=positive)

    def _extent(self, series: Series, start: int, stop: int) -> tuple[float, float] | None:
        """Return the range of values that should be in sight."""
        if not self._look.robust and not self._look.logarithmic:
            low, high = series.extent(start, stop)
            return (low, high) if low <= high else None
        stride = max(1, (stop - start) // _SAMPLE)
        sample = self._scaled(series.raw[start:stop:stride])
        sample = sample[np.isfinite(sample)]
        if not len(sample):
            return None
        quantiles = _ROBUST if self._look.robust else (0.0, 1.0)
        low, high = np.quantile(sample, quantiles)
        return float(low), float(high)

    def _place_levels(
        self, extents: Sequence[tuple[float, float] | None]
    ) -> list[tuple[float, float]]:
        """Put the horizontal lines where they belong; return those to be brought into sight.

        One far from the curves, or any while the view leaves out outliers, stays where it is.
        """
        known = [extent for extent in extents if extent is not None]
        shown = {line.key for line in self.lines if line.shown and len(line.series)}
        wanted = []
        for level, item in self._levels:
            value = float(self._scaled(np.array([level.value]))[0])
            visible = level.line in shown and bool(np.isfinite(value))
            item.setVisible(visible)
            if not visible:
                continue
            if item.value() != value:
                item.setValue(value)
            if known and not self._look.robust:
                low, high = min(low for low, _ in known), max(high for _, high in known)
                room = _REACH * (high - low) or np.inf
                if low - room <= value <= high + room:
                    wanted.append((value, value))
        return wanted

    def _fit(self, extents: Sequence[tuple[float, float] | None]) -> None:
        known = [extent for extent in extents if extent is not None]
        if not known:
            return
        low, high = min(low for low, _ in known), max(high for _, high in known)
        room = (high - low) * _ROOM or abs(high) * _ROOM or 0.5
        wanted = (low - room, high + room)
        if tuple(self.box.viewRange()[1]) != wanted:
            self.box.setYRange(*wanted, padding=0)

    def _draw_best(self) -> None:
        """Ring the best smoothed value of each line whose name tells what is better."""
        x: list[float] = []
        y: list[float] = []
        tints: list[str] = []
        theme = current_theme()
        for line in self.lines:
            better = direction(line.metric)
            if not line.shown or better == "neither":
                continue
            point = line.series.best(highest=better == "higher")
            if point >= 0:
                x.append(float(line.source.x(self._look.axis)[line.series.rows[point]]))
                y.append(float(self._scaled(line.series.smooth[point : point + 1])[0]))
                tints.append(theme.category(line.colour))
        finite = [place for place, value in enumerate(y) if np.isfinite(value)]
        pens = [pg.mkPen(tints[place], width=2) for place in finite]
        self._best.setData(
            [x[place] for place in finite],
            [y[place] for place in finite],
            pen=pens or None,
            brush=pg.mkBrush(theme.colour("canvas")),
        )

    def _draw_remark(self) -> None:
        hidden = sum(line.series.non_positive for line in self.lines if line.shown)
        words = ""
        if self._look.logarithmic and hidden:
            words = tr("{n} values of zero or less cannot be shown on this axis", n=f"{hidden:,}")
        if words != self.remark.text():
            self.remark.setText(words)
        self.remark.setVisible(bool(words))

    def _toggle(self, key: str, shown: bool) -> None:
        for line in self.lines:
            if line.key == key:
                line.shown = shown
        self.moved.emit()

    def _move(self, *_axes: object) -> None:
        self.follows = False
        self.moved.emit()

    def _hover(self, place: QPointF) -> None:
        area = self.box.sceneBoundingRect()
        if not area.contains(place):
            self.left.emit()
            return
        on_axis = float(self.box.mapSceneToView(place).x())
        on_screen = self.plot.viewport().mapToGlobal(self.plot.mapFromScene(place))
        self.hovered.emit(on_axis, QPointF(on_screen))

    def _click(self, event: Any) -> None:
        if event.double():
            self.fitted.emit()

    def _colour(self, theme: Theme) -> None:
        self.chips.set_chips(
            [
                Chip(line.key, line.name, theme.category(line.colour), line.dashed)
                for line in self.lines
            ]
        )
        for line in self.lines:
            style = Qt.PenStyle.DashLine if line.dashed else Qt.PenStyle.SolidLine
            strong = pg.mkPen(theme.category(line.colour), width=1, style=style)
            faint = thin(strong.color(), RAW_OPACITY)
            line.smooth.setPen(strong)
            line.raw.setPen(faint if self._look.smoothing else strong)
            line.dots.setBrush(pg.mkBrush(theme.category(line.colour)))
        self._colour_levels(theme)
        for kind, ticks in self._marks.items():
            ticks.setPen(thin(theme.colour(_MARK_TINTS[kind])))
        self._cursor.setPen(thin(theme.colour("text_secondary"), 0.7))
        self.box.rbScaleBox.setPen(thin(theme.colour("accent")))
        shade = theme.colour("accent")
        shade.setAlphaF(0.15)
        self.box.rbScaleBox.setBrush(shade)

    def _colour_levels(self, theme: Theme) -> None:
        for level, item in self._levels:
            shared = theme.colour("text_secondary")
            tint = shared if level.colour is None else theme.category(level.colour)
            item.setPen(pg.mkPen(tint, width=1, style=Qt.PenStyle.DashLine))
            item.label.setColor(theme.colour("text_secondary"))


def mark_places(marks: Sequence[Mark], source: Metrics, axis: str) -> dict[str, NDArray[Any]]:
    """Return where marks lie on an x axis, by kind."""
    if not len(source):
        return {}
    steps, x = source.x("step"), source.x(axis)
    places: dict[str, list[float]] = {}
    for mark in marks:
        row = min(int(np.searchsorted(steps, mark.step)), len(x) - 1)
        places.setdefault(mark.kind, []).append(float(x[row]))
    return {kind: np.array(found) for kind, found in places.items()}
