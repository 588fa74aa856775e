"""Principal components agree with the textbook."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA as Reference  # noqa: N811 - the oracle has the same name

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Metrics, Note
from desktop_app.sdk.views import Curve, ImageGrid
from desktop_app.toolbox.reconstruction import PULL
from plugins.pca import pca
from plugins.pca.pca import PCA, PCAParams

Pixels = NDArray[np.uint8]


def pixels(count: int, channels: int, side: int, rank: int = 12, seed: int = 0) -> Pixels:
    """Return images that vary along `rank` directions of falling strength, and a little noise."""
    random = np.random.default_rng(seed)
    values = channels * side * side
    directions = np.linalg.qr(random.normal(size=(values, rank)))[0]
    strengths = 1.5 * side * 0.75 ** np.arange(rank)
    images = random.normal(size=(count, rank)) * strengths @ directions.T
    images = 128 + 10 * images + random.normal(0, 2, images.shape)
    return np.clip(np.rint(images), 0, 255).astype(np.uint8).reshape(count, channels, side, side)


def fitted(images: Pixels, **values: object) -> PCA:
    method = PCA(PCAParams.parse(values))
    for _ in method.fit(ArrayDataset(images)):
        pass
    return method


def reference(images: Pixels, components: int) -> Reference:
    return Reference(components, svd_solver="full").fit(as_images(images).reshape(len(images), -1))


SIZES = {"exact": (80, 1, 14), "randomised": (150, 3, 24)}


@pytest.mark.parametrize("size", SIZES)
def test_directions_and_variances_are_those_of_the_reference(size: str) -> None:
    images = pixels(*SIZES[size])
    ours, theirs = fitted(images, components=10), reference(images, 10)

    cosines = np.abs((ours.axes * theirs.components_).sum(axis=1))
    assert cosines.min() > 0.999
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_, rtol=1e-3)
    np.testing.assert_allclose(ours.mean, theirs.mean_, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_the_residual_is_the_analytic_one(size: str) -> None:
    images = pixels(*SIZES[size])
    flat = as_images(images).reshape(len(images), -1)
    variances = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False) ** 2
    method = PCA(PCAParams(components=6))

    events = [event for event in method.fit(ArrayDataset(images)) if isinstance(event, Metrics)]

    expected = variances[6:].sum() / flat.size
    assert events[-1].values["residual"] == pytest.approx(expected, rel=0.01)
    rebuilt = method.decode(method.encode(as_images(images)))
    assert np.square(rebuilt - as_images(images)).mean() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_directions_are_orthonormal_and_their_largest_entry_is_positive(size: str) -> None:
    axes = fitted(pixels(*SIZES[size]), components=9).axes

    np.testing.assert_allclose(axes @ axes.T, np.eye(9), atol=1e-4)
    assert (axes[np.arange(9), np.abs(axes).argmax(axis=1)] > 0).all()


def test_another_seed_gives_the_same_directions() -> None:
    images = pixels(*SIZES["randomised"])
    first, second = PCA(PCAParams(components=5), seed=1), PCA(PCAParams(components=5), seed=2)
    for method in (first, second):
        for _ in method.fit(ArrayDataset(images)):
            pass

    np.testing.assert_allclose(first.axes, second.axes, atol=1e-2)


def test_whitened_latents_have_unit_variance_and_the_same_reconstructions() -> None:
    images = pixels(*SIZES["exact"])
    plain, white = fitted(images, components=8), fitted(images, components=8, whiten=True)

    latents = white.encode(as_images(images))

    np.testing.assert_allclose(latents.var(axis=0, ddof=1), 1, rtol=1e-2)
    np.testing.assert_allclose(
        white.decode(latents), plain.decode(plain.encode(as_images(images))), atol=1e-4
    )
    np.testing.assert_allclose(white.generate(3, seed=4), plain.generate(3, seed=4), atol=1e-4)


def test_coordinates_of_samples_have_the_variances_that_were_found() -> None:
    method = fitted(pixels(*SIZES["exact"]), components=5)

    coordinates = method.encode(method.generate(4000, seed=0))

    np.testing.assert_allclose(coordinates.var(axis=0), method.variances, rtol=0.15)


def test_the_usual_error_is_the_mean_error_of_the_training_images() -> None:
    images = pixels(*SIZES["randomised"])
    method = fitted(images, components=7)
    flat = as_images(images).reshape(len(images), -1) - method.mean
    error = flat - (1 - PULL) * (flat @ method.axes.T) @ method.axes

    usual = np.square(error).mean(axis=0).reshape(3, 24, 24).mean(axis=0)

    np.testing.assert_allclose(method.usual, usual, rtol=0.02)


def test_batches_need_not_divide_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pixels(*SIZES["randomised"])
    whole = fitted(images, components=6)
    monkeypatch.setattr(pca, "_BATCH_VALUES", 7 * 3 * 24 * 24)

    parts = fitted(images, components=6)

    np.testing.assert_allclose(parts.variances, whole.variances, rtol=1e-4)
    np.testing.assert_allclose(parts.axes, whole.axes, atol=1e-2)


def test_it_never_asks_for_more_images_than_fit_in_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pca, "_BATCH_VALUES", 10 * 3 * 24 * 24)
    asked: list[int] = []

    class Counted(ArrayDataset):
        def pixels(self, rows: object) -> Pixels:
            images = super().pixels(rows)  # type: ignore[arg-type]
            asked.append(len(images))
            return images

    for _ in PCA(PCAParams(components=4)).fit(Counted(pixels(*SIZES["randomised"]))):
        pass

    assert max(asked) == 10


def test_few_images_span_few_directions_and_the_log_says_so() -> None:
    method = PCA(PCAParams(components=64))

    events = list(method.fit(ArrayDataset(pixels(9, 3, 20))))

    assert isinstance(events[0], Note)
    assert "at most 8 directions" in events[0].text
    assert method.encode(np.zeros((2, 3, 20, 20), np.float32)).shape == (2, 8)


def test_equal_images_and_a_single_one_do_no_harm() -> None:
    for count in (1, 5):
        images = np.full((count, 1, 16, 16), 90, np.uint8)
        method = fitted(images, components=4, whiten=True)

        assert np.isfinite(method.score(as_images(images))).all()
        np.testing.assert_allclose(method.decode(method.encode(as_images(images))), 90 / 255)


def test_the_first_pass_tells_the_error_of_the_mean_image() -> None:
    images = pixels(*SIZES["exact"])
    method = PCA(PCAParams(components=4))

    first = next(event for event in method.fit(ArrayDataset(images)) if isinstance(event, Metrics))

    assert first.values["residual"] == pytest.approx(as_images(images).var(axis=0).mean(), rel=1e-4)
    assert first.values["explained_variance"] == 0


def test_the_error_plot_falls_from_the_mean_image_to_the_residual() -> None:
    images = pixels(*SIZES["exact"])
    method = fitted(images, components=5)
    views = {view.title: view for view in method.views()}

    curve = views["Reconstruction error by number of components"]
    assert isinstance(curve, Curve)
    errors = curve.lines["training images"][1]
    assert (np.diff(errors) <= 0).all()
    flat = as_images(images)
    assert errors[0] == pytest.approx(flat.var(axis=0).mean(), rel=0.05)
    assert errors[-1] == pytest.approx(
        np.square(method.decode(method.encode(flat)) - flat).mean(), rel=0.05
    )
    eigen = views["Eigen-images"]
    assert isinstance(eigen, ImageGrid)
    assert eigen.signed
    assert eigen.images.shape == (5, 1, 14, 14)


def test_an_interrupted_fit_refuses_another_folder() -> None:
    method = PCA(PCAParams(components=4))
    next(method.fit(ArrayDataset(pixels(30, 1, 12))))

    with pytest.raises(InvalidInput, match="began with 30 images"):
        list(method.fit(ArrayDataset(pixels(31, 1, 12))))


def test_before_it_is_fitted_it_says_so() -> None:
    with pytest.raises(InvalidInput, match="not fitted yet"):
        PCA().encode(np.zeros((1, 1, 8, 8), np.float32))


@pytest.mark.parametrize("components", [3, 12])
def test_a_state_of_another_number_of_components_is_refused(components: int) -> None:
    state = fitted(pixels(30, 1, 12), components=9).state()

    with pytest.raises(InvalidInput, match="9 directions"):
        PCA(PCAParams(components=components)).restore(state)


def test_a_state_of_fewer_images_than_components_is_taken_back() -> None:
    state = fitted(pixels(6, 1, 12), components=9).state()

    restored = PCA(PCAParams(components=9))
    restored.restore(state)

    np.testing.assert_array_equal(restored.axes, state.arrays["axes"])


def test_its_encoder_is_one_linear_map_of_torch() -> None:
    images = pixels(40, channels=3, side=8)
    method = fitted(images, components=5, whiten=True)
    probes = images[:7].astype(np.float32) / 255

    with torch.no_grad():
        latents = method.encoder_module()(torch.from_numpy(probes)).numpy()

    np.testing.assert_allclose(latents, method.encode(probes), rtol=1e-3, atol=1e-4)
