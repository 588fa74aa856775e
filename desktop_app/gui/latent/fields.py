"""Small parts of the tools around the map."""

from PySide6.QtWidgets import QLabel

from desktop_app.gui.theme import set_role
from desktop_app.gui.widgets import ChoiceField


def narrow(field: ChoiceField, letters: int = 8) -> ChoiceField:
    """Let a field be narrower than its longest choice: room for so many letters."""
    field.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    field.setMinimumContentsLength(letters)
    return field


def caption(text: str) -> QLabel:
    """Return a small word before a field."""
    label = QLabel(text)
    set_role(label, "caption")
    return label
