"""It learns: each capability beats a trivial baseline on generated images, by a margin."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.capabilities import (
    Classifies,
    Clusters,
    Completes,
    Decodes,
    Embeds,
    Encodes,
    Generates,
    Localizes,
    Scores,
)
from desktop_app.sdk.data import LabelledDataset
from desktop_app.sdk.testing.toys import discs, groups, planted
from desktop_app.sdk.testing.trial import LONG, Check, MethodType, require, trained

_TRAINING = 200
_HELD_OUT = 40


def what_it_rebuilds_is_better_than_the_mean_image(method: MethodType) -> None:
    """Encodes and Decodes: half the error of the mean image on images it has not seen."""
    if not (issubclass(method, Encodes) and issubclass(method, Decodes)):
        return
    data = discs(_TRAINING, 0)
    images = discs(_HELD_OUT, 1).images(slice(None))
    subject = _trained_on_discs(method)
    rebuilt = subject.decode(subject.encode(images))
    error = float(((rebuilt - images) ** 2).mean())
    trivial = float(((data.images(slice(None)).mean(axis=0) - images) ** 2).mean())
    require(
        error < 0.5 * trivial,
        f"Rebuilding must halve the error of the mean image ({trivial:.4f}), got {error:.4f}.",
    )


def planted_defects_score_higher(method: MethodType) -> None:
    """Scores: AUROC above 0.8 for images with a planted defect.

    A method of labels says how unsure it is of a class, and need not know a defect.
    """
    if not issubclass(method, Scores) or method.uses_labels:
        return
    toys = planted(_HELD_OUT, 1)
    scores = _trained_on_discs(method).score(toys.images)
    area = _auroc(scores, toys.anomalous)
    require(area > 0.8, f"Planted defects must rank higher (AUROC > 0.8), got {area:.3f}.")


def planted_defects_are_marked(method: MethodType) -> None:
    """Localizes: pixel AUROC above 0.75 for planted defects."""
    if not issubclass(method, Localizes):
        return
    toys = planted(_HELD_OUT, 1)
    maps = _trained_on_discs(method).localize(toys.images)
    area = _auroc(maps.ravel(), toys.masks.ravel())
    require(area > 0.75, f"Defects must be marked (pixel AUROC > 0.75), got {area:.3f}.")


def samples_look_like_the_images(method: MethodType) -> None:
    """Generates: nearer to the images than noise is, and not all alike."""
    if not issubclass(method, Generates):
        return
    data = discs(_TRAINING, 0)
    images = data.images(slice(None)).reshape(_TRAINING, -1)
    subject = _trained_on_discs(method)
    samples = subject.generate(_HELD_OUT, seed=5).reshape(_HELD_OUT, -1)
    noise = np.random.default_rng(5).uniform(0, 1, samples.shape).astype(np.float32)
    near, far = _nearest(samples, images).mean(), _nearest(noise, images).mean()
    require(near < 0.5 * far, f"Samples must be nearer than noise ({far:.2f}), got {near:.2f}.")
    spread = float(samples.std(axis=0).mean() / images.std(axis=0).mean())
    require(spread > 0.1, f"Samples must differ from each other, got {spread:.2f} of the spread.")


def separate_groups_are_found(method: MethodType) -> None:
    """Clusters: adjusted Rand index above 0.8 on three kinds of images."""
    if not issubclass(method, Clusters):
        return
    data, kinds = groups(40, 0)
    subject: Any = trained(method, data, wishes=LONG)
    found = subject.cluster(data.images(slice(None)))
    index = _adjusted_rand(found, kinds)
    require(index > 0.8, f"Three kinds of images must be found (ARI > 0.8), got {index:.2f}.")


def neighbours_in_the_latent_space_are_alike(method: MethodType) -> None:
    """Encodes: of nine images in ten, the nearest other one is of the same kind."""
    if not issubclass(method, Encodes):
        return
    data, kinds = groups(20, 0)
    subject: Any = trained(method, LabelledDataset(data, [str(kind) for kind in kinds]))
    share = _alike(subject.encode(data.images(slice(None))), kinds)
    require(share >= 0.9, f"Nearest neighbours must be alike (0.9 of them), got {share:.2f}.")


def neighbours_in_the_embedding_are_alike(method: MethodType) -> None:
    """Embeds: of nine fitted images in ten, the nearest other one is of the same kind."""
    if not issubclass(method, Embeds):
        return
    data, kinds = groups(20, 0)
    subject: Any = trained(method, data, wishes=LONG)
    share = _alike(subject.embed(), kinds)
    require(share >= 0.9, f"Nearest neighbours must be alike (0.9 of them), got {share:.2f}.")


def what_it_fills_in_is_better_than_the_mean_image(method: MethodType) -> None:
    """Completes: three quarters of the error of the mean image in a hidden square."""
    if not issubclass(method, Completes):
        return
    images = discs(_HELD_OUT, 1).images(slice(None))
    mask = np.zeros((_HELD_OUT, *images.shape[2:]), np.bool_)
    mask[:, 12:20, 12:20] = True
    hidden = np.where(mask[:, None], np.float32(0), images)
    filled = _trained_on_discs(method).complete(hidden, mask)
    mean = discs(_TRAINING, 0).images(slice(None)).mean(axis=0)
    error, trivial = (
        float(np.square(guess - images)[np.broadcast_to(mask[:, None], images.shape)].mean())
        for guess in (filled, np.broadcast_to(mean, images.shape))
    )
    require(
        error < 0.75 * trivial,
        f"Filling in must beat the mean image ({trivial:.4f}) by a quarter, got {error:.4f}.",
    )


def the_labels_it_was_given_are_recognised(method: MethodType) -> None:
    """Classifies, with labels: nine in ten images that it has not seen are of the class it says."""
    if not (issubclass(method, Classifies) and method.uses_labels):
        return
    data, kinds = groups(20, 0)
    names = ["stripes", "rows", "disc"]
    subject: Any = trained(method, LabelledDataset(data, [names[kind] for kind in kinds]))
    others, truth = groups(10, 1)
    said = subject.classify(others.images(slice(None)), names).argmax(axis=1)
    share = float((said == truth).mean())
    require(share >= 0.9, f"New images must be recognised (0.9 of them), got {share:.2f}.")


LEARNING_CHECKS: tuple[Check, ...] = (
    what_it_rebuilds_is_better_than_the_mean_image,
    planted_defects_score_higher,
    planted_defects_are_marked,
    samples_look_like_the_images,
    separate_groups_are_found,
    neighbours_in_the_latent_space_are_alike,
    neighbours_in_the_embedding_are_alike,
    what_it_fills_in_is_better_than_the_mean_image,
    the_labels_it_was_given_are_recognised,
)


@lru_cache(maxsize=1)
def _trained_on_discs(method: MethodType) -> Any:
    """Return the method trained on discs: the checks of one method share it."""
    return trained(method, discs(_TRAINING, 0), wishes=LONG)


def _auroc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: the share of pairs in the right order, ties half."""
    normal = np.sort(scores[~positive])
    below = np.searchsorted(normal, scores[positive], side="left")
    up_to = np.searchsorted(normal, scores[positive], side="right")
    return float((below + up_to).mean() / 2 / len(normal))


def _nearest(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distance (N,) of each point to the nearest of the others."""
    return np.stack([np.linalg.norm(others - point, axis=1).min() for point in points])


def _alike(points: NDArray[np.float32], kinds: NDArray[np.int64]) -> float:
    """Return the share of points (N, D) whose nearest other point is of the same kind."""
    distances = np.stack([np.linalg.norm(points - point, axis=1) for point in points])
    np.fill_diagonal(distances, np.inf)
    return float((kinds[distances.argmin(axis=1)] == kinds).mean())


def _adjusted_rand(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the adjusted Rand index of two groupings (Hubert & Arabie 1985)."""
    _, rows = np.unique(first, return_inverse=True)
    _, columns = np.unique(second, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, one, other = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = one * other / pairs(np.array([float(len(first))]))
    largest = (one + other) / 2
    return (both - expected) / (largest - expected) if largest != expected else 1.0
