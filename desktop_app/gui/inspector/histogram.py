"""How the scores are spread, by label, with the thresholds that can be dragged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from desktop_app.core.zones import NAMES, Thresholds, Zone
from desktop_app.gui.i18n import tr
from desktop_app.gui.plotmenu import own_menu
from desktop_app.gui.theme import TYPE, Theme, follow_theme, number_font
from desktop_app.gui.zones import ZONE_TONES, zone_name

BINS = 64

_FAIL_PLACE, _REVIEW_PLACE = 0.78, 0.56  # of the values beside the lines: they may be near
_TINT = 26  # opacity of a zone behind the bars, of 255


@dataclass(frozen=True)
class Bars:
    """Counts of K groups in B bins."""

    edges: NDArray[np.float64]
    """(B + 1,)."""
    counts: NDArray[np.int64]
    """(K, B)."""


def binned(
    scores: NDArray[np.floating[Any]],
    codes: NDArray[np.int64],
    groups: int,
    limits: tuple[float, float] | None = None,
    bins: int = BINS,
) -> Bars:
    """Count scores (n,) of `groups` groups in equally wide bins over the limits, or their range."""
    finite = np.isfinite(scores)
    values, codes = scores[finite].astype(np.float64), codes[finite]
    if limits is None:
        limits = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low, high = limits
    high = high if high > low else low + max(abs(low) * 1e-3, 1e-6)
    place = ((values - low) * (bins / (high - low))).astype(np.int64)
    place = np.clip(place, 0, bins - 1)
    counts = np.bincount(codes * bins + place, minlength=groups * bins)
    return Bars(np.linspace(low, high, bins + 1), counts.reshape(groups, bins))


class ScoreHistogram(pg.PlotWidget):  # type: ignore[misc]
    """Stacked bars of scores; drag a line to move a threshold, drag elsewhere for a range."""

    threshold_moved = Signal(float)
    """The analyst moved the threshold here."""
    review_moved = Signal(float)
    """The analyst moved the beginning of the review zone here."""
    range_chosen = Signal(float, float)
    """The analyst dragged over these scores."""
    range_cleared = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self._box = _RangeBox()
        super().__init__(parent, viewBox=self._box)
        self._box.histogram = self
        self._bars: Bars | None = None
        self._colours: list[str] = []
        self._items: list[Any] = []
        self._logarithmic = False
        self._thresholds: Thresholds | None = None
        self.setAccessibleName(tr("Histogram of the scores"))
        own_menu(self)
        self.setMouseEnabled(x=True, y=False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.plotItem.hideButtons()
        self.plotItem.setContentsMargins(0, 6, 6, 0)
        self.setLabel("bottom", tr("Score"))
        self.plotItem.getAxis("left").setWidth(38)
        self._regions = {zone: _shade() for zone in NAMES}
        self._names = {zone: pg.TextItem(anchor=(0.5, 0)) for zone in NAMES}
        self._range = pg.LinearRegionItem(movable=False)
        self._range.setZValue(5)
        self._range.hide()
        self._line, self._review = _threshold_line(_FAIL_PLACE), _threshold_line(_REVIEW_PLACE)
        self._line.sigPositionChanged.connect(self._tell_threshold)
        self._review.sigPositionChanged.connect(self._tell_review)
        for item in (*self._regions.values(), self._range, self._review, self._line):
            self.addItem(item, ignoreBounds=True)
        for text in self._names.values():
            text.setZValue(10)
            text.hide()
            self.addItem(text, ignoreBounds=True)
        self._line.hide()
        self._review.hide()
        self._box.sigRangeChanged.connect(lambda *_: self._place_names())
        follow_theme(self._themed)

    def set_bars(self, bars: Bars, colours: list[str]) -> None:
        """Show counts (K, B), the first group at the bottom, in K colours `#rrggbb`."""
        changed = self._bars is None or not np.array_equal(bars.edges, self._bars.edges)
        self._bars, self._colours = bars, colours
        self._draw()
        if changed:
            self.show_all()

    def threshold(self) -> float:
        """Return where the line is."""
        return float(self._line.value())

    def set_thresholds(self, thresholds: Thresholds | None) -> None:
        """Put the lines somewhere without telling anybody, or take them away.

        A line that is dragged stops at the other one.
        """
        self._thresholds = thresholds
        fail = None if thresholds is None else thresholds.fail
        review = None if thresholds is None else thresholds.review
        for line, value in ((self._line, fail), (self._review, review)):
            line.setVisible(value is not None)
            line.setBounds((None, None))
            if value is not None:  # the label of a line follows its signal: it is not blocked
                line.setValue(value)
        if review is not None:
            self._line.setBounds((review, None))
            self._review.setBounds((None, fail))
        self._shade_zones()
        self._place_names()

    def set_logarithmic(self, logarithmic: bool) -> None:
        """Show counts on a logarithmic scale: few anomalies are seen beside many normals."""
        self._logarithmic = logarithmic
        self._draw()
        self.show_all()

    def show_range(self, low: float | None, high: float | None) -> None:
        """Mark a range of scores, or none."""
        self._range.setVisible(low is not None and high is not None)
        if low is not None and high is not None:
            self._range.setRegion((low, high))

    def show_all(self) -> None:
        """Show all bars."""
        if self._bars is None:
            return
        low, high = float(self._bars.edges[0]), float(self._bars.edges[-1])
        spare = (high - low) * 0.02
        heights = self._heights(self._bars.counts.sum(axis=0))
        self.setXRange(low - spare, high + spare, padding=0)
        self.setYRange(0, max(1e-9, float(heights.max(initial=0))) * 1.08, padding=0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the threshold with the arrows, by a bin or with Shift by a tenth of one.

        With Ctrl they move the beginning of the review zone.
        """
        steps = {Qt.Key.Key_Left: -1.0, Qt.Key.Key_Right: 1.0}
        key, held = Qt.Key(event.key()), event.modifiers()
        line = self._review if held & Qt.KeyboardModifier.ControlModifier else self._line
        if key in steps and line.isVisible() and self._bars is not None:
            fine = bool(held & Qt.KeyboardModifier.ShiftModifier)
            width = float(self._bars.edges[1] - self._bars.edges[0])
            line.setValue(float(line.value()) + steps[key] * width * (0.1 if fine else 1))
        elif key == Qt.Key.Key_Escape:
            self.range_cleared.emit()
        else:
            event.ignore()  # for the panel: pyqtgraph would keep it

    def sizeHint(self) -> QSize:
        """Return a size at which the bars can be told apart."""
        return QSize(420, 180)

    def minimumSizeHint(self) -> QSize:
        """Return a size at which the shape is still seen."""
        return QSize(180, 110)

    def _tell_threshold(self) -> None:
        value = self.threshold()
        if self._thresholds is not None and value != self._thresholds.fail:
            self.threshold_moved.emit(value)

    def _tell_review(self) -> None:
        value = float(self._review.value())
        if self._thresholds is not None and value != self._thresholds.review:
            self.review_moved.emit(value)

    def _spans(self) -> dict[Zone, tuple[float, float]]:
        """Return where each zone lies on the axis; the outer ones end far beyond the bars."""
        found = self._thresholds
        if found is None:
            return {}
        ends = (found.fail, found.fail) if self._bars is None else self._bars.edges[[0, -1]]
        low, high = min(float(ends[0]), found.fail), max(float(ends[1]), found.fail)
        beyond = 10 * (high - low) + abs(high) + 1
        spans: dict[Zone, tuple[float, float]] = {"fail": (found.fail, high + beyond)}
        if found.review is not None:
            spans["review"] = (found.review, found.fail)
            spans["pass"] = (min(low, found.review) - beyond, found.review)
        return spans

    def _shade_zones(self) -> None:
        spans = self._spans()
        for zone, region in self._regions.items():
            region.setVisible(zone in spans)
            if zone in spans:
                region.setRegion(spans[zone])

    def _place_names(self) -> None:
        """Write the names of the zones in their middle, where there is room for them."""
        spans = self._spans()
        (left, right), (_bottom, top) = self._box.viewRange()
        pixel = (right - left) / max(1.0, self._box.width())
        for zone, text in self._names.items():
            low, high = spans.get(zone, (0.0, 0.0))
            low, high = max(low, left), min(high, right)
            has_room = high - low > (text.boundingRect().width() + 4) * pixel
            text.setVisible(len(spans) == len(NAMES) and has_room)
            text.setPos((low + high) / 2, top)

    def _heights(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        return np.log10(1 + counts) if self._logarithmic else counts.astype(np.float64)

    def _draw(self) -> None:
        for item in self._items:
            self.removeItem(item)
        self._items = []
        if self._bars is None:
            return
        centres = (self._bars.edges[:-1] + self._bars.edges[1:]) / 2
        width = float(self._bars.edges[1] - self._bars.edges[0]) * 0.92
        tops = self._heights(np.cumsum(self._bars.counts, axis=0))
        below = np.zeros(len(centres))
        for group, colour in enumerate(self._colours):
            heights = tops[group] - below
            filled = heights > 0
            if filled.any():
                item = pg.BarGraphItem(
                    x=centres[filled],
                    y0=below[filled],
                    height=heights[filled],
                    width=width,
                    pen=None,
                    brush=colour,
                )
                self.addItem(item, ignoreBounds=True)
                self._items.append(item)
            below = tops[group]
        self._label_counts()

    def _label_counts(self) -> None:
        axis = self.plotItem.getAxis("left")
        if self._logarithmic:
            powers = [0, *(10**power for power in range(8))]
            axis.setTicks([[(float(np.log10(1 + count)), f"{count:,}") for count in powers]])
        else:
            axis.setTicks(None)

    def _themed(self, theme: Theme) -> None:
        self.setBackground(theme.colours.surface)
        for side in ("left", "bottom"):
            axis = self.plotItem.getAxis(side)
            axis.setPen(theme.colours.border)
            axis.setTextPen(theme.colours.text_secondary)
            axis.setStyle(tickFont=number_font(TYPE.caption))
            axis.label.setFont(number_font(TYPE.caption))
            axis.label.setDefaultTextColor(theme.colour("text_secondary"))
        for zone, tone in ZONE_TONES.items():
            ground = theme.colour(tone)
            ground.setAlpha(_TINT)
            self._regions[zone].setBrush(ground)
            self._names[zone].setText(zone_name(zone), theme.colour(tone))
            self._names[zone].setFont(number_font(TYPE.caption))
        chosen = theme.colour("accent")
        chosen.setAlpha(60)
        self._range.setBrush(chosen)
        for line in self._range.lines:
            line.setPen(pg.mkPen(theme.colour("accent")))
        for line, tone in ((self._line, "text"), (self._review, "warning")):
            line.setPen(pg.mkPen(theme.colour(tone), width=2))
            line.setHoverPen(pg.mkPen(theme.colours.accent, width=3))
            line.label.setColor(theme.colours.text)
            line.label.fill = pg.mkBrush(theme.colour("raised"))
            line.label.border = pg.mkPen(theme.colours.border)
            line.label.update()
        self._place_names()


def _shade() -> Any:
    """Return the ground of a zone, without edges."""
    region = pg.LinearRegionItem(movable=False, pen=pg.mkPen(None))
    region.setZValue(-10)
    region.hide()
    return region


def _threshold_line(place: float) -> Any:
    """Return a line that can be dragged, with its value beside it, so high up of 1."""
    line = pg.InfiniteLine(movable=True, angle=90, label="{value:.4g}")
    line.setZValue(20)
    line.label.setPosition(place)
    return line


class _RangeBox(pg.ViewBox):  # type: ignore[misc]
    """Turns a drag into a range of scores; the wheel zooms."""

    histogram: ScoreHistogram

    def __init__(self) -> None:
        super().__init__(enableMenu=False, defaultPadding=0.0)
        self.disableAutoRange()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Choose a range with the left button, move with the others."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        ends = (self.mapToView(event.buttonDownPos()).x(), self.mapToView(event.pos()).x())
        low, high = min(ends), max(ends)
        self.histogram.show_range(low, high)
        if event.isFinish():
            self.histogram.range_chosen.emit(low, high)

    def mouseClickEvent(self, event: Any) -> None:
        """Forget the range; a double click shows all bars."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            if event.double():
                self.histogram.show_all()
            else:
                self.histogram.range_cleared.emit()
