"""Small charts as SVG text for reports; colours come from the page's style sheet by class.

Classes: `normal`, `anomalous`, `unlabelled` for bars; `axis`, `grid`, `curve`, `chance`,
`threshold` and `marker` for lines and dots; `tick` and `name` for text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Kinds = Sequence[tuple[str, Floats]]
"""Class name and scores of each kind of image, stacked in this order."""

BINS = 48
TOWERING = 8.0
"""Highest over median score above which a histogram needs a logarithmic axis."""

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

    def x(self, value: float) -> float:
        """Return where a value lies across."""
        low, high = self.x_range
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Return where a value lies from above."""
        low, high = self.y_range
        share = (value - low) / (high - low)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


def histogram(kinds: Kinds, thresholds: Mapping[str, float], name: str) -> str:
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
    parts = _axes(frame, "score (higher is more unusual)", "images")
    below = np.zeros(BINS)
    for (kind, _), heights in zip(kinds, counts, strict=True):
        parts += _bars(frame, kind, edges, below, heights)
        below = below + heights
    for line, (word, threshold) in enumerate(thresholds.items()):
        parts += _threshold_line(frame, threshold, word, 14 * line)
    return _svg(frame, name, parts)


def curve(
    x: Floats,
    y: Floats,
    x_name: str,
    y_name: str,
    name: str,
    marker: tuple[float, float] | None = None,
    chance: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> str:
    """Return a curve (T,) in the unit square, a dot at the threshold and the line of chance."""
    frame = _Frame(350, 310, (0.0, 1.0), (0.0, 1.0))
    parts = _axes(frame, x_name, y_name)
    if chance is not None:
        (x0, y0), (x1, y1) = chance
        parts.append(_line("chance", frame.x(x0), frame.y(y0), frame.x(x1), frame.y(y1)))
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(np.int64))
    points = " ".join(f"{frame.x(x[i]):.1f},{frame.y(y[i]):.1f}" for i in kept)
    parts.append(f'<polyline class="curve" points="{points}"/>')
    if marker is not None:
        parts.append(
            f'<circle class="marker" cx="{frame.x(marker[0]):.1f}" '
            f'cy="{frame.y(marker[1]):.1f}" r="5"/>'
        )
    return _svg(frame, name, parts)


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


def _axes(frame: _Frame, x_name: str, y_name: str) -> list[str]:
    left, right = frame.x(frame.x_range[0]), frame.x(frame.x_range[1])
    bottom = frame.y(frame.y_range[0])
    parts = []
    for tick in nice_ticks(*frame.y_range, count=5):
        parts.append(_line("grid", left, frame.y(tick), right, frame.y(tick)))
        parts.append(_text("tick", left - 7, frame.y(tick) + 4, f"{tick:.6g}", "end"))
    x_ticks = log_ticks(*frame.x_range) if frame.is_log else nice_ticks(*frame.x_range)
    for tick in x_ticks:
        parts.append(_line("axis", frame.x(tick), bottom, frame.x(tick), bottom + 4))
        parts.append(_text("tick", frame.x(tick), bottom + 17, f"{tick:.6g}", "middle"))
    parts.append(_line("axis", left, bottom, right, bottom))
    parts.append(_text("name", (left + right) / 2, frame.height - 6, x_name, "middle"))
    middle = (frame.y(frame.y_range[0]) + frame.y(frame.y_range[1])) / 2
    turned = f' transform="rotate(-90 13 {middle:.1f})"'
    parts.append(_text("name", 13, middle, y_name, "middle", turned))
    return parts


def _bars(
    frame: _Frame, kind: str, edges: Floats, below: Floats, heights: NDArray[Any]
) -> list[str]:
    return [
        f'<rect class="{kind}" x="{frame.x(left) + 0.5:.1f}" '
        f'y="{frame.y(base + height):.1f}" '
        f'width="{max(frame.x(right) - frame.x(left) - 1, 0.5):.1f}" '
        f'height="{frame.y(base) - frame.y(base + height):.1f}"/>'
        for left, right, base, height in zip(edges, edges[1:], below, heights, strict=False)
        if height
    ]


def _threshold_line(frame: _Frame, threshold: float, word: str, lower: float) -> list[str]:
    """Return a line and its name, by so many pixels lower that several names stay apart."""
    x = frame.x(threshold)
    is_left = x < frame.width / 2
    anchor, shift = ("start", 6.0) if is_left else ("end", -6.0)
    return [
        _line("threshold", x, frame.top - 8, x, frame.y(frame.y_range[0])),
        _text("name", x + shift, frame.top + 3 + lower, f"{word} {threshold:.4g}", anchor),
    ]


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is wider than nothing also where all values are equal."""
    if high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
        return low, high
    reach = max(abs(low) * 0.05, 0.5)
    return low - reach, high + reach


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'


def _svg(frame: _Frame, name: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" '
        f'aria-label="{escape(name)}">{"".join(parts)}</svg>'
    )
