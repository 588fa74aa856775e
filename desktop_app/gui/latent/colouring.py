"""What the colours of the points mean: words of a column, or a number.

Shapes: N rows, K colours.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.latentmap import NEIGHBOURS
from desktop_app.gui.categories import Categories
from desktop_app.gui.filtering import COLUMNS
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.session import Session
from desktop_app.gui.theme import Theme, colour_map

Numbers = NDArray[np.floating]

_ENDS = (1.0, 99.0)
"""Percentiles of a number that take the ends of the scale, so that one outlier hides nothing."""
_SAMPLE = 100_000  # numbers that decide where these ends are


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


def colour_choices(session: Session, state: MapState) -> list[tuple[str, str]]:
    """Return (key, name) of what the points of a map can be coloured by."""
    result, table = session.result, session.table
    has_clusters = result is not None and result.clusters is not None
    has_scores = result is not None and result.scores is not None
    has_latents = result is not None and state.result is result and state.dimensions > 0
    offers = [
        ("label", tr("Label"), True),
        ("cluster", tr("Cluster"), has_clusters),
        ("score", tr("Score"), has_scores),
        ("verdict", tr("Verdict"), True),
        ("tag", tr("Tag"), True),
        ("split", tr("Split"), True),
        ("dimension", tr("Latent dimension"), has_latents),
        ("distance", tr("Distance from the map"), "distance" in state.measures),
        ("lost", tr("Neighbours lost"), "lost" in state.measures),
        ("width", tr("Width"), bool((table.widths > 0).any())),
        ("height", tr("Height"), bool((table.heights > 0).any())),
        ("size", tr("File size"), bool((table.sizes > 0).any())),
        ("none", tr("One colour"), True),
    ]
    return [(key, name) for key, name, is_there in offers if is_there]


def colouring(session: Session, state: MapState, theme: Theme) -> Colouring:
    """Return the colours of all rows as the layout wants them; one colour where it has nothing."""
    key, map_name = state.colour, state.layout.colour_map
    if key in COLUMNS:
        column = COLUMNS[key](session)
        if column is not None and len(column):
            return Colouring(column.codes.astype(np.uint16), column.lut(theme), column)
    values = _NUMBERS[key](session, state) if key in _NUMBERS else None
    if values is not None and len(values) == len(session.table):
        return by_number(values, theme, map_name)
    return Colouring(np.zeros(len(session.table), np.uint16), theme.category_lut(1))


def meaning(state: MapState) -> str:
    """Say in a sentence what the numbers behind the colours are; "" where their name does."""
    from_axes = {
        "plane": tr("How far the latent vector lies from the principal plane"),
        "dimensions": tr("How far the latent vector lies from what the two dimensions show"),
        "space": tr("How far the latent vector lies from the space of the three axes"),
    }
    count = NEIGHBOURS
    meanings = {
        "distance": from_axes.get(state.kind, ""),
        "lost": tr("Share of the {n} nearest images that are not near on the map", n=count),
        "dimension": tr("Latent dimension {n}", n=state.layout.dimension + 1),
        "width": tr("Width in pixels"),
        "height": tr("Height in pixels"),
        "size": tr("File size in KB"),
    }
    return meanings.get(state.colour, "")


def by_number(values: NDArray[np.floating], theme: Theme, map_name: str) -> Colouring:
    """Return colours of numbers (N,); what is not a number is grey."""
    finite = np.isfinite(values)
    low, high = (0.0, 1.0)
    if finite.any():
        sample = values[finite][:: max(1, len(values) // _SAMPLE)]
        low, high = (float(end) for end in np.percentile(sample, _ENDS))
    span = high - low if high > low else 1.0
    share = np.clip((np.nan_to_num(values) - low) / span, 0, 1)
    index = np.where(finite, share * 255, 256).astype(np.uint16)
    grey = theme.colour("text_disabled")
    unknown = np.array([[grey.red(), grey.green(), grey.blue()]], np.uint8)
    lut = np.concatenate([colour_map(map_name), unknown])
    return Colouring(index, lut, scale=(low, high))


def _scores(session: Session, _state: MapState) -> Numbers | None:
    return session.result.scores if session.result is not None else None


def _dimension(session: Session, state: MapState) -> Numbers | None:
    result = session.result
    if result is None or result.latents is None or not state.dimensions:
        return None
    column = result.latents[:, min(state.layout.dimension, state.dimensions - 1)]
    values = np.full(len(result.index), np.nan, np.float32)
    known = result.index >= 0
    values[known] = column[result.index[known]]
    return values


def _known(values: NDArray[np.integer]) -> Numbers:
    """Return whole numbers of which 0 means unknown."""
    return np.where(values > 0, values, np.nan).astype(np.float32)


_NUMBERS: dict[str, Callable[[Session, MapState], Numbers | None]] = {
    "score": _scores,
    "dimension": _dimension,
    "distance": lambda _session, state: state.measure("distance"),
    "lost": lambda _session, state: state.measure("lost"),
    "width": lambda session, _state: _known(session.table.widths),
    "height": lambda session, _state: _known(session.table.heights),
    "size": lambda session, _state: _known(session.table.sizes) / np.float32(1000),
}
