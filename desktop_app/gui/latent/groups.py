"""Arithmetic with groups of images: what tells one from another, added to an image.

A group is a tag. Its place is the mean of its latent vectors; the sum that is decoded is
image + amount x (mean of A - mean of B).
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QMessageBox,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.columns import ResultColumns
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.latent.fields import caption, narrow
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.theme import SPACE
from desktop_app.gui.widgets import ChoiceField, named

_LEAST, _MOST = -0.75, 2.0  # amounts; twelve frames between them meet 0 and 1
_STEPS = 44  # of the slider, 1/16 each
_EVERYTHING = "\x00"  # no tag has this name


class GroupsPage(QWidget):
    """Names the selection, and chooses two groups and how much of their difference is added."""

    changed = Signal()
    """Other groups, or other members: everything is to be decoded anew."""
    moved = Signal()
    """Another amount."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tags = shared_tags(session)
        self._result: ResultColumns | None = None
        self._means: dict[str, NDArray[np.float32]] = {}
        self.plus = narrow(ChoiceField(tr("Group that is added"), tip=tr("Towards this group")))
        self.minus = narrow(
            ChoiceField(tr("Group that is taken away"), tip=tr("Away from this group"))
        )
        for field in (self.plus, self.minus):
            field.chosen.connect(lambda _key: self._find_means())
        self._amount = named(QSlider(Qt.Orientation.Horizontal), tr("Amount that is added"))
        self._amount.setRange(0, _STEPS)
        self.choose_amount(1.0)
        self._amount.valueChanged.connect(lambda _value: self._move())
        self.name = named(
            QPushButton(), tr("Name the selection…"), tr("Make a group of the selected images")
        )
        self.name.setText(tr("Name the selection…"))
        self.name.clicked.connect(lambda: self.name_selection())
        self._remove = named(
            QToolButton(), tr("Remove the group"), tr("Forget the group; its images stay")
        )
        set_icon(self._remove, "trash")
        self._remove.clicked.connect(self._ask_to_remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self._amount)
        for sign, field in (("+", self.plus), ("−", self.minus)):
            row = QHBoxLayout()
            row.addWidget(caption(sign))
            row.addWidget(field, 1)
            if field is self.plus:
                row.addWidget(self._remove)
            column.addLayout(row)
        column.addWidget(self.name)
        self._tags.changed.connect(self._show_groups)
        session.selection_changed.connect(self._show_selection)
        self._show_groups()

    @property
    def shift(self) -> NDArray[np.float32] | None:
        """Mean of A minus mean of B, (D,); None while one of them is not known."""
        plus = self._means.get(self.plus.choice())
        minus = self._means.get(self.minus.choice())
        return None if plus is None or minus is None else plus - minus

    def set_result(self, result: ResultColumns | None) -> None:
        """Take the latents whose means are formed; None for none."""
        self._result = result
        self._means = {}
        self._find_means()

    def needs(self) -> str:
        """Say what is missing before something can be added."""
        if not self._tags.names():
            return tr("Select images, for instance with the lasso, and name them as a group.")
        return tr("Choose two groups: what tells one from the other is added to the image.")

    def sum_text(self) -> str:
        """Return the sum in words."""
        plus, minus = self.plus.currentText(), self.minus.currentText()
        return f"{self.amount():.2f} × ({plus} − {minus})"

    def amounts(self, count: int) -> NDArray[np.float64]:
        """Return evenly spaced amounts (count,) over the whole range."""
        return np.linspace(_LEAST, _MOST, count)

    def amount(self) -> float:
        """Return how much of the difference is added."""
        return _LEAST + (_MOST - _LEAST) * self._amount.value() / _STEPS

    def choose_amount(self, amount: float) -> None:
        """Add another amount of the difference."""
        self._amount.setValue(round((amount - _LEAST) / (_MOST - _LEAST) * _STEPS))

    def name_selection(self, name: str | None = None) -> None:
        """Give the selected images a name; asks for it when not told."""
        rows = np.flatnonzero(self._session.selected).astype(np.int64)
        if not len(rows):
            return
        if name is None:
            title = tr("Name the group")
            label = tr("Name of these {n} images:", n=f"{len(rows):,}")
            name, sure = QInputDialog.getText(self, title, label, text=self._next_name())
            if not sure:
                return
        if name.strip():
            self._tags.put(name.strip(), rows)
            self.plus.choose(name.strip())
            self._find_means()

    def _ask_to_remove(self) -> None:
        name = self.plus.choice()
        question = tr("Forget the group '{name}'? Its images stay.", name=name)
        answer = QMessageBox.question(self, tr("Remove the group"), question)
        if answer == QMessageBox.StandardButton.Yes:
            self._tags.put(name, np.zeros(0, np.int64))

    def _next_name(self) -> str:
        """Return the first letter that is no group yet."""
        letters = (chr(ord("A") + number) for number in range(26))
        return next((letter for letter in letters if letter not in self._tags.names()), "")

    def _show_groups(self) -> None:
        groups = [(name, f"{name} ({len(self._tags.rows(name)):,})") for name in self._tags.names()]
        self.plus.set_choices(groups)
        self.minus.set_choices([(_EVERYTHING, tr("All images")), *groups])
        self._remove.setEnabled(bool(groups))
        self._means = {}
        self._show_selection()
        self._find_means()

    def _show_selection(self) -> None:
        some = bool(self._session.selected.any())
        self.name.setEnabled(some)
        self.name.setToolTip(
            tr("Make a group of the selected images") if some else tr("Select images first")
        )

    def _find_means(self) -> None:
        """Find the means of the chosen groups behind, each once."""
        result = self._result
        wanted = [self.plus.choice(), self.minus.choice()]
        missing = [name for name in wanted if name and name not in self._means]
        if result is None or result.latents is None or not missing:
            self.changed.emit()
            return
        rows = {name: self._rows(name) for name in missing}
        means, latents, index = self._means, result.latents, result.index

        def take(found: dict[str, NDArray[np.float32]]) -> None:
            if self._means is means:
                means.update(found)
                self.changed.emit()

        work = partial(_means, latents, index, rows)
        self._session.background.run("means of groups", work, take)

    def _rows(self, name: str) -> NDArray[np.int64]:
        if name == _EVERYTHING:
            return np.arange(len(self._session.table))
        return self._tags.rows(name)

    def _move(self) -> None:
        self._amount.setToolTip(f"{self.amount():.2f} ×")
        self.moved.emit()


def _means(
    latents: NDArray[np.float32], index: NDArray[np.int64], rows: dict[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.float32]]:
    """Return the mean latent (D,) of each group that has one."""
    means = {}
    for name, own in rows.items():
        places = index[own[own < len(index)]]
        places = places[places >= 0]
        if len(places):
            means[name] = latents[places].mean(axis=0, dtype=np.float64).astype(np.float32)
    return means
