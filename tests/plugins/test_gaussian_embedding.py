"""Embeddings are judged as the estimators that they are given to would."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from desktop_app.sdk.capabilities import Localizes
from desktop_app.sdk.data import as_images
from desktop_app.sdk.views import Curve, Table
from desktop_app.toolbox.recognition import NOBODY
from plugins.gaussian_embedding.gaussian_embedding import (
    GaussianEmbedding,
    GaussianEmbeddingParams,
    gaussian_judge,
    nearest_judge,
)
from tests.plugins.textures import followed, interrupted, scratched, stripes, weight_file

NEW = np.full(4, NOBODY)
SMALL = {"filters": 8, "batch_size": 8}
ESTIMATORS = ("knn", "mahalanobis", "lof", "isolation_forest", "one_class_svm")


def method(seed: int = 0, **values: object) -> GaussianEmbedding:
    return GaussianEmbedding(GaussianEmbeddingParams.parse({**SMALL, **values}), seed=seed)


def test_the_vector_holds_mean_and_spread_of_every_channel() -> None:
    pixels = stripes(6, size=32)
    subject = followed(method(), pixels)
    maps = subject.patches.features.maps(torch.from_numpy(as_images(pixels)))
    means = [one.numpy().mean(axis=(2, 3)) for one in maps]
    spreads = [one.numpy().std(axis=(2, 3)) for one in maps]

    expected = np.concatenate([*means, *spreads], axis=1)

    np.testing.assert_allclose(subject._vectors, expected, rtol=1e-4, atol=1e-5)
    known = subject.encode(as_images(pixels))
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-3)
    assert known.std(axis=0).max() <= 1.001


def test_the_gaussian_is_that_of_the_slow_formula() -> None:
    random = np.random.default_rng(0)
    known, asked = (random.normal(size=(n, 5)).astype(np.float32) for n in (40, 4))
    sigma = LedoitWolf().fit(known.astype(float)).covariance_

    apart = asked - known.mean(axis=0)
    expected = [np.sqrt(one @ np.linalg.solve(sigma, one) / 5) for one in apart]

    np.testing.assert_allclose(gaussian_judge(known)(asked, NEW), expected, rtol=1e-4)


def test_the_distance_is_the_mean_over_the_nearest() -> None:
    random = np.random.default_rng(0)
    known, asked = (random.normal(size=(n, 5)).astype(np.float32) for n in (40, 4))
    every = np.linalg.norm(asked[:, None] - known, axis=2)

    expected = np.sort(every, axis=1)[:, :3].mean(axis=1) / np.sqrt(5)

    np.testing.assert_allclose(nearest_judge(known, 3, "cpu")(asked, NEW), expected, rtol=1e-4)


def test_each_estimator_agrees_with_its_peer() -> None:
    pixels, probes = stripes(30, size=32), as_images(stripes(5, size=32, seed=4))
    fitted = {name: followed(method(estimator=name), pixels) for name in ESTIMATORS[2:]}
    subject = fitted["lof"]
    known, asked = subject.encode(as_images(pixels)), subject.encode(probes)

    expected = {
        "lof": -LocalOutlierFactor(n_neighbors=20, novelty=True).fit(known).score_samples(asked),
        "isolation_forest": -IsolationForest(n_estimators=200, random_state=0)
        .fit(known)
        .score_samples(asked),
        "one_class_svm": -OneClassSVM(nu=0.1, gamma="scale").fit(known).decision_function(asked),
    }
    for name, scores in expected.items():
        np.testing.assert_allclose(fitted[name].score(probes), scores, rtol=1e-3, atol=1e-5)


def test_images_of_the_training_are_compared_with_the_others_alone() -> None:
    pixels = stripes(30, size=32)
    images = as_images(pixels)
    nearest = followed(method(), pixels)
    known = nearest.encode(images)
    every = np.linalg.norm(known[:, None] - known, axis=2)
    expected = np.sort(every, axis=1)[:, 1:11].mean(axis=1) / np.sqrt(known.shape[1])

    np.testing.assert_allclose(nearest.score(images), expected, rtol=1e-3, atol=1e-4)
    dense = followed(method(estimator="lof"), pixels)
    factor = LocalOutlierFactor(n_neighbors=20).fit(known)
    np.testing.assert_allclose(dense.score(images), -factor.negative_outlier_factor_, rtol=1e-3)


def test_after_an_interruption_images_are_recognised() -> None:
    pixels = stripes(20, size=32)
    whole = followed(method(), pixels)

    other = interrupted(method(), method(), pixels, 1)

    np.testing.assert_array_equal(other.score(as_images(pixels)), whole.score(as_images(pixels)))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_was_never_seen_scores_higher(estimator: str) -> None:
    subject = followed(method(estimator=estimator), stripes(60))
    good = stripes(10, seed=5)
    bad, _ = scratched(good)

    scores = subject.score(as_images(np.concatenate([good, bad])))

    assert (scores[10:, None] > scores[None, :10]).mean() > 0.9


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_image_is_enough_for_a_score(estimator: str) -> None:
    subject = followed(method(estimator=estimator), stripes(1, size=32))

    assert np.isfinite(subject.score(as_images(stripes(3, size=32, seed=2)))).all()


def test_a_forest_grows_again_from_its_own_seed() -> None:
    pixels, probes = stripes(20, size=32), as_images(stripes(3, size=32, seed=2))
    whole = followed(method(seed=5, estimator="isolation_forest"), pixels)
    first, other = (method(seed=seed, estimator="isolation_forest") for seed in (5, 9))

    other = interrupted(first, other, pixels, 1)

    np.testing.assert_array_equal(other.score(probes), whole.score(probes))


def test_whole_images_have_no_map_and_the_source_is_drawn(tmp_path: Path) -> None:
    subject = followed(method(weights=str(weight_file(tmp_path))), stripes(4))

    assert not isinstance(subject, Localizes)
    table, curve = subject.views()
    assert isinstance(table, Table)
    assert ("provenance", "imported") in table.rows
    assert isinstance(curve, Curve)
