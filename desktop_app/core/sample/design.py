"""The painted decoration: a rosette in cobalt and ochre, quarter rosettes in the corners.

Coordinates run from -1 to 1 across the tile. Shapes are signed distances (negative inside) in
these units; the result is how thickly each pigment lies, from which the glaze is coloured.
"""

from __future__ import annotations

import numpy as np

from desktop_app.core.sample.noise import Field

POOL = 0.016
"""How far from its outline a wash of pigment darkens."""


def painted_pigments(size: int) -> tuple[Field, Field]:
    """Return the thickness of cobalt and of ochre, each (size, size), about 0 to 1."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    x, y = np.meshgrid(axis, axis)
    soft = 2.5 / size
    cobalt, ochre = _Layer(x, soft), _Layer(x, soft)
    _paint_rosette(cobalt, ochre, x, y)
    _paint_corners(cobalt, ochre, 1 - np.abs(x), 1 - np.abs(y))
    _paint_sprigs(cobalt, ochre, x, y)
    return cobalt.thickness, ochre.thickness


class _Layer:
    """One pigment; strokes and washes laid over each other, the thicker one wins."""

    def __init__(self, like: Field, soft: float) -> None:
        self.thickness = np.zeros_like(like)
        self.soft = soft

    def wash(self, distance: Field, thickness: float) -> None:
        """Fill a shape thinly, thicker along its outline where the water dried."""
        pooled = thickness * (1 + 0.55 * np.exp(-np.abs(distance) / POOL))
        self._lay(distance, pooled)

    def line(self, distance: Field, width: float, thickness: float = 1.0) -> None:
        """Draw along the outline of a shape."""
        self._lay(np.abs(distance) - width / 2, np.full_like(distance, thickness))

    def _lay(self, distance: Field, thickness: Field) -> None:
        coverage = np.clip(0.5 - distance / (2 * self.soft), 0, 1)
        self.thickness = np.maximum(self.thickness, coverage * thickness)


def _paint_rosette(cobalt: _Layer, ochre: _Layer, x: Field, y: Field) -> None:
    radius = np.hypot(x, y)
    leaves = _leaves_around(x, y, count=8, turn=0.5, middle=0.40, length=0.115, width=0.040)
    cobalt.wash(leaves, 0.28)
    cobalt.line(leaves, 0.010, 0.7)
    petals = _leaves_around(x, y, count=8, turn=0.0, middle=0.275, length=0.185, width=0.074)
    cobalt.wash(petals, 0.50)
    cobalt.line(petals, 0.014)
    veins = _leaves_around(x, y, count=8, turn=0.0, middle=0.26, length=0.12, width=0.006)
    cobalt.wash(veins, 0.75)
    cobalt.line(radius - 0.565, 0.022)
    cobalt.line(radius - 0.605, 0.008, 0.8)
    ochre.wash(_dots_around(x, y, count=8, turn=0.5, middle=0.515, radius=0.020), 0.75)
    ochre.wash(radius - 0.072, 0.8)
    cobalt.line(radius - 0.080, 0.016)
    cobalt.wash(radius - 0.020, 0.8)


def _paint_corners(cobalt: _Layer, ochre: _Layer, x: Field, y: Field) -> None:
    """Paint the quarter rosettes; x and y are the distances from the nearest corner's edges."""
    radius = np.hypot(x, y)
    band = np.abs(radius - 0.375) - 0.035
    cobalt.wash(band, 0.36)
    cobalt.line(radius - 0.415, 0.018)
    cobalt.line(radius - 0.335, 0.010)
    cobalt.line(radius - 0.452, 0.007, 0.8)
    petals = _leaves_around(x, y, count=8, turn=0.0, middle=0.185, length=0.115, width=0.046)
    cobalt.wash(petals, 0.50)
    cobalt.line(petals, 0.012)
    between = _leaves_around(x, y, count=8, turn=0.5, middle=0.235, length=0.075, width=0.022)
    ochre.wash(between, 0.7)
    ochre.wash(radius - 0.055, 0.8)
    cobalt.line(radius - 0.060, 0.012)


def _paint_sprigs(cobalt: _Layer, ochre: _Layer, x: Field, y: Field) -> None:
    """Paint a tulip at the middle of each edge and a leaf on each diagonal."""
    diagonal = _leaves_around(x, y, count=4, turn=0.5, middle=0.785, length=0.125, width=0.045)
    cobalt.wash(diagonal, 0.50)
    cobalt.line(diagonal, 0.012)
    heart = _leaves_around(x, y, count=4, turn=0.0, middle=0.80, length=0.135, width=0.050)
    ochre.wash(heart, 0.62)
    cobalt.line(heart, 0.013)
    along, across = _turned_to_edge(x, y)
    for side in (-1.0, 1.0):
        slope = side * 0.75
        u = (along - 0.765) * np.cos(slope) + across * np.sin(slope) - 0.075
        v = across * np.cos(slope) - (along - 0.765) * np.sin(slope)
        leaf = _leaf(u, v, 0.095, 0.030)
        cobalt.wash(leaf, 0.55)
        cobalt.line(leaf, 0.010)
    stem = np.maximum(np.abs(across) - 0.006, np.abs(along - 0.645) - 0.04)
    cobalt.wash(stem, 0.75)


def _turned_to_edge(x: Field, y: Field) -> tuple[Field, Field]:
    """Return coordinates along and across the axis towards the nearest edge."""
    sideways = np.abs(x) > np.abs(y)
    return np.where(sideways, np.abs(x), np.abs(y)), np.where(sideways, y, x)


def _leaves_around(
    x: Field, y: Field, count: int, turn: float, middle: float, length: float, width: float
) -> Field:
    """Return leaves pointing outwards on a circle of radius `middle`; half lengths and widths."""
    along, across = _folded(x, y, count, turn)
    return _leaf(along - middle, across, length, width)


def _dots_around(
    x: Field, y: Field, count: int, turn: float, middle: float, radius: float
) -> Field:
    along, across = _folded(x, y, count, turn)
    distance: Field = np.hypot(along - middle, across)
    return distance - radius


def _folded(x: Field, y: Field, count: int, turn: float) -> tuple[Field, Field]:
    """Fold the plane into one of `count` sectors, turned by `turn` sectors."""
    sector = 2 * np.pi / count
    angle = np.mod(np.arctan2(y, x) - turn * sector + sector / 2, sector) - sector / 2
    radius = np.hypot(x, y)
    return (
        (radius * np.cos(angle)).astype(np.float32),
        (radius * np.sin(angle)).astype(np.float32),
    )


def _leaf(along: Field, across: Field, length: float, width: float) -> Field:
    """Return the overlap of two circles: a leaf of half length and half width."""
    radius = (length**2 + width**2) / (2 * width)
    return np.hypot(along, np.abs(across) + (radius - width)) - np.float32(radius)
