"""What labels say of features, and never the other way round: nearest neighbours, linear probe.

Half of the images, chosen class by class, are known; the other half is classified. Vectors of any
kind can be measured so: latents, pixels, principal components.

    kNN      the majority of the 10 known images with the most similar direction (cosine)
    linear   multinomial logistic regression on standardised features, half the squared norm of the
             weights as penalty (scikit-learn's C = 1), solved by L-BFGS

Shapes: N images, F features, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Codes = NDArray[np.int64]

NEIGHBOURS = 10
MOST_IMAGES = 1000
LEAST_PER_CLASS = 5
COMPONENTS = 64
_LARGEST_SIDE = 64  # pixels; larger images are averaged down before they are compared as pixels
_BLOCK = 2048  # images compared with all known ones at a time
_ITERATIONS = 100
_CURVATURE = 0.05  # p (1 - p) of a classifier that is fairly sure
_TIE = 1e-6  # weight of similarity beside a vote


@dataclass(frozen=True)
class Halves:
    """Which images are known, which are classified, and what they are."""

    known: Rows
    """(n,): rows of the images whose labels are given."""
    asked: Rows
    """(m,): rows of the images to classify."""
    known_codes: Codes
    """(n,): classes from 0 to K - 1."""
    asked_codes: Codes
    """(m,)."""
    classes: tuple[str, ...]

    @property
    def rows(self) -> Rows:
        """All rows (n + m,), the known ones first."""
        return np.concatenate([self.known, self.asked])


def halves(
    labels: Sequence[str], splits: Sequence[str] = (), most: int = MOST_IMAGES
) -> Halves | None:
    """Return an even, stratified choice of at most about `most` labelled images, cut in halves.

    Where a folder has its own training and test images of the same classes, those are the halves.
    None where fewer than two classes have five images.
    """
    names = np.array(labels, dtype=np.str_)
    parts = np.array(splits, dtype=np.str_) if len(splits) else np.full(len(names), "")
    own = [_rows_of(names, parts == part) for part in ("train", "test")]
    classes = tuple(sorted(set(own[0]) & set(own[1])))
    if len(classes) > 1:
        return _halves(classes, *(_evenly(rows, classes, most // 2) for rows in own))
    rows = _rows_of(names, np.ones(len(names), np.bool_))
    classes = tuple(sorted(rows))
    if len(classes) < 2:
        return None
    chosen = _evenly(rows, classes, most)
    return _halves(classes, [part[0::2] for part in chosen], [part[1::2] for part in chosen])


def knn_accuracy(known: NDArray[Any], asked: NDArray[Any], halves: Halves) -> float:
    """Return the share of `asked` (m, F) that the nearest of `known` (n, F) classify rightly."""
    known, asked = _directions(known), _directions(asked)
    count = min(NEIGHBOURS, len(known))
    right = 0
    for start in range(0, len(asked), _BLOCK):
        similar = asked[start : start + _BLOCK] @ known.T
        near = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        votes = np.zeros((len(near), len(halves.classes)))
        weights = 1 + _TIE * np.take_along_axis(similar, near, axis=1)
        np.add.at(votes, (np.arange(len(near))[:, None], halves.known_codes[near]), weights)
        right += int((votes.argmax(axis=1) == halves.asked_codes[start : start + _BLOCK]).sum())
    return right / len(asked)


def linear_accuracy(known: NDArray[Any], asked: NDArray[Any], halves: Halves) -> float:
    """Return the share of `asked` (m, F) that a linear classifier of `known` (n, F) gets right."""
    from scipy.optimize import minimize  # a tenth of a second that other commands save

    x, y = _standardised(known, asked)
    sizes, axes = _principal_axes(x)  # weights outside of what the known images span are zero
    x, y = x @ axes, y @ axes  # (n, k), (m, k): the penalty does not change under rotation
    scale = 1 / np.sqrt(1 + _CURVATURE * sizes**2)  # about the inverse root of the Hessian
    features, classes = x.shape[1], len(halves.classes)
    truth = np.eye(classes)[halves.known_codes]  # (n, K)
    everyone = np.arange(len(x))

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = scale[:, None] * flat[:-classes].reshape(features, classes)
        logits = x @ weights + flat[-classes:]
        logits -= logits.max(axis=1, keepdims=True)
        chances = np.exp(logits)
        sums = chances.sum(axis=1, keepdims=True)
        error = chances / sums - truth
        surprise = float((np.log(sums[:, 0]) - logits[everyone, halves.known_codes]).sum())
        value = 0.5 * float((weights**2).sum()) + surprise
        slope = scale[:, None] * (x.T @ error + weights)
        return value, np.concatenate([slope.ravel(), error.sum(axis=0)])

    start = np.zeros((features + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    weights = scale[:, None] * found[:-classes].reshape(features, classes)
    return float(((y @ weights + found[-classes:]).argmax(axis=1) == halves.asked_codes).mean())


def pixels_as_features(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images (N, C, H, W) as vectors (N, F), averaged down to at most about 64 px."""
    count, channels, height, width = images.shape
    factor = -(-max(height, width) // _LARGEST_SIDE)
    rows, columns = height // factor, width // factor
    cut = np.asarray(images[:, :, : rows * factor, : columns * factor], dtype=np.float32)
    blocks = cut.reshape(count, channels, rows, factor, columns, factor)
    features: NDArray[np.float32] = blocks.mean(axis=(3, 5)).reshape(count, -1)
    return features


def principal_features(known: NDArray[Any], asked: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return both sets of vectors in the first 64 principal components of `known` (n, F)."""
    x, y = np.asarray(known, np.float64), np.asarray(asked, np.float64)
    mean = x.mean(axis=0)
    _sizes, axes = _principal_axes(x - mean)
    axes = axes[:, :COMPONENTS]
    return (x - mean) @ axes, (y - mean) @ axes


def _rows_of(names: NDArray[np.str_], among: NDArray[np.bool_]) -> dict[str, Rows]:
    """Return class -> rows of the classes that are large enough."""
    found = {
        str(name): np.flatnonzero(among & (names == name))
        for name in np.unique(names[among])
        if name
    }
    return {name: rows for name, rows in found.items() if len(rows) >= LEAST_PER_CLASS}


def _evenly(rows: dict[str, Rows], classes: Sequence[str], most: int) -> list[Rows]:
    """Return rows of each class, evenly taken, in the shares that the classes have."""
    share = min(1.0, most / sum(len(rows[name]) for name in classes))
    chosen = []
    for name in classes:
        count = max(LEAST_PER_CLASS, int(share * len(rows[name])))
        chosen.append(rows[name][np.linspace(0, len(rows[name]) - 1, count).astype(np.int64)])
    return chosen


def _halves(classes: Sequence[str], known: Sequence[Rows], asked: Sequence[Rows]) -> Halves:
    def codes(parts: Sequence[Rows]) -> Codes:
        return np.repeat(np.arange(len(parts)), [len(part) for part in parts])

    return Halves(
        np.concatenate(known),
        np.concatenate(asked),
        codes(known),
        codes(asked),
        tuple(classes),
    )


def _directions(vectors: NDArray[Any]) -> Floats:
    floats: Floats = np.asarray(vectors, dtype=np.float64)
    directions: Floats = floats / np.maximum(np.linalg.norm(floats, axis=1, keepdims=True), 1e-12)
    return directions


def _standardised(known: NDArray[Any], asked: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return both sets with mean 0 and deviation 1 of the known ones; constant features are 0."""
    x, y = np.asarray(known, np.float64), np.asarray(asked, np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    varies = deviation > 1e-9 * max(float(deviation.max(initial=0.0)), 1e-300)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return (x - mean) * scale, (y - mean) * scale


def _principal_axes(vectors: Floats) -> tuple[Floats, Floats]:
    """Return singular values (k,) and axes (F, k) of vectors (n, F), largest first."""
    if vectors.shape[1] <= len(vectors):
        squares, axes = np.linalg.eigh(vectors.T @ vectors)
        squares, axes = squares[::-1], axes[:, ::-1]
        kept = squares > 1e-10 * max(float(squares[0]), 1e-300)
        return np.sqrt(squares[kept]), axes[:, kept]
    squares, sides = np.linalg.eigh(vectors @ vectors.T)
    squares, sides = squares[::-1], sides[:, ::-1]
    kept = squares > 1e-10 * max(float(squares[0]), 1e-300)
    sizes = np.sqrt(squares[kept])
    return sizes, (vectors.T @ sides[:, kept]) / sizes
