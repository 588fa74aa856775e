"""What the thresholds make of the images, counted: each number is a button.

With one threshold found, missed, false alarms and passed; with a review zone the anomalous and the
normal images of each zone; where nothing is known of the images, how many are in each zone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop_app.core.scoring import Confusion
from desktop_app.core.zones import Zone, ZoneCount
from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import (
    RADIUS,
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
    ui_font,
)
from desktop_app.gui.zones import ZONE_TONES, zone_name

_HEAD = 18  # above the cells, logical pixels
_SIDE = 72  # left of the cells
_TALLEST = 72  # a single row of cells need not fill the height


@dataclass(frozen=True)
class Cell:
    """One number of a table."""

    kind: str
    """What it counts, for the program: "tp", "review-anomalous", "fail"."""
    tone: str
    """Its colour where it is not zero."""
    count: int
    words: str
    """What stands below the number."""
    tip: str


@dataclass(frozen=True)
class Counts:
    """A table of numbers, R rows of C cells."""

    columns: Sequence[str]
    """(C,) titles."""
    rows: Sequence[str]
    """(R,) titles, "" for none."""
    cells: Sequence[Cell]
    """(R * C,), row after row."""


class CountTable(QWidget):
    """Shows counts; a click chooses the images behind one."""

    chosen = Signal(str)
    """Carries the kind of a cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts = Counts((), (), ())
        self._marked = ""
        self._current = 0
        self._hovered = -1
        self.setAccessibleName(tr("Confusion matrix"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_theme(self._themed)

    def set_counts(self, counts: Counts) -> None:
        """Show other counts."""
        self._counts = counts
        self._current = min(self._current, max(0, len(counts.cells) - 1))
        words = (f"{cell_name(cell.kind)}: {cell.count}" for cell in counts.cells)
        self.setAccessibleDescription(", ".join(words))
        self.update()

    def counts(self) -> Counts:
        """Return what is shown."""
        return self._counts

    def mark(self, kind: str) -> None:
        """Show that the images of a cell are the ones in sight; "" for none."""
        self._marked = kind
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for two rows of numbers."""
        return QSize(230, 128)

    def minimumSizeHint(self) -> QSize:
        """Return a size at which the numbers still fit."""
        return QSize(190, 96)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the cells and their titles."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        centre = Qt.AlignmentFlag.AlignCenter
        for column, text in enumerate(self._counts.columns):
            area = self._area(column)
            painter.drawText(QRectF(area.left(), 0, area.width(), _HEAD), centre, text)
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        for row, text in enumerate(self._counts.rows):
            area = self._area(row * len(self._counts.columns))
            painter.drawText(QRectF(0, area.top(), _SIDE, area.height()), side, text)
        for number, cell in enumerate(self._counts.cells):
            self._draw_cell(painter, theme, number, cell)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the images of a cell."""
        number = self._cell_at(event.position())
        if number >= 0:
            self._current = number
            self.chosen.emit(self._counts.cells[number].kind)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the cell below the pointer and say what it counts."""
        number = self._cell_at(event.position())
        if number != self._hovered:
            self._hovered = number
            tip = self._counts.cells[number].tip if number >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), tip, self)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Light up nothing."""
        self._hovered = -1
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk with the arrows, choose with Space or Return."""
        across = len(self._counts.columns)
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -across,
            Qt.Key.Key_Down: across,
        }
        key = Qt.Key(event.key())
        if key in moves and self._counts.cells:
            self._current = (self._current + moves[key]) % len(self._counts.cells)
            self.update()
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._counts.cells:
            self.chosen.emit(self._counts.cells[self._current].kind)
        else:
            super().keyPressEvent(event)

    def _area(self, number: int) -> QRectF:
        """Return where a cell lies."""
        across, down = len(self._counts.columns), len(self._counts.rows)
        row, column = divmod(number, across)
        side = _SIDE if any(self._counts.rows) else 0
        width = (self.width() - side - SPACE.xs * (across - 1)) / across
        height = (self.height() - _HEAD - SPACE.xs * (down - 1)) / down
        left, top = side + column * (width + SPACE.xs), _HEAD + row * (height + SPACE.xs)
        return QRectF(left, top, width, min(height, _TALLEST))

    def _cell_at(self, place: QPointF) -> int:
        for number in range(len(self._counts.cells)):
            if self._area(number).contains(place):
                return number
        return -1

    def _draw_cell(self, painter: QPainter, theme: Theme, number: int, cell: Cell) -> None:
        area = self._area(number).adjusted(0.5, 0.5, -0.5, -0.5)
        coloured = cell.count > 0
        painter.setBrush(theme.colour(f"{cell.tone}_fill" if coloured else "raised"))
        focused = self.hasFocus() and number == self._current
        if cell.kind == self._marked or focused:
            painter.setPen(QPen(theme.colour("accent"), 2))
        elif number == self._hovered:
            painter.setPen(QPen(theme.colour("border_strong"), 1))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(area, RADIUS.m, RADIUS.m)
        number_area = area.adjusted(0, SPACE.xs, 0, -area.height() * 0.36)
        text = f"{cell.count:,}"
        size = TYPE.title if len(text) * 11 < area.width() else TYPE.heading
        painter.setFont(number_font(size, QFont.Weight.DemiBold))
        painter.setPen(theme.colour(cell.tone if coloured else "text_secondary"))
        centre = Qt.AlignmentFlag.AlignCenter
        painter.drawText(number_area, centre, text)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        words = area.adjusted(2, area.height() * 0.58, -2, -2)
        elided = Qt.TextElideMode.ElideRight
        shown = painter.fontMetrics().elidedText(cell.words, elided, int(words.width()))
        painter.drawText(words, centre, shown)

    def _themed(self, _theme: Theme) -> None:
        self.update()


def outcome_counts(confusion: Confusion) -> Counts:
    """Return the table of one threshold."""
    tones = {"tp": "good", "fn": "bad", "fp": "bad", "tn": "good"}
    cells = [
        Cell(kind, tone, getattr(confusion, kind), cell_name(kind), _OUTCOME_TIPS[kind]())
        for kind, tone in tones.items()
    ]
    return Counts((tr("Flagged"), tr("Not flagged")), _truths(), cells)


def judged_zone_counts(counted: Mapping[Zone, ZoneCount]) -> Counts:
    """Return the table of two thresholds where it is known which images are anomalous."""
    cells = [
        Cell(
            f"{zone}-{truth}",
            _TONES_BY_TRUTH[zone][truth == "normal"],
            getattr(count, truth),
            _share_of(getattr(count, truth), [getattr(one, truth) for one in counted.values()]),
            tr("{name}. Click to show them.", name=cell_name(f"{zone}-{truth}")),
        )
        for truth in ("anomalous", "normal")
        for zone, count in counted.items()
    ]
    return Counts([zone_name(zone) for zone in counted], _truths(), cells)


def zone_only_counts(counted: Mapping[Zone, int]) -> Counts:
    """Return the table of images of which nothing but their scores is known."""
    cells = [
        Cell(
            zone,
            ZONE_TONES[zone],
            count,
            _share_of(count, list(counted.values())),
            tr("{name}. Click to show them.", name=cell_name(zone)),
        )
        for zone, count in counted.items()
    ]
    return Counts([zone_name(zone) for zone in counted], [""], cells)


def cell_name(kind: str) -> str:
    """Return what a cell counts, for the analyst."""
    return _CELL_NAMES[kind]()


_CELL_NAMES: dict[str, Callable[[], str]] = {
    "tp": lambda: tr("Found"),
    "fn": lambda: tr("Missed"),
    "fp": lambda: tr("False alarms"),
    "tn": lambda: tr("Passed"),
    "fail-anomalous": lambda: tr("Anomalous images that fail"),
    "review-anomalous": lambda: tr("Anomalous images for review"),
    "pass-anomalous": lambda: tr("Anomalous images that pass"),
    "fail-normal": lambda: tr("Normal images that fail"),
    "review-normal": lambda: tr("Normal images for review"),
    "pass-normal": lambda: tr("Normal images that pass"),
    "fail": lambda: tr("Images that fail"),
    "review": lambda: tr("Images for review"),
    "pass": lambda: tr("Images that pass"),
}

_OUTCOME_TIPS: dict[str, Callable[[], str]] = {
    "tp": lambda: tr("Anomalous and flagged. Click to show them."),
    "fn": lambda: tr("Anomalous but not flagged. Click to show them."),
    "fp": lambda: tr("Normal but flagged. Click to show them."),
    "tn": lambda: tr("Normal and not flagged. Click to show them."),
}

_TONES_BY_TRUTH: dict[Zone, tuple[str, str]] = {
    "fail": ("good", "bad"),
    "review": ("warning", "warning"),
    "pass": ("bad", "good"),
}
"""Of anomalous and of normal images."""


def _truths() -> tuple[str, str]:
    return tr("Anomalous"), tr("Normal")


def _share_of(count: int, all_counts: Sequence[int]) -> str:
    total = sum(all_counts)
    return f"{100 * count / total:.1f} %" if total else ""
