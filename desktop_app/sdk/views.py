"""Plain descriptions of pictures that only one method can draw; the window has a renderer for each.

Shapes: N items, C channels, H rows, W columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from desktop_app.sdk.data import Array


@dataclass(frozen=True)
class ImageGrid:
    """Small pictures in rows: filters, codebook entries, eigen-images, samples."""

    title: str
    images: Array
    """float32 (N, C, H, W); shown from low to high."""
    columns: int = 8
    captions: Sequence[str] = ()
    signed: bool = False
    """Values around zero: shown in a diverging colour map, symmetric about zero."""


@dataclass(frozen=True)
class Curve:
    """Lines over one axis: scree plot, silhouette over K."""

    title: str
    lines: Mapping[str, tuple[Array, Array]]
    """Name -> (x, y), each (N,)."""
    x_label: str = ""
    y_label: str = ""
    marks: Mapping[str, float] | None = None
    """Named horizontal lines, such as a trivial value."""
    kind: Literal["line", "bars"] = "line"
    places: Mapping[str, float] | None = None
    """Named vertical lines, such as a number that is suggested."""


@dataclass(frozen=True)
class Scatter:
    """Points in the plane."""

    title: str
    points: Array
    """(N, 2)."""
    colours: Array | None = None
    """(N,): a number per point."""
    x_label: str = ""
    y_label: str = ""


@dataclass(frozen=True)
class HeatMap:
    """A matrix as a picture: covariance, U-matrix, confusion."""

    title: str
    matrix: Array
    """(H, W)."""
    row_label: str = ""
    column_label: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]


View = ImageGrid | Curve | Scatter | HeatMap | Table
