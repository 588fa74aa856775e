"""Walking through the latent space: to a place, along a dimension, from one image to another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.columns import ResultColumns
from desktop_app.core.projection import along
from desktop_app.core.table import ImageTable
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.heat import pixels_of
from desktop_app.gui.latent.decode import (
    Guess,
    MapInverse,
    Way,
    along_dimension,
    between,
    dimension_ranges,
    shifted,
)
from desktop_app.gui.latent.decoder import Decoder
from desktop_app.gui.latent.fields import caption, narrow
from desktop_app.gui.latent.groups import GroupsPage
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.latent.strip import Frame, Strip
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.widgets import (
    Badge,
    ChoiceField,
    ImageLabel,
    Segment,
    Segmented,
    image_from_array,
    named,
)

_FRAMES, _COLUMNS = 12, 6
_PICTURE = 168  # logical pixels
_SHAPED = 192  # pixels of a decoded image that is stretched to the shape of the photographs
_FINE = 1000  # steps of the slider along a dimension
_DETOURS = 60  # frames of a walk that the slider stops at

Place = tuple[float, float]


class Walk(QWidget):
    """Shows what the method makes of latent vectors that belong to no image."""

    place_shown = Signal(object, bool)
    """Carries the place on the map that is decoded, or None, and whether it is far from data."""
    path_shown = Signal(object)
    """Carries the places (n, 2) between which the walk goes, or None."""

    def __init__(self, session: Session, state: MapState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._state = state
        self._decoder = Decoder(session, self)
        self._inverse: MapInverse | None = None
        self._latents: NDArray[np.float32] | None = None
        self._start: NDArray[np.float32] | None = None
        self._start_name = ""
        self._ranges: tuple[NDArray[np.float32], ...] = ()
        self._ends: tuple[int, int] | None = None
        self._place: Place | None = None
        self._ratio = 1.0
        self.picture = ImageLabel(tr("Decoded image"))
        self.picture.setFixedHeight(_PICTURE)
        set_surface(self.picture, "canvas")
        self.mark = Badge()
        self._about = QLabel()
        self._about.setWordWrap(True)
        set_role(self._about, "caption")
        self.modes = Segmented(
            tr("Ways to walk"),
            [
                Segment("place", tr("Place"), "target", tr("Decode a place on the map")),
                Segment("dimension", tr("Dimension"), "sliders", tr("Change one latent dimension")),
                Segment(
                    "between", tr("Between"), "arrow-right", tr("Go from one image to another")
                ),
                Segment(
                    "groups", tr("Groups"), "plus", tr("Add what tells one group from another")
                ),
            ],
        )
        self.strip = Strip(tr("Frames of the walk"), _COLUMNS)
        self._pages = QStackedWidget()
        self.groups = GroupsPage(session)
        self.groups.changed.connect(self._decode_groups)
        self.groups.moved.connect(self._decode_share_of_groups)
        pages = (self._place_page(), self._dimension_page(), self._between_page(), self.groups)
        for page in pages:
            self._pages.addWidget(page)
        line = QHBoxLayout()
        line.addWidget(self._about, 1)
        line.addWidget(self.mark)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        self._mode_name = QLabel()
        set_role(self._mode_name, "secondary")
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(self.modes)
        top.addWidget(self._mode_name, 1)
        column.addLayout(top)
        column.addWidget(self.picture)
        column.addLayout(line)
        column.addWidget(self.strip)
        column.addWidget(self._pages)
        self.modes.chosen.connect(lambda _key: self._show_mode())
        self.strip.chosen.connect(self._choose_frame)
        session.selection_changed.connect(self._show_ends)
        session.current_changed.connect(self._start_from_current)
        state.moved.connect(self._take_places)
        self._show_mode()

    def set_result(self, result: ResultColumns | None) -> None:
        """Walk through the latents of another result; None where they cannot be decoded."""
        self._decoder.forget()
        self._inverse = self._latents = self._start = self._ends = None
        self._place = None
        self.picture.set_image(None)
        if result is not None and result.latents is not None and result.latents.ndim == 2:
            self._latents = result.latents
            self._ranges = dimension_ranges(result.latents)
            self._fill_dimensions()
        self.groups.set_result(result if self._latents is not None else None)
        self._ratio = proportions(self._session.table)
        self._take_places()
        self._start_from_current()
        self._show_ends()
        self._show_mode()

    def _take_places(self) -> None:
        """Follow where the images lie on the map, as it is turned and along which axes."""
        state, latents = self._state, self._latents
        result, positions = state.result, state.positions
        self._inverse = self._place = None
        self.place_shown.emit(None, False)
        if latents is None or result is None or positions is None or state.moment is not None:
            return
        if result.latents is not latents:
            return
        rows = np.flatnonzero(np.isfinite(positions).all(axis=1) & (result.index >= 0))
        if len(rows):
            places = result.index[rows]
            in_order = len(places) == len(latents) and bool((np.diff(places) == 1).all())
            own = latents if in_order else latents[places]  # no copy of all where it can be spared
            self._inverse = MapInverse(positions[rows], own, state.basis)
            self._way.set_choices(self._ways(self._inverse))
        if self.modes.choice() == "place":
            self._decode_place()

    def go_to(self, x: float, y: float) -> None:
        """Decode a place on the map."""
        if self._inverse is None:
            return
        self._place = (x, y)
        if self.modes.choice() != "place":
            self.modes.choose("place")
        self._decode_place()

    # pages

    def _place_page(self) -> QWidget:
        self._way = ChoiceField(
            tr("How the other dimensions are guessed"),
            tip=tr("A place on the map fixes two numbers; the other dimensions must be guessed"),
        )
        self._way.chosen.connect(lambda _key: self._decode_place())
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(caption(tr("Others")))
        row.addWidget(narrow(self._way), 1)
        return page

    def _dimension_page(self) -> QWidget:
        self._dimension = ChoiceField(
            tr("Latent dimension"), tip=tr("Dimensions that differ most come first")
        )
        self._dimension.chosen.connect(lambda _key: self._decode_dimension())
        self._amount = named(QSlider(Qt.Orientation.Horizontal), tr("Value of the dimension"))
        self._amount.setRange(0, _FINE)
        self._amount.setValue(_FINE // 2)
        self._amount.valueChanged.connect(lambda _value: self._decode_amount())
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        row = QHBoxLayout()
        row.addWidget(caption(tr("Dimension")))
        row.addWidget(narrow(self._dimension), 1)
        column.addLayout(row)
        column.addWidget(self._amount)
        return page

    def _between_page(self) -> QWidget:
        self._share = named(QSlider(Qt.Orientation.Horizontal), tr("Share of the way"))
        self._share.setRange(0, _DETOURS)
        self._share.valueChanged.connect(lambda _value: self._decode_share())
        self._shape = ChoiceField(
            tr("Shape of the way"),
            [("straight", tr("Straight")), ("spherical", tr("Spherical"))],
            tr("Spherical keeps the length of the vectors, as variational latents want it"),
        )
        self._shape.chosen.connect(lambda _key: self._decode_between())
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self._share)
        row = QHBoxLayout()
        row.addWidget(caption(tr("Way")))
        row.addWidget(narrow(self._shape), 1)
        column.addLayout(row)
        return page

    def _ways(self, inverse: MapInverse) -> list[tuple[str, str]]:
        names = {"neighbours": tr("From the nearest images"), "plane": tr("On the plane: mean")}
        return [(way, names[way]) for way in inverse.ways()]

    def _fill_dimensions(self) -> None:
        _low, _high, spread = self._ranges
        order = np.argsort(-spread, kind="stable").tolist()
        choices = [
            (str(number), tr("{n}, spread {value}", n=number + 1, value=f"{spread[number]:.3g}"))
            for number in order
        ]
        self._dimension.set_choices(choices)

    # following

    def _show_mode(self) -> None:
        mode = self.modes.choice()
        shows = {
            "place": self._decode_place,
            "dimension": self._decode_dimension,
            "between": self._decode_between,
            "groups": self._decode_groups,
        }
        self._pages.setCurrentIndex(list(shows).index(mode))
        self._mode_name.setText(self.modes.button(mode).accessibleName())
        self.strip.setVisible(mode != "place")
        self.mark.hide()
        self.path_shown.emit(None)
        if mode != "place":
            self.place_shown.emit(None, False)
        shows[mode]()

    def _start_from_current(self) -> None:
        """Let the walk along a dimension begin at the current image."""
        result, row = self._session.result, self._session.current
        if result is None or result.latents is None or not 0 <= row < len(result.index):
            return
        if result.index[row] >= 0 and self._latents is not None:
            self._start = result.latents[result.index[row]]
            self._start_name = self._session.table.paths[row]
            if self.modes.choice() == "dimension":
                self._decode_dimension()
            elif self.modes.choice() == "groups":
                self._decode_groups()

    def _show_ends(self) -> None:
        """Walk between the two images that are selected."""
        result = self._session.result
        self._ends = None
        if result is not None and self._latents is not None:
            rows = np.flatnonzero(self._session.selected)
            if len(rows) == 2 and (result.index[rows] >= 0).all():
                self._ends = int(rows[0]), int(rows[1])
        if self.modes.choice() == "between":
            self._decode_between()
        elif self._ends is not None and self.modes.choice() == "place" and self._place is None:
            self.modes.choose("between")

    # decoding

    def _decode_place(self) -> None:
        inverse, place = self._inverse, self._place
        if inverse is None or place is None:
            self.picture.set_image(None)
            self._about.setText(tr("Click or drag on the empty map to decode that place."))
            self.place_shown.emit(None, False)
            return
        way: Way = self._way.choice() or "neighbours"  # type: ignore[assignment]
        guess = inverse.at(np.array([place], np.float32), way)
        self._tell_distance(guess)
        self._decoder.decode("picture", guess.latents, self._show_picture)
        self.place_shown.emit(place, bool(guess.far[0]))

    def _tell_distance(self, guess: Guess) -> None:
        far = bool(guess.far[0])
        self.mark.setVisible(far)
        self.mark.show_state(tr("far from data"), "warning")
        self._about.setText(
            tr("No image is near: this is the method's guess.") if far else tr("Between images")
        )

    def _decode_dimension(self) -> None:
        start, number = self._start, self._dimension.choice()
        if self._latents is None or start is None or not number:
            self._wait_for(tr("Choose an image to begin with."))
            return
        low, high = (float(end[int(number)]) for end in self._ranges[:2])
        self._about.setText(self._start_name)
        with QSignalBlocker(self._amount):
            share = (float(start[int(number)]) - low) / max(high - low, 1e-9)
            self._amount.setValue(round(_FINE * min(1.0, max(0.0, share))))
        latents = along_dimension(start, int(number), low, high, _FRAMES)
        values = np.linspace(low, high, _FRAMES)
        tips = [f"{value:.3g}" for value in values]
        self._decoder.decode("strip", latents, lambda images: self._show_strip(images, tips))
        self._decode_amount()

    def _decode_amount(self) -> None:
        start, number = self._start, self._dimension.choice()
        if self._latents is None or start is None or not number:
            return
        low, high = (float(end[int(number)]) for end in self._ranges[:2])
        share = self._amount.value() / _FINE
        value = low + (high - low) * share
        latents = along_dimension(start, int(number), value, value, 1)
        self.strip.mark(round(share * (_FRAMES - 1)))
        self._amount.setToolTip(f"{value:.3g}")
        self._decoder.decode("picture", latents, self._show_picture)

    def _decode_between(self) -> None:
        if self._latents is None or self._ends is None:
            self._wait_for(tr("Select two images: click one, then another with Ctrl."))
            return
        names = (self._session.table.paths[row].rsplit("/", 1)[-1] for row in self._ends)
        self._about.setText(" → ".join(names))
        way = self._way_between(_FRAMES)
        tips = [f"{100 * share:.0f} %" for share in np.linspace(0, 1, _FRAMES)]
        self._decoder.decode("strip", way, lambda images: self._show_strip(images, tips))
        self._decode_share()
        positions = self._state.positions
        if positions is not None and self._state.moment is None:
            self.path_shown.emit(positions[list(self._ends)])

    def _decode_share(self) -> None:
        if self._latents is None or self._ends is None:
            return
        share = self._share.value() / _DETOURS
        self.strip.mark(round(share * (_FRAMES - 1)))
        self._share.setToolTip(f"{100 * share:.0f} %")
        self._tell_share(share)
        way = self._way_between(_DETOURS + 1)
        self._decoder.decode("picture", way[self._share.value()][None], self._show_picture)

    def _tell_share(self, share: float) -> None:
        """Show on the map how far the walk has come."""
        positions = self._state.positions
        if positions is not None and self._ends is not None and self._state.moment is None:
            first, second = positions[list(self._ends)].tolist()
            x, y = ((1 - share) * a + share * b for a, b in zip(first, second, strict=True))
            self.place_shown.emit((x, y), False)

    def _way_between(self, steps: int) -> NDArray[np.float32]:
        result = self._session.result
        if result is None or result.latents is None or self._ends is None:
            return np.zeros((0, 0), np.float32)
        first, second = (result.latents[result.index[row]] for row in self._ends)
        return between(first, second, steps, spherical=self._shape.choice() == "spherical")

    def _decode_groups(self) -> None:
        shift, start = self.groups.shift, self._start
        if self._latents is None or shift is None:
            self._wait_for(self.groups.needs())
            return
        if start is None:
            self._wait_for(tr("Choose an image to begin with."))
            return
        self._about.setText(f"{self._start_name.rsplit('/', 1)[-1]} + {self.groups.sum_text()}")
        amounts = self.groups.amounts(_FRAMES)
        tips = [f"{amount:+.2f} ×" for amount in amounts]
        latents = shifted(start, shift, amounts)
        self._decoder.decode("strip", latents, lambda images: self._show_strip(images, tips))
        self._decode_share_of_groups()

    def _decode_share_of_groups(self) -> None:
        shift, start = self.groups.shift, self._start
        if self._latents is None or shift is None or start is None:
            return
        amount = self.groups.amount()
        self.strip.mark(int(np.abs(self.groups.amounts(_FRAMES) - amount).argmin()))
        latents = shifted(start, shift, np.array([0.0, amount]))
        self._show_way_of_groups(latents)
        self._decoder.decode("picture", latents[1:], self._show_picture)

    def _show_way_of_groups(self, latents: NDArray[np.float32]) -> None:
        """Show on the map where the sum leads, if sums have a place there."""
        basis = self._state.basis
        if basis is None or self._state.moment is not None:
            return
        ends = along(latents, *basis)
        self.path_shown.emit(ends)
        x, y = ends[1].tolist()
        guess = self._inverse.at(ends[1:]) if self._inverse is not None else None
        self.place_shown.emit((x, y), guess is not None and bool(guess.far[0]))

    def _choose_frame(self, number: int) -> None:
        share = number / (_FRAMES - 1)
        if self.modes.choice() == "groups":
            self.groups.choose_amount(float(self.groups.amounts(_FRAMES)[number]))
        elif self.modes.choice() == "dimension":
            self._amount.setValue(round(share * _FINE))
        else:
            self._share.setValue(round(share * _DETOURS))

    def _wait_for(self, text: str) -> None:
        self.picture.set_image(None)
        self.strip.set_frames([Frame(None)] * _FRAMES)
        self.strip.mark(-1)
        self._about.setText(text)

    def _show_picture(self, images: NDArray[Any]) -> None:
        self.picture.set_image(_shaped(images[0], self._ratio))

    def _show_strip(self, images: NDArray[Any], tips: list[str]) -> None:
        frames = zip(images, tips, strict=True)
        self.strip.set_frames([Frame(_shaped(image, self._ratio), tip) for image, tip in frames])


def proportions(table: ImageTable) -> float:
    """Return width by height of the images where nearly all have the same, else 1.

    Methods see every image as a square: what they draw is shown as the photographs are.
    """
    known = (table.widths > 0) & (table.heights > 0)
    if not known.any():
        return 1.0
    ratios = table.widths[known] / table.heights[known]
    low, middle, high = np.percentile(ratios, (5, 50, 95))
    return float(middle) if high < 1.05 * low else 1.0


def _shaped(image: NDArray[Any], ratio: float) -> QImage:
    picture = image_from_array(pixels_of(image))
    if ratio == 1:
        return picture
    edge = max(_SHAPED, picture.width())
    size = QSize(edge, round(edge / ratio)) if ratio > 1 else QSize(round(edge * ratio), edge)
    smooth = Qt.TransformationMode.SmoothTransformation
    return picture.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
