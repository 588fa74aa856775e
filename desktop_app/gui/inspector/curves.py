"""ROC and precision-recall curves, small, with the point of the present threshold."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop_app.core.scoring import Confusion, ThresholdTable
from desktop_app.gui.i18n import tr
from desktop_app.gui.plotmenu import own_menu
from desktop_app.gui.theme import SPACE, TYPE, Theme, follow_theme, number_font, set_role
from desktop_app.sdk.data import even_rows

_POINTS = 600  # of a curve on the screen


class ScoreCurves(QWidget):
    """Two curves of one judgement."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._roc = _Curve(tr("False alarms"), tr("Found"))
        self._precision = _Curve(tr("Recall"), tr("Precision"))
        self._roc_title = QLabel()
        self._precision_title = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        for title, curve in (
            (self._roc_title, self._roc),
            (self._precision_title, self._precision),
        ):
            set_role(title, "caption")
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(title)
            column.addWidget(curve, 1)
            row.addLayout(column, 1)
        self.set_table(None)

    def set_table(self, table: ThresholdTable | None) -> None:
        """Draw the curves of scores with their truth; None or one kind alone draws nothing."""
        if table is None or not table.positives or not table.negatives:
            self._roc.set_line(np.zeros(0), np.zeros(0))
            self._precision.set_line(np.zeros(0), np.zeros(0))
            self._roc_title.setText(tr("ROC"))
            self._precision_title.setText(tr("Precision and recall"))
            return
        _thresholds, tp, fp = table.steps()
        recall = np.append(0.0, tp / table.positives)
        self._roc.set_line(*thinned(np.append(0.0, fp / table.negatives), recall))
        self._precision.set_line(*thinned(recall, np.append(1.0, tp / (tp + fp))))
        self._roc_title.setText(tr("ROC, area {value}", value=f"{table.auroc():.3f}"))
        average = f"{table.average_precision():.3f}"
        self._precision_title.setText(tr("Precision and recall, area {value}", value=average))

    def set_point(self, confusion: Confusion | None) -> None:
        """Mark where the threshold lies on both curves."""
        if confusion is None:
            self._roc.set_point(None, None)
            self._precision.set_point(None, None)
        else:
            self._roc.set_point(confusion.false_positive_rate, confusion.recall)
            self._precision.set_point(confusion.recall, confusion.precision)


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], points: int = _POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most `points` of the points (n,) of a curve, its ends among them."""
    if len(x) <= points:
        return x, y
    chosen = even_rows(len(x), points)
    return x[chosen], y[chosen]


class _Curve(pg.PlotWidget):  # type: ignore[misc]
    def __init__(self, x_name: str, y_name: str) -> None:
        super().__init__()
        self.setAccessibleName(f"{y_name} / {x_name}")
        own_menu(self)
        self.setMouseEnabled(x=False, y=False)
        self.plotItem.hideButtons()
        self.plotItem.setContentsMargins(0, 4, 6, 0)
        self.setLabel("bottom", x_name)
        self.setLabel("left", y_name)
        for side in ("left", "bottom"):
            self.plotItem.getAxis(side).setTicks([[(0, "0"), (0.5, ".5"), (1, "1")], []])
        self.setRange(xRange=(0, 1), yRange=(0, 1), padding=0.03)
        self._line = self.plot()
        self._point = pg.ScatterPlotItem(size=9)
        self.addItem(self._point, ignoreBounds=True)
        follow_theme(self._themed)

    def sizeHint(self) -> QSize:
        return QSize(150, 130)

    def minimumSizeHint(self) -> QSize:
        return QSize(90, 80)

    def set_line(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        self._line.setData(x, y)

    def set_point(self, x: float | None, y: float | None) -> None:
        self._point.setData([] if x is None or y is None else [{"pos": (x, y)}])

    def _themed(self, theme: Theme) -> None:
        self.setBackground(theme.colours.surface)
        self._line.setPen(pg.mkPen(theme.colours.accent, width=1.5))
        self._point.setBrush(pg.mkBrush(theme.colours.text))
        self._point.setPen(pg.mkPen(theme.colours.surface, width=1.5))
        for side in ("left", "bottom"):
            axis = self.plotItem.getAxis(side)
            axis.setPen(theme.colours.border)
            axis.setTextPen(theme.colours.text_secondary)
            axis.setStyle(tickFont=number_font(TYPE.caption - 1), tickLength=-3)
            axis.label.setFont(number_font(TYPE.caption - 1))
            axis.label.setDefaultTextColor(theme.colour("text_secondary"))
