"""The gallery of methods: one card each, by family, with a search."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.catalog import MethodInfo, in_order
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role
from desktop_app.gui.training.card import BrokenCard, MethodCard
from desktop_app.gui.training.texts import traceback_window
from desktop_app.gui.widgets import EmptyState, SearchField, SectionHeader

_CARD_WIDTH = 280  # logical pixels that a card likes to have

_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)

Card = MethodCard | BrokenCard


class MethodGallery(QWidget):
    """All methods of the catalog; broken plugins at the end."""

    method_chosen = Signal(str)
    """Carries the id of the method that the analyst wants to set up."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._groups: list[_Group] = []
        self._selected = ""
        self._columns = 1
        self.search = SearchField(tr("Search methods"))
        self.search.searched.connect(self._filter)
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(SPACE.m, 0, SPACE.m, SPACE.m)
        self._column.setSpacing(SPACE.l)
        self._column.addStretch()
        self._scroll = _Scroll()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._body)
        self._empty = EmptyState("plugin", tr("Looking for methods"))
        self._empty.acted.connect(self.search.clear)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._scroll)
        self._stack.addWidget(self._empty)
        head = QVBoxLayout()
        head.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, 0)
        head.setSpacing(SPACE.s)
        head.addWidget(SectionHeader(tr("Methods")))
        head.addWidget(self.search)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.m)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        session.catalog_changed.connect(self._fill)
        self._fill()

    def select(self, method_id: str) -> None:
        """Outline the card of the method that is being set up; "" for none."""
        self._selected = method_id
        for card in self.cards():
            if isinstance(card, MethodCard):
                card.set_selected(card.info.id == method_id)

    def cards(self) -> list[Card]:
        """Return the cards that the search leaves, in their order on screen."""
        return [card for group in self._groups for card in group.shown()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk from card to card with the arrows; typing goes to the search."""
        columns = self._columns
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
        }
        key = Qt.Key(event.key())
        if key in steps:
            self._step(steps[key])
        elif event.text().isprintable() and event.text().strip():
            self.search.setFocus()
            self.search.insert(event.text())
            self.search.textEdited.emit(self.search.text())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many cards side by side as fit."""
        super().resizeEvent(event)
        columns = max(1, (self.width() - 2 * SPACE.m) // _CARD_WIDTH)
        if columns != self._columns:
            self._columns = columns
            for group in self._groups:
                group.arrange(columns)

    def _fill(self) -> None:
        for group in self._groups:
            self._column.removeWidget(group)
            group.hide()
            group.deleteLater()
        self._groups = [
            self._group(family, infos) for family, infos in _families(self._session.catalog)
        ]
        for place, group in enumerate(self._groups):
            self._column.insertWidget(place, group)
        self.select(self._selected)
        self._filter(self.search.text())

    def _group(self, family: str, infos: Sequence[MethodInfo]) -> "_Group":
        cards: list[Card] = []
        for info in infos:
            if info.problem:
                broken = BrokenCard(info)
                broken.traceback_wanted.connect(self._show_traceback)
                cards.append(broken)
            else:
                card = MethodCard(info)
                card.chosen.connect(self.method_chosen)
                cards.append(card)
        return _Group(family, cards, self._columns)

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for group in self._groups:
            group.filter(words, self._columns)
        found = any(group.shown() for group in self._groups)
        self._stack.setCurrentIndex(0 if found else 1)
        if not self._session.catalog:
            self._empty.describe(
                "plugin",
                tr("Looking for methods"),
                tr("Plugins are being loaded; this takes a few seconds the first time."),
            )
        elif not found:
            self._empty.describe(
                "search",
                tr("No method matches"),
                tr("Nothing was found for '{words}'.", words=text),
                tr("Clear search"),
            )

    def _step(self, step: int) -> None:
        cards = self.cards()
        focused = [place for place, card in enumerate(cards) if card.hasFocus()]
        place = focused[0] + step if focused else 0
        if cards and 0 <= place < len(cards):
            cards[place].setFocus(Qt.FocusReason.TabFocusReason)
            self._scroll.ensureWidgetVisible(cards[place])
        elif place < 0:
            self.search.setFocus()

    def _show_traceback(self, info: MethodInfo) -> None:
        traceback_window(info.title, info.problem, info.traceback, self).show()


class _Scroll(QScrollArea):
    """Leaves the arrows to the gallery, which walks from card to card."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ARROWS:
            event.ignore()
        else:
            super().keyPressEvent(event)


class _Group(QWidget):
    """A family: its name above a grid of cards."""

    def __init__(self, family: str, cards: Sequence[Card], columns: int) -> None:
        super().__init__()
        self._cards = list(cards)
        name = QLabel(family)
        set_role(name, "secondary")
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE.s)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(name)
        column.addLayout(self._grid)
        self.filter((), columns)

    def shown(self) -> list[Card]:
        """Return the cards that are not filtered away."""
        return [card for card in self._cards if not card.isHidden()]

    def filter(self, words: Sequence[str], columns: int) -> None:
        """Show the cards that hold all words."""
        for card in self._cards:
            text = card.words()
            card.setHidden(not all(word in text for word in words))
        self.setHidden(not self.shown())
        self.arrange(columns)

    def arrange(self, columns: int) -> None:
        """Place the cards in so many columns."""
        for card in self._cards:
            self._grid.removeWidget(card)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        for place, card in enumerate(self.shown()):
            self._grid.addWidget(card, place // columns, place % columns)
            self._grid.setColumnStretch(place % columns, 1)


def _families(catalog: Sequence[MethodInfo]) -> list[tuple[str, list[MethodInfo]]]:
    """Return family name and its methods, in order; what cannot be used comes last."""
    families: dict[str, list[MethodInfo]] = {}
    for info in in_order((info for info in catalog if not info.problem), language()):
        family = info.text("family", language()) or tr("Other methods")
        families.setdefault(family, []).append(info)
    broken = [info for info in catalog if info.problem]
    return [*families.items(), *([(tr("Cannot be used"), broken)] if broken else [])]
