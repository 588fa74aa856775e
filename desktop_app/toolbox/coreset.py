"""Greedy k-centre selection: few points that leave no point far from the nearest chosen one.

Sener & Savarese, Active learning for convolutional neural networks: a core-set approach, 2018,
https://arxiv.org/abs/1708.00489

    next centre = argmax_n min_k ||x_n - c_k||

Taken literally that is one pass over all points per centre. Three facts turn it into a few hundred
large matrix products with the same outcome:

- The distance of a point to its nearest centre can only shrink. Of the P points that are farthest
  at the start of a round (the pool), the greedy choice is therefore the global one as long as it is
  at least as far as every point outside was. A slack of .05 goes on until it is five per cent
  nearer: each choice is then at least .95 times as far as the farthest point.
- The distances of all points to the centres of a round are one matrix product, done in blocks that
  stay in the processor's cache.
- A point much nearer than the farthest one is not chosen soon. Points nearer than a mark sleep:
  their distance is an upper bound, brought up to date when the radius reaches the mark.

Shapes: N points, D dimensions, K centres, P points of the pool.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from desktop_app.sdk.errors import InvalidInput

_POOL = 2048
"""Points P that a round chooses from."""
_MOST_PER_ROUND = 512
_BLOCK = 4096
"""Points whose distances are computed at once: 4096 x 512 numbers are 8 MB."""
_MARK_SHARE = 0.8**2
"""Each mark, a squared distance, is this share of the one before."""
_ROUNDING = 1e-6
"""Squared distances below this share of the largest squared norm are rounding errors of zero."""


class Coreset:
    """A selection that grows round by round; the same points give the same selection."""

    def __init__(self, points: Tensor, *, slack: float = 0.05) -> None:
        """Begin with the point nearest to the mean of points (N, D), float16 or float32.

        `slack` 0 is exact greedy selection. Raises InvalidInput when there are no points.
        """
        if len(points) == 0:
            raise InvalidInput("A coreset needs at least one point, got none.")
        self._points = points
        self._slack = slack
        self._mean = _mean(points)
        self._squares = self._squared_norms()
        self._nothing = _ROUNDING * float(self._squares.max())
        self._centres = torch.empty(0, dtype=torch.int64, device=points.device)
        self._distances = torch.full_like(self._squares, torch.inf)  # squared, (N,)
        self._seen = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        self._mark = 0.0
        self._take(self._squares.argmin().view(1))
        self._mark = _MARK_SHARE * float(self._distances.max())

    @property
    def centres(self) -> NDArray[np.int64]:
        """(K,): rows chosen so far, in the order of choice."""
        rows: NDArray[np.int64] = self._centres.cpu().numpy()
        return rows

    def grow(self, count: int) -> Iterator[int]:
        """Choose until there are `count` centres; yield their number after each round.

        Ends early when all points that are left are copies of centres.
        """
        while len(self._centres) < min(count, len(self._points)):
            chosen = self._chosen(count - len(self._centres))
            if len(chosen) == 0:
                return
            self._take(chosen)
            yield len(self._centres)

    def radius(self) -> float:
        """Return the distance of the farthest point from its nearest centre."""
        self._wake()
        largest = float(self._distances.max())
        return largest**0.5 if largest > self._nothing else 0.0

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all but the points, as arrays."""
        return {
            "centres": self.centres,
            "distances": self._distances.cpu().numpy(),
            "seen": self._seen.cpu().numpy(),
            "mark": np.array(self._mark),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from the state of a selection from the same points."""
        device = self._points.device
        self._centres = torch.tensor(state["centres"], device=device)
        self._distances = torch.tensor(state["distances"], device=device)
        self._seen = torch.tensor(state["seen"], device=device)
        self._mark = float(state["mark"])

    def _chosen(self, wanted: int) -> Tensor:
        """Return the rows (k,) that greedy selection takes next, within the slack."""
        self._wake()
        size = min(_POOL, len(self._points))
        nearest, pool = self._distances.topk(size)  # (P,), farthest first
        outside = float(nearest[-1]) if size < len(self._points) else 0.0
        # Those at or below the mark sleep: their distance may be less than it says.
        enough = max(outside * (1 - self._slack) ** 2, self._mark, self._nothing)
        apart = self._squared_distances_within(pool).cpu().numpy()  # (P, P)
        places = _farthest_first(
            nearest.cpu().numpy(), apart, min(wanted, _MOST_PER_ROUND), enough, self._nothing
        )
        return pool[torch.tensor(places, dtype=torch.int64, device=pool.device)]

    def _take(self, rows: Tensor) -> None:
        self._centres = torch.cat([self._centres, rows])
        self._catch_up(torch.nonzero(self._distances > self._mark).squeeze(1))
        self._distances[rows] = 0.0

    def _wake(self) -> None:
        """Lower the mark until the farthest point lies above it, all points above up to date."""
        while (largest := float(self._distances.max())) > self._nothing and largest <= self._mark:
            self._mark *= _MARK_SHARE
            self._catch_up(torch.nonzero(self._distances > self._mark).squeeze(1))

    def _catch_up(self, rows: Tensor) -> None:
        """Bring the distances of these rows up to date with the centres they have not seen."""
        rows = rows[self._seen[rows] < len(self._centres)]
        seen = self._seen[rows]
        for first in torch.unique(seen).tolist():
            group = rows[seen == first]
            centres = self._points[self._centres[first:]].float() - self._mean
            for some in torch.split(group, _BLOCK):
                points = self._points[some].float() - self._mean
                self._distances[some] = torch.minimum(
                    self._distances[some], nearest_squared(points, centres)
                )
        self._seen[rows] = len(self._centres)

    def _squared_distances_within(self, rows: Tensor) -> Tensor:
        points = self._points[rows].float() - self._mean
        squares = self._squares[rows]
        return torch.addmm(squares, points, points.T, alpha=-2).add_(squares[:, None])

    def _squared_norms(self) -> Tensor:
        blocks = torch.split(self._points, _BLOCK)
        return torch.cat([(block.float() - self._mean).square().sum(1) for block in blocks])


def nearest_squared(points: Tensor, centres: Tensor, block: int = _MOST_PER_ROUND) -> Tensor:
    """Return the squared distance (N,) of points (N, D) to the nearest of centres (K, D)."""
    nearest = torch.full((len(points),), torch.inf, device=points.device)
    for some in torch.split(centres, block):
        products = torch.addmm(some.square().sum(1), points, some.T, alpha=-2)
        torch.minimum(nearest, products.amin(1), out=nearest)
    return nearest.add_(points.square().sum(1)).clamp_min_(0)


def _farthest_first(
    nearest: NDArray[np.float32],
    apart: NDArray[np.float32],
    most: int,
    enough: float,
    nothing: float,
) -> list[int]:
    """Return places (k,) of a pool in greedy order, at most `most`, until none is far `enough`.

    `nearest` (P,) are squared distances to the centres so far, `apart` (P, P) between the pool's
    points. The first place is taken in any case unless its distance is `nothing`.
    """
    nearest = nearest.copy()
    places: list[int] = []
    while len(places) < most:
        place = int(nearest.argmax())
        if nearest[place] <= nothing or (places and nearest[place] < enough):
            break
        places.append(place)
        np.minimum(nearest, apart[place], out=nearest)
        nearest[place] = 0.0
    return places


def _mean(points: Tensor) -> Tensor:
    total = torch.zeros(points.shape[1], dtype=torch.float64, device=points.device)
    for block in torch.split(points, _BLOCK):
        total += block.sum(0, dtype=torch.float64)
    return (total / len(points)).float()
