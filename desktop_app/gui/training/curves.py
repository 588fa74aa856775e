"""The curves of a run: plots one below the other over one horizontal axis, and their tools.

The view is told when to `refresh`, at most as often as the window pulls; it never follows single
events. Other runs can be laid over: then each plot shows one metric and each run has one colour.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.gui.feed import Reference
from desktop_app.gui.i18n import term, tr
from desktop_app.gui.theme import SPACE, current_theme, set_surface
from desktop_app.gui.training.curve_plot import (
    CurvePlot,
    Level,
    Line,
    Look,
    Mark,
    mark_places,
)
from desktop_app.gui.training.curve_tools import CurveTools
from desktop_app.gui.training.groups import (
    direction,
    is_measured,
    is_setting,
    main_metric,
    measured_plots,
    shared_plots,
)
from desktop_app.gui.training.series import Metrics, Series
from desktop_app.gui.training.turns import Turns
from desktop_app.gui.training.value_table import ValueRow, ValueTable
from desktop_app.gui.views.exporting import copy_picture, write_picture
from desktop_app.gui.widgets import EmptyState
from desktop_app.gui.wording import clock, count, number, spoken
from desktop_app.sdk.errors import LoupeError

_REST = 4.0  # times the cost of a refresh that must pass before the next
_SETTLED = 50  # values after which the magnitudes of metrics are known for good
_MAGNITUDE_SAMPLE = 2000
_NEAR = 6.0  # pixels within which the crosshair names a mark
_FIRST_HEIGHT = 190  # logical pixels
_FEW_CHANGES = 50
_WINDOWS = 80.0  # lengths of a window that a run has, unless the analyst chooses otherwise
_WIDEST = 500.0
_RATES = ("learning_rate", "lr")


@dataclass(frozen=True)
class Overlay:
    """Another run laid over the curves."""

    key: str
    title: str
    source: Metrics
    references: Callable[[], Sequence[Reference]] = tuple
    """Its horizontal lines, which come as it goes on."""


@dataclass(frozen=True)
class Best:
    """The best smoothed value of the main metric and the row of the source that holds it."""

    metric: str
    value: float
    row: int


class CurvesView(QWidget):
    """All metrics of a run."""

    overlays_wanted = Signal(object)
    """Carries the keys of the runs that the analyst wants to compare with."""
    table_wanted = Signal(object)
    """Carries the path of a CSV file that the analyst wants all values in."""
    failed = Signal(str)
    """A sentence about a picture that could not be saved."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source: Metrics | None = None
        self._title = ""
        self._overlays: Sequence[Overlay] = ()
        self._series: dict[tuple[str, str], Series] = {}
        self._marks: Sequence[Mark] = ()
        self._references: Sequence[Reference] = ()
        self._plots: list[CurvePlot] = []
        self._grouping: list[list[str]] = []
        self._grouped: set[tuple[str, str]] = set()  # series that had come when plots were made
        self._settled = False
        self._follows = True
        self._next = 0.0
        self.tools = CurveTools()
        self.area = QWidget()
        set_surface(self.area, "canvas")
        self._column = QVBoxLayout(self.area)
        self._column.setContentsMargins(SPACE.s, SPACE.s, SPACE.s, SPACE.xs)
        self._column.setSpacing(SPACE.s)
        self.table = ValueTable(self.area)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.area)
        self._empty = EmptyState(
            "chart", tr("No values yet"), tr("Curves begin with the first step of the training.")
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(scroll)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self.tools)
        column.addWidget(self._stack, 1)
        self._turns = Turns(self)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._draw)
        self.tools.look_changed.connect(self._take_look)
        self.tools.window_changed.connect(self._take_window)
        self.tools.grouping_changed.connect(self._regroup)
        self.tools.fit_wanted.connect(self.fit)
        self.tools.overlays_wanted.connect(self.overlays_wanted)
        self.tools.copy_wanted.connect(lambda: copy_picture(self.area))
        self.tools.export_wanted.connect(self._export)

    def set_source(self, source: Metrics | None, title: str = "") -> None:
        """Show the curves of a run from the beginning, or nothing."""
        self._source, self._title = source, title
        self._series = {key: kept for key, kept in self._series.items() if key[0]}
        self._settled = False
        self._grouping = []
        self._clear()
        self.refresh()
        self.fit()

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Lay other runs over; none shows the run alone."""
        self._overlays = tuple(overlays)
        keys = {"", *(overlay.key for overlay in overlays)}
        self._series = {key: kept for key, kept in self._series.items() if key[0] in keys}
        self._regroup()

    def set_comparable(self, runs: Sequence[tuple[str, str]]) -> None:
        """Offer runs (key, title) to lay over."""
        self.tools.set_comparable(runs)

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Show ticks for checkpoints, pauses and the like."""
        self._marks = tuple(marks)

    def set_references(self, references: Sequence[Reference]) -> None:
        """Show horizontal lines of the run: trivial values, healthy values, baselines."""
        self._references = tuple(references)

    def plots(self) -> list[CurvePlot]:
        """Return the plots, from top to bottom."""
        return list(self._plots)

    def best(self) -> Best | None:
        """Return the best smoothed value of the main metric; None while there is none."""
        if self._source is None:
            return None
        name = main_metric(self._source.names)
        series = self._series.get(("", name))
        better = direction(name)
        if series is None or not len(series) or better == "neither":
            return None
        point = series.best(highest=better == "higher")
        return Best(name, float(series.smooth[point]), int(series.rows[point]))

    def refresh(self) -> None:
        """Take over what is new; drawn only while the view is on screen, and never too often."""
        if self._source is None or not len(self._source):
            self._stack.setCurrentIndex(0)
            return
        if time.monotonic() < self._next:
            return
        began = time.monotonic()
        self._stack.setCurrentIndex(1)
        self._follow_sources()
        if self._grouping != self._wanted_grouping() or self._grouped != set(self._series):
            self._regroup()
        elif self.isVisible():
            self._draw()
        self._next = time.monotonic() + _REST * (time.monotonic() - began)

    def fit(self) -> None:
        """Show everything, and follow what comes."""
        self._follows = True
        for plot in self._plots:
            plot.follows = True
        self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what came while nobody looked."""
        super().showEvent(event)
        self._next = 0.0
        self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw as many points as there are pixels."""
        super().resizeEvent(event)
        self._soon.start()

    def _sources(self) -> list[tuple[str, str, Metrics]]:
        """Return key, title and metrics of the run and those laid over it."""
        if self._source is None:
            return []
        others = [(overlay.key, overlay.title, overlay.source) for overlay in self._overlays]
        return [("", self._title, self._source), *others]

    def _follow_sources(self) -> None:
        steps = max((len(source) for _key, _title, source in self._sources()), default=0)
        window = min(max(1.0, steps / _WINDOWS), _WIDEST)
        if self.tools.suggest_smoothing(window):
            self._take_window(window)
        for key, _title, source in self._sources():
            for name in source.names:
                series = self._series.get((key, name))
                if series is None:
                    series = self._series[key, name] = Series(self._window(name))
                series.follow(source.values(name))

    def _wanted_grouping(self) -> list[list[str]]:
        source = self._source
        if source is None:
            return []
        names = [name for name in source.names if len(self._series.get(("", name), ()))]
        if self._overlays or self.tools.grouping() == "separate":
            return [[name] for name in names]
        measured = measured_plots(names)
        names = [name for name in names if not is_measured(name)]
        if self.tools.grouping() == "together":
            return ([names] if names else []) + measured
        own = [plot for plot in self._grouping if not is_measured(plot[0])]
        if self._settled and {name for plot in own for name in plot} == set(names):
            return own + measured
        self._settled = all(len(self._series["", name]) >= _SETTLED for name in names)
        plots = shared_plots({name: _magnitude(self._series["", name]) for name in names})
        return plots + measured

    def _regroup(self) -> None:
        """Make the plots anew."""
        self._follow_sources()
        if self.tools.grouping() != "auto" or self._overlays:
            self._settled = False
        self._grouping = self._wanted_grouping()
        self._grouped = set(self._series)
        self._clear()
        self._turns.take([partial(self._add_plot, names) for names in self._grouping])
        self._soon.start()

    def _add_plot(self, names: Sequence[str]) -> None:
        """Make one plot; it takes long enough that others wait for their turn."""
        words = ", ".join(map(metric_words, names))
        title = words if self._overlays else _group_title(names)
        plot = CurvePlot(self._lines(names), words, title)
        plot.set_look(self.tools.look())
        plot.moved.connect(partial(self._take_move, plot))
        plot.fitted.connect(self.fit)
        plot.hovered.connect(partial(self._hover, plot))
        plot.left.connect(self._leave)
        if self._plots:
            plot.box.setXLink(self._plots[0].box)
        else:
            plot.setMinimumHeight(_FIRST_HEIGHT)
        self._plots.append(plot)
        self._column.addWidget(plot, 2 if len(self._plots) == 1 else 1)
        self._soon.start()

    def _lines(self, names: Sequence[str]) -> list[Line]:
        sources = self._sources()
        lines: list[Line] = []
        for name in names:
            for place, (key, title, source) in enumerate(sources):
                series = self._series.get((key, name))
                if series is None:
                    continue
                words = metric_words(name) if len(sources) == 1 else title
                colour = len(lines) if len(sources) == 1 else place
                measured = is_measured(name)
                lines.append(
                    Line(f"{key}/{name}", name, words, colour, source, series, dotted=measured)
                )
        return lines

    def _clear(self) -> None:
        self._turns.take(())
        for plot in self._plots:
            plot.box.setXLink(None)
            self._column.removeWidget(plot)
            plot.hide()
            plot.deleteLater()
        self._plots = []
        self.table.hide()

    def _draw(self) -> None:
        if not self._plots or not self.isVisible():
            return
        look = self.tools.look()
        if self._follows:
            self._plots[0].box.setXRange(*self._extent(look.axis), padding=0)
        low, high = self._plots[0].box.viewRange()[0]
        places = mark_places(self._all_marks(), self._require_source(), look.axis)
        for plot in self._plots:
            width = max(100, round(plot.box.width() * self.devicePixelRatioF()))
            plot.set_marks(places)
            plot.set_levels(self._levels_of(plot))
            plot.draw(low, high, width)
            if not self.table.isVisible():
                plot.set_values(None)

    def _levels_of(self, plot: CurvePlot) -> list[Level]:
        """Return the horizontal lines of a plot, one where several curves share a value.

        Where the host measured several things in one plot, the first alone is compared: its
        baselines would be mistaken for those of the others.
        """
        told = {"": self._references} | {other.key: other.references() for other in self._overlays}
        alone = plot.lines[0].metric if plot.lines and is_measured(plot.lines[0].metric) else ""
        found: dict[str, Level] = {}
        for line in plot.lines:
            if alone and line.metric != alone:
                continue
            for said in told.get(line.key.removesuffix(f"/{line.metric}"), ()):
                if said.curve != line.metric:
                    continue
                words = reference_words(said)
                first = found.get(words)
                found[words] = (
                    Level(line.key, said.value, words, line.colour)
                    if first is None
                    else replace(first, colour=None)
                )
        return list(found.values())

    def _extent(self, axis: str) -> tuple[float, float]:
        columns = [source.x(axis) for _key, _title, source in self._sources() if len(source)]
        low = min(float(column[0]) for column in columns)
        high = max(float(column[-1]) for column in columns)
        low = 0.0 if low < 0.1 * high else low
        return low, high + ((high - low) * 0.02 or 1.0)

    def _all_marks(self) -> list[Mark]:
        source = self._require_source()
        marks = list(self._marks)
        for name in _RATES:
            series = self._series.get(("", name))
            if series is not None and len(series) > 1:
                changes = np.flatnonzero(np.diff(series.raw)) + 1
                if len(changes) <= _FEW_CHANGES:
                    steps = source.x("step")[series.rows[changes]]
                    marks += [
                        Mark(float(step), "learning rate", number(float(rate)))
                        for step, rate in zip(steps, series.raw[changes], strict=True)
                    ]
        return marks

    def _take_look(self, look: Look, former: Look) -> None:
        if look.axis != former.axis:
            self._follows = True
        for plot in self._plots:
            plot.set_look(look)
            if look.robust != former.robust:
                plot.follows = True
        self._soon.start()

    def _window(self, name: str) -> float:
        return 1.0 if is_setting(name) or is_measured(name) else self.tools.smoothing()

    def _take_window(self, _window: float) -> None:
        for (_key, name), series in self._series.items():
            series.set_window(self._window(name))
        self._take_look(self.tools.look(), self.tools.look())

    def _take_move(self, plot: CurvePlot) -> None:
        if not plot.follows:
            self._follows = False
        self._soon.start()

    def _hover(self, plot: CurvePlot, place: float, on_screen: QPointF) -> None:
        source = self._require_source()
        axis = self.tools.look().axis
        x = source.x(axis)
        if not len(x):
            return
        row = _nearest(source, axis, place)
        for other in self._plots:
            other.show_cursor(float(x[row]))
            other.set_values(row)
        rows = [
            ValueRow(
                current_theme().category(line.colour),
                line.name,
                _values(line, _nearest(line.source, axis, place)),
            )
            for line in plot.lines
            if line.shown and len(line.series)
        ]
        pointer = self.area.mapFromGlobal(on_screen.toPoint())
        headings = (tr("value"), tr("smoothed"))
        self.table.show_values(self._moment(plot, row), headings, rows, pointer)

    def _leave(self) -> None:
        if self.table.isVisible():
            self.table.hide()
            for plot in self._plots:
                plot.show_cursor(None)
                plot.set_values(None)

    def _moment(self, plot: CurvePlot, row: int) -> str:
        """Return where the crosshair is, and what happened there."""
        source = self._require_source()
        step, epoch, elapsed = (float(source.x(axis)[row]) for axis in ("step", "epoch", "elapsed"))
        words = [
            tr("Step {n}", n=count(step)),
            tr("epoch {n}", n=f"{epoch:.2f}"),
            clock(elapsed),
        ]
        axis = self.tools.look().axis
        near = _NEAR * float(plot.box.viewPixelSize()[0])
        x = source.x(axis)
        steps = source.x("step")
        for mark in self._all_marks():
            place = min(int(np.searchsorted(steps, mark.step)), len(x) - 1)
            if abs(float(x[place]) - float(x[row])) <= near:
                words.append(f"{_mark_words(mark.kind)} {mark.text}".strip())
                break
        return " · ".join(words)

    def _export(self, kind: str, path: Path) -> None:
        if kind == "csv":
            self.table_wanted.emit(path)
            return
        try:
            write_picture(self.area, path)
        except LoupeError as problem:
            self.failed.emit(str(problem))

    def _require_source(self) -> Metrics:
        if self._source is None:
            raise LoupeError("No run is shown: open one first.")
        return self._source


def metric_words(name: str) -> str:
    """Return the name of a curve in words."""
    return {
        "health/spread": tr("Spread of directions"),
        "health/dead_share": tr("Dead dimensions"),
        "health/effective_rank": tr("Effective rank"),
        "probe/knn": tr("kNN accuracy"),
        "probe/linear": tr("Linear probe"),
    }.get(name) or term(spoken(name), {})


def reference_words(reference: Reference) -> str:
    """Return what a horizontal line means, with its value."""
    words = {
        ("health/spread", "healthy"): tr("healthy"),
        ("health/effective_rank", "dimensions"): tr("dimensions"),
        ("probe/knn", "pixels"): tr("raw pixels"),
        ("probe/knn", "pca"): "PCA-64",
        ("probe/knn", "untrained"): tr("untrained"),
        ("probe/linear", "pixels"): tr("raw pixels"),
        ("probe/linear", "pca"): "PCA-64",
        ("probe/linear", "untrained"): tr("untrained"),
    }.get((reference.curve, reference.meaning)) or term(reference.meaning, {})
    return f"{words} {number(reference.value, 3)}"


def _group_title(names: Sequence[str]) -> str:
    """Return the heading above the first plot of what the host measures."""
    if "health/spread" in names:
        return tr("Health of the latents")
    return tr("Agreement with the labels") if names[0].startswith("probe/") else ""


def _magnitude(series: Series) -> float:
    """Return the usual size of the values, 0 without any."""
    values = series.raw[-_MAGNITUDE_SAMPLE:]
    return float(np.median(np.abs(values))) if len(values) else 0.0


def _nearest(source: Metrics, axis: str, place: float) -> int:
    x = source.x(axis)
    right = int(np.clip(np.searchsorted(x, place), 0, len(x) - 1))
    left = max(0, right - 1)
    return left if abs(x[left] - place) <= abs(x[right] - place) else right


def _values(line: Line, row: int) -> tuple[str, str]:
    point = line.series.point_at(row)
    if point < 0:
        return "", ""
    return number(float(line.series.raw[point])), number(float(line.series.smooth[point]))


def _mark_words(kind: str) -> str:
    return {
        "checkpoint": tr("checkpoint"),
        "paused": tr("paused"),
        "running": tr("resumed"),
        "out of memory": tr("out of memory"),
        "learning rate": tr("learning rate"),
        "alarm": tr("alarm"),
    }.get(kind, spoken(kind))
