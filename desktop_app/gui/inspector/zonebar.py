"""How many images fail, are for review and pass: each number shows its images alone."""

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from desktop_app.core.zones import NAMES, Zone
from desktop_app.gui.filtering import in_zone, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
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
from desktop_app.gui.widgets import named
from desktop_app.gui.zones import ZONE_TONES, zone_name

_HEIGHT = 40


class ZoneBar(QWidget):
    """Shows only the images of a zone when its button is pressed, and all when pressed again.

    Takes no room while there is no review zone.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self.setAccessibleName(tr("Zones"))
        self.buttons: dict[Zone, _ZoneButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, SPACE.xs, 0)
        row.setSpacing(SPACE.xs)
        for zone in reversed(NAMES):
            button = self.buttons[zone] = _ZoneButton(zone)
            button.clicked.connect(lambda on=False, zone=zone: self._choose(zone if on else None))
            row.addWidget(button, 1)
        session.threshold_changed.connect(self._show_sizes)
        session.result_changed.connect(self._show_sizes)
        session.verdicts_changed.connect(self._show_sizes)
        self._filter.changed.connect(self._show_choice)
        self._show_sizes()
        self._show_choice()

    def choice(self) -> Zone | None:
        """Return the zone whose images are shown alone; None for all."""
        criterion = self._filter.criterion("zone")
        return next((zone for zone in NAMES if criterion and zone in criterion.keys), None)

    def _choose(self, zone: Zone | None) -> None:
        self._filter.set("zone", None if zone is None else in_zone(zone))

    def _show_choice(self) -> None:
        for zone, button in self.buttons.items():
            button.setChecked(zone == self.choice())

    def _show_sizes(self) -> None:
        session, thresholds = self._session, self._session.thresholds
        scores = session.result.scores if session.result is not None else None
        there = thresholds is not None and thresholds.review is not None and scores is not None
        self.setVisible(there)
        if thresholds is None or scores is None or not there:
            self._choose(None)
            return
        judged = session.verdicts > 0
        for zone, button in self.buttons.items():
            inside = thresholds.within(scores, zone)
            count, done = np.count_nonzero(inside), np.count_nonzero(inside & judged)
            button.set_numbers(int(count), int(done))


class _ZoneButton(QAbstractButton):
    """A name with a dot of its colour, and below it how many images the zone holds."""

    def __init__(self, zone: Zone) -> None:
        super().__init__()
        self._zone = zone
        self._count = 0
        self._judged = 0
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        named(self, zone_name(zone))
        follow_theme(self._themed)

    def set_numbers(self, count: int, judged: int) -> None:
        """Show how many images the zone holds, and how many of them have a verdict."""
        if (count, judged) == (self._count, self._judged):
            return
        self._count, self._judged = count, judged
        text = tr("{zone}: {n} images, {judged} of them judged. Click to show them alone.")
        name = zone_name(self._zone)
        self.setToolTip(text.format(zone=name, n=f"{count:,}", judged=f"{judged:,}"))
        self.setAccessibleName(f"{name}: {count:,}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size for a short name and a number of six digits."""
        return QSize(72, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw ground, dot, name, number, and how far the zone is judged as a line."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        edge = "accent" if self.isChecked() or self.hasFocus() else "border"
        painter.setPen(QPen(theme.colour(edge), 1))
        hovered = "hover" if self.underMouse() else "raised"
        painter.setBrush(theme.colour("selection" if self.isChecked() else hovered))
        painter.drawRoundedRect(area, RADIUS.m, RADIUS.m)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(ZONE_TONES[self._zone]))
        painter.drawEllipse(QRectF(SPACE.s, 9, 7, 7))
        if self._count:
            width = (area.width() - 2 * RADIUS.m) * self._judged / self._count
            painter.drawRoundedRect(QRectF(RADIUS.m, area.bottom() - 2, width, 2), 1, 1)
        words = area.adjusted(SPACE.s + 12, 3, -SPACE.xs, -area.height() / 2)
        painter.setFont(ui_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        metrics = painter.fontMetrics()
        elided = Qt.TextElideMode.ElideRight
        name = metrics.elidedText(zone_name(self._zone), elided, int(words.width()))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, middle, name)
        painter.setFont(number_font(TYPE.body, QFont.Weight.DemiBold))
        painter.setPen(theme.colour("text"))
        number = area.adjusted(SPACE.s, area.height() / 2 - 3, -SPACE.xs, -3)
        painter.drawText(number, middle, f"{self._count:,}")

    def _themed(self, _theme: Theme) -> None:
        self.update()
