"""The current image: original, heat map, mask, reason, reconstruction, all zoomed together."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.zones import Zone
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.inspector.contours import ContourScale
from desktop_app.gui.inspector.heat import (
    DIFFERENCE_RANGE,
    contour,
    difference,
    greyed,
    heat_rgb,
    heat_rgba,
    pixels_of,
)
from desktop_app.gui.inspector.maps import HeatMaps
from desktop_app.gui.inspector.pane import Pane
from desktop_app.gui.inspector.pictures import Photograph, Photographs
from desktop_app.gui.inspector.reasonbar import ReasonBar
from desktop_app.gui.inspector.reasons import Reasons, cropped
from desktop_app.gui.inspector.zoom import Zoom
from desktop_app.gui.methods import can
from desktop_app.gui.session import Session
from desktop_app.gui.theme import (
    COLOUR_MAPS,
    SPACE,
    TYPE,
    colour_map,
    number_font,
    set_role,
)
from desktop_app.gui.widgets import (
    ChoiceField,
    ColourBar,
    ElidedLabel,
    SliderField,
    image_from_array,
    named,
)
from desktop_app.gui.widgets.chip import FlowLayout
from desktop_app.gui.zones import ZONE_TONES

VIEWS = ("original", "heat", "mask", "reason", "reconstruction", "difference")
_CONTOURED = ("original", "heat", "mask", "difference")
_BEYOND = 0.5
"""Share of the scale of the maps by which contours may lie above it."""
_NO_LINES = np.zeros((0, 4), np.float32)

Thumbnail = Callable[[int], QImage | None]


class Viewer(QWidget):
    """Shows the session's current image in the views that are switched on."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._photographs = Photographs(session, self)
        self._thumbnail: Thumbnail = lambda _row: None
        self._next_rows: Callable[[], tuple[int, ...]] = tuple
        self._row = -1
        self._maps = HeatMaps(session, self)
        self._map: NDArray[np.float32] | None = None
        self._difference: NDArray[np.float32] | None = None
        self.zoom = Zoom(self)
        self.panes = {key: Pane(_title(key), self.zoom) for key in VIEWS}
        self._switches = {key: self._switch(key) for key in VIEWS}
        self._outlined = self._outline_switch()
        self._contours = ContourScale(session, self._maps, self)
        self._contoured = self._contour_switch()
        self._reasons = Reasons(session, self)
        self._opened = -1  # the normal image that was opened
        self._left = -1  # the row that was looked at before its normal image was opened
        self.reason_bar = ReasonBar()
        self._heat_tools = self._heat_row()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._tools())
        panes = QHBoxLayout()
        panes.setSpacing(1)
        for pane in self.panes.values():
            panes.addWidget(pane, 1)
            pane.pointed.connect(self._point)
        column.addLayout(panes, 1)
        column.addWidget(self.reason_bar)
        column.addWidget(self._heat_tools)
        self._photographs.arrived.connect(self._take_photograph)
        self._maps.arrived.connect(self._show_map)
        self._contours.changed.connect(self._show_contours)
        self._reasons.arrived.connect(self._show_reason)
        self.reason_bar.opened.connect(self._open_normal)
        self.reason_bar.returned.connect(lambda: self._look_at(self._left))
        self.panes["reason"].clicked.connect(self._open_normal)
        session.threshold_changed.connect(self._show_contours)
        session.contour_changed.connect(self._show_contours)
        self.zoom.changed.connect(self._show_zoom)
        session.current_changed.connect(self.show_current)
        session.table_changed.connect(self.show_current)
        session.result_changed.connect(self._show_result)
        session.run_changed.connect(self._show_result)
        session.catalog_changed.connect(self._show_result)
        for key in ("original", "heat"):
            self._switches[key].setChecked(True)
        self._show_result()

    def set_sources(self, thumbnail: Thumbnail, next_rows: Callable[[], tuple[int, ...]]) -> None:
        """Take thumbnails to show at once, and tell which images will be looked at next."""
        self._thumbnail, self._next_rows = thumbnail, next_rows

    def switch(self, key: str) -> QToolButton:
        """Return the button that shows and hides a view."""
        return self._switches[key]

    def show_current(self) -> None:
        """Show the current image of the session."""
        row = self._session.current if self._session.current < len(self._session.table) else -1
        changed = row != self._row
        self._row = row
        if row < 0:
            self._clear()
            return
        if changed:
            self.zoom.fit()
            if row == self._left or row != self._opened:
                self._left = self._opened = -1
        photograph = self._photographs.photograph(row)
        if photograph is None:
            thumbnail = self._thumbnail(row)
            self._show_photograph(Photograph((thumbnail,) if thumbnail is not None else ()))
        else:
            self._show_photograph(photograph)
        self._photographs.want(row, self._next_rows())
        self._show_map()
        self._ask_reason()
        self._ask_reconstruction()

    # building

    def _switch(self, key: str) -> QToolButton:
        button = named(QToolButton(), _title(key), _tip(key))
        button.setText(_title(key))
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.toggled.connect(lambda _on: self._show_views())
        return button

    def _outline_switch(self) -> QToolButton:
        button = named(QToolButton(), tr("Outline"), tr("Outline of the ground-truth mask"))
        button.setText(tr("Outline"))
        button.setCheckable(True)
        button.setChecked(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.toggled.connect(lambda _on: self._show_outline())
        return button

    def _contour_switch(self) -> QToolButton:
        button = named(QToolButton(), tr("Contours"), tr("Contours of the heat map"))
        button.setText(tr("Contours"))
        button.setCheckable(True)
        button.setChecked(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.toggled.connect(lambda _on: self._show_contours())
        return button

    def _tools(self) -> QHBoxLayout:
        views = QFrame()
        views.setProperty("segmented", True)
        group = QHBoxLayout(views)
        group.setContentsMargins(1, 1, 1, 1)
        group.setSpacing(1)
        for switch in self._switches.values():
            group.addWidget(switch)
        overlay = QFrame()
        overlay.setProperty("segmented", True)
        over = QHBoxLayout(overlay)
        over.setContentsMargins(1, 1, 1, 1)
        over.setSpacing(1)
        over.addWidget(self._outlined)
        over.addWidget(self._contoured)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        row.setSpacing(SPACE.s)
        switches = FlowLayout(SPACE.s)  # two lines where the window is narrow
        switches.addWidget(views)
        switches.addWidget(overlay)
        row.addLayout(switches, 1)
        self._zoom_text = QLabel()
        self._zoom_text.setFont(number_font(TYPE.caption))
        set_role(self._zoom_text, "caption")
        row.addWidget(self._zoom_text)
        fit = named(QToolButton(), tr("Show the whole image"), tr("Show the whole image (0)"))
        fit.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_icon(fit, "zoom-fit")
        fit.clicked.connect(self.zoom.fit)
        row.addWidget(fit)
        tip = tr("One pixel of the image is one pixel of the screen")
        full = named(QToolButton(), tr("Pixel for pixel"), tip)
        full.setText("1:1")
        full.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        full.clicked.connect(self._zoom_full)
        row.addWidget(full)
        return row

    def _heat_row(self) -> QWidget:
        self.opacity = SliderField(
            tr("Opacity of the heat map"), 0, 100, 70, decimals=0, suffix=" %"
        )
        self.opacity.slider.setMinimumWidth(70)
        self.opacity.number.setFixedWidth(66)
        self.opacity.value_changed.connect(lambda _value: self._colour_map())
        names = [(name, name.capitalize()) for name in COLOUR_MAPS]
        self.colours = ChoiceField(tr("Colours of the heat map"), names)
        self.colours.choose("inferno")
        self.colours.chosen.connect(lambda _key: self._colour_map())
        self._fade = named(
            QToolButton(), tr("Fade"), tr("Let the photograph show where nothing is unusual")
        )
        self._fade.setText(tr("Fade"))
        self._fade.setCheckable(True)
        self._fade.setChecked(True)
        self._fade.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._fade.toggled.connect(lambda _on: self._colour_map())
        self._scale = ColourBar(tr("Scale of all heat maps of this folder"))
        self._scale.setMinimumWidth(90)
        self._scale.setMaximumWidth(220)
        self._contour_text = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._contour_text, "caption")
        tip = tr("Draw contours where the heat map reaches what stands for the thresholds")
        self._follows = named(QToolButton(), tr("Follow threshold"), tip)
        self._follows.setText(tr("Follow threshold"))
        self._follows.setCheckable(True)
        self._follows.setChecked(True)
        self._follows.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._follows.clicked.connect(self._choose_contour)
        tip = tr("Value of the heat map at which contours are drawn")
        self.contour_value = SliderField(tr("Value of the contours"), 0.0, 1.0, 0.5, tip=tip)
        self.contour_value.slider.setMinimumWidth(70)
        self.contour_value.value_changed.connect(self._session.set_contour)
        self._probe = QLabel()
        self._probe.setFont(number_font(TYPE.caption))
        set_role(self._probe, "caption")
        row_widget = QWidget()
        row = QHBoxLayout(row_widget)
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        row.setSpacing(SPACE.s)
        heading = QLabel(tr("Heat map"))
        set_role(heading, "caption")
        row.addWidget(heading)
        row.addWidget(self.opacity, 1)
        row.addWidget(self.colours)
        row.addWidget(self._fade)
        row.addWidget(self._scale, 1)
        row.addWidget(self._follows)
        row.addWidget(self.contour_value, 1)
        row.addWidget(self._contour_text, 1)
        row.addWidget(self._probe)
        return row_widget

    # what is shown

    def _show_result(self) -> None:
        """Offer the views that the open run has something for."""
        has_maps = self._maps.are_there
        rebuilds = can(self._session, "rebuilds")
        reasons = {
            "heat": "" if has_maps else tr("The open run has no heat maps for this folder."),
            "mask": "" if any(self._session.table.masks) else tr("This folder has no masks."),
            "reason": "" if self._reasons.can_be_given else _no_reasons(),
            "reconstruction": "" if rebuilds else _no_rebuilding(),
            "difference": "" if rebuilds else _no_rebuilding(),
        }
        for key, reason in reasons.items():
            self._switches[key].setEnabled(not reason)
            self._switches[key].setToolTip(reason or _tip(key))
        self._heat_tools.setVisible(has_maps)
        self._contoured.setEnabled(has_maps)
        self._show_views()
        self.show_current()

    def _show_views(self) -> None:
        shown = [key for key in VIEWS if self._is_on(key)]
        if not shown:
            self._switches["original"].setChecked(True)
            return
        for key, pane in self.panes.items():
            pane.setVisible(key in shown)
        self._show_map()
        self._ask_reason()
        self._ask_reconstruction()

    def _is_on(self, key: str) -> bool:
        return self._switches[key].isChecked() and self._switches[key].isEnabled()

    def _clear(self) -> None:
        for pane in self.panes.values():
            pane.set_photograph(Photograph())
            pane.set_overlay(None)
            pane.set_outline(_NO_LINES)
            pane.set_contours([])
            pane.set_box(None)
            pane.set_message(tr("Choose an image"))
        self._map = self._difference = None
        self._probe.setText("")

    def _take_photograph(self, row: int) -> None:
        photograph = self._photographs.photograph(row)
        if row == self._row and photograph is not None:
            self._show_photograph(photograph)
            self._show_reason()
            self._show_zoom()

    def _show_photograph(self, photograph: Photograph) -> None:
        for key in ("original", "heat"):
            self.panes[key].set_message("")
            self.panes[key].set_photograph(photograph)
        has_mask = bool(self._session.table.masks[self._row])
        self.panes["mask"].set_message("" if has_mask else tr("This image has no mask."))
        self.panes["mask"].set_photograph(Photograph(photograph.mask))
        self._show_outline()

    def _show_outline(self) -> None:
        photograph = self._photographs.photograph(self._row) if self._row >= 0 else None
        has_mask = photograph is not None and len(photograph.outline) > 0
        self._outlined.setEnabled(has_mask)
        tip = tr("Outline of the ground-truth mask")
        self._outlined.setToolTip(tip if has_mask else tr("This image has no mask."))
        shown = has_mask and self._outlined.isChecked()
        lines = photograph.outline if photograph is not None and shown else _NO_LINES
        for key, pane in self.panes.items():
            pane.set_outline(_NO_LINES if key in ("mask", "reason") else lines)

    def _show_map(self) -> None:
        """Take the map of the current image, or colour nothing until it comes."""
        wanted = self._is_on("heat") or (self._maps.are_there and self._contoured.isChecked())
        self._map = self._maps.map(self._row) if wanted else None
        self._colour_map()
        self._show_contours()

    def _show_contours(self) -> None:
        """Draw where the map reaches what stands for the thresholds, and say what that is."""
        values = self._contour_values() if self._contoured.isChecked() else {}
        drawn = []
        if self._map is not None:
            drawn = [(tone, contour(self._map, value)) for tone, value in values.items()]
        for key in _CONTOURED:
            self.panes[key].set_contours(drawn)
        own = self._session.contour
        words = ", ".join(f"{value:.4g}" for value in values.values()) if own is None else ""
        self._contour_text.setText(tr("contours at {values}", values=words) if words else "")
        meaning = self._contours.meaning() if own is None else _own_contours(own)
        self._contour_text.setToolTip(meaning)
        self._contoured.setToolTip(f"{tr('Contours of the heat map')}\n{meaning}")
        self._show_contour_value()

    def _contour_values(self) -> dict[str, float]:
        """Return the values of the map at which contours lie, by the tone that they have."""
        session = self._session
        if session.contour is not None:
            return {ZONE_TONES["fail"]: session.contour}
        cuts: tuple[tuple[Zone, float | None], ...]
        cuts = (("review", session.review), ("fail", session.threshold))
        found = {ZONE_TONES[zone]: self._contours.value(score) for zone, score in cuts}
        return {tone: value for tone, value in found.items() if value is not None}

    def _show_contour_value(self) -> None:
        """Offer a value of the contours' own on the scale of all maps, and more."""
        own, is_drawn = self._session.contour, self._contoured.isChecked()
        self._follows.setVisible(is_drawn)
        self._follows.setChecked(own is None)
        self.contour_value.setVisible(is_drawn and own is not None)
        self._contour_text.setVisible(own is None)
        if own is not None:
            low, high = self._maps.limits
            low, high = min(low, own), max(high + _BEYOND * (high - low), own)
            decimals = int(np.clip(3 - np.floor(np.log10(max(high - low, 1e-9))), 0, 9))
            self.contour_value.set_range(low, high, decimals)
            self.contour_value.set_value(own)

    def _choose_contour(self, follows: bool) -> None:
        """Let contours follow the thresholds, or begin with a value of their own where they are."""
        if follows:
            self._session.set_contour(None)
            return
        values = self._contour_values()
        low, high = self._maps.limits
        self._session.set_contour(values.get(ZONE_TONES["fail"], (low + high) / 2))

    def _colour_map(self) -> None:
        """Lay the map of the current image over the photograph, on the scale of all maps."""
        lut, limits, overlay = colour_map(self.colours.choice()), self._maps.limits, None
        fades, usual = self._fade.isChecked(), self._maps.usual
        if self._map is not None:
            rgba = heat_rgba(self._map, limits, lut, fade=fades, usual=usual)
            overlay = image_from_array(rgba)
        self._scale.set_scale(greyed(lut, limits, usual) if fades else lut, *limits)
        tip = tr("Let the photograph show where nothing is unusual")
        if usual is not None:
            text = tr("Grey on the scale: below {value}, as 99 % of the pixels of usual images are")
            tip = f"{tip}\n{text.format(value=f'{usual:.4g}')}"
        self._fade.setToolTip(tip)
        self.panes["heat"].set_overlay(overlay, self.opacity.value() / 100)
        if self._difference is not None:
            self._show_difference(self._difference)

    def _ask_reason(self) -> None:
        """Ask to which normal image the current one comes nearest, if that is looked at."""
        wanted = self._is_on("reason") and self._row >= 0
        self.reason_bar.setVisible(wanted)
        if wanted:
            self._reasons.want(self._row)
        else:
            self._reasons.withdraw()
        self._show_reason()

    def _show_reason(self) -> None:
        """Show what is known of the reason, frame the places, and say what is missing."""
        wanted = self._is_on("reason") and self._row >= 0
        reason = self._reasons.reason(self._row) if wanted else None
        for key in _CONTOURED:
            self.panes[key].set_box(reason.box if reason is not None else None)
        if not wanted:
            return
        refusal = self._reasons.refusal(self._row)
        pane, source = self.panes["reason"], Photograph()
        if reason is not None:
            source = self._reasons.photograph(reason) or source
        pane.set_message(refusal or tr("Loading…"))
        pane.set_photograph(source)
        pane.set_box(reason.source_box if reason is not None else None)
        own = int(self._session.table.ids[self._row])
        can_open = reason is not None and reason.source not in (-1, own)
        pane.setToolTip(tr("Click to look at this image") if can_open else "")
        photograph = self._photographs.photograph(self._row)
        place = None
        if reason is not None and reason.box is not None and photograph is not None:
            place = cropped(photograph, reason.box)
        message = refusal or tr("Loading…")
        self.reason_bar.show_reason(reason, place, message, can_open=can_open)
        paths = self._session.table.paths
        back = PurePosixPath(paths[self._left]).name if self._left >= 0 else ""
        self.reason_bar.show_way_back(back)

    def _open_normal(self) -> None:
        """Look at the normal image that comes nearest; the bar leads back."""
        reason = self._reasons.reason(self._row) if self._row >= 0 else None
        if reason is None or reason.source < 0:
            return
        rows = np.flatnonzero(self._session.table.ids == reason.source)
        if len(rows):
            self._left, self._opened = self._row, int(rows[0])
            self._look_at(self._opened)

    def _look_at(self, row: int) -> None:
        if row >= 0:
            self._session.set_current(row)
            self._session.select(np.array([row], np.int64))

    def _ask_reconstruction(self) -> None:
        """Ask the method to rebuild the current image, if that is looked at."""
        wanted = self._is_on("reconstruction") or self._is_on("difference")
        self._difference = None
        for key in ("reconstruction", "difference"):
            self.panes[key].set_photograph(Photograph())
            self.panes[key].set_message(tr("Loading…") if self._row >= 0 else "")
        if not wanted or self._row < 0:
            return
        image_id = int(self._session.table.ids[self._row])
        self._session.inference.request(
            "reconstruct", {"ids": [image_id]}, {}, self._take_reconstruction
        )

    def _take_reconstruction(
        self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        table = self._session.table
        if self._row < 0 or header["ids"] != [int(table.ids[self._row])]:
            return
        image, rebuilt = arrays["images"][0], arrays["reconstructions"][0]
        picture = image_from_array(pixels_of(rebuilt))
        self.panes["reconstruction"].set_photograph(Photograph((picture,)), self._shape())
        self._difference = difference(image, rebuilt)
        self._show_difference(self._difference)
        self._show_outline()

    def _show_difference(self, values: NDArray[np.float32]) -> None:
        lut = colour_map(self.colours.choice())
        picture = image_from_array(heat_rgb(values, DIFFERENCE_RANGE, lut))
        self.panes["difference"].set_photograph(Photograph((picture,)), self._shape())

    def _shape(self) -> QSizeF:
        """Return the proportions of the photograph: methods see all images as squares."""
        table = self._session.table
        width, height = int(table.widths[self._row]), int(table.heights[self._row])
        return QSizeF(width, height) if width and height else QSizeF(1, 1)

    # looking around

    def _point(self, at: QPointF | None) -> None:
        """Mark the same place in the other panes and tell the value of the map there."""
        sender = self.sender()
        for pane in self.panes.values():
            pane.show_cross(at if pane is not sender else None)
        text = ""
        if at is not None and self._map is not None:
            height, width = self._map.shape
            row, column = int(at.y() * height), int(at.x() * width)
            text = tr("{value} here", value=f"{self._map[row, column]:.4g}")
        self._probe.setText(text)

    def _zoom_full(self) -> None:
        pane = next(pane for pane in self.panes.values() if pane.isVisibleTo(self))
        self.zoom.set_scale(pane.full_size_scale())

    def _show_zoom(self) -> None:
        pane = self.panes["original"]
        full = pane.full_size_scale()
        share = self.zoom.scale / full if full > 0 else 0.0
        self._zoom_text.setText(f"{100 * share:.0f} %" if self._row >= 0 and share else "")


def _title(key: str) -> str:
    return {
        "original": tr("Original"),
        "heat": tr("Heat map"),
        "mask": tr("Mask"),
        "reason": tr("Most similar"),
        "reconstruction": tr("Rebuilt"),
        "difference": tr("Difference"),
    }[key]


def _tip(key: str) -> str:
    return {
        "original": tr("The photograph as it is on disk"),
        "heat": tr("Where the method finds the image unusual, on one scale for the whole folder"),
        "mask": tr("The ground-truth mask: white where the image is defective"),
        "reason": tr("Why: the normal image that comes nearest, and where it does"),
        "reconstruction": tr("What the method makes of the image: what it knows, it rebuilds"),
        "difference": tr("How much the image differs from what the method rebuilt"),
    }[key]


def _no_reasons() -> str:
    return tr("The method of the open run gives no reasons.")


def _no_rebuilding() -> str:
    return tr("The method of the open run cannot rebuild images.")


def _own_contours(value: float) -> str:
    text = tr("Where the heat map reaches {value}, which was chosen here")
    return text.format(value=f"{value:.4g}")
