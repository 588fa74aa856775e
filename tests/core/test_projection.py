import numpy as np
import pytest
from sklearn.decomposition import PCA

from desktop_app.core import projection
from desktop_app.core.latentmap import Axes, projected


def _latents(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, dimensions)) * np.arange(1, dimensions + 1) + 5).astype(
        np.float32
    )


@pytest.mark.parametrize(("count", "dimensions"), [(200, 6), (5, 40), (3, 3), (2, 7)])
def test_the_plane_is_that_of_the_principal_components(count: int, dimensions: int) -> None:
    latents = _latents(count, dimensions)

    plane = projected(latents, Axes())

    expected = PCA(2).fit(latents.astype(np.float64))
    assert np.allclose(np.abs(plane.axes @ expected.components_.T), np.eye(2), atol=1e-4) or (
        count == 2
    )
    assert plane.explained == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-5)
    first = np.abs(expected.transform(latents)[:, 0])
    assert np.allclose(np.abs(plane.coordinates[:, 0]), first, atol=1e-3)


def test_latents_of_two_dimensions_are_not_turned() -> None:
    latents = _latents(50, 2)

    plane = projected(latents, Axes())

    np.testing.assert_array_equal(plane.coordinates, latents)
    assert plane.explained is None  # they are the map itself


def test_a_point_of_the_plane_leads_back_to_its_latent() -> None:
    latents = _latents(50, 2)

    plane = projected(latents, Axes())

    assert np.allclose(plane.coordinates @ plane.axes + plane.mean, latents, atol=1e-3)


def test_the_sign_of_an_axis_makes_its_largest_component_positive() -> None:
    axes = projected(_latents(100, 5), Axes()).axes

    assert all(axis[np.abs(axis).argmax()] > 0 for axis in axes)


@pytest.mark.parametrize(
    "latents",
    [np.zeros((5, 3)), np.ones((2, 4)), np.arange(6.0)[:, None], np.zeros((1, 3))],
    ids=["no variance", "two equal points", "one dimension", "one point"],
)
def test_latents_that_span_no_plane_have_one_all_the_same(latents: np.ndarray) -> None:
    plane = projected(latents, Axes())

    assert plane.coordinates.shape == (len(latents), 2)
    assert plane.axes.shape == (2, latents.shape[1])
    assert np.isfinite(plane.coordinates).all()
    assert 0 <= (plane.explained or 0.0) <= 1


def test_many_latents_are_placed_by_a_sample_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    latents = _latents(3000, 8)
    whole = projected(latents, Axes())
    monkeypatch.setattr(projection, "_FIT_POINTS", 1500)
    monkeypatch.setattr(projection, "_BLOCK", 700)

    plane = projected(latents, Axes())

    assert plane.coordinates.shape == (3000, 2)
    assert np.corrcoef(plane.coordinates[:, 0], whole.coordinates[:, 0])[0, 1] > 0.99
