"""What the shared filter lets pass, as pills that can be taken away one by one."""

from collections.abc import Collection

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from desktop_app.gui.filtering import shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE
from desktop_app.gui.widgets import named
from desktop_app.gui.widgets.chip import Chip, FlowLayout


class FilterBar(QWidget):
    """Lists the criteria of the filter; takes no room while there are none."""

    def __init__(
        self, session: Session, *, without: Collection[str] = (), parent: QWidget | None = None
    ) -> None:
        """Criteria named in `without` are shown by their own widgets and are not repeated here."""
        super().__init__(parent)
        self._filter = shared_filter(session)
        self._without = without
        self.setAccessibleName(tr("Filter"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._chips = FlowLayout()
        self._clear = named(QToolButton(), tr("Clear the filter"), tr("Show all images again"))
        self._clear.setText(tr("Clear"))
        self._clear.setProperty("kind", "link")
        self._clear.clicked.connect(self._filter.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        row.addLayout(self._chips, 1)
        row.addWidget(self._clear)
        self._filter.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        self._chips.clear()
        criteria = self._filter.criteria()
        for name, criterion in criteria.items():
            if name in self._without:
                continue
            tip = tr("Take this condition away")
            chip = Chip(criterion.text, closable=True, tip=tip, parent=self)
            chip.clicked.connect(lambda _on=False, name=name: self._filter.set(name, None))
            self._chips.addWidget(chip)
        self.setVisible(self._chips.count() > 0)
