"""The chooser of a method's presets: parameters that suit a kind of images, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from desktop_app.gui.i18n import term, tr
from desktop_app.gui.theme import SPACE, set_role, set_tone
from desktop_app.gui.widgets import ChoiceField

_LABEL_WIDTH = 106
_NONE = "defaults"


class PresetField(QWidget):
    """A list of presets, and a sentence about the chosen one; hidden where a method has none."""

    chosen = Signal()
    """The analyst chose a preset, or the same one again: its values are to be filled in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets: dict[str, Mapping[str, Any]] = {}
        self._texts: Mapping[str, str] = {}
        self.choices = ChoiceField(
            tr("Preset"), (), tr("Fills in what suits a kind of images; choose again to go back")
        )
        self._caption = QLabel(wordWrap=True)
        set_role(self._caption, "caption")
        self._mark = QLabel(tr("Changed since it was chosen."), wordWrap=True)
        set_role(self._mark, "caption")
        set_tone(self._mark, "accent")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE.s)
        grid.setVerticalSpacing(2)
        grid.addWidget(QLabel(tr("Preset")), 0, 0)
        grid.addWidget(self.choices, 0, 1)
        grid.addWidget(self._caption, 1, 0, 1, 2)
        grid.addWidget(self._mark, 2, 0, 1, 2)
        grid.setColumnMinimumWidth(0, _LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        self.choices.chosen.connect(lambda _key: self.chosen.emit())
        self.set_presets((), {})

    def set_presets(self, presets: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> None:
        """Offer presets of a method; `texts` are its translations."""
        self._presets = {str(preset["name"]): preset for preset in presets}
        self._texts = texts
        names = [(name, texts.get(f"preset.{name}") or term(name, texts)) for name in self._presets]
        self.choices.set_choices([(_NONE, tr("Defaults")), *names])
        self.choices.choose(_NONE)
        self.setVisible(bool(presets))
        self.show_changed(False)

    @property
    def preset(self) -> Mapping[str, Any] | None:
        """The preset that is chosen; None for the defaults."""
        return self._presets.get(self.choices.choice())

    @property
    def words(self) -> str:
        """The name of the preset that is chosen, "" for the defaults."""
        return self.choices.currentText() if self.preset is not None else ""

    def values(self) -> Mapping[str, Any]:
        """Return parameter -> value of the preset that is chosen."""
        values: Mapping[str, Any] = self.preset["values"] if self.preset is not None else {}
        return values

    def image_size(self) -> int | None:
        """Return the side that belongs to the preset, if any."""
        size = self.preset.get("image_size") if self.preset is not None else None
        return int(size) if size is not None else None

    def sizes(self) -> list[int]:
        """Return the sides of all presets."""
        sizes = [preset.get("image_size") for preset in self._presets.values()]
        return [int(size) for size in sizes if size is not None]

    def show_changed(self, changed: bool) -> None:
        """Say whether values differ from those of the preset."""
        preset = self.preset
        summary = ""
        if preset is not None:
            said = str(preset.get("summary", ""))
            own = self._texts.get(f"preset.{preset['name']}.help")
            summary = own or term(said, self._texts)
        self._caption.setText(summary)
        self._caption.setVisible(bool(summary))
        self._mark.setVisible(changed and preset is not None)
