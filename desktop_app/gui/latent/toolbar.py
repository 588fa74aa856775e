"""The row of tools above the map: tools, axes, colours, comparison, pictures."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.latent.fields import caption, narrow
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.theme import COLOUR_MAPS, SPACE
from desktop_app.gui.widgets import ChoiceField, Segment, Segmented, WholeNumberField, named
from desktop_app.gui.widgets.chip import FlowLayout

_NUMBER = 68  # width of the field of a dimension, logical pixels
MOST_COMPARED = 4
"""Maps in sight at once, the open run's among them."""


class MapToolbar(QWidget):
    """Chooses parts of a state's layout, and shows what is chosen."""

    fit_wanted = Signal()
    save_wanted = Signal()
    gallery_wanted = Signal()
    find_wanted = Signal()
    compared = Signal(object)
    """Carries the paths of the runs whose maps are to be shown beside the open one's."""

    def __init__(self, state: MapState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.tools = Segmented(tr("Tools of the map"), _tools())
        self.axes = ChoiceField(tr("Axes of the map"), tip=tr("What the place of a point means"))
        self.across = WholeNumberField(tr("Dimension across"), 1, 1, 1)
        self.up = WholeNumberField(tr("Dimension up"), 1, 1, 1)
        self.colour_by = ChoiceField(tr("Colour by"), tip=tr("What the colours of the points mean"))
        self.dimension = WholeNumberField(tr("Dimension of the colours"), 1, 1, 1)
        maps = [(name, name.capitalize()) for name in COLOUR_MAPS]
        self.colour_map = ChoiceField(tr("Colours of numbers"), maps)
        self.lines = _button(
            "network", tr("Lines to neighbours"), tr("Draw lines to the images most alike")
        )
        self.pictures = _button(
            "image", tr("Thumbnails"), tr("Show thumbnails where few images are in sight")
        )
        for button in (self.lines, self.pictures):
            button.setCheckable(True)
        self.to_gallery = _button(
            "grid", tr("Show in gallery"), tr("Show the selected images in the gallery")
        )
        self.find_file = _button(
            "search", tr("Find an image…"), tr("Show where an image file from elsewhere belongs")
        )
        self.compare = _button(
            "compare", tr("Compare maps"), tr("Show the maps of other runs beside this one")
        )
        self.compare.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.runs = QMenu(self.compare)
        self.compare.setMenu(self.runs)
        self.fit = _button("zoom-fit", tr("Show all"), tr("Show all points (Home)"))
        self.save = _button("export", tr("Save the map"), tr("Save the map as a picture"))
        for field, letters in ((self.axes, 11), (self.colour_by, 11), (self.colour_map, 6)):
            narrow(field, letters)
        for number in (self.across, self.up, self.dimension):
            number.setFixedWidth(_NUMBER)
        self._lay()
        self._connect()
        self.show_layout()

    def set_colours(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer other colourings."""
        self.colour_by.set_choices(choices)
        self.colour_by.choose(self._state.colour)

    def set_comparable(self, runs: Sequence[tuple[Path, str]], shown: Sequence[Path]) -> None:
        """Offer runs (path, title) to be compared; `shown` are compared now."""
        self.runs.clear()
        for path, title in runs:
            action = self.runs.addAction(title)
            action.setCheckable(True)
            action.setChecked(path in shown)
            action.setEnabled(path in shown or len(shown) < MOST_COMPARED - 1)
            action.setData(path)
            action.toggled.connect(lambda _on: self.compared.emit(self._checked()))
        self.compare.setEnabled(bool(runs))
        tip = tr("Show the maps of other runs beside this one")
        self.compare.setToolTip(tip if runs else tr("There is no other run to compare with"))

    def show_layout(self) -> None:
        """Show what the state's layout says."""
        state, layout = self._state, self._state.layout
        kinds = state.kinds
        names = {
            "own": tr("Own layout"),
            "plane": tr("Principal plane"),
            "dimensions": tr("Two dimensions"),
            "space": tr("3-D space"),
        }
        self.axes.set_choices([(kind, names[kind]) for kind in kinds])
        self.axes.choose(state.kind)
        self.axes.setEnabled(len(kinds) > 1)
        for field, number in (
            (self.across, layout.across),
            (self.up, layout.up),
            (self.dimension, layout.dimension),
        ):
            with QSignalBlocker(field):
                field.setRange(1, max(1, state.dimensions))
                field.setValue(number + 1)
        self._dimensions.setVisible(state.kind == "dimensions")
        self.dimension.setVisible(layout.colour == "dimension")
        for choice, key in ((self.colour_by, state.colour), (self.colour_map, layout.colour_map)):
            choice.choose(key)
        for button, on in ((self.lines, layout.lines), (self.pictures, layout.pictures)):
            with QSignalBlocker(button):
                button.setChecked(on)
        if layout.tool != self.tools.choice() and layout.tool in _KEYS:
            self.tools.choose(layout.tool)

    def _lay(self) -> None:
        flow = FlowLayout(SPACE.s)
        self._dimensions = _group(self.across, self.up)
        flow.addWidget(self.tools)
        flow.addWidget(_group(caption(tr("Axes")), self.axes, self._dimensions))
        flow.addWidget(
            _group(caption(tr("Colour")), self.colour_by, self.dimension, self.colour_map)
        )
        flow.addWidget(
            _group(
                self.lines,
                self.pictures,
                self.to_gallery,
                self.find_file,
                self.compare,
                self.fit,
                self.save,
            )
        )
        around = QHBoxLayout(self)
        around.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        around.addLayout(flow, 1)

    def _connect(self) -> None:
        choose = self._state.choose
        self.tools.chosen.connect(lambda key: choose(tool=key))
        self.axes.chosen.connect(lambda key: choose(axes=key))
        self.across.valueChanged.connect(lambda number: choose(across=number - 1))
        self.up.valueChanged.connect(lambda number: choose(up=number - 1))
        self.colour_by.chosen.connect(lambda key: choose(colour=key))
        self.dimension.valueChanged.connect(lambda number: choose(dimension=number - 1))
        self.colour_map.chosen.connect(lambda key: choose(colour_map=key))
        self.lines.toggled.connect(lambda on: choose(lines=on))
        self.pictures.toggled.connect(lambda on: choose(pictures=on))
        self.to_gallery.clicked.connect(self.gallery_wanted)
        self.find_file.clicked.connect(self.find_wanted)
        self.fit.clicked.connect(self.fit_wanted)
        self.save.clicked.connect(self.save_wanted)
        self._state.layout_changed.connect(self.show_layout)
        self._state.moved.connect(self.show_layout)

    def _checked(self) -> list[Path]:
        return [action.data() for action in self.runs.actions() if action.isChecked()]


_KEYS = ("cursor", "lasso", "rectangle", "decode")


def _tools() -> list[Segment]:
    move = tr("Move the map, or turn it in space; click images (V)")
    return [
        Segment("cursor", tr("Move"), "hand", move),
        Segment("lasso", tr("Lasso"), "lasso", _joining(tr("Select with a lasso (L)"))),
        Segment("rectangle", tr("Rectangle"), "rectangle", _joining(tr("Select a rectangle (R)"))),
        Segment("decode", tr("Decode"), "sparkle", tr("Decode what lies under the pointer (D)")),
    ]


def _joining(text: str) -> str:
    return tr("{tip}; Shift adds, Alt takes away", tip=text)


def _button(icon: str, name: str, tip: str) -> QToolButton:
    button = named(QToolButton(), name, tip)
    set_icon(button, icon)
    return button


def _group(*widgets: QWidget) -> QWidget:
    """Return widgets side by side that are not torn apart where the row is narrow."""
    group = QWidget()
    row = QHBoxLayout(group)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE.xs)
    for widget in widgets:
        row.addWidget(widget)
    return group
