"""Gaussians of every place."""

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from desktop_app.toolbox.gaussians import distances_at_places, place_gaussians


def correlated(count: int, places: int, dimensions: int) -> torch.Tensor:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(places, dimensions, dimensions))
    vectors = np.einsum("npd,pde->npe", random.normal(size=(count, places, dimensions)), mixing)
    return torch.from_numpy((vectors + 3).astype(np.float32))


def test_without_borrowing_they_are_those_of_scikit_learn() -> None:
    known, asked = correlated(200, 3, 5), correlated(50, 3, 5) * 2

    mean, whitening = place_gaussians(known.split(64), borrowed=0.0, epsilon=0.0)
    distances = distances_at_places(asked, mean, whitening)

    for place in range(3):
        peer = EmpiricalCovariance().fit(known[:, place].double().numpy())
        squared = peer.mahalanobis(asked[:, place].double().numpy())
        expected = np.sqrt(squared * 199 / 200 / 5)  # ours divides by n - 1
        np.testing.assert_allclose(distances[:, place], expected, rtol=1e-3)


def test_a_usual_distance_is_about_one() -> None:
    known = correlated(500, 2, 8)

    mean, whitening = place_gaussians([known], borrowed=0.0, epsilon=0.0)

    squared = distances_at_places(known, mean, whitening).square()
    assert float(squared.mean()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_few_or_equal_images_give_finite_distances(count: int) -> None:
    mean, whitening = place_gaussians([torch.ones(count, 4, 6)], borrowed=5.0, epsilon=0.01)

    assert torch.isfinite(distances_at_places(torch.rand(3, 4, 6), mean, whitening)).all()


def test_who_borrows_much_has_the_covariance_of_all_places() -> None:
    known = correlated(50, 3, 4)

    _, whitening = place_gaussians([known], borrowed=1e9, epsilon=0.0)

    pooled = np.mean([np.cov(known[:, place].double().numpy().T) for place in range(3)], axis=0)
    for own in whitening.double().numpy():
        np.testing.assert_allclose(own.T @ own @ pooled, np.eye(4), atol=1e-3)
