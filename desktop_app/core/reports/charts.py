"""Small charts as plain marks: lines, boxes, dots and words, each of a kind that has a colour.

The form of a report draws the marks; where they lie is decided here, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Point = tuple[float, float]

Kind = Literal["normal", "anomalous", "unlabelled"]
"""What is known of an image."""

LineKind = Literal["axis", "grid", "chance", "threshold"]


@dataclass(frozen=True)
class Line:
    """A straight line."""

    kind: LineKind
    start: Point
    end: Point


@dataclass(frozen=True)
class Box:
    """A filled rectangle, by its upper left corner."""

    kind: Kind
    corner: Point
    width: float
    height: float


@dataclass(frozen=True)
class Path:
    """A curve through points."""

    points: Sequence[Point]


@dataclass(frozen=True)
class Dot:
    """A ring around a place of a curve."""

    centre: Point


@dataclass(frozen=True)
class Words:
    """Text on the base line of a place."""

    kind: Literal["tick", "name"]
    place: Point
    text: str
    anchor: Literal["start", "middle", "end"]
    is_upright: bool = False
    """Read from below to above."""


Mark = Line | Box | Path | Dot | Words


@dataclass(frozen=True)
class Chart:
    """Marks in a box of width times height, drawn in this order; y counts from above."""

    name: str
    """What is seen, for those who cannot see it."""
    width: float
    height: float
    marks: Sequence[Mark]


Kinds = Sequence[tuple[Kind, Floats]]
"""Scores of each kind of image, stacked in this order."""

BINS = 48
TOWERING = 8.0
"""Highest over median score above which a histogram needs a logarithmic axis."""

_NAME_WIDTH = 110.0
"""Room that the name of a threshold needs."""

MOST_POINTS = 600
"""Points of a curve that are drawn; more than the pixels across cannot be seen."""


@dataclass(frozen=True)
class _Frame:
    """The area between the axes and the values at its ends, in units of the view box."""

    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    left: float = 52.0
    right: float = 14.0
    top: float = 16.0
    bottom: float = 42.0
    is_log: bool = False
    """The x axis is logarithmic."""
    is_log_up: bool = False
    """The y axis is logarithmic."""

    def x(self, value: float) -> float:
        """Return where a value lies across."""
        share = _share(value, self.x_range, is_log=self.is_log)
        return self.left + share * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Return where a value lies from above."""
        share = _share(value, self.y_range, is_log=self.is_log_up)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def at(self, x: float, y: float) -> Point:
        """Return where a pair of values lies."""
        return self.x(x), self.y(y)


def _share(value: float, ends: tuple[float, float], *, is_log: bool) -> float:
    low, high = ends
    if is_log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def histogram(kinds: Kinds, thresholds: Mapping[str, float], name: str) -> Chart:
    """Return stacked counts of scores (N,) of each kind, with a line at each named threshold.

    Where few scores tower above all others, the score axis is logarithmic.
    """
    everything = np.concatenate([scores for _, scores in kinds])
    ends = [everything.min(), everything.max(), *thresholds.values()]
    low, high = _widened(float(min(ends)), float(max(ends)))
    is_log = low > 0 and high > TOWERING * float(np.median(everything))
    edges = np.geomspace(low, high, BINS + 1) if is_log else np.linspace(low, high, BINS + 1)
    edges[0], edges[-1] = low, high  # exactly, or the extreme scores fall out
    counts = [np.histogram(scores, edges)[0] for _, scores in kinds]
    tallest = float(np.sum(counts, axis=0).max())
    frame = _Frame(720, 260, (low, high), (0.0, tallest * 1.08), is_log=is_log)
    marks = _axes(frame, "score (higher is more unusual)", "images")
    below = np.zeros(BINS)
    for (kind, _), heights in zip(kinds, counts, strict=True):
        marks += _bars(frame, kind, edges, below, heights)
        below = below + heights
    for word, threshold in thresholds.items():
        marks += _threshold_line(frame, threshold, word, threshold < max(thresholds.values()))
    return Chart(name, frame.width, frame.height, marks)


def curve(
    x: Floats,
    y: Floats,
    x_name: str,
    y_name: str,
    name: str,
    marker: Point | None = None,
    chance: tuple[Point, Point] | None = None,
) -> Chart:
    """Return a curve (T,) in the unit square, a dot at the threshold and the line of chance."""
    frame = _Frame(350, 310, (0.0, 1.0), (0.0, 1.0))
    marks = _axes(frame, x_name, y_name)
    if chance is not None:
        marks.append(Line("chance", frame.at(*chance[0]), frame.at(*chance[1])))
    marks.append(_path(frame, x, y))
    if marker is not None:
        marks.append(Dot(frame.at(*marker)))
    return Chart(name, frame.width, frame.height, marks)


def history(steps: Floats, values: Floats, name: str, trivial: float | None = None) -> Chart:
    """Return how a value (T,) went over the steps (T,) of a training.

    Dashes mark its trivial value, which is reached without learning. Values that tower above the
    last ones, as losses do at first, are shown on a logarithmic axis.
    """
    ends = [float(values.min()), float(values.max()), *([] if trivial is None else [trivial])]
    low, high = _widened(min(ends), max(ends))
    is_log = low > 0 and high > TOWERING * float(np.median(values))
    span = _widened(float(steps[0]), float(steps[-1]))
    frame = _Frame(350, 210, span, (low, high), left=64.0, is_log_up=is_log)
    marks = _axes(frame, "step", name)
    if trivial is not None:
        marks.append(Line("chance", frame.at(span[0], trivial), frame.at(span[1], trivial)))
    marks.append(_path(frame, steps, values))
    return Chart(name, frame.width, frame.height, marks)


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return about `count` round values from low to high: multiples of 1, 2 or 5 times 10^k."""
    rough = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [tick * step for tick in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return multiples of 1, 2 and 5 times 10^k from low to high; of 1 alone over many decades."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    leads = (1, 2, 5) if len(decades) < 6 else (1,)
    ticks = [lead * 10.0**decade for decade in decades for lead in leads]
    return [tick for tick in ticks if low <= tick <= high]


def _axes(frame: _Frame, x_name: str, y_name: str) -> list[Mark]:
    left, right = frame.x(frame.x_range[0]), frame.x(frame.x_range[1])
    bottom, top = frame.y(frame.y_range[0]), frame.y(frame.y_range[1])
    marks: list[Mark] = []
    for tick in _ticks(frame.y_range, 5, is_log=frame.is_log_up):
        marks.append(Line("grid", (left, frame.y(tick)), (right, frame.y(tick))))
        marks.append(Words("tick", (left - 7, frame.y(tick) + 4), f"{tick:.6g}", "end"))
    for tick in _ticks(frame.x_range, 6, is_log=frame.is_log):
        marks.append(Line("axis", (frame.x(tick), bottom), (frame.x(tick), bottom + 4)))
        marks.append(Words("tick", (frame.x(tick), bottom + 17), f"{tick:.6g}", "middle"))
    marks.append(Line("axis", (left, bottom), (right, bottom)))
    marks.append(Words("name", ((left + right) / 2, frame.height - 6), x_name, "middle"))
    marks.append(Words("name", (13, (bottom + top) / 2), y_name, "middle", is_upright=True))
    return marks


def _ticks(ends: tuple[float, float], count: int, *, is_log: bool) -> list[float]:
    return log_ticks(*ends) if is_log else nice_ticks(*ends, count=count)


def _path(frame: _Frame, x: Floats, y: Floats) -> Path:
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(np.int64))
    return Path([frame.at(float(x[i]), float(y[i])) for i in kept])


def _bars(
    frame: _Frame, kind: Kind, edges: Floats, below: Floats, heights: NDArray[Any]
) -> list[Box]:
    return [
        Box(
            kind,
            (frame.x(left) + 0.5, frame.y(base + height)),
            max(frame.x(right) - frame.x(left) - 1, 0.5),
            frame.y(base) - frame.y(base + height),
        )
        for left, right, base, height in zip(edges, edges[1:], below, heights, strict=False)
        if height
    ]


def _threshold_line(frame: _Frame, threshold: float, word: str, is_lower: bool) -> list[Mark]:
    """Return a line and its name, that of the lower one of two to the left of it."""
    x = frame.x(threshold)
    is_left = x > frame.width / 2 or (is_lower and x > frame.left + _NAME_WIDTH)
    place = (x + (-6 if is_left else 6), frame.top + (17 if is_lower else 3))
    return [
        Line("threshold", (x, frame.top - 8), (x, frame.y(frame.y_range[0]))),
        Words("name", place, f"{word} {threshold:.4g}", "end" if is_left else "start"),
    ]


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is wider than nothing also where all values are equal."""
    if high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
        return low, high
    reach = max(abs(low) * 0.05, 0.5)
    return low - reach, high + reach
