"""t-distributed stochastic neighbour embedding.

van der Maaten & Hinton, Visualizing data using t-SNE, JMLR 9, 2008. Gradients by a tree (van der
Maaten 2014) or by interpolation and FFT (Linderman et al. 2019, https://arxiv.org/abs/1712.09005),
both from openTSNE; settings of Kobak & Berens 2019, https://doi.org/10.1038/s41467-019-13056-x:
start from principal components, learning rate N / exaggeration, exaggeration 12 at first.

    p(j|i) = exp(-|x_i - x_j|^2 / 2 s_i^2) / sum over the neighbours,  s_i for the perplexity
    p_ij = (p(j|i) + p(i|j)) / 2N        q_ij = w_ij / sum w,   w_ij = 1 / (1 + |y_i - y_j|^2)
    loss = KL(P || Q) = sum p_ij log(p_ij / q_ij)                                (their eq. 2)
    dKL / dy_i = 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j)                          (their eq. 5)

The descent has momentum and a gain for each coordinate, and both are part of the state. A new image
descends the same loss alone, its p(j|.) over its nearest fitted images, which stay where they are.

Shapes: N images, M new images, D dimensions of the vectors, d of the map, k neighbours, n samples.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from openTSNE.affinity import joint_probabilities_nn
from openTSNE.tsne import kl_divergence_bh, kl_divergence_fft
from scipy.sparse import csr_matrix

from desktop_app.sdk.data import Array
from desktop_app.sdk.events import Events, Note, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.toolbox.maps import SIZES, MapMethod, MapParams, Positions

_MOMENTUM = 0.8
_LEAST_GAIN = 0.01
_LONGEST_STEP = 5.0
"""No image moves further in one iteration."""
_START_SPREAD = 1e-4
"""Standard deviation of the start along its first axis."""
_FFT_IMAGES = 20_000
"""From so many images on the interpolation is faster than the tree; it knows two dimensions."""
_FFT = {"n_interpolation_points": 3, "min_num_intervals": 50, "ints_in_interval": 1}
_NEW_NEIGHBOURS = 15
_NEW_PERPLEXITY = 5.0
_NEW_ITERATIONS = 100
_NEW_RATE = 0.5
_NEW_MOMENTUM = 0.5
_NEW_LONGEST = 0.5
_NEW_SAMPLES = 2000
"""Fitted images, evenly spaced, that stand for all others in what pushes a new one away."""
_NEW_BLOCK = 256


class TSNEParams(MapParams):
    """How wide a neighbourhood is, and how long it is worked on."""

    perplexity: float = param(
        30.0,
        low=2.0,
        high=500.0,
        scale="log",
        help="Neighbours that count for an image: small shows fine grain, large the rough order.",
    )
    iterations: int = param(750, low=10, high=20_000, scale="log", help="Steps of the descent.")
    early: int = param(
        250,
        low=0,
        high=5_000,
        unit="iterations",
        advanced=True,
        help="Iterations at first in which neighbours attract more, so that groups find together.",
    )
    early_exaggeration: float = param(
        12.0, low=1.0, high=100.0, advanced=True, help="How much more they attract at first."
    )
    exaggeration: float = param(
        1.0,
        low=1.0,
        high=20.0,
        help="How much more neighbours attract to the end; above 1, tighter groups (4 looks like "
        "UMAP).",
    )
    theta: float = param(
        0.5,
        low=0.0,
        high=1.0,
        advanced=True,
        help="How coarse far images are taken together in the tree; 0 is exact and slow.",
    )


class TSNE(MapMethod[TSNEParams]):
    """Lays images out so that neighbours stay neighbours."""

    card = Card(
        id="tsne",
        title="t-SNE",
        family="Dimension reduction",
        paper="van der Maaten & Hinton, JMLR 9, 2008",
        summary="A map on which neighbours stay neighbours: shows the groups that a folder holds.",
        rank=30,
        translations={
            "zh_CN": {
                "title": "t-SNE 降维图",
                "family": "降维",
                "summary": "让相邻的图像保持相邻的地图：显示文件夹中包含的群组。",
            }
        },
    )
    presets = (
        Preset("Fine grain", {"perplexity": 10.0}, "Small groups and near-duplicates stand out."),
        Preset("Rough order", {"perplexity": 100.0, "early": 400}, "The large groups stand out."),
        Preset(
            "Latents, cosine",
            {"scaling": "length", "components": 0},
            "For the run of a contrastive encoder, whose directions carry the meaning.",
        ),
        *SIZES,
    )
    toy_params: ClassVar[dict[str, Any]] = {"iterations": 120, "early": 60, "perplexity": 8.0}
    """What the conformance kit trains with on its small images."""

    @property
    def iterations(self) -> int:
        """Steps of the descent."""
        return self.params.iterations

    @property
    def perplexity(self) -> float:
        """The wished perplexity, or a third of the other images where these are fewer."""
        return min(self.params.perplexity, (len(self.vectors) - 1) / 3)

    def optimise(self) -> Events:
        """Descend KL(P || Q) with momentum and gains."""
        N = len(self.vectors)
        if self.perplexity < self.params.perplexity and "neighbours" not in self.kept:
            yield Note(f"With {N} images the perplexity is {self.perplexity:.1f} at most.")
        yield from self.find_neighbours(int(3 * self.perplexity))
        P = joint_probabilities(self.kept["neighbours"], self.kept["distances"], self.perplexity)
        if self.iteration == 0:
            self.positions = self._start()
            yield TrivialValue("kl", uniform_divergence(P), "all images in one place", stays=None)
        if "update" not in self.kept:
            self.kept["update"] = np.zeros_like(self.positions)
            self.kept["gains"] = np.ones_like(self.positions)
        attraction, scale = P, 1.0
        while self.iteration < self.iterations:
            self.iteration += 1
            e = self._exaggeration()
            is_told = self.iteration % self.told_every == 0 or self.iteration == self.iterations
            if e != scale:
                attraction, scale = P * e, e
            loss, gradient = self._divergence(attraction, evaluated=is_told)
            self._descend(gradient, N / e)
            if is_told:
                yield from self.tell({"kl": float(loss / e - np.log(e))})  # of P, not of e P

    def place(self, vectors: Array) -> Positions:
        """Return positions (M, d) of new images, each descending the loss alone."""
        near, distances = self.search.of(vectors, _NEW_NEIGHBOURS)
        some = np.linspace(0, len(self.vectors) - 1, min(len(self.vectors), _NEW_SAMPLES))
        samples = self.positions[np.unique(some.astype(np.int64))]  # (n, d)
        p = np.asarray(
            joint_probabilities_nn(
                near,
                distances.astype(np.float64),
                [min(_NEW_PERPLEXITY, near.shape[1] / 3)],
                symmetrize=False,
                normalization="point-wise",
                n_reference_samples=len(self.vectors),
            )[np.arange(len(near))[:, None], near].toarray()
        )
        blocks = range(0, len(vectors), _NEW_BLOCK)
        return np.concatenate(
            [
                _descended(
                    p[at : at + _NEW_BLOCK], self.positions[near[at : at + _NEW_BLOCK]], samples
                )
                for at in blocks
            ]
        )

    def measures(self) -> Mapping[str, float]:
        """Return the divergence and the perplexity that it belongs to."""
        return {**self.losses, "perplexity": self.perplexity}

    def _exaggeration(self) -> float:
        """Return how much more neighbours attract in this iteration."""
        is_early = self.iteration <= self.params.early
        return self.params.early_exaggeration if is_early else self.params.exaggeration

    def _start(self) -> NDArray[np.float64]:
        """Return the anchor (N, d), small; a little noise where it is but one point."""
        start = self.anchor.astype(np.float64)
        spread = float(start[:, 0].std())
        if spread == 0:
            start = np.random.default_rng(self.seed).standard_normal(start.shape)
            spread = 1.0
        return start * (_START_SPREAD / spread)

    def _divergence(
        self, attraction: csr_matrix[np.float64], *, evaluated: bool
    ) -> tuple[float, NDArray[np.float64]]:
        """Return KL(P || Q), 0 unless evaluated, and a quarter of its gradient (N, d)."""
        y, P = self.positions, attraction
        found: tuple[float, NDArray[np.float64]]
        if len(y) >= _FFT_IMAGES and self.params.dimensions == 2:
            found = kl_divergence_fft(y, P, 1, _FFT, should_eval_error=evaluated)
        else:
            tree = {"theta": self.params.theta}
            found = kl_divergence_bh(y, P, 1, tree, should_eval_error=evaluated)
        return found

    def _descend(self, gradient: NDArray[np.float64], rate: float) -> None:
        """Move all images against the gradient (N, d), faster where it keeps its sign."""
        update, gains = self.kept["update"], self.kept["gains"]
        turned = np.sign(update) != np.sign(gradient)  # the update goes on in its direction
        gains = np.where(turned, gains + 0.2, gains * 0.8 + _LEAST_GAIN)
        update = _shortened(_MOMENTUM * update - rate * gains * gradient, _LONGEST_STEP)
        self.positions = self.positions + update
        self.positions -= self.positions.mean(axis=0)
        self.kept["update"], self.kept["gains"] = update, gains


def joint_probabilities(
    neighbours: NDArray[np.integer[Any]], distances: Array, perplexity: float
) -> csr_matrix[np.float64]:
    """Return P (N, N), symmetric and summing to 1, of rows and distances (N, k) of neighbours."""
    order = np.argsort(neighbours, axis=1)  # the order of a sum is the order of its rounding
    P: csr_matrix[np.float64] = joint_probabilities_nn(
        np.take_along_axis(neighbours, order, 1),
        np.take_along_axis(distances, order, 1).astype(np.float64),
        [perplexity],
    )
    return P


def uniform_divergence(joint: csr_matrix[np.float64]) -> float:
    """Return KL(P || Q) where all pairs are alike, q_ij = 1 / N (N - 1)."""
    N, p = joint.shape[0], joint.data[joint.data > 0]
    return float((p * np.log(p)).sum() + np.log(N * (N - 1)))


def _descended(p: NDArray[np.float64], near: Positions, samples: Positions) -> Positions:
    """Return places (M, d) of least KL(p || q), p (M, k) of neighbours at (M, k, d)."""
    y = np.median(near, axis=1)
    update = np.zeros_like(y)
    for _ in range(_NEW_ITERATIONS):
        to_near = y[:, None] - near  # (M, k, d)
        pull = np.einsum("mk,mkd->md", p / (1 + np.square(to_near).sum(axis=2)), to_near)
        squares = np.square(y).sum(axis=1)[:, None] + np.square(samples).sum(axis=1)
        w = 1 / (1 + np.maximum(squares - 2 * y @ samples.T, 0))  # (M, n)
        w_squared = w * w
        push = y * w_squared.sum(axis=1, keepdims=True) - w_squared @ samples
        push /= w.sum(axis=1, keepdims=True)
        update = _shortened(_NEW_MOMENTUM * update - _NEW_RATE * (pull - push), _NEW_LONGEST)
        y = y + update
    return y


def _shortened(steps: Positions, longest: float) -> Positions:
    """Return steps (N, d), none longer than so much."""
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    shortened: Positions = steps * np.minimum(1, longest / np.maximum(length, 1e-12))
    return shortened


@hookimpl
def register_methods() -> list[type[TSNE]]:
    """Offer t-SNE."""
    return [TSNE]
