"""What the colours of the map mean; a click on a word hides its images in every view."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop_app.gui.categories import Categories
from desktop_app.gui.filtering import among, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.colouring import Colouring
from desktop_app.gui.session import Session
from desktop_app.gui.theme import current_theme, set_role
from desktop_app.gui.widgets import ColourBar, Legend, LegendEntry

_TALLEST = 288  # logical pixels, twelve words; longer legends scroll


class MapLegend(QWidget):
    """A list of words with their colours and counts, or the scale of a number."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filter = shared_filter(session)
        self._column: Categories | None = None
        self.legend = Legend(tr("Legend"))
        self.scale = ColourBar(tr("Scale of the colours"))
        self._scroll = _LowScrollArea()
        self._scroll.setWidget(self.legend)
        self._meaning = QLabel()
        self._meaning.setWordWrap(True)
        set_role(self._meaning, "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._scroll)
        column.addWidget(self._meaning)
        column.addWidget(self.scale)
        self.legend.visibility_changed.connect(self._hide_words)
        self._filter.changed.connect(self._show_filter)

    def show_colouring(
        self, colouring: Colouring, known: NDArray[np.bool_], meaning: str = ""
    ) -> None:
        """Explain the colours; `known` (N,) are the rows that the map shows at all."""
        self._column = colouring.column
        self._meaning.setText(meaning)
        self._meaning.setVisible(bool(meaning))
        self._scroll.setVisible(colouring.column is not None)
        self.scale.setVisible(colouring.scale is not None)
        if colouring.scale is not None:
            self.scale.set_scale(colouring.lut[:256], *colouring.scale)
        if colouring.column is None:
            return
        column, theme = colouring.column, current_theme()
        counts = np.bincount(column.codes[known], minlength=len(column))
        entries = [
            LegendEntry(column.colour(code, theme), column.names[code], int(counts[code]))
            for code in range(len(column))
        ]
        with QSignalBlocker(self.legend):
            self.legend.set_entries(entries)
        self._scroll.updateGeometry()
        self._show_filter()

    def _hide_words(self, shown: NDArray[np.bool_]) -> None:
        column = self._column
        if column is None:
            return
        keys = frozenset(key for key, on in zip(column.keys, shown.tolist(), strict=True) if on)
        criterion = None if shown.all() else among(column.kind, keys)
        self._filter.set(column.kind, criterion)

    def _show_filter(self) -> None:
        """Follow what other views let pass."""
        column = self._column
        if column is None:
            return
        criterion = self._filter.criterion(column.kind)
        keys = set(column.keys) if criterion is None else criterion.keys
        shown = self.legend.shown()
        with QSignalBlocker(self.legend):
            for code, key in enumerate(column.keys):
                if bool(shown[code]) != (key in keys):
                    self.legend.toggle(code)


class _LowScrollArea(QScrollArea):
    """As tall as its content, up to a limit."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def sizeHint(self) -> QSize:
        widget = self.widget()
        height = widget.sizeHint().height() if widget is not None else 0
        return QSize(160, min(_TALLEST, height))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, min(72, self.sizeHint().height()))
