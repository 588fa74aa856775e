"""Why an image is unusual: the normal image that comes nearest to it, from the open run's method.

The worker answers; what it said is kept until another run or result is open.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.heat import pixels_of
from desktop_app.gui.inspector.pictures import Photograph, read_photograph
from desktop_app.gui.methods import can
from desktop_app.gui.session import Session
from desktop_app.gui.widgets import image_from_array

Box = tuple[float, float, float, float]
"""Top, left, bottom and right in shares of an image."""

_KEPT = 256  # answers
_KEPT_PICTURES = 8


@dataclass(frozen=True)
class Reason:
    """The normal image that comes nearest to an image."""

    distance: float
    """At the worst place in the units of the heat map, or between whole images."""
    folder: str
    """Where the image comes from: a path, or a name where the path is not known."""
    path: str
    """Relative to the folder; "" where it is not known."""
    source: int
    """The id of the image in the open folder; -1 where it lies elsewhere."""
    box: Box | None = None
    """The worst place; None where whole images were compared."""
    source_box: Box | None = None
    """The most similar place of the normal image."""
    picture: QImage | None = None
    """What the method remembers of that place."""


class Reasons(QObject):
    """Asks for reasons and keeps them."""

    arrived = Signal()
    """A reason, its picture, or why there is none, is at hand."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[int, Reason] = OrderedDict()  # by image id
        self._refusals: dict[int, str] = {}
        self._pictures: OrderedDict[Path, Photograph] = OrderedDict()
        self._asked = -1
        session.result_changed.connect(self._forget)
        session.run_changed.connect(self._forget)

    @property
    def can_be_given(self) -> bool:
        """Whether the open run has reasons: its method tells places, or encodes whole images."""
        return can(self._session, "explains") or can(self._session, "encodes", "scores")

    def reason(self, row: int) -> Reason | None:
        """Return the reason of a row if it is at hand, else None."""
        return self._kept.get(self._id(row))

    def refusal(self, row: int) -> str:
        """Return why there is no reason for a row, "" where nobody knows yet."""
        return self._refusals.get(self._id(row), "")

    def want(self, row: int) -> None:
        """Ask for the reason of a row unless it is known; a newer question replaces an older."""
        image_id = self._id(row)
        if image_id in self._kept or image_id in self._refusals or image_id == self._asked:
            return
        self._asked = image_id

        def refused(problem: str) -> None:
            self._asked = -1
            self._refusals[image_id] = problem
            self.arrived.emit()

        self._session.inference.request("explain", {"id": image_id}, {}, self._take, refused)

    def withdraw(self) -> None:
        """Wait for no answer any more; what was refused may be asked again."""
        self._refusals.clear()
        if self._asked >= 0:
            self._asked = -1
            self._session.inference.withdraw("explain")

    def photograph(self, reason: Reason) -> Photograph | None:
        """Return the normal image in full, or None while it is on its way."""
        if not reason.path:
            return Photograph(problem=tr("It is not known where the normal image lies."))
        path = Path(reason.folder) / reason.path
        if path not in self._pictures:
            self._session.background.run(
                "normal image", lambda: read_photograph(path, None), lambda p: self._keep(path, p)
            )
        return self._pictures.get(path)

    def _keep(self, path: Path, photograph: Photograph) -> None:
        self._pictures[path] = photograph
        while len(self._pictures) > _KEPT_PICTURES:
            self._pictures.popitem(last=False)
        self.arrived.emit()

    def _take(self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._asked = -1
        self._kept[header["id"]] = Reason(
            distance=header["distance"],
            folder=header["folder"],
            path=header["path"],
            source=header["source"],
            box=_box(header.get("box")),
            source_box=_box(header.get("source_box")),
            picture=_picture(arrays.get("picture")),
        )
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit()

    def _forget(self) -> None:
        self.withdraw()
        self._kept.clear()

    def _id(self, row: int) -> int:
        return int(self._session.table.ids[row])


def cropped(photograph: Photograph, box: Box) -> QImage | None:
    """Return what lies in a box of a photograph; None while there is none."""
    if not photograph.levels:
        return None
    image = photograph.levels[0]
    top, left, bottom, right = np.array(box) * np.array([image.height(), image.width()] * 2)
    wide, high = max(1, round(right - left)), max(1, round(bottom - top))
    return image.copy(round(left), round(top), wide, high)


def _box(sides: list[float] | None) -> Box | None:
    return None if sides is None else (sides[0], sides[1], sides[2], sides[3])


def _picture(image: NDArray[Any] | None) -> QImage | None:
    return None if image is None else image_from_array(pixels_of(image))
