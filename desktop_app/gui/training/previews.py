"""Pictures that a run made on its way, with a slider back through the steps."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSlider,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.background import Background
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.views.tiles import TileSheet
from desktop_app.gui.widgets import ChoiceField, EmptyState, named
from desktop_app.gui.wording import count, spoken
from desktop_app.sdk.errors import UnreadableRun

Entry = tuple[int, Path, str, int]
"""Step, file with 'images' uint8 (N, C, H, W), caption, pictures in a row."""

_KEPT = 48  # pictures in memory
_PLAY_MILLISECONDS = 180


class PreviewsView(QWidget):
    """One kind of picture at one step; follows the newest until the slider is moved back."""

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._previews: Mapping[str, Sequence[Entry]] = {}
        self._kept: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()
        self._shown: Path | None = None
        self._follows = True
        self.names = ChoiceField(tr("Picture"), (), tr("Which pictures to show"))
        self.names.chosen.connect(lambda _name: self._choose_name())
        self.sheet = TileSheet(tr("Pictures"))
        self._caption = QLabel(wordWrap=True)
        set_role(self._caption, "caption")
        self.slider = named(
            QSlider(Qt.Orientation.Horizontal),
            tr("Step of the pictures"),
            tr("Go back through the training; at the right end, the newest is followed"),
        )
        self._step = QLabel()
        set_role(self._step, "caption")
        self.play = named(QToolButton(), tr("Play"), tr("Show the pictures one after the other"))
        self.play.setCheckable(True)
        set_icon(self.play, "play", "text_secondary")
        self._clock = QTimer(self, interval=_PLAY_MILLISECONDS)
        self._clock.timeout.connect(self._play_on)
        self._stack = QStackedWidget()
        self._stack.addWidget(
            EmptyState(
                "image",
                tr("No pictures yet"),
                tr("Reconstructions, samples or heat maps appear while the method learns."),
            )
        )
        self._stack.addWidget(self._page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self.slider.valueChanged.connect(self._slide)
        self.play.toggled.connect(self._toggle_play)

    def set_previews(self, previews: Mapping[str, Sequence[Entry]]) -> None:
        """Show the pictures of a run, by name and step; call again when there are more."""
        self._previews = {name: list(entries) for name, entries in previews.items() if entries}
        if not self._previews:
            self._kept.clear()
            self._shown = None
            self._follows = True
            self.play.setChecked(False)
            self._stack.setCurrentIndex(0)
            return
        self._stack.setCurrentIndex(1)
        names = [(name, preview_words(name)[0]) for name in self._previews]
        if [self.names.itemData(place) for place in range(self.names.count())] != [
            name for name, _ in names
        ]:
            self.names.set_choices(names)
        self.names.setVisible(len(names) > 1)
        self._spread()

    def step(self) -> int | None:
        """Return the step whose pictures are chosen; None without any."""
        entries = self._entries()
        return entries[self.slider.value()][0] if entries else None

    def go_to(self, place: int) -> None:
        """Show the pictures at a place of the slider."""
        self.slider.setValue(place)

    def _page(self) -> QWidget:
        page = QWidget()
        inside = QWidget()
        set_surface(inside, "canvas")
        below = QVBoxLayout(inside)
        below.setContentsMargins(SPACE.s, SPACE.s, SPACE.s, SPACE.s)
        below.addWidget(self.sheet)
        below.addStretch()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        row.addWidget(self._step)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(self.names)
        column.addWidget(scroll, 1)
        column.addWidget(self._caption)
        column.addLayout(row)
        return page

    def _entries(self) -> Sequence[Entry]:
        return self._previews.get(self.names.choice(), ())

    def _spread(self) -> None:
        """Let the slider run over all steps, at its end while it follows."""
        entries = self._entries()
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(entries) - 1))
        if self._follows:
            self.slider.setValue(len(entries) - 1)
        self.slider.blockSignals(False)
        self.slider.setEnabled(len(entries) > 1)
        self.play.setEnabled(len(entries) > 1)
        self._show()

    def _choose_name(self) -> None:
        self._spread()

    def _slide(self, place: int) -> None:
        self._follows = place == self.slider.maximum() and not self.play.isChecked()
        self._show()

    def _show(self) -> None:
        entries = self._entries()
        if not entries:
            return
        step, path, caption, columns = entries[self.slider.value()]
        newest = self.slider.value() == len(entries) - 1
        words = tr("Step {n}", n=count(step))
        self._step.setText(tr("{step}, newest", step=words) if newest else words)
        said = caption or preview_words(self.names.choice())[1]
        self._caption.setText(said)
        self._caption.setVisible(bool(said))
        if path == self._shown:
            return
        self._shown = path
        if path in self._kept:
            self._take(path, self._kept[path], columns)
        else:
            self._background.run(
                "preview", lambda: _pictures(path), lambda pixels: self._take(path, pixels, columns)
            )

    def _take(self, path: Path, pixels: NDArray[np.uint8], columns: int) -> None:
        self._kept[path] = pixels
        self._kept.move_to_end(path)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        if path == self._shown:
            self.sheet.set_tiles(pixels, columns)

    def _toggle_play(self, on: bool) -> None:
        set_icon(self.play, "pause" if on else "play", "text_secondary")
        if on:
            if self.slider.value() == self.slider.maximum():
                self.slider.setValue(0)
            self._clock.start()
        else:
            self._clock.stop()
            self._follows = self.slider.value() == self.slider.maximum()

    def _play_on(self) -> None:
        if self.slider.value() >= self.slider.maximum():
            self.play.setChecked(False)
        else:
            self.slider.setValue(self.slider.value() + 1)


def preview_words(name: str) -> tuple[str, str]:
    """Return the name and the explanation of pictures that the host makes; others as they are."""
    return {
        "reconstructions": (
            tr("Reconstructions"),
            tr("Above, training images; below, what the method rebuilds of each."),
        ),
        "samples": (tr("Samples"), tr("New images, always from the same random numbers.")),
        "heat maps": (
            tr("Heat maps"),
            tr("Above, training images; below, how unusual each place is."),
        ),
    }.get(name, (spoken(name), ""))


def _pictures(path: Path) -> NDArray[np.uint8]:
    """Return the pictures of a file as uint8 (N, H, W, C). Raises UnreadableRun."""
    try:
        with np.load(path, allow_pickle=False) as file:
            images: NDArray[np.uint8] = file["images"]
    except (OSError, ValueError, KeyError, EOFError) as problem:
        raise UnreadableRun(
            tr("The pictures in '{path}' cannot be read: {reason}.", path=path, reason=problem)
        ) from None
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
