"""Multidimensional scaling: classical, with landmarks, and refined by majorisation of the stress.

Torgerson, Multidimensional scaling: I, Psychometrika 17, 1952; de Silva & Tenenbaum, Sparse
multidimensional scaling using landmark points, 2004; de Leeuw, Applications of convex analysis to
multidimensional scaling, 1977 (SMACOF).

    B = -1/2 J D2 J = V L V',  J = I - 11'/n,  D2 the squared distances:      Y = V_d L_d^1/2
    new image:  y = -1/2 L_d^-1 Y' (d2 - mean d2),  d2 its squared distances to the landmarks
    stress = sqrt(sum (d_ij - |y_i - y_j|)^2 / sum d_ij^2)
    Guttman:    y_i <- mean_j [ y_j + d_ij (y_i - y_j) / |y_i - y_j| ]      never raises the stress

With Euclidean distances the classical map is that of the principal components; the majorisation
leaves it, as it need not be a projection. Above 4,000 images (twice the landmarks) evenly spaced
ones are laid out, and all others one by one among these, as new images are.

Shapes: N images, M new images, n landmarks, D dimensions of the vectors, d of the map.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from scipy.spatial.distance import cdist

from desktop_app.sdk.data import Array
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Scatter, View
from desktop_app.toolbox.maps import SIZES, MapMethod, MapParams, Positions

Matrix = NDArray[np.float64]

_BLOCK = 1024
_DENSE = 1000
"""Up to so many images all eigenvalues are found, above that by Lanczos iteration the largest."""
_MOST_PAIRS = 20_000_000
"""Metrics come after so many pairs of images at the latest: a second of work."""
_SETTLING = 50
"""Guttman transforms of a single new image."""
_START_NEIGHBOURS = 5
_SHEPARD_IMAGES = 64
_METRICS: Mapping[str, Literal["euclidean", "cityblock", "cosine"]] = {
    "euclidean": "euclidean",
    "manhattan": "cityblock",
    "cosine": "cosine",
}


class MDSParams(MapParams):
    """Which distances the map shows, and how carefully."""

    distance: Literal["euclidean", "manhattan", "cosine"] = param(
        "euclidean", help="The distance between vectors that the map reproduces."
    )
    refine: int = param(
        100,
        low=0,
        high=5_000,
        unit="iterations",
        help="Iterations that lower the stress of the classical map; 0 keeps that map.",
    )
    landmarks: int = param(
        2000,
        low=10,
        high=5_000,
        scale="log",
        unit="images",
        advanced=True,
        help="With more than twice as many images, so many are laid out and all others among them.",
    )


class MDS(MapMethod[MDSParams]):
    """Lays images out so that distances on the map are those between their vectors."""

    card = Card(
        id="mds",
        title="Multidimensional scaling",
        family="Dimension reduction",
        paper="Torgerson, Psychometrika 17, 1952",
        summary="A map whose distances are true: how far images and groups lie from each other.",
        translations={
            "zh_CN": {
                "title": "多维尺度分析",
                "family": "降维",
                "summary": "距离真实的地图：显示图像和群组彼此相距多远。",
            }
        },
    )
    presets = (
        Preset("Classical", {"refine": 0}, "The closed form alone: with Euclidean distances, PCA."),
        Preset("Careful", {"refine": 500}, "Less stress, in five times the time."),
        Preset(
            "Latents, cosine",
            {"distance": "cosine", "components": 0},
            "For the run of a contrastive encoder, whose directions carry the meaning.",
        ),
        *SIZES,
    )
    toy_params: ClassVar[dict[str, Any]] = {"refine": 30}
    """What the conformance kit trains with on its small images."""

    @property
    def landmarks(self) -> NDArray[np.int64]:
        """The rows (n,) of the images that are laid out together: all, unless they are many."""
        N = len(self.vectors)
        count = N if 2 * self.params.landmarks >= N else self.params.landmarks
        return np.unique(np.linspace(0, N - 1, count).astype(np.int64))

    @property
    def others(self) -> NDArray[np.int64]:
        """The rows (N - n,) of all other images."""
        return np.setdiff1d(np.arange(len(self.vectors)), self.landmarks)

    @property
    def iterations(self) -> int:
        """Guttman transforms, then blocks of images placed among the landmarks."""
        return self.params.refine + (-(-len(self.others) // _BLOCK) if self.params.refine else 0)

    @property
    def told_every(self) -> int:
        """Iterations from one Metrics to the next."""
        few = len(self.others) == 0
        return max(1, min(super().told_every, _MOST_PAIRS // len(self.vectors) ** 2)) if few else 1

    def optimise(self) -> Events:
        """Find the classical map, then lower its stress."""
        rows, others = self.landmarks, self.others
        wished = self._distances(self.vectors[rows], self.vectors[rows])  # (n, n)
        if "moved" not in self.kept and self.iteration > 0:
            self.kept["moved"] = guttman(self.positions[rows], wished)[0]
        elif "moved" not in self.kept:
            yield TrivialValue("stress", 1.0, "all images in one place", stays=None)
            self._lay_out(wished)
        if self.iterations == 0:
            yield from self.tell({"stress": guttman(self.positions[rows], wished)[1]})
        while self.iteration < self.params.refine:
            self.iteration += 1
            self.positions[rows] = self.kept["moved"]
            self.kept["moved"], stress = guttman(self.positions[rows], wished)
            is_last = self.iteration == self.params.refine
            if self.iteration % self.told_every == 0 or is_last:
                yield from self.tell({"stress": stress})
        while self.iteration < self.iterations:
            start = (self.iteration - self.params.refine) * _BLOCK
            some = others[start : start + _BLOCK]
            self.positions[some] = self.place(self.vectors[some])
            self.iteration += 1
            yield from self.tell(self.losses)

    def place(self, vectors: Array) -> Positions:
        """Return positions (M, d) of new images by their distances to the landmarks."""
        parts = [
            self._placed(vectors[start : start + _BLOCK])
            for start in range(0, len(vectors), _BLOCK)
        ]
        return np.concatenate(parts)

    def let_go(self) -> None:
        """Keep what places new images."""
        self.kept = {"means": self.kept["means"]}

    def views(self) -> Sequence[View]:
        """Return the quality of the map and its distances against those of the vectors."""
        quality = super().views()
        if not quality:
            return ()
        N = len(self.vectors)
        rows = np.unique(np.linspace(0, N - 1, min(N, _SHEPARD_IMAGES)).astype(np.int64))
        pairs = np.triu_indices(len(rows), 1)
        wished = self._distances(self.vectors[rows], self.vectors[rows])[pairs]
        shown = cdist(self.positions[rows], self.positions[rows])[pairs]
        return (
            *quality,
            Scatter(
                "Shepard diagram",
                np.stack([wished, shown], axis=1).astype(np.float32),
                x_label="distance between vectors",
                y_label="distance on the map",
            ),
        )

    def _lay_out(self, wished: Matrix) -> None:
        """Set the classical map, or a former one in its size, and place all others linearly."""
        rows, others = self.landmarks, self.others
        self.kept["means"] = np.square(wished).mean(axis=0)  # (n,)
        self.positions = np.zeros(self.anchor.shape)
        self.positions[rows] = classical_map(wished, self.params.dimensions)
        for start in range(0, len(others), _BLOCK):
            some = others[start : start + _BLOCK]
            self.positions[some] = self._triangulated(self.vectors[some])
        self.kept["moved"] = self.positions[rows]
        if self.starts_from_former and self.params.refine:
            self.kept["moved"] = fitting_size(self.anchor[rows].astype(np.float64), wished)

    def _placed(self, vectors: Array) -> Matrix:
        if self.params.refine == 0:
            return self._triangulated(vectors)
        rows = self.landmarks
        fixed: Matrix = self.positions[rows]
        wished = self._distances(vectors, self.vectors[rows])  # (M, n)
        count = min(_START_NEIGHBOURS, len(rows))
        near = np.argsort(wished, axis=1, kind="stable")[:, :count]
        y: Matrix = fixed[near].mean(axis=1)
        for _ in range(_SETTLING):
            y = fixed.mean(axis=0) + _pulled(y, fixed, wished)[0] / len(rows)
        return y

    def _triangulated(self, vectors: Array) -> Matrix:
        """Return places (M, d) by a linear map of squared distances to the landmarks."""
        rows = self.landmarks
        fixed = self.positions[rows]
        strength = np.square(fixed).sum(axis=0)  # (d,): the eigenvalues
        inverse = fixed / np.where(strength > 0, strength, np.inf)
        squares = np.square(self._distances(vectors, self.vectors[rows]))
        placed: Matrix = -0.5 * (squares - self.kept["means"]) @ inverse
        return placed

    def _distances(self, one: Array, other: Array) -> Matrix:
        """Return the distances (M, n) of vectors (M, D) to others (n, D)."""
        found = cdist(
            one.astype(np.float64), other.astype(np.float64), _METRICS[self.params.distance]
        )
        apart: Matrix = np.nan_to_num(found)  # the cosine of a vector of length 0
        return apart


def classical_map(distances: Matrix, dimensions: int) -> Matrix:
    """Return Y (n, d) whose products are the largest part of the doubly centred squares."""
    B = -0.5 * np.square(distances)
    B -= B.mean(axis=0)
    B -= B.mean(axis=1, keepdims=True)
    n = len(B)
    if n <= _DENSE:
        values, V = eigh(B, subset_by_index=[max(0, n - dimensions), n - 1])
    else:
        values, V = eigsh(B, dimensions, which="LA", v0=np.random.default_rng(0).standard_normal(n))
    order = np.argsort(values)[::-1]
    values, V = values[order], V[:, order]
    largest = np.take_along_axis(V, np.abs(V).argmax(axis=0)[None], axis=0)
    Y: Matrix = V * np.sign(largest) * np.sqrt(np.maximum(values, 0))
    return Y


def guttman(positions: Matrix, distances: Matrix) -> tuple[Matrix, float]:
    """Return the transformed positions (n, d), and the stress before the transform."""
    moved = np.empty_like(positions)
    error = 0.0
    for start in range(0, len(positions), _BLOCK):
        some = slice(start, start + _BLOCK)
        pulled, wrong = _pulled(positions[some], positions, distances[some])
        moved[some] = positions.mean(axis=0) + pulled / len(positions)
        error += wrong
    total = float(np.square(distances).sum())
    return moved, float(np.sqrt(error / total)) if total > 0 else 0.0


def fitting_size(positions: Matrix, distances: Matrix) -> Matrix:
    """Return positions (n, d) in the size of least stress."""
    shown = cdist(positions, positions)
    return positions * float((shown * distances).sum() / max(np.square(shown).sum(), 1e-12))


def _pulled(y: Matrix, fixed: Matrix, wished: Matrix) -> tuple[Matrix, float]:
    """Return sum_j d_ij (y_i - y_j) / |y_i - y_j| (M, d), and the sum of squared errors."""
    shown = cdist(y, fixed)  # (M, n)
    error = float(np.square(wished - shown).sum())
    ratio = wished / np.where(shown > 1e-12, shown, np.inf)
    return y * ratio.sum(axis=1, keepdims=True) - ratio @ fixed, error


@hookimpl
def register_methods() -> list[type[MDS]]:
    """Offer multidimensional scaling."""
    return [MDS]
