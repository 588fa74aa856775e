"""Parts of a panel: a heading, and a part that folds away."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from desktop_app.gui.icons import set_icon
from desktop_app.gui.theme import SPACE, set_role
from desktop_app.gui.widgets.names import named


class SectionHeader(QWidget):
    """A heading, a quiet remark beside it, and room for tools on the right."""

    def __init__(self, title: str, remark: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel(title)
        self._remark = QLabel(remark)
        set_role(self._title, "heading")
        set_role(self._remark, "secondary")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(SPACE.s)
        self._row.addWidget(self._title)
        self._row.addWidget(self._remark)
        self._row.addStretch()

    def set_title(self, title: str) -> None:
        """Replace the heading."""
        self._title.setText(title)

    def set_remark(self, remark: str) -> None:
        """Replace the remark, such as a count."""
        self._remark.setText(remark)

    def add_tool(self, tool: QWidget) -> None:
        """Add a widget at the right end."""
        self._row.addWidget(tool)


class CollapsibleSection(QWidget):
    """A heading that shows and hides what is below it."""

    toggled = Signal(bool)
    """Carries whether the content is shown now."""

    def __init__(
        self,
        title: str,
        content: QWidget,
        *,
        expanded: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._content = content
        self.button = named(QToolButton(), title)
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setProperty("kind", "section")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.toggled.connect(self.set_expanded)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.button)
        column.addWidget(content)
        self.set_expanded(expanded)

    def is_expanded(self) -> bool:
        """Return whether the content is shown."""
        return self.button.isChecked()

    def set_expanded(self, expanded: bool) -> None:
        """Show or hide the content."""
        self.button.setChecked(expanded)
        set_icon(self.button, "chevron-down" if expanded else "chevron-right", "text_secondary")
        if self._content.isVisibleTo(self) != expanded:
            self._content.setVisible(expanded)
            self.toggled.emit(expanded)
