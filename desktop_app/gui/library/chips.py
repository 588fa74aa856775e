"""Labels, splits and clusters as chips: those that are on are shown, none on shows all."""

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from desktop_app.gui.categories import Categories
from desktop_app.gui.filtering import COLUMNS, among, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.theme import Theme, current_theme, follow_theme
from desktop_app.gui.widgets import named
from desktop_app.gui.widgets.chip import Chip, FlowLayout

_MOST = 14  # chips in sight; the others wait in a menu


class CategoryChips(QWidget):
    """One chip per label, split, verdict or cluster."""

    def __init__(self, session: Session, kind: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kind = kind
        self._filter = shared_filter(session)
        self._chips: dict[str, Chip] = {}
        self._column: Categories | None = None
        self._flow = FlowLayout()
        self._menu = QMenu(self)
        self.setLayout(self._flow)
        self._menu.aboutToShow.connect(self._fill_menu)
        session.table_changed.connect(self._rebuild)
        if kind == "cluster":
            session.result_changed.connect(self._rebuild)
        self._filter.changed.connect(self._show_filter)
        follow_theme(self._recolour)
        self._rebuild()

    def keys(self) -> frozenset[str]:
        """Return the words that are let pass; none when all are."""
        criterion = self._filter.criterion(self._kind)
        return criterion.keys if criterion is not None else frozenset()

    def chip(self, key: str) -> Chip:
        """Return the chip of a word; raises KeyError for a word without one."""
        return self._chips[key]

    def toggle(self, key: str) -> None:
        """Let a word pass, or no longer."""
        keys = self.keys() ^ {key}
        self._filter.set(self._kind, among(self._kind, keys) if keys else None)

    def _rebuild(self) -> None:
        column = COLUMNS[self._kind](self._session)
        known = self._column
        self._column = column
        if column is None:
            self._flow.clear()
            self._chips.clear()
            self.hide()
            return
        if known is not None and _same(known, column):
            return
        self._flow.clear()
        self._chips.clear()
        if len(column) < 2:
            self.hide()
        elif self.parentWidget() is not None:  # without one it would become a window
            self.show()
        theme, frequent = current_theme(), column.counts.argsort(kind="stable")[::-1]
        for code in sorted(frequent[:_MOST].tolist()):
            colour = column.colour(code, theme) if self._kind != "split" else ""
            count = int(column.counts[code])
            chip = Chip(column.names[code], colour=colour, count=count, parent=self)
            chip.setToolTip(tr("Show only {name}", name=column.names[code]))
            chip.clicked.connect(lambda _on=False, key=column.keys[code]: self.toggle(key))
            self._chips[column.keys[code]] = chip
            self._flow.addWidget(chip)
            chip.show()
        hidden = len(column) - len(self._chips)
        if hidden:
            self._flow.addWidget(self._more_button(hidden))
        self._show_filter()

    def _more_button(self, hidden: int) -> QToolButton:
        more = named(QToolButton(self), tr("More"), tr("Show the rarer ones"))
        more.setText(tr("{n} more", n=hidden))
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(self._menu)
        more.show()
        return more

    def _fill_menu(self) -> None:
        self._menu.clear()
        column = self._column
        if column is None:
            return
        for code, key in enumerate(column.keys):
            if key not in self._chips:
                text = f"{column.names[code]}\t{int(column.counts[code]):,}"
                action = self._menu.addAction(text)
                action.setCheckable(True)
                action.setChecked(key in self.keys())
                action.triggered.connect(lambda _on=False, key=key: self.toggle(key))

    def _show_filter(self) -> None:
        keys = self.keys()
        for key, chip in self._chips.items():
            with QSignalBlocker(chip):
                chip.setChecked(key in keys)
            chip.update()

    def _recolour(self, theme: Theme) -> None:
        column = self._column
        if column is None or self._kind == "split":
            return
        for key, chip in self._chips.items():
            chip.set_colour(column.colour(column.keys.index(key), theme))


def _same(first: Categories, second: Categories) -> bool:
    return first.keys == second.keys and bool((first.counts == second.counts).all())
