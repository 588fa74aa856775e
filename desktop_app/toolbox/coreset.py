"""Greedy k-centre selection: few points that leave no point far from the nearest chosen one.

Sener & Savarese, Active learning for convolutional neural networks: a core-set approach, 2018,
https://arxiv.org/abs/1708.00489

    next centre = argmax_n min_k ||x_n - c_k||

Taken literally that is one pass over all points per centre. Three facts make it a few large matrix
products with the same outcome:

- The distance of a point to its nearest centre can only shrink. So among the P points that are
  farthest now (the pool), the greedy choice is the global one as long as the pool's farthest point
  is at least as far as every point outside was at the start of the round. A `slack` of 0.05 goes on
  until it is five per cent nearer: each choice is then at least .95 times as far as the best one.
- The distances of all points to the centres of a round are one matrix product, done in blocks.
- A point that is nearer to a centre than any centre still to come can be is never chosen, so its
  distance need not be kept up to date. Points nearer than a mark sleep, and catch up should the
  radius ever fall to the mark.

Shapes: N points, D dimensions, K centres, P points of the pool.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from desktop_app.sdk.errors import InvalidInput

_POOL = 4096
"""Points P looked at one by one in a round: 4096 x 4096 distances are 64 MB."""
_MOST_PER_ROUND = 512
_BLOCK = 4096
"""Points whose distances are computed at once: 4096 x 512 numbers stay in the processor's cache."""
_SLEEP = 0.8
"""The mark, as a share of the radius."""


@dataclass(frozen=True)
class Round:
    """What a round added."""

    centres: Tensor
    """int64 (K,): rows of all points chosen so far, in the order of choice."""
    radius: float
    """Distance of the farthest point from its nearest centre before the last choice."""


class Coreset:
    """A selection that grows round by round; deterministic, and nothing else is random in it."""

    def __init__(self, points: Tensor, *, first: int = 0, slack: float = 0.05) -> None:
        """Begin with the point of row `first` of points (N, D), float16 or float32.

        Raises InvalidInput when there are no points.
        """
        if len(points) == 0:
            raise InvalidInput("A coreset needs at least one point, got none.")
        self._points = points
        self._slack = slack
        self._centres = [first]
        self._squares = squared_norms(points)
        self._distances = torch.full((len(points),), torch.inf, device=points.device)  # squared
        self._seen = torch.zeros(len(points), dtype=torch.int32, device=points.device)
        self._mark = -1.0
        self._refresh()

    def grow(self, count: int) -> Iterator[Round]:
        """Choose until `count` centres are there or every point is one; yield after each round."""
        while len(self._centres) < min(count, len(self._points)):
            radius = self._round(count - len(self._centres))
            if radius == 0.0:  # the rest are copies of centres
                return
            yield Round(torch.tensor(self._centres), radius)

    @property
    def centres(self) -> Tensor:
        """int64 (K,): rows chosen so far, in the order of choice."""
        return torch.tensor(self._centres)

    def radius(self) -> float:
        """Return the distance of the farthest point from its nearest centre."""
        self._wake()
        return float(self._distances.max().clamp_min(0).sqrt())

    def _round(self, wanted: int) -> float:
        self._wake()
        size = min(_POOL, len(self._points))
        bound, pool = self._distances.topk(size)  # sorted, the farthest first
        outside = float(bound[-1]) if size < len(self._points) else 0.0
        least = outside * (1 - self._slack) ** 2
        near = self._points[pool].float()
        squares, nearest = self._squares[pool], bound.clone()
        chosen: list[int] = []
        farthest = 0.0
        while len(chosen) < min(wanted, _MOST_PER_ROUND):
            value, position = nearest.max(0)
            if chosen and float(value) < least:
                break
            if float(value) <= 0.0:
                break
            farthest, row = float(value), int(position)
            chosen.append(row)
            nearest = torch.minimum(nearest, squares - 2 * (near @ near[row]) + squares[row])
            nearest[row] = 0.0
        self._centres += pool[chosen].tolist()
        self._refresh()
        return farthest**0.5
