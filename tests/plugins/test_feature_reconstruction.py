"""The error is what the principal components of normal features leave over."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Table
from plugins.feature_reconstruction import feature_reconstruction
from plugins.feature_reconstruction.feature_reconstruction import (
    FeatureReconstruction,
    FeatureReconstructionParams,
    principal_axes,
)
from tests.plugins.textures import followed, interrupted, scratched, stripes

SMALL = {"filters": 6, "batch_size": 8}


def method(**values: object) -> FeatureReconstruction:
    return FeatureReconstruction(FeatureReconstructionParams.parse({**SMALL, **values}))


def coarse(subject: FeatureReconstruction, pixels: np.ndarray) -> np.ndarray:
    """Return features (N, H, W, D), averaged over squares of two patches by hand."""
    fine = subject.patches.of(torch.from_numpy(as_images(pixels))).double().numpy()
    return sum(fine[:, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4


@pytest.mark.parametrize("explained", [0.5, 0.9])
def test_the_error_is_that_of_a_peer(explained: float) -> None:
    pixels, probes = stripes(24, size=32, channels=1), stripes(5, size=32, channels=1, seed=3)
    subject = followed(method(explained=explained), pixels)
    known, asked = (coarse(subject, some) for some in (pixels, probes))

    peer = PCA(explained, svd_solver="full").fit(known.reshape(24, -1))
    rebuilt = peer.inverse_transform(peer.transform(asked.reshape(5, -1)))
    errors = np.square(asked - rebuilt.reshape(asked.shape)).sum(3)

    assert len(subject._axes) == peer.n_components_
    found = subject.distances(subject.patches.of(torch.from_numpy(as_images(probes))))
    np.testing.assert_allclose(found, errors, rtol=2e-2, atol=1e-4)
    assert subject.encode(as_images(probes)).shape == (5, peer.n_components_)


def test_axes_are_orthonormal_and_variances_are_shared_out() -> None:
    points = torch.randn(30, 80, generator=torch.Generator().manual_seed(0))
    centred = points - points.mean(0)

    axes, variances, rest = principal_axes(centred, 0.7, 100)

    torch.testing.assert_close(axes @ axes.T, torch.eye(len(axes)), atol=1e-4, rtol=0)
    torch.testing.assert_close(variances.sum() + rest, centred.square().sum() / 29)
    assert variances[:-1].sum() < 0.7 * (variances.sum() + rest) <= variances.sum()


def test_the_likelihood_is_that_of_the_gaussian() -> None:
    subject = followed(method(explained=0.6, scoring="likelihood"), stripes(12, size=16))
    features = subject._mean.numel()
    left = subject._left * (np.eye(features) - (subject._axes.T @ subject._axes).numpy())
    within = (subject._axes.T * subject._variances) @ subject._axes
    images = as_images(stripes(3, size=16, seed=7))

    gaussian = multivariate_normal(subject._mean.numpy(), within.numpy() + left)
    expected = -gaussian.logpdf(coarse(subject, stripes(3, size=16, seed=7)).reshape(3, -1))

    scores = subject.score(images)
    np.testing.assert_allclose(np.diff(scores), np.diff(expected), rtol=0.02)


def test_what_was_never_seen_scores_higher_and_is_found() -> None:
    subject = followed(method(explained=0.99), stripes(60))
    good = stripes(10, seed=5)
    bad, masks = scratched(good)

    scores, maps = subject.inspect(as_images(np.concatenate([good, bad])))

    assert (scores[10:, None] > scores[None, :10]).mean() > 0.9
    assert maps[10:][masks].mean() > 1.5 * maps[10:][~masks].mean()


def test_large_folders_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_reconstruction, "_MOST_VALUES", 5 * 64 * 24)
    subject = method()
    told = list(subject.fit(ArrayDataset(stripes(20, size=32))))

    assert any("on 5 of 20 images" in getattr(event, "text", "") for event in told)


def test_an_interrupted_training_ends_with_the_same_answers() -> None:
    pixels, probes = stripes(20, size=32), as_images(stripes(3, size=32, seed=2))
    whole = followed(method(), pixels)

    other = interrupted(method(), method(), pixels, 1)

    np.testing.assert_array_equal(other.score(probes), whole.score(probes))


def test_the_viewer_shows_variances_and_usual_errors() -> None:
    kinds = [type(view) for view in followed(method(), stripes(5, size=32)).views()]

    assert kinds == [Table, ImageGrid, Curve, HeatMap]
