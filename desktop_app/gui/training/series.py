"""One metric of one run, kept so that a million points are drawn as fast as a thousand.

Every raw value is kept. Beside them lie the smoothed values and, for each block of 64, the lowest
and highest of both: a picture that is a thousand pixels wide is drawn from blocks, the peaks of
every pixel in it.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from desktop_app.gui.training.smoothing import Smoother

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK = 64


class Metrics(Protocol):
    """All metrics of a run, step by step; `feed.Curves` is one."""

    @property
    def names(self) -> list[str]:
        """The metrics, in the order in which they came."""

    def x(self, axis: str) -> Floats:
        """Return step, epoch or elapsed seconds (n,)."""

    def values(self, name: str) -> Floats:
        """Return a metric (n,), NaN where a step did not tell it."""

    def __len__(self) -> int: ...


class Series:
    """The finite values of one metric."""

    def __init__(self, window: float) -> None:
        self._rows = _Growing(np.int64)
        self._raw = _Peaks()
        self._smooth = _Peaks()
        self._read = 0  # rows of the source that were looked at
        self._window = window
        self._smoother = Smoother(window)
        self.non_positive = 0
        """Values that a logarithmic axis cannot show."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Rows:
        """The rows of the source that hold a finite value (n,), ascending."""
        return self._rows.view()

    @property
    def raw(self) -> Floats:
        """The values (n,)."""
        return self._raw.values.view()

    @property
    def smooth(self) -> Floats:
        """The smoothed values (n,)."""
        return self._smooth.values.view()

    def follow(self, values: Floats) -> bool:
        """Take over what is new in the column of the source; return whether anything was."""
        fresh = values[self._read :]
        finite = np.flatnonzero(np.isfinite(fresh))
        added = fresh[finite]
        self._rows.extend(finite + self._read)
        self._read = len(values)
        self._raw.extend(added)
        self._smooth.extend(self._smoother.more(added))
        self.non_positive += int((added <= 0).sum())
        return len(added) > 0

    def set_window(self, window: float) -> None:
        """Smooth over another number of values."""
        if window == self._window:
            return
        self._window = window
        self._smoother = Smoother(window)
        self._smooth = _Peaks()
        self._smooth.extend(self._smoother.more(self.raw))

    def between(self, first_row: int, last_row: int) -> tuple[int, int]:
        """Return the range of points whose rows lie in [first_row, last_row], and one beside."""
        start = int(np.searchsorted(self.rows, first_row)) - 1
        stop = int(np.searchsorted(self.rows, last_row, side="right")) + 1
        return max(0, start), min(len(self), stop)

    def drawn(self, start: int, stop: int, most: int, *, smooth: bool) -> tuple[Rows, Floats]:
        """Return source rows and values of points [start, stop), about `most` with all peaks."""
        points, values = (self._smooth if smooth else self._raw).drawn(start, stop, most)
        return self.rows[points], values

    def extent(self, start: int, stop: int) -> tuple[float, float]:
        """Return the lowest and highest raw or smoothed value of points [start, stop)."""
        raw, smooth = self._raw.extent(start, stop), self._smooth.extent(start, stop)
        return min(raw[0], smooth[0]), max(raw[1], smooth[1])

    def best(self, *, highest: bool) -> int:
        """Return the point with the lowest (or highest) smoothed value, -1 without any."""
        return self._smooth.peak(highest=highest)

    def point_at(self, row: int) -> int:
        """Return the last point at or before a row of the source, -1 before the first."""
        return int(np.searchsorted(self.rows, row, side="right")) - 1


class _Growing:
    """A growing array whose view costs nothing."""

    def __init__(self, kind: type[Any]) -> None:
        self._items: NDArray[Any] = np.empty(1024, kind)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def view(self) -> NDArray[Any]:
        return self._items[: self._length]

    def extend(self, items: NDArray[Any]) -> None:
        end = self._length + len(items)
        if end > len(self._items):
            grown = np.empty(2 * end, self._items.dtype)
            grown[: self._length] = self._items[: self._length]
            self._items = grown
        self._items[self._length : end] = items
        self._length = end

    def cut(self, length: int) -> None:
        self._length = length


class _Peaks:
    """Values and the lowest and highest of each block of them."""

    def __init__(self) -> None:
        self.values = _Growing(np.float64)
        self._lows = _Growing(np.float64)
        self._highs = _Growing(np.float64)

    def extend(self, values: Floats) -> None:
        if not len(values):
            return
        first = len(self.values) // BLOCK  # the last block may have been incomplete
        self.values.extend(values)
        fresh = self.values.view()[first * BLOCK :]
        begins = np.arange(0, len(fresh), BLOCK)
        for blocks, reduce in ((self._lows, np.minimum), (self._highs, np.maximum)):
            blocks.cut(first)
            blocks.extend(reduce.reduceat(fresh, begins))

    def drawn(self, start: int, stop: int, most: int) -> tuple[Rows, Floats]:
        """Return the numbers and values of at most about `most` points that show every peak."""
        count = stop - start
        if count <= most:
            return np.arange(start, stop), self.values.view()[start:stop]
        step = -(-count // max(1, most // 2))
        if step < BLOCK:
            lows = highs = self.values.view()[start:stop]
            grain, offset = 1, start
        else:
            first, last = start // BLOCK, -(-stop // BLOCK)
            lows, highs = self._lows.view()[first:last], self._highs.view()[first:last]
            grain, offset = BLOCK, first * BLOCK
        width = -(-step // grain)
        begins = np.arange(0, len(lows), width)
        peaks = np.empty(2 * len(begins))
        peaks[0::2] = np.minimum.reduceat(lows, begins)
        peaks[1::2] = np.maximum.reduceat(highs, begins)
        points = np.empty(2 * len(begins), np.int64)
        points[0::2] = offset + begins * grain
        points[1::2] = points[0::2] + width * grain // 2
        return np.clip(points, start, stop - 1), peaks

    def extent(self, start: int, stop: int) -> tuple[float, float]:
        if stop <= start:
            return np.inf, -np.inf
        if stop - start < 4 * BLOCK:
            part = self.values.view()[start:stop]
            return float(part.min()), float(part.max())
        blocks = slice(start // BLOCK, -(-stop // BLOCK))
        return float(self._lows.view()[blocks].min()), float(self._highs.view()[blocks].max())

    def peak(self, *, highest: bool) -> int:
        blocks = (self._highs if highest else self._lows).view()
        if not len(blocks):
            return -1
        begin = int(blocks.argmax() if highest else blocks.argmin()) * BLOCK
        part = self.values.view()[begin : begin + BLOCK]
        return begin + int(part.argmax() if highest else part.argmin())
