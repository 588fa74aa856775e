"""What is known of the current image, and the analyst's word on it."""

from pathlib import PurePosixPath

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.categories import category_name, labels_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.scorescale import Reference, reference_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import (
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
    set_role,
)
from desktop_app.gui.widgets import ElidedLabel, named
from desktop_app.gui.widgets.dot import Dot
from desktop_app.gui.zones import zone_name

VERDICT_KEYS = (
    (1, "N", "check", "good"),
    (2, "A", "x", "bad"),
    (3, "U", "question", "warning"),
)
"""Code, key, icon and tint of each verdict."""


class TriageBar(QWidget):
    """Name, label, score and verdict of the current image, and where it is in the ranking."""

    stepped = Signal(int)
    """The analyst wants the next (1) or the previous (-1) image."""
    judged = Signal(int)
    """The analyst gave the current image a verdict, 0 to take it back."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._reference: Reference | None = None
        self._place = (0, 0)
        self._verdict_buttons: dict[int, QToolButton] = {}
        self._name = ElidedLabel()
        set_role(self._name, "heading")
        self._about = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._about, "secondary")
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._dot = Dot()
        top = QHBoxLayout()
        top.setSpacing(SPACE.m)
        top.addLayout(self._steps())
        top.addWidget(self._name, 1)
        top.addWidget(self._verdicts())
        below = QHBoxLayout()
        below.setContentsMargins(SPACE.xs, 0, 0, 0)
        below.setSpacing(SPACE.xs + 2)
        below.addWidget(self._dot)
        below.addWidget(self._about, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.s)
        column.setSpacing(SPACE.xs)
        column.addLayout(top)
        column.addLayout(below)
        session.current_changed.connect(self.show_current)
        session.table_changed.connect(self.show_current)
        session.result_changed.connect(self._renew)
        session.verdicts_changed.connect(self.show_current)
        session.threshold_changed.connect(self._show_facts)
        follow_theme(self._themed)

    def set_place(self, place: int, total: int) -> None:
        """Tell that the current image is number `place`, from 1, of `total`; 0 for none."""
        self._place = (place, total)
        self._position.setText(
            tr("{place} of {total}", place=f"{place:,}", total=f"{total:,}")
            if place
            else tr("– of {total}", total=f"{total:,}")
        )

    def show_current(self) -> None:
        """Show what is known of the current image."""
        session, row = self._session, self._session.current
        known = 0 <= row < len(session.table)
        for button in self._verdict_buttons.values():
            button.setEnabled(known)
        if not known:
            self._name.setText(tr("No image chosen"))
            self._about.setText("")
            self._dot.set_colour("")
            self._show_verdict(0)
            return
        self._name.setText(PurePosixPath(session.table.paths[row]).name)
        self._name.setToolTip(str(session.image_path(row)))
        self._show_facts()
        self._colour_dot()
        self._show_verdict(int(session.verdicts[row]))

    def _show_facts(self) -> None:
        row = self._session.current
        if 0 <= row < len(self._session.table):
            self._about.setText("  ·  ".join(self._facts(row)))

    def verdict_button(self, code: int) -> QToolButton:
        """Return the button of a verdict, 1 to 3."""
        return self._verdict_buttons[code]

    def _facts(self, row: int) -> list[str]:
        session = self._session
        table, result = session.table, session.result
        facts = [category_name("label", table.labels[row])]
        if result is not None and result.scores is not None:
            facts += self._score_facts(float(result.scores[row]))
        facts += [category_name("split", table.splits[row])] if table.splits[row] else []
        facts += [f"{table.widths[row]} x {table.heights[row]}"] if table.widths[row] else []
        return facts

    def _score_facts(self, score: float) -> list[str]:
        if not np.isfinite(score):
            return [tr("not scored")]
        if self._reference is None:
            self._reference = reference_of(self._session)
        sentence, thresholds = self._reference.sentence(score), self._session.thresholds
        facts = [tr("score {score}", score=f"{score:.4g}"), *([sentence] if sentence else [])]
        zone = thresholds.zone(score) if thresholds is not None else None
        if zone is not None and self._session.review is not None:
            facts.insert(0, zone_name(zone))
        return facts

    def _steps(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        self._position = QLabel()
        self._position.setFont(number_font(TYPE.caption))
        self._position.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._position.setMinimumWidth(64)
        set_role(self._position, "caption")
        for step, icon, text in (
            (-1, "chevron-left", tr("Previous image (Left or K)")),
            (1, "chevron-right", tr("Next image (Right or J)")),
        ):
            button = named(QToolButton(), text)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            set_icon(button, icon)
            button.clicked.connect(lambda _on=False, step=step: self.stepped.emit(step))
            row.addWidget(button)
            if step < 0:
                row.addWidget(self._position)
        return row

    def _verdicts(self) -> QWidget:
        frame = QFrame()
        frame.setProperty("segmented", True)
        row = QHBoxLayout(frame)
        row.setContentsMargins(1, 1, 1, 1)
        row.setSpacing(1)
        group = QButtonGroup(self)
        group.setExclusive(False)
        for code, key, icon, tint in VERDICT_KEYS:
            name = category_name("verdict", ("normal", "anomalous", "unsure")[code - 1])
            button = named(QToolButton(), name, tr("{name} (key {key})", name=name, key=key))
            button.setText(name)
            button.setIconSize(QSize(16, 16))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            set_icon(button, icon, tint)
            button.clicked.connect(lambda on=False, code=code: self.judged.emit(code if on else 0))
            group.addButton(button)
            row.addWidget(button)
            self._verdict_buttons[code] = button
        return frame

    def _show_verdict(self, verdict: int) -> None:
        for code, button in self._verdict_buttons.items():
            with QSignalBlocker(button):
                button.setChecked(code == verdict)

    def _colour_dot(self) -> None:
        row, labels = self._session.current, labels_of(self._session)
        if not 0 <= row < len(labels.codes):
            return
        self._dot.set_colour(labels.colour(int(labels.codes[row]), current_theme()))

    def _renew(self) -> None:
        self._reference = None
        self.show_current()

    def _themed(self, _theme: Theme) -> None:
        self.show_current()
