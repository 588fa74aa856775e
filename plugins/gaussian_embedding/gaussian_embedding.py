"""Unusual embeddings: one vector per image, and how far it lies from those of normal images.

Rippel et al., Modeling the distribution of normal data in pre-trained deep features for anomaly
detection, 2020, https://arxiv.org/abs/2005.14140, with the shrinkage of Ledoit & Wolf, 2004;
nearest neighbours: Bergman et al., Deep nearest neighbor anomaly detection, 2020,
https://arxiv.org/abs/2002.10445; Breunig et al., LOF, 2000; Liu et al., Isolation forest, 2008;
Schoelkopf et al., Estimating the support of a high-dimensional distribution, 2001

    v(x)        = mean and spread of each channel over the image, several layers in one vector
    mahalanobis = sqrt((v - m)' Sigma^-1 (v - m) / D),  Sigma shrunk towards a multiple of I
    knn         = mean distance to the k nearest normal vectors / sqrt(D)

Every dimension is brought to mean 0 and variance 1 first.

Shapes: N images, C channels, S rows and columns, D dimensions.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM
from torch import Tensor

from desktop_app.sdk.data import Array, Dataset, Images, InParts, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, View
from desktop_app.toolbox.featured import FeaturedMethod, FeaturedParams
from desktop_app.toolbox.inference import require_shape
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.patches import PatchFeatures
from desktop_app.toolbox.recognition import Marks, Recognition, marks_of

Estimator = Literal["knn", "mahalanobis", "lof", "isolation_forest", "one_class_svm"]
Numbers = NDArray[np.int64]
"""(N,): which image of the training each is, NOBODY where it is none of them."""
Judge = Callable[[Array, Numbers], Array]
"""Vectors (N, D) and their numbers -> how unusual each is (N,)."""

_MOST_IMAGES = 20_000
"""Images whose vectors are kept, an even sample of larger folders."""
_MOST_PAIRED = 4_000
"""Of these, for estimators whose time grows with the square of their number."""
_SAME = 1e-6
"""Spread below which a dimension is the same in all images."""


class GaussianEmbeddingParams(FeaturedParams):
    """What the vector of an image is, and what measures how unusual it is."""

    estimator: Estimator = param("knn", help="What measures how unusual a vector is.")
    neighbours: int = param(
        10, low=1, high=200, help="Nearest normal images of knn; lof takes twice as many."
    )
    pooling: Literal["mean", "mean_spread"] = param(
        "mean_spread",
        help="Numbers per channel: its mean over the image, or also its spread.",
    )
    trees: int = param(
        200, low=10, high=5000, scale="log", help="Trees of the isolation forest.", advanced=True
    )
    nu: float = param(
        0.1,
        low=0.001,
        high=1.0,
        help="Share of the normal images that the one-class SVM leaves outside.",
        advanced=True,
    )


class GaussianEmbedding(FeaturedMethod[GaussianEmbeddingParams]):
    """Compares one vector per image with those of normal images."""

    card = Card(
        id="gaussian_embedding",
        title="Unusual embeddings",
        family="Anomaly detection",
        paper="2005.14140",
        summary="Ranks whole images by how far their features lie from those of normal images.",
        needs="Normal images, not necessarily aligned; best with imported network weights.",
        image_size=224,
        translations={
            "zh_CN": {
                "title": "嵌入异常度",
                "family": "异常检测",
                "summary": "按整幅图像的特征与正常图像的距离排序。",
                "needs": "正常图像，不必对齐；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset("28 px", {"filters": 100}, "Tiny images, filters learned from them.", 28),
        Preset("64 px", {"filters": 100}, "Small images, filters learned from them.", 64),
        Preset("128 px", {"filters": 100}, "Photographs, filters learned from them.", 128),
        Preset("One Gaussian", {"estimator": "mahalanobis"}, "Images of a single kind.", 224),
    )

    toy_params: ClassVar[dict[str, int]] = {"filters": 32}
    """What the conformance kit trains with on its small images."""

    _vectors: Array = np.zeros((0, 0), np.float32)
    """(n, D) of the images so far, not standardised."""
    _marks: Marks = np.zeros((0, 16), np.uint8)
    """(n, 16): what the images look like; none in runs of former versions."""
    _wholes: Numbers = np.zeros(0, np.int64)
    """(n,): the image that each is a part of, below 0 for whole images."""
    _recognition: Recognition | None = None
    _finished = False
    _judge: Judge | None = None

    def look(self, images: Tensor) -> Tensor:
        """Return the vectors (n, D) of images (n, C, S, S)."""
        require_shape(images, self.patches.sample_shape)
        maps = self.patches.features.maps(images)
        parts = [one.mean(dim=(2, 3)) for one in maps]
        if self.params.pooling == "mean_spread":
            parts += [one.flatten(2).std(dim=2, correction=0) for one in maps]
        return torch.cat(parts, dim=1)

    def learn(self, data: Dataset, patches: PatchFeatures) -> Events:  # noqa: ARG002
        """Gather the vectors of all images, or of an even sample."""
        if self._finished:
            return
        rows = even_rows(len(data), _MOST_IMAGES)
        if len(rows) < len(data) and not len(self._vectors):
            yield Note(f"The vectors of {len(rows)} of {len(data)} images are kept.")
        for some, seen in self.looked_at(data, rows, len(self._vectors)):
            found = seen.float().cpu().numpy()
            self._vectors = np.concatenate([self._vectors, found]) if len(self._vectors) else found
            self._mark(data, some)
            self._finished = len(self._vectors) == len(rows)
            share = len(self._vectors) / len(rows)
            told = {"images": float(len(self._vectors))}
            yield self.metrics(share, told, epoch=share, images=len(some))

    def _mark(self, data: Dataset, rows: Numbers) -> None:
        """Note what the images of rows (n,) look like, to recognise them."""
        wholes = data.wholes(rows) if isinstance(data, InParts) else np.full_like(rows, -1)
        self._marks = np.concatenate([self._marks, marks_of(data.pixels(rows))])
        self._wholes = np.concatenate([self._wholes, wholes])
        self._recognition = None

    def encode(self, images: Images) -> Array:
        """Return the standardised vectors (N, D) of images (N, C, S, S)."""
        self._require_finished()
        return self._standardised(self.answers(images, lambda vectors: (vectors,))[0])

    def score(self, images: Images) -> Array:
        """Return how unusual (N,) images are to the estimator; higher is more unusual.

        Nearest neighbours and local outlier factor compare an image of the training with the others
        alone: the nearest to it would be itself.
        """
        vectors = self.encode(images)
        if self._judge is None:
            self._judge = self._made_judge()
        numbers = self._known().recognised(images)
        return np.asarray(self._judge(vectors, numbers), np.float32).reshape(len(vectors))

    def views(self) -> Sequence[View]:
        """Return where the features come from, and in how many directions the vectors vary."""
        views = list(super().views())
        if self._finished and len(self._vectors) > 1:
            known = self._standardised(self._vectors)
            variances = np.linalg.svd(known - known.mean(axis=0), compute_uv=False) ** 2
            shares = np.cumsum(variances) / max(float(variances.sum()), _SAME)
            number = np.arange(1, len(shares) + 1, dtype=np.float32)
            views.append(
                Curve(
                    "In how many directions normal images vary",
                    {"share of the variance": (number, shares.astype(np.float32))},
                    x_label="directions",
                    y_label="share of the variance",
                    marks={"nine tenths": 0.9},
                )
            )
        return views

    def learned(self) -> State:
        """Return the vectors; the estimator is fitted to them anew, with the same seed."""
        arrays: dict[str, NDArray[Any]] = {}
        if len(self._vectors):
            arrays = {"vectors": self._vectors, "marks": self._marks, "wholes": self._wholes}
            arrays = {name: array.copy() for name, array in arrays.items()}
        return State(arrays, {"finished": self._finished, "seed": self.seed})

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self._finished, self.seed = state.values["finished"], state.values["seed"]
        if "vectors" in state.arrays:
            self._vectors = np.array(state.arrays["vectors"])
        if "marks" in state.arrays:
            self._marks = np.array(state.arrays["marks"])
            self._wholes = np.array(state.arrays["wholes"])
        self._judge = self._recognition = None

    def _require_finished(self) -> None:
        if not self._finished:
            raise InvalidInput(f"{self.card.title} is not trained yet: let the training end.")

    def _known(self) -> Recognition:
        if self._recognition is None:
            wholes = np.stack([np.zeros_like(self._wholes), self._wholes], axis=1)
            self._recognition = Recognition(self._marks, wholes.astype(np.int32))
        return self._recognition

    def _standardised(self, vectors: Array) -> Array:
        mean, spread = self._vectors.mean(axis=0), self._vectors.std(axis=0)
        known: Array = (vectors - mean) / np.maximum(spread, _SAME + 1e-3 * spread.mean())
        return known.astype(np.float32)

    def _made_judge(self) -> Judge:
        """Return what measures vectors, fitted to those of the normal images."""
        known, p = self._standardised(self._vectors), self.params
        if len(known) == 1:  # says nothing about spread or density
            return nearest_judge(known, 1, self.device)
        some = even_rows(len(known), _MOST_PAIRED)
        few = known[some]
        numbers = self._known().numbers if len(self._marks) == len(known) else None
        if p.estimator == "knn":
            return nearest_judge(known, p.neighbours, self.device, numbers)
        if p.estimator == "mahalanobis":
            return gaussian_judge(known)
        if p.estimator == "lof":
            return lof_judge(few, 2 * p.neighbours, None if numbers is None else numbers[some])
        if p.estimator == "isolation_forest":
            forest = IsolationForest(n_estimators=p.trees, random_state=self.seed).fit(known)
            return lambda vectors, _numbers: -forest.score_samples(vectors)
        machine = OneClassSVM(nu=p.nu, gamma="scale").fit(few)
        return lambda vectors, _numbers: -machine.decision_function(vectors)


def nearest_judge(known: Array, count: int, device: str, numbers: Numbers | None = None) -> Judge:
    """Return the mean distance to the `count` nearest of known vectors (M, D), over sqrt(D).

    Those of the same number (M,) as a vector are passed over.
    """
    owners = None if numbers is None else torch.from_numpy(numbers)
    neighbours = Neighbours(torch.from_numpy(known).to(device), owners)
    unit = known.shape[1] ** 0.5

    def judge(vectors: Array, numbers: Numbers) -> Array:
        apart = torch.from_numpy(numbers).to(device)
        near, _ = neighbours.nearest(torch.from_numpy(vectors).to(device), count, apart)
        distances: Array = (near.mean(1) / unit).cpu().numpy()
        return distances

    return judge


def gaussian_judge(known: Array) -> Judge:
    """Return the Mahalanobis distance over sqrt(D) from the shrunk Gaussian of vectors (M, D)."""
    gaussian = LedoitWolf().fit(known.astype(np.float64))
    unit = known.shape[1] ** 0.5

    def judge(vectors: Array, _numbers: Numbers) -> Array:
        squared = gaussian.mahalanobis(vectors.astype(np.float64))
        distances: Array = (np.sqrt(np.maximum(squared, 0)) / unit).astype(np.float32)
        return distances

    return judge


def lof_judge(known: Array, count: int, numbers: Numbers | None = None) -> Judge:
    """Return the local outlier factor against vectors (M, D) of these numbers (M,)."""
    factor = LocalOutlierFactor(n_neighbors=min(count, len(known) - 1), novelty=True).fit(known)
    factor_of: dict[int, float] = {}
    if numbers is not None:
        factor_of.update(zip(numbers.tolist(), -factor.negative_outlier_factor_, strict=True))

    def judge(vectors: Array, numbers: Numbers) -> Array:
        factors = -factor.score_samples(vectors)
        found = zip(numbers.tolist(), factors, strict=True)
        return np.array([factor_of.get(number, value) for number, value in found], np.float32)

    return judge


@hookimpl
def register_methods() -> list[type[GaussianEmbedding]]:
    """Offer the unusual embeddings."""
    return [GaussianEmbedding]
