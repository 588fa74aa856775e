"""The region of interest of the open folder: painted over one of its images, or their mean."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.images import decode
from desktop_app.core.painting import Painting
from desktop_app.core.regions import read_region
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.regions.canvas import RegionCanvas
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_kind, set_role, set_tone
from desktop_app.gui.widgets import ChoiceField, SliderField, image_from_array, named
from desktop_app.gui.widgets.segmented import Segment, Segmented
from desktop_app.sdk.data import even_rows
from desktop_app.sdk.errors import LoupeError

_AVERAGED = 64  # images, evenly chosen, whose mean is shown
_SIDE = 1600  # pixels of the longest side of the image that is shown


class RegionDialog(QDialog):
    """Tools above, the image in the middle, what counts of it below."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        """Paint over the current image, or the first one that can be read."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session = session
        self._row = self._first_row()
        self.setWindowTitle(tr("Region of interest"))
        self.canvas = RegionCanvas()
        self.canvas.set_painting(self._painting())
        self.canvas.changed.connect(self._show)
        self._counted = QLabel(wordWrap=True)
        hint = QLabel(
            tr(
                "What lies outside is not learned from, makes no image unusual and is grey in heat "
                "maps. It applies to trainings that are started from now on."
            ),
            wordWrap=True,
        )
        set_role(hint, "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addLayout(self._tools())
        column.addLayout(self._changes())
        column.addWidget(self.canvas, 1)
        column.addWidget(self._counted)
        column.addWidget(hint)
        column.addWidget(self._buttons())
        QShortcut(QKeySequence.StandardKey.Undo, self, self._undo)
        QShortcut(QKeySequence.StandardKey.Redo, self, self._redo)
        self._look("image")
        self._show()

    def _first_row(self) -> int:
        table = self._session.table
        usable = [row for row, problem in enumerate(table.problems) if not problem]
        current = self._session.current
        return current if current in usable else (usable[0] if usable else -1)

    def _painting(self) -> Painting:
        table, row = self._session.table, self._row
        size = (int(table.widths[row]), int(table.heights[row])) if row >= 0 else (1, 1)
        width, height = size if min(size) > 0 else (1, 1)
        return Painting(width, height, self._session.region)

    def _tools(self) -> QHBoxLayout:
        self.tool = Segmented(
            tr("Shape"),
            [
                Segment("rectangle", tr("Rectangle"), "rectangle", tr("Drag a rectangle")),
                Segment(
                    "polygon",
                    tr("Polygon"),
                    "lasso",
                    tr("Click the corners of a polygon; a double click or Enter closes it"),
                ),
                Segment("brush", tr("Brush"), "edit", tr("Paint with a brush")),
            ],
        )
        self.tool.chosen.connect(self._take_tool)
        self.effect = Segmented(
            tr("Effect"),
            [
                Segment("count", tr("Count"), tip=tr("What is drawn counts")),
                Segment("ignore", tr("Ignore"), tip=tr("What is drawn is ignored")),
            ],
        )
        self.effect.chosen.connect(self._take_effect)
        self._width = SliderField(tr("Width of the brush"), 0.5, 30, 5, decimals=1, suffix=" %")
        self._width.value_changed.connect(self._take_width)
        self._width.setEnabled(False)
        shown = [("image", tr("This image")), ("mean", tr("Mean image"))]
        self.picture = ChoiceField(tr("Image under the region"), shown)
        self.picture.chosen.connect(self._look)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.tool)
        row.addWidget(self.effect)
        row.addWidget(self._width, 1)
        row.addWidget(self.picture)
        return row

    def _changes(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        self._undo_button = self._button(tr("Undo"), "undo", self._undo)
        self._redo_button = self._button(tr("Redo"), "redo", self._redo)
        swap = self._button(tr("Invert"), "refresh", self._invert)
        everything = self._button(tr("Count everything"), "zoom-fit", self._count_all)
        load = self._button(tr("Load a mask…"), "import", self._choose_file)
        for button in (self._undo_button, self._redo_button, swap, everything, load):
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _button(self, text: str, icon: str, act: Callable[[], None]) -> QToolButton:
        button = named(QToolButton(), text, text)
        button.setText(text)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_icon(button, icon, "text_secondary")
        button.clicked.connect(lambda _on=False: act())
        return button

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self.save_button = buttons.button(QDialogButtonBox.StandardButton.Save)
        self.save_button.setText(tr("Keep for this folder"))
        self.save_button.setAutoDefault(False)
        set_kind(self.save_button, "primary")
        cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setText(tr("Cancel"))
        cancel.setAutoDefault(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    def accept(self) -> None:
        """Keep the region with the folder in the workspace."""
        painting = self.canvas.painting
        if painting is not None:
            self._session.set_region(painting.region())
        super().accept()

    def load(self, path: Path) -> None:
        """Take the region from an image file that is white where images count."""
        try:
            region = read_region(path)
        except LoupeError as problem:
            self._counted.setText(str(problem))
            set_tone(self._counted, "bad")
            return
        if self.canvas.painting is not None:
            self.canvas.painting.take(region)
            self._changed()

    def _choose_file(self) -> None:
        kinds = tr("Images") + " (*.png *.bmp *.tif *.tiff *.jpg)"
        path, _kind = QFileDialog.getOpenFileName(self, tr("Load a mask…"), "", kinds)
        if path:
            self.load(Path(path))

    def _take_tool(self, key: str) -> None:
        self._width.setEnabled(key == "brush")
        self.canvas.set_tool(key)  # type: ignore[arg-type]

    def _take_effect(self, key: str) -> None:
        self.canvas.counts = key == "count"

    def _take_width(self, percent: float) -> None:
        self.canvas.brush_width = percent / 100

    def _undo(self) -> None:
        if self.canvas.painting is not None:
            self.canvas.painting.undo()
            self._changed()

    def _redo(self) -> None:
        if self.canvas.painting is not None:
            self.canvas.painting.redo()
            self._changed()

    def _invert(self) -> None:
        if self.canvas.painting is not None:
            self.canvas.painting.invert()
            self._changed()

    def _count_all(self) -> None:
        if self.canvas.painting is not None:
            self.canvas.painting.count_all()
            self._changed()

    def _changed(self) -> None:
        self.canvas.refresh()
        self._show()

    def _show(self) -> None:
        """Say how much counts, and what can be undone."""
        painting = self.canvas.painting
        if painting is None:
            return
        self._undo_button.setEnabled(painting.can_undo)
        self._redo_button.setEnabled(painting.can_redo)
        share = float(painting.mask.mean())
        self.save_button.setEnabled(share > 0)
        set_tone(self._counted, "" if share > 0 else "warning")
        self._counted.setText(region_words(share))

    def _look(self, what: str) -> None:
        """Fetch the image that is shown under the mask."""
        session, row = self._session, self._row
        if row < 0:
            return
        if what == "image":
            path = session.image_path(row)
            session.background.run("region", lambda: _small(path), self._take_image)
        else:
            table = session.table
            usable = np.flatnonzero([not problem for problem in table.problems])
            places = even_rows(len(usable), _AVERAGED)
            ids = table.ids[usable[np.unique(places)]].tolist()
            found = session.thumbnails
            session.background.run("region", lambda: _mean(found(ids)), self._take_image)

    def _take_image(self, pixels: NDArray[np.uint8] | None) -> None:
        if pixels is not None:
            self.canvas.set_image(image_from_array(pixels))


def region_words(share: float) -> str:
    """Return how much of every image counts, as a sentence."""
    if share >= 1:
        return tr("All of every image counts.")
    if share <= 0:
        return tr("Nothing counts: mark a part of the image.")
    return tr("{n} % of every image counts.", n=f"{100 * share:.3g}")


def _small(path: Path) -> NDArray[np.uint8] | None:
    """Return an image as it is shown, or None where its file cannot be read any more."""
    try:
        pixels = decode(path)
    except (LoupeError, OSError):
        return None
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE), reducing_gap=2.0)
    return np.asarray(image)


def _mean(files: list[bytes | None]) -> NDArray[np.uint8] | None:
    """Return the mean of thumbnails, stretched to the size of the first one."""
    total, count, size = np.zeros(()), 0, None
    for file in files:
        if file is not None:
            with Image.open(io.BytesIO(file)) as image:
                size = size or image.size
                total = total + np.asarray(image.convert("RGB").resize(size), np.float64)
                count += 1
    return np.rint(total / count).astype(np.uint8) if count else None
