"""Uniform manifold approximation and projection.

McInnes, Healy & Melville, UMAP, 2018, https://arxiv.org/abs/1802.03426. What its negative sampling
minimises is that of Damrich & Hamprecht, On UMAP's true loss function, 2021,
https://arxiv.org/abs/2103.14608.

    v(j|i) = exp(-max(0, |x_i - x_j| - r_i) / s_i),  r_i the distance to the nearest other image,
             s_i such that  sum_j v(j|i) = log2 k
    v_ij = v(j|i) + v(i|j) - v(j|i) v(i|j)             q_ij = 1 / (1 + a |y_i - y_j|^2b)
    loss = sum_ij v_ij (-log q_ij + m E_n[-log(1 - q_in)] / 2) / sum_ij v_ij

with a and b such that q falls from 1 beyond the least distance, and m images n drawn at random for
every edge. In an epoch an edge takes part with probability v_ij / max v. The edges are sorted by i,
so that what moves an image is a sum over a stretch of them, and are drawn from seed and epoch, so
that no random state has to be kept.

Shapes: N images, M new images, E edges of the graph, D dimensions of the vectors, d of the map,
k neighbours, m negative samples, n samples.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.sparse import coo_matrix, csr_matrix

from desktop_app.sdk.data import Array
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.toolbox.maps import SIZES, MapMethod, MapParams, Positions

_START_SIZE = 10.0
"""Half the side of the start."""
_NOISE = 1e-3
"""Added to the start, so that duplicates can part."""
_LONGEST = 4.0
"""A coordinate of the pull or push between two images is no larger."""
_SOFT = 1e-3
"""Keeps the push of images in one place finite; McInnes et al., algorithm 5."""
_LONGEST_STEP = 0.5
"""No image moves further in an epoch, times the learning rate: all move at once, and what pulls at
each would together carry it too far."""
_BISECTIONS = 48
_JUDGED_PAIRS = 20_000
_LEAST_LOG = 1e-4
_NEW_EPOCHS = 60
_NEW_SAMPLES = 1000
"""Fitted images, evenly spaced, that stand for all others in what pushes a new one away."""
_NEW_BLOCK = 256


class UMAPParams(MapParams):
    """How wide a neighbourhood is, how tight the map, and how long it is worked on."""

    neighbors: int = param(
        15,
        low=2,
        high=500,
        scale="log",
        unit="images",
        help="Neighbours of an image in the graph: few show fine grain, many the rough order.",
    )
    min_dist: float = param(
        0.1,
        low=0.0,
        high=0.99,
        help="How near images may come on the map: small packs groups tightly.",
    )
    epochs: int = param(
        300, low=10, high=20_000, scale="log", help="Passes over the edges of the graph."
    )
    negatives: int = param(
        5,
        low=1,
        high=50,
        advanced=True,
        help="Images drawn at random for every edge, which are pushed away.",
    )
    learning_rate: float = param(
        1.0, low=0.01, high=10.0, scale="log", advanced=True, help="Step size; it falls to 0."
    )


class UMAP(MapMethod[UMAPParams]):
    """Lays out the graph of nearest neighbours."""

    card = Card(
        id="umap",
        title="UMAP",
        family="Dimension reduction",
        paper="1802.03426",
        summary="A map of the graph of nearest neighbours: clear groups and what lies between.",
        rank=20,
        translations={
            "zh_CN": {
                "title": "UMAP 降维图",
                "family": "降维",
                "summary": "最近邻图的地图：清晰的群组以及它们之间的过渡。",
            }
        },
    )
    presets = (
        Preset("Fine grain", {"neighbors": 5}, "Small groups and near-duplicates stand out."),
        Preset("Rough order", {"neighbors": 50, "min_dist": 0.5}, "How the groups lie together."),
        Preset("For clustering", {"neighbors": 30, "min_dist": 0.0}, "Groups as tight as they go."),
        Preset(
            "Latents, cosine",
            {"scaling": "length", "components": 0},
            "For the run of a contrastive encoder, whose directions carry the meaning.",
        ),
        *SIZES,
    )
    toy_params: ClassVar[dict[str, Any]] = {"epochs": 60, "neighbors": 8}
    """What the conformance kit trains with on its small images."""

    _curve: tuple[float, float] | None = None

    @property
    def iterations(self) -> int:
        """Passes over the edges."""
        return self.params.epochs

    @property
    def curve(self) -> tuple[float, float]:
        """a and b of q = 1 / (1 + a d^2b)."""
        if self._curve is None:
            self._curve = falling_curve(self.params.min_dist)
        return self._curve

    def optimise(self) -> Events:
        """Pull along the edges of the graph, push everywhere else."""
        yield from self.find_neighbours(self.params.neighbors)
        graph = fuzzy_graph(self.kept["neighbours"], self.kept["distances"])
        graph.data[graph.data < graph.data.max() / self.iterations] = 0  # never drawn
        graph.eliminate_zeros()
        heads = np.repeat(np.arange(len(self.vectors)), np.diff(graph.indptr))  # (E,), rising
        tails, weights = graph.indices, graph.data
        if self.iteration == 0:
            self.positions = self._start()
            start = self._cross_entropy(heads, tails, weights)
            yield TrivialValue("cross-entropy", start, "the start", stays=None)
        while self.iteration < self.iterations:
            rate = self.params.learning_rate * (1 - self.iteration / self.iterations)
            self.iteration += 1
            rng = np.random.default_rng([self.seed, self.iteration])
            drawn = np.flatnonzero(rng.random(len(heads)) < weights / weights.max())
            self._move(heads[drawn], tails[drawn], rate, rng)
            if self.iteration % self.told_every == 0 or self.iteration == self.iterations:
                loss = self._cross_entropy(heads, tails, weights)
                yield from self.tell({"cross-entropy": loss})

    def place(self, vectors: Array) -> Positions:
        """Return positions (M, d) of new images among the fitted ones, which stay."""
        near, distances = self.search.of(vectors, self.params.neighbors)
        weights = memberships(distances)  # (M, k)
        some = np.linspace(0, len(self.vectors) - 1, min(len(self.vectors), _NEW_SAMPLES))
        samples = self.positions[np.unique(some.astype(np.int64))]  # (n, d)
        return np.concatenate(
            [
                self._placed(weights[at : at + _NEW_BLOCK], near[at : at + _NEW_BLOCK], samples)
                for at in range(0, len(vectors), _NEW_BLOCK)
            ]
        )

    def _start(self) -> Array:
        """Return the anchor (N, d), in a box of fixed size, with a little noise."""
        noise = np.random.default_rng(self.seed).standard_normal(self.anchor.shape)
        scale = _START_SIZE / max(float(np.abs(self.anchor).max()), 1e-12)
        return (self.anchor * scale + _NOISE * noise).astype(np.float32)

    def _move(
        self,
        heads: NDArray[np.int64],
        tails: NDArray[np.int32],
        rate: float,
        rng: np.random.Generator,
    ) -> None:
        """Move the heads (E,), rising, towards their tails and away from images at random."""
        y = self.positions
        others = rng.integers(0, len(y), (self.params.negatives, len(heads)))
        # The pull counts twice: an edge moves both its ends, and is listed once for each.
        step = 2 * self._pull(y[heads] - y[tails])
        for row in others:
            step += self._push(y[heads] - y[row])
        first = np.flatnonzero(np.diff(heads, prepend=-1))  # where each head's stretch begins
        total = np.add.reduceat(step, first, axis=0)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        total *= np.float32(rate) * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-12))
        moved = y.copy()
        moved[heads[first]] += total
        self.positions = moved

    def _pull(self, apart: Positions) -> Positions:
        """Return the gradient (..., d) of log q along y_i - y_j, clipped."""
        a, b = self.curve
        square = np.maximum(np.square(apart).sum(axis=-1, keepdims=True), np.float32(1e-12))
        power = square ** np.float32(b)
        factor = np.float32(-2 * a * b) * power / (square * (1 + np.float32(a) * power))
        clipped: Positions = np.clip(factor * apart, -_LONGEST, _LONGEST)
        return clipped

    def _push(self, apart: Positions) -> Positions:
        """Return the gradient (..., d) of log(1 - q) along y_i - y_j, clipped."""
        a, b = self.curve
        square = np.square(apart).sum(axis=-1, keepdims=True)
        power = square ** np.float32(b)
        factor = np.float32(2 * b) / ((_SOFT + square) * (1 + np.float32(a) * power))
        clipped: Positions = np.clip(factor * apart, -_LONGEST, _LONGEST)
        return clipped

    def _placed(self, weights: Array, near: NDArray[np.int64], samples: Positions) -> Positions:
        """Return places (M, d) by the mean pull of neighbours and the mean push of samples."""
        a, b = self.curve
        neighbours = self.positions[near]  # (M, k, d)
        share = weights / weights.sum(axis=1, keepdims=True)
        y: Positions = np.einsum("mk,mkd->md", share, neighbours)
        for epoch in range(_NEW_EPOCHS):
            pull = np.einsum("mk,mkd->md", share, self._pull(y[:, None] - neighbours))
            squares = np.square(y).sum(axis=1)[:, None] + np.square(samples).sum(axis=1)
            square = np.maximum(squares - 2 * y @ samples.T, 0)  # (M, n)
            factor = 2 * b / ((_SOFT + square) * (1 + a * square**b))
            factor = np.minimum(factor, _LONGEST / np.sqrt(np.maximum(square, 1e-12)))
            push = (y * factor.sum(axis=1, keepdims=True) - factor @ samples) / len(samples)
            rate = self.params.learning_rate * (1 - epoch / _NEW_EPOCHS)
            y = y + rate * (pull + self.params.negatives / 2 * push)
        return y

    def _cross_entropy(
        self, heads: NDArray[np.int64], tails: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> float:
        """Return the loss; its expectation over the same random pairs each time."""
        a, b = self.curve
        y = self.positions

        def similar(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
            square = np.square(y[rows].astype(np.float64) - y[others]).sum(axis=1)
            found: NDArray[np.float64] = 1 / (1 + a * square**b)
            return found

        rng = np.random.default_rng([self.seed, 0])
        drawn = rng.choice(len(heads), _JUDGED_PAIRS, p=weights / weights.sum(dtype=np.float64))
        apart = -np.log(
            1 - similar(heads[drawn], rng.integers(0, len(y), _JUDGED_PAIRS)) + _LEAST_LOG
        )
        near = -np.log(similar(heads, tails))
        attraction = float(np.average(near, weights=weights))
        return attraction + self.params.negatives / 2 * float(apart.mean())


def memberships(distances: Array) -> Array:
    """Return v(j|i) (N, k) of neighbours at distances (N, k), rising."""
    nearest = distances[:, :1]
    beyond = np.maximum(distances - nearest, 0).astype(np.float64)
    target = max(np.log2(distances.shape[1]), 1.0 + 1e-3)
    low, high = np.zeros(len(distances)), np.full(len(distances), np.inf)
    width = np.ones(len(distances))
    for _ in range(_BISECTIONS):
        above = np.exp(-beyond / width[:, None]).sum(axis=1) > target
        high, low = np.where(above, width, high), np.where(above, low, width)
        width = np.where(np.isinf(high), 2 * width, (low + high) / 2)
    least = 1e-3 * distances.mean(axis=1)  # many duplicates: the width does not vanish
    width = np.maximum(width, np.maximum(least, 1e-12))
    found: Array = np.exp(-beyond / width[:, None]).astype(np.float32)
    return found


def fuzzy_graph(neighbours: NDArray[np.integer[Any]], distances: Array) -> csr_matrix[np.float32]:
    """Return v (N, N), symmetric, of rows and distances (N, k) of neighbours."""
    N, k = neighbours.shape
    rows = np.repeat(np.arange(N), k)
    one = coo_matrix((memberships(distances).ravel(), (rows, neighbours.ravel())), (N, N)).tocsr()
    other = one.T.tocsr()
    graph: csr_matrix[np.float32] = (one + other - one.multiply(other)).tocsr()
    graph.sort_indices()
    return graph


def falling_curve(min_dist: float) -> tuple[float, float]:
    """Return a and b of 1 / (1 + a d^2b), as near as can be to exp(-max(0, d - min_dist))."""
    d = np.linspace(0, 3, 300)
    wished = np.exp(-np.maximum(0, d - min_dist))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), d, wished)
    return float(a), float(b)


@hookimpl
def register_methods() -> list[type[UMAP]]:
    """Offer UMAP."""
    return [UMAP]
