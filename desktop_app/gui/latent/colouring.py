"""What the colours of the points mean: words of a column, or a number.

Shapes: N rows, K colours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.gui.categories import Categories
from desktop_app.gui.filtering import COLUMNS
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.theme import Theme, colour_map

_ENDS = (1.0, 99.0)
"""Percentiles of a number that take the ends of the scale, so that one outlier hides nothing."""


@dataclass(frozen=True)
class Colouring:
    """Colours of N points."""

    index: NDArray[np.uint16]
    """(N,) into `lut`."""
    lut: NDArray[np.uint8]
    """(K, 3) RGB."""
    column: Categories | None = None
    """The words behind the colours, None for a number or one colour."""
    scale: tuple[float, float] | None = None
    """The numbers at the ends of the colours."""


def colour_choices(session: Session) -> list[tuple[str, str]]:
    """Return (key, name) of what the points of the session can be coloured by."""
    result = session.result
    choices = [("label", tr("Label")), ("split", tr("Split")), ("verdict", tr("Verdict"))]
    if result is not None and result.scores is not None:
        choices.append(("score", tr("Score")))
    if result is not None and result.clusters is not None:
        choices.append(("cluster", tr("Cluster")))
    return [*choices, ("none", tr("One colour"))]


def colouring(session: Session, key: str, theme: Theme, map_name: str) -> Colouring:
    """Return the colours of all rows by one of the choices; one colour where it has nothing."""
    if key in COLUMNS:
        column = COLUMNS[key](session)
        if column is not None and len(column):
            return Colouring(column.codes.astype(np.uint16), column.lut(theme), column)
    number = _NUMBERS.get(key)
    values = number(session) if number is not None else None
    if values is not None:
        return by_number(values, theme, map_name)
    return Colouring(np.zeros(len(session.table), np.uint16), theme.category_lut(1))


def by_number(values: NDArray[np.floating], theme: Theme, map_name: str) -> Colouring:
    """Return colours of numbers (N,); what is not a number is grey."""
    finite = np.isfinite(values)
    low, high = (0.0, 1.0)
    if finite.any():
        low, high = (float(end) for end in np.percentile(values[finite], _ENDS))
    span = high - low if high > low else 1.0
    share = np.clip((np.nan_to_num(values) - low) / span, 0, 1)
    index = np.where(finite, share * 255, 256).astype(np.uint16)
    grey = theme.colour("text_disabled")
    unknown = np.array([[grey.red(), grey.green(), grey.blue()]], np.uint8)
    lut = np.concatenate([colour_map(map_name), unknown])
    return Colouring(index, lut, scale=(low, high))


def _scores(session: Session) -> NDArray[np.floating] | None:
    return session.result.scores if session.result is not None else None


_NUMBERS: dict[str, Callable[[Session], NDArray[np.floating] | None]] = {"score": _scores}
