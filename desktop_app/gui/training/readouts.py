"""The live numbers of a run: where it is, how fast, how long, how good."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from desktop_app.gui.feed import RunFeed
from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import SPACE
from desktop_app.gui.training.curves import Best
from desktop_app.gui.training.series import Floats, Metrics
from desktop_app.gui.widgets import Readout
from desktop_app.gui.widgets.badge import Tone
from desktop_app.gui.wording import about, count, duration, number, size_of

_RATES = ("learning_rate", "lr")
_RECENT = 1000  # rows within which a learning rate must have been told
_WAITS_LONG = 0.5  # share of the time from which waiting for images is a warning
_TILE_WIDTH = 112  # logical pixels


@dataclass(frozen=True)
class Said:
    """A value and what it means."""

    value: str
    tone: Tone = ""
    tip: str = ""


class Readouts(QWidget):
    """Tiles in as many columns as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tips = _tips()
        self.tiles = {
            key: Readout(name, tip=tip, parent=self) for key, (name, tip) in self._tips.items()
        }
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE.l)
        self._grid.setVerticalSpacing(SPACE.s)
        self._columns = 0
        self._shown: tuple[str, ...] = ()
        self._arrange(6)

    def show_feed(self, feed: RunFeed | None, best: Best | None, *, active: bool) -> None:
        """Show the numbers of a run at this moment."""
        said = {} if feed is None else _said(feed, best, active=active)
        for key, tile in self.tiles.items():
            what = said.get(key, Said(""))
            tile.set_value(what.value, what.tone)
            tip = what.tip or self._tips[key][1]
            if tip != tile.toolTip():
                tile.setToolTip(tip)
        self._arrange(self._fitting())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the whole width."""
        super().resizeEvent(event)
        self._arrange(self._fitting())

    def _fitting(self) -> int:
        return max(2, self.width() // _TILE_WIDTH)

    def _arrange(self, columns: int) -> None:
        """Place the tiles; the learning rate only where a method tells it."""
        rate = self.tiles["learning_rate"]
        shown = tuple(key for key in self.tiles if key != "learning_rate" or rate.value() != "–")
        lines = -(-len(shown) // columns)
        columns = -(-len(shown) // lines)  # lines of nearly the same length
        if (columns, shown) == (self._columns, self._shown):
            return
        for column in range(self._columns):
            self._grid.setColumnStretch(column, 0)
        self._columns, self._shown = columns, shown
        for tile in self.tiles.values():
            self._grid.removeWidget(tile)
        rate.setVisible("learning_rate" in shown)
        for place, key in enumerate(shown):
            self._grid.addWidget(self.tiles[key], place // columns, place % columns)
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)


def _said(feed: RunFeed, best: Best | None, *, active: bool) -> dict[str, Said]:
    """Return the value of every tile that is known."""
    said = {"elapsed": Said(duration(feed.elapsed)), **_best(feed.curves, best)}
    curves = feed.curves
    if len(curves):
        said["step"] = Said(count(float(curves.x("step")[-1])))
        said["epoch"] = Said(f"{float(curves.x('epoch')[-1]):.2f}")
        for name in set(_RATES) & set(curves.names):
            said["learning_rate"] = Said(_rate(curves.values(name)))
        waits = feed.waited_share > _WAITS_LONG
        said["waited"] = Said(f"{feed.waited_share:.0%}", "warning" if waits else "")
    if active:
        said["remaining"] = Said(about(feed.remaining))
        if feed.images_per_second > 0:
            said["pace"] = Said(number(feed.images_per_second, 3))
    if feed.memory is not None:
        used, total = feed.memory
        words = f"{size_of(used)} / {size_of(total)}"
        full = used > 0.9 * total
        said["memory"] = Said(words, "warning" if full else "", feed.device)
    return said


def _rate(values: Floats) -> str:
    """Return the last rate that was told; empty rows are those of other values."""
    told = values[-_RECENT:]
    told = told[np.isfinite(told)]
    return f"{float(told[-1]):.4g}" if len(told) else ""


def _best(curves: Metrics, best: Best | None) -> dict[str, Said]:
    if best is None:
        return {}
    since = float(curves.x("epoch")[-1] - curves.x("epoch")[best.row])
    tip = tr("Best smoothed value of '{metric}' so far", metric=best.metric)
    return {
        "best": Said(number(best.value), tip=tip),
        "since": Said(tr("{n} epochs", n=f"{since:.1f}")),
    }


def _tips() -> dict[str, tuple[str, str]]:
    """Return name and tool tip of each tile, in their order."""
    return {
        "epoch": (tr("Epoch"), tr("Passes over the training images so far")),
        "step": (tr("Step"), tr("Optimiser steps so far")),
        "pace": (tr("Images/s"), tr("Images learnt from per second, over the last ten seconds")),
        "remaining": (tr("Remaining"), tr("Estimate from the pace of the last ten seconds")),
        "elapsed": (tr("Time"), tr("Time of work so far; pauses do not count")),
        "best": (tr("Best"), tr("Best smoothed value of the main metric so far")),
        "since": (tr("Since best"), tr("Epochs since the best value")),
        "learning_rate": (tr("Learning rate"), tr("Present step size of the optimiser")),
        "memory": (tr("Memory"), tr("Memory of the device: used by this run / in total")),
        "waited": (
            tr("Waiting"),
            tr("Share of the time spent waiting for images; high means a slow disk"),
        ),
    }
