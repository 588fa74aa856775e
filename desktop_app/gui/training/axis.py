"""The axes of a run: steps and epochs as numbers, time as minutes and hours, plain decades."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg

from desktop_app.gui.wording import clock

_TIME_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800)
"""Distances between ticks in seconds."""
_CROWDED = 0.45
"""Decades on a logarithmic axis from which only 1, 2, 3 and 5 are named."""
_TICK_ROOM = 70  # logical pixels


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    """Numbers without powers of ten where they can be read without."""

    def __init__(self) -> None:
        super().__init__("left")

    def logTickStrings(
        self,
        values: Sequence[float],
        scale: float,  # noqa: ARG002
        spacing: float,  # noqa: ARG002
    ) -> list[str]:
        """Return the words of ticks that are given as logarithms."""
        crowded = len(values) > 1 and max(values) - min(values) > _CROWDED
        return [_plain(10.0**value) if _leads(value) or not crowded else "" for value in values]


class RunAxis(pg.AxisItem):  # type: ignore[misc]
    """Ticks without scientific prefixes."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self._timed = False

    def set_timed(self, timed: bool) -> None:
        """Show seconds as minutes and hours."""
        self._timed = timed
        self.picture = None
        self.update()

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Return the distances of ticks; those of time are round minutes and hours."""
        if not self._timed:
            spacing: list[tuple[float, float]] = super().tickSpacing(minVal, maxVal, size)
            return spacing
        wanted = (maxVal - minVal) / max(2.0, size / _TICK_ROOM)
        step = next((step for step in _TIME_STEPS if step >= wanted), _TIME_STEPS[-1])
        return [(float(step), 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002
        """Return the words of the ticks."""
        if self._timed:
            return [clock(value) for value in values]
        places = max(0, int(np.ceil(-np.log10(spacing) - 1e-9))) if spacing > 0 else 0
        return [f"{value:,.{places}f}" for value in values]


def _leads(logarithm: float) -> bool:
    return round(10.0 ** (logarithm % 1 if logarithm % 1 < 0.999 else 0)) in (1, 2, 3, 5)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"
