"""The hierarchy of density: spanning tree, merges, condensed tree, stable clusters.

Shapes: N points, M edges = N - 1, R rows of the condensed tree, K clusters chosen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Numbers = NDArray[np.int64]

_LEAST_SHARE = 1e-9
"""Distances below this share of the median count as so much: equal points have a finite density."""


class SpanningTree:
    """The shortest tree over all points by mutual reachability, grown edge by edge (Prim 1957).

    d_mutual(i, j) = max(core_i, core_j, |x_i - x_j|)
    """

    def __init__(self, points: NDArray[np.floating], core: NDArray[np.floating]) -> None:
        """Begin at the first of points (N, D) with core distances (N,)."""
        self._points = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
        self._core = core.astype(np.float64)
        self._squares = np.square(self._points).sum(axis=1)
        n = len(points)
        self.left: Numbers = np.zeros(n - 1, np.int64)
        self.right: Numbers = np.zeros(n - 1, np.int64)
        self.length: Vector = np.zeros(n - 1)
        self.edges = 0
        self._near = np.full(n, np.inf)
        """Distance of each point outside to the tree."""
        self._from = np.zeros(n, np.int64)
        """Point of the tree that it is nearest to."""
        self._outside = np.ones(n, np.bool_)
        self._last = 0
        self._outside[0] = False

    @property
    def done(self) -> bool:
        """Tell whether all points are connected."""
        return self.edges == len(self.length)

    def grow(self, count: int) -> None:
        """Add at most so many edges."""
        for _ in range(min(count, len(self.length) - self.edges)):
            self._add_edge()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what `restore` needs."""
        return {
            "left": self.left,
            "right": self.right,
            "length": self.length,
            "near": self._near,
            "from": self._from,
            "outside": self._outside,
            "place": np.array([self.edges, self._last]),
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take back what `state` returned."""
        self.left, self.right = np.array(state["left"]), np.array(state["right"])
        self.length, self._near = np.array(state["length"]), np.array(state["near"])
        self._from, self._outside = np.array(state["from"]), np.array(state["outside"])
        self.edges, self._last = (int(number) for number in state["place"])

    def _add_edge(self) -> None:
        new = self._last
        squares = self._squares + self._squares[new] - 2 * (self._points @ self._points[new])
        reach = np.sqrt(np.maximum(squares, 0))
        np.maximum(reach, np.maximum(self._core, self._core[new]), out=reach)
        closer = (reach < self._near) & self._outside
        self._near[closer] = reach[closer]
        self._from[closer] = new
        found = int(self._near.argmin())
        self.left[self.edges], self.right[self.edges] = self._from[found], found
        self.length[self.edges] = self._near[found]
        self._near[found], self._outside[found] = np.inf, False
        self.edges, self._last = self.edges + 1, found


@dataclass(frozen=True)
class Clustering:
    """The stable clusters of a hierarchy, by falling size."""

    labels: Numbers
    """(N,), -1 for noise."""
    densities: Vector
    """(N,): density, 1 / distance, up to which each point belongs to its cluster."""
    births: Vector
    """(K,): density at which each cluster parts from the rest."""
    stabilities: Vector
    """(K,): densities of the members above the birth, added up."""


@dataclass
class _Condensed:
    """The tree of clusters of at least so many points, and what falls out of each."""

    parents: list[int] = field(default_factory=list)
    """Of each cluster, -1 for the first."""
    births: list[float] = field(default_factory=list)
    stabilities: list[float] = field(default_factory=list)

    def open(self, parent: int, birth: float) -> int:
        self.parents.append(parent)
        self.births.append(birth)
        self.stabilities.append(0.0)
        return len(self.parents) - 1


def stable_clusters(tree: SpanningTree, least: int, *, leaves: bool) -> Clustering:
    """Return the clusters of at least `least` points that last, or with `leaves` the smallest."""
    n = len(tree.length) + 1
    order = np.argsort(tree.length, kind="stable")
    merges, sizes = _merges(tree.left[order], tree.right[order])
    floor = max(float(np.median(tree.length)) * _LEAST_SHARE, 1e-300) if n > 1 else 1.0
    density = 1 / np.maximum(tree.length[order], floor)
    condensed, places, densities = _condense(merges, sizes, density, n, least)
    chosen = _leaves(condensed) if leaves else _most_stable(condensed)
    homes = _homes(condensed, chosen)
    return _by_size(condensed, homes[places], densities, chosen)


def _merges(left: Numbers, right: Numbers) -> tuple[list[tuple[int, int]], list[int]]:
    """Return which two nodes each edge joins, shortest first, and the points below every node.

    Points are the nodes 0 to N - 1; the edge m makes the node N + m.
    """
    n = len(left) + 1
    top, sizes = list(range(2 * n - 1)), [1] * n
    merges = []

    def find(node: int) -> int:
        while top[node] != node:
            top[node] = top[top[node]]
            node = top[node]
        return node

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        first, second = find(a), find(b)
        top[first] = top[second] = len(sizes)
        merges.append((first, second))
        sizes.append(sizes[first] + sizes[second])
    return merges, sizes


def _condense(
    merges: list[tuple[int, int]], sizes: list[int], density: Vector, n: int, least: int
) -> tuple[_Condensed, Numbers, Vector]:
    """Return the tree of large clusters, the last one of each point (N,), and its density there."""
    condensed = _Condensed()
    places, densities = np.zeros(n, np.int64), np.zeros(n)

    def drop(node: int, cluster: int, at: float) -> None:
        points = list(_points_below(merges, node, n))
        places[points], densities[points] = cluster, at
        condensed.stabilities[cluster] += (at - condensed.births[cluster]) * len(points)

    waiting = [(2 * n - 2, condensed.open(-1, 0.0))]
    while waiting:
        node, cluster = waiting.pop()
        if node < n:  # a cluster of one point
            drop(node, cluster, condensed.births[cluster])
            continue
        at = float(density[node - n])
        large = [child for child in merges[node - n] if sizes[child] >= least]
        for child in merges[node - n]:
            if child not in large:
                drop(child, cluster, at)
        if len(large) == 2:
            points = sizes[large[0]] + sizes[large[1]]
            condensed.stabilities[cluster] += (at - condensed.births[cluster]) * points
            waiting += [(child, condensed.open(cluster, at)) for child in large]
        elif large:
            waiting.append((large[0], cluster))
    return condensed, places, densities


def _points_below(merges: list[tuple[int, int]], node: int, n: int) -> Iterator[int]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node < n:
            yield node
        else:
            waiting += merges[node - n]


def _leaves(condensed: _Condensed) -> list[int]:
    """Return the clusters that never part."""
    return sorted(set(range(1, len(condensed.parents))) - set(condensed.parents))


def _most_stable(condensed: _Condensed) -> list[int]:
    """Return the clusters of the largest stability in all, none above another; not the first."""
    chosen = [True] * len(condensed.parents)
    below = [0.0] * len(condensed.parents)
    for cluster in range(len(condensed.parents) - 1, 0, -1):
        stability = condensed.stabilities[cluster]
        if below[cluster] > stability:
            chosen[cluster] = False
        below[condensed.parents[cluster]] += max(stability, below[cluster])
    above = [False] * len(chosen)
    found = []
    for cluster in range(1, len(chosen)):
        parent = condensed.parents[cluster]
        above[cluster] = above[parent] or (parent > 0 and chosen[parent])
        if chosen[cluster] and not above[cluster]:
            found.append(cluster)
    return found


def _homes(condensed: _Condensed, chosen: list[int]) -> Numbers:
    """Return the chosen cluster that each cluster lies in, as a place in `chosen`, or -1."""
    place = {cluster: number for number, cluster in enumerate(chosen)}
    homes = np.full(len(condensed.parents), -1, np.int64)
    for cluster in range(1, len(homes)):
        homes[cluster] = place.get(cluster, homes[condensed.parents[cluster]])
    return homes


def _by_size(
    condensed: _Condensed, labels: Numbers, densities: Vector, chosen: list[int]
) -> Clustering:
    sizes = np.bincount(labels[labels >= 0], minlength=len(chosen))
    order = np.argsort(-sizes, kind="stable")
    rank = np.append(np.argsort(order), -1)  # the last one for noise
    clusters = np.array(chosen, np.int64)[order]
    return Clustering(
        rank[labels].astype(np.int64),
        densities,
        np.array(condensed.births)[clusters],
        np.array(condensed.stabilities)[clusters],
    )
