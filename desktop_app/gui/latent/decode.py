"""From a place on the map back to a latent vector that a method can decode.

A map shows two numbers of many. On the principal plane the others are taken as their mean; between
the images they are taken from the nearest images, weighted by nearness, which works for any map.
Where the map is empty both are guesses, and that is said.

Shapes: M images, D latent dimensions, n places on the map.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Way = Literal["neighbours", "plane"]

NEIGHBOURS = 8
"""Images that a latent vector between them is mixed from."""

_TYPICAL = 0.9
"""Share of the images that lie nearer to their nearest neighbour than `reach`."""
_SPARE = 2.0
"""How much further than that from the nearest image a place may be before it counts as far."""
_BLOCK = 65_536  # vectors whose distances are found at once
_WORK = 12_000_000  # distances computed for `reach`, so that a million images cost no more


@dataclass(frozen=True)
class Guess:
    """Latent vectors of places on a map."""

    latents: Floats
    """(n, D)."""
    far: NDArray[np.bool_]
    """(n,): the place is further from all images than images are from each other."""


class MapInverse:
    """Latent vectors of the places on one map."""

    def __init__(
        self,
        positions: Floats,
        latents: Floats,
        basis: tuple[Floats, Floats] | None = None,
    ) -> None:
        """Take positions (M, 2), latents (M, D) and, for a principal plane, its mean and axes."""
        self._x, self._y = (np.ascontiguousarray(axis, np.float32) for axis in positions.T)
        self._latents = latents
        self._basis = basis
        self._count = min(NEIGHBOURS, len(positions))

    def ways(self) -> tuple[Way, ...]:
        """Return how places can be turned into latent vectors."""
        return ("neighbours", "plane") if self._basis is not None else ("neighbours",)

    def at(self, places: NDArray[np.floating[Any]], way: Way = "neighbours") -> Guess:
        """Return latent vectors of places (n, 2)."""
        nearest, squares = self._nearest(places.astype(np.float32))
        far = np.sqrt(squares.min(axis=1)) > _SPARE * self.reach
        if way == "plane" and self._basis is not None:
            mean, axes = self._basis
            return Guess((places.astype(np.float32) @ axes + mean).astype(np.float32), far)
        weights = 1 / (squares + 1e-6 * self.reach**2 + 1e-20)
        weights /= weights.sum(axis=1, keepdims=True)
        mixed = np.einsum("nk,nkd->nd", weights, self._latents[nearest])
        return Guess(mixed.astype(np.float32), far)

    @cached_property
    def reach(self) -> float:
        """How far images usually are from their nearest neighbour, a distance on the map."""
        total = len(self._x)
        if total < 2:
            return 1.0
        sampled = int(np.clip(_WORK // total, 16, min(512, total)))
        chosen = np.unique(np.linspace(0, total - 1, sampled).astype(np.int64))
        nearest = np.empty(len(chosen))
        for number, row in enumerate(chosen.tolist()):
            squares = self._squares(self._x[row], self._y[row])
            squares[row] = np.inf
            nearest[number] = squares.min()
        return float(np.sqrt(np.quantile(nearest, _TYPICAL))) or 1e-6

    def _squares(self, x: np.float32, y: np.float32) -> Floats:
        """Return the squared distances of all images from a place, (M,)."""
        across, up = self._x - x, self._y - y
        across *= across
        up *= up
        across += up
        return across

    def _nearest(self, places: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return the nearest images and their squared distances, (n, k) each."""
        nearest = np.empty((len(places), self._count), np.int64)
        squares = np.empty((len(places), self._count), np.float32)
        for number, place in enumerate(places):
            distances = self._squares(place[0], place[1])
            if self._count < len(distances):
                found = np.argpartition(distances, self._count - 1)[: self._count]
            else:
                found = np.arange(self._count)
            nearest[number], squares[number] = found, distances[found]
        return nearest, squares


def between(first: Floats, second: Floats, steps: int, *, spherical: bool = False) -> Floats:
    """Return latent vectors (steps, D) on the way from one (D,) to another.

    The spherical way keeps the length of the vectors on its way, as latents that are normally
    distributed want it; it is the straight one where the two point in the same direction.
    """
    share = np.linspace(0, 1, steps, dtype=np.float64)[:, None]
    start, end = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    straight = (1 - share) * start + share * end
    if not spherical or min(lengths) == 0:
        return straight.astype(np.float32)
    cosine = float(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        return straight.astype(np.float32)
    turned = np.sin((1 - share) * angle) * start + np.sin(share * angle) * end
    curved: Floats = (turned / np.sin(angle)).astype(np.float32)
    return curved


def along_dimension(start: Floats, dimension: int, low: float, high: float, steps: int) -> Floats:
    """Return latent vectors (steps, D) that differ from `start` (D,) in one dimension alone."""
    latents: Floats = np.repeat(start[None].astype(np.float32), steps, axis=0)
    latents[:, dimension] = np.linspace(low, high, steps)
    return latents


def dimension_ranges(latents: Floats) -> tuple[Floats, Floats, Floats]:
    """Return 1st and 99th percentile and standard deviation of each dimension, (D,) each."""
    sample = latents[:: max(1, len(latents) // 20_000)]
    low, high = np.percentile(sample, (1, 99), axis=0).astype(np.float32)
    return low, high, sample.std(axis=0).astype(np.float32)


def nearest_rows(latents: Floats, place: int, count: int) -> NDArray[np.int64]:
    """Return the places of the latents (M, D) nearest to one of them, the nearest first."""
    found, _distances = nearest_to(latents, latents[place], count, without=place)
    return found


def nearest_to(
    latents: Floats, latent: Floats, count: int, without: int = -1
) -> tuple[NDArray[np.int64], Floats]:
    """Return places of the latents (M, D) nearest to a vector (D,) and their distances, the
    nearest first; `without` is a place that does not count.
    """
    squares = np.empty(len(latents), np.float32)
    for start in range(0, len(latents), _BLOCK):
        away = np.asarray(latents[start : start + _BLOCK], np.float32) - latent
        squares[start : start + _BLOCK] = np.einsum("md,md->m", away, away)
    if without >= 0:
        squares[without] = np.inf
    count = min(count, len(latents) - int(without >= 0))
    if count <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    found = np.argpartition(squares, count - 1)[:count]
    found = found[np.argsort(squares[found], kind="stable")].astype(np.int64)
    return found, np.sqrt(squares[found])


def shifted(start: Floats, shift: Floats, amounts: NDArray[np.floating[Any]]) -> Floats:
    """Return latent vectors (n, D): `start` (D,) moved by amounts (n,) of a shift (D,)."""
    moved: Floats = (start + np.asarray(amounts, np.float32)[:, None] * shift).astype(np.float32)
    return moved


def aligned(positions: Floats, reference: Floats) -> Floats:
    """Turn and mirror a map (M, k) so that it lies on another as well as it can (Procrustes)."""
    known = np.isfinite(positions).all(axis=1) & np.isfinite(reference).all(axis=1)
    if known.sum() < 2:
        return positions
    centre = positions[known].mean(axis=0)
    moved = positions[known] - centre
    middle = reference[known].mean(axis=0)
    target = reference[known] - middle
    left, _values, right = np.linalg.svd(moved.astype(np.float64).T @ target.astype(np.float64))
    turned: Floats = ((positions - centre) @ (left @ right) + middle).astype(np.float32)
    return turned
