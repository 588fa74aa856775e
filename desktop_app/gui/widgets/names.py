"""Names of widgets, for screen readers and tool tips."""

from typing import TypeVar

from PySide6.QtWidgets import QWidget

AnyWidget = TypeVar("AnyWidget", bound=QWidget)


def named(widget: AnyWidget, name: str, tip: str = "") -> AnyWidget:
    """Give a widget its accessible name and its tool tip (the name again by default)."""
    widget.setAccessibleName(name)
    widget.setToolTip(tip or name)
    return widget
