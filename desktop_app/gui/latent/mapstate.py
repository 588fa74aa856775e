"""What a latent map shows: run, moment, axes, turn, colouring, tool and camera.

The state knows no widget: maps follow it, and tests ask it. What is slow to find - other axes than
the first, what a map hides - is found behind the window and told when it is there.

Shapes: N rows of the table, M images that the run looked at, D latent dimensions, k axes.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.columns import ResultColumns
from desktop_app.core.latentmap import (
    Axes,
    Kind,
    Projection,
    neighbours_lost,
    offered,
    plane_distances,
    projected,
)
from desktop_app.gui.latent.history import Moment
from desktop_app.gui.session import Session

Floats = NDArray[np.float32]

_MOST_CLUSTERS = 30
"""With more of them, colours of clusters tell nothing at a glance."""
_UNTURNED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class MapLayout:
    """What the analyst chose for a map; kept with the workspace for each run."""

    axes: str = ""
    """A kind of axes, "" for the best that there is."""
    across: int = 0
    up: int = 1
    """Latent dimensions, for the kind "dimensions"."""
    rotation: tuple[float, ...] = _UNTURNED
    """Nine numbers, row by row: how points in space are turned."""
    colour: str = ""
    """A colouring, "" for the few clusters that a run found, or else the labels."""
    dimension: int = 0
    """Latent dimension that colours the points, for the colouring of that name."""
    colour_map: str = "viridis"
    tool: str = "cursor"
    pictures: bool = False
    lines: bool = True
    camera: tuple[float, float, float, float] | None = None
    """Left, bottom, width and height in map units; None shows all."""

    def plain(self) -> dict[str, Any]:
        """Return the layout as JSON takes it."""
        return asdict(self)

    @classmethod
    def read(cls, kept: Any) -> "MapLayout":
        """Return a layout from what was kept; what does not fit is left as it was made."""
        layout = cls()
        for field in fields(cls):
            value = kept.get(field.name) if isinstance(kept, Mapping) else None
            default = getattr(layout, field.name)
            if field.name == "camera":
                value = _numbers(value, 4)
            elif field.name == "rotation":
                value = _numbers(value, 9)
            elif type(value) is not type(default):
                value = None
            if value is not None:
                layout = replace(layout, **{field.name: value})
        return layout


class MapState(QObject):
    """One map of a session: the open run's, or another one's that is compared with it."""

    moved = Signal()
    """The points lie elsewhere, or there are other ones, or none."""
    layout_changed = Signal()
    """Something of the layout was chosen; `moved` follows where points lie elsewhere."""
    measured = Signal(str)
    """Carries the name of a measure that is there now."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.layout = MapLayout()
        self.result: ResultColumns | None = None
        self.moment: Moment | None = None
        """A moment of the training that is shown instead of the trained method."""
        self._usual_colour = "label"
        self._final: Projection | None = None  # coordinates (N, k), by row
        self._measures: dict[str, Floats] = {}
        self._asked: set[str] = set()
        self._seen: tuple[Any, Floats] | None = None

    # what is shown

    def take_result(self, result: ResultColumns | None) -> None:
        """Show the map of another result; None for none."""
        self.result = result
        self.moment = None
        clusters = result.clusters if result is not None else None
        few = clusters is not None and 0 <= clusters.max(initial=-1) < _MOST_CLUSTERS
        self._usual_colour = "cluster" if few else "label"
        self._forget_axes()
        self._find_axes()

    def take_moment(self, moment: Moment | None) -> None:
        """Show a moment of the training; None for the trained method."""
        if moment is not self.moment:
            self.moment = moment
            self.moved.emit()

    def choose(self, **changes: Any) -> None:
        """Choose parts of the layout by name."""
        before, self.layout = self.layout, replace(self.layout, **changes)
        if self.layout == before:
            return
        self.layout_changed.emit()
        names = ("axes", "across", "up")
        if any(getattr(before, name) != getattr(self.layout, name) for name in names):
            self._forget_axes()
            self._find_axes()
        elif before.rotation != self.layout.rotation and self.is_spatial:
            self.moved.emit()

    def take_layout(self, layout: MapLayout) -> None:
        """Choose all of a layout at once."""
        self.choose(**{field.name: getattr(layout, field.name) for field in fields(layout)})

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of axes that there are, the best first."""
        dimensions = self.dimensions
        if dimensions == 3 and self.is_laid_out:
            return ("space", "dimensions")
        if dimensions:
            return offered(dimensions)
        return ("own",) if self.result is not None and self.result.positions is not None else ()

    @property
    def kind(self) -> Kind:
        """The kind of axes that is shown, or would be."""
        kinds = self.kinds
        if kinds and self.layout.axes not in kinds:
            return kinds[0]
        return self.layout.axes or "plane"  # type: ignore[return-value]  # one of the kinds

    @property
    def colour(self) -> str:
        """The colouring that is shown, or would be."""
        return self.layout.colour or self._usual_colour

    @property
    def is_laid_out(self) -> bool:
        """Tell whether the latents are places that the method chose for other vectors.

        Their variance says nothing, and their neighbours are not the true ones.
        """
        return self.result is not None and self.result.vectors is not None

    @property
    def axes(self) -> Axes:
        """Kind and dimensions of the axes."""
        return Axes(self.kind, (self.layout.across, self.layout.up))

    @property
    def dimensions(self) -> int:
        """How many numbers a latent vector has; 0 without latents that can be shown.

        While the run has no result yet, those of the moment of its training.
        """
        if self.result is None:
            return self.moment.dimensions if self.moment is not None else 0
        latents = self.result.latents
        return latents.shape[1] if latents is not None and latents.ndim == 2 else 0

    @property
    def is_spatial(self) -> bool:
        """Tell whether the points lie in space."""
        coordinates = self.coordinates
        return coordinates is not None and coordinates.shape[1] == 3

    @property
    def rotation(self) -> NDArray[np.float64]:
        """How points in space are turned, (3, 3)."""
        return np.array(self.layout.rotation, np.float64).reshape(3, 3)

    @property
    def coordinates(self) -> Floats | None:
        """(N, k) of the moment or of the trained method, not a number for images without a place.

        None where there is no map, or none for the present table.
        """
        if self.moment is not None:
            found = self.moment.positions
        elif self._final is not None:
            found = self._final.coordinates
        else:
            return None
        return found if len(found) == len(self._session.table) > 0 else None

    @property
    def trained(self) -> Floats | None:
        """(N, k) of the trained method, also while a moment of the training is shown."""
        return self._final.coordinates if self._final is not None else None

    @property
    def positions(self) -> Floats | None:
        """(N, 2): the coordinates as they lie on the screen, after the turn."""
        coordinates = self.coordinates
        if coordinates is None or coordinates.shape[1] == 2:
            return coordinates
        key = (id(coordinates), self.layout.rotation)
        if self._seen is None or self._seen[0] != key:
            self._seen = key, coordinates @ self.rotation[:2].astype(np.float32).T
        return self._seen[1]

    @property
    def basis(self) -> tuple[Floats, Floats] | None:
        """Mean (D,) and axes (2, D) of the trained method's map as it is turned.

        A place `p` is the latent `p @ axes + mean`; None where no latents are behind the places.
        """
        if self._final is None or self._final.axes.shape[1] == 0:
            return None
        seen = self._final.turned(self.rotation)
        return seen.mean, seen.axes

    def place(self, latents: Floats) -> Floats | None:
        """Return the coordinates (n, k) of latent vectors (n, D); None where that is not known."""
        if self._final is None or latents.shape[1] != self._final.axes.shape[1]:
            return None
        return self._final.place(latents)

    @property
    def explained(self) -> float | None:
        """Share of the variance that is seen, in [0, 1]; None where that says nothing."""
        if self.kind == "own" or self.is_laid_out:
            return None
        if self.moment is not None:
            return self.moment.explained
        return self._final.explained if self._final is not None else None

    # what the map hides

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that can be asked for."""
        if self.moment is not None or self.result is None or self._final is None:
            return ()
        if self.is_laid_out:
            return ("lost",)
        return ("distance", "lost") if self.dimensions > 2 else ()

    def measure(self, name: str) -> Floats | None:
        """Return "distance" from the map or the share of neighbours "lost", (N,).

        None while it is being found: `measured` tells when it is there.
        """
        if name in self._measures or name not in self.measures or name in self._asked:
            return self._measures.get(name)
        result, shown = self.result, self._final
        if result is None or shown is None:
            return None
        self._asked.add(name)

        def take(values: Floats) -> None:
            if self._final is shown:
                self._asked.discard(name)
                self._measures[name] = values
                self.measured.emit(name)

        work = _MEASURES[name]
        self._run(f"map measure {name}", lambda: _measured(work, result, shown), take)
        return None

    # inside

    def _forget_axes(self) -> None:
        self._final = None
        self._measures.clear()
        self._asked.clear()
        self._seen = None

    def _find_axes(self) -> None:
        """Find where the points lie: at once where the result tells it, else behind."""
        result, axes = self.result, self.axes
        latents = result.latents if result is not None else None
        if result is None or latents is None or axes.kind in ("own", "plane"):
            self._final = None if result is None else _told(result, axes.kind)
            self.moved.emit()
            return
        index = result.index

        def take(found: Projection) -> None:
            if self.result is result and self.axes == axes:
                self._final = found
                self.moved.emit()

        self._run("map axes", lambda: _by_row(latents, index, axes), take)

    def _run(self, name: str, work: Callable[[], Any], take: Callable[[Any], None]) -> None:
        self._session.background.run(f"{name} {id(self)}", work, take)


def _told(result: ResultColumns, kind: Kind) -> Projection | None:
    """Return the map that a result holds already."""
    if result.positions is None:
        return None
    none = np.zeros((result.positions.shape[1], 0), np.float32)
    mean, axes = result.basis or (none[0], none)
    explained = result.explained if kind == "plane" else None
    return Projection(kind, result.positions, mean, axes, explained or None)


def _by_row(latents: Floats, index: NDArray[np.int64], axes: Axes) -> Projection:
    """Return latents (M, D) along axes, with coordinates (N, k) by row of the table."""
    found = projected(latents, axes)
    return replace(found, coordinates=_spread(found.coordinates, index))


def _spread(values: Floats, index: NDArray[np.int64]) -> Floats:
    """Return values (M, ...) by row of the table (N, ...), not a number where there are none."""
    spread = np.full((len(index), *values.shape[1:]), np.nan, np.float32)
    known = index >= 0
    spread[known] = values[index[known]]
    return spread


def _measured(
    work: Callable[[ResultColumns, NDArray[Any], Projection], Floats],
    result: ResultColumns,
    shown: Projection,
) -> Floats:
    """Measure the images that have a place; not a number for all others."""
    rows = np.flatnonzero((result.index >= 0) & np.isfinite(shown.coordinates).all(axis=1))
    values = np.full(len(result.index), np.nan, np.float32)
    if len(rows) > 1:
        there = replace(shown, coordinates=shown.coordinates[rows])
        values[rows] = work(result, result.index[rows], there)
    return values


def _distance(result: ResultColumns, places: NDArray[np.int64], shown: Projection) -> Floats:
    latents = result.latents
    if latents is None:
        return np.full(len(places), np.nan, np.float32)
    return plane_distances(latents[places], shown)


def _lost(result: ResultColumns, places: NDArray[np.int64], shown: Projection) -> Floats:
    vectors = result.vectors if result.vectors is not None else result.latents
    if vectors is None:
        return np.full(len(places), np.nan, np.float32)
    return neighbours_lost(vectors[places], shown.coordinates)


_MEASURES: dict[str, Callable[[ResultColumns, NDArray[np.int64], Projection], Floats]] = {
    "distance": _distance,
    "lost": _lost,
}


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """Return `count` finite numbers, or None where that is not what was kept."""
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    if not all(isinstance(number, int | float) and np.isfinite(number) for number in value):
        return None
    return tuple(float(number) for number in value)
