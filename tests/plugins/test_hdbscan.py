"""HDBSCAN finds what scikit-learn finds, places new images, and tells what lies outside."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN as Reference  # noqa: N811 - the oracle has the same name
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Note
from desktop_app.sdk.views import Curve, ImageGrid, Table
from plugins.hdbscan.hdbscan import HDBSCAN, HDBSCANParams
from plugins.hdbscan.hierarchy import SpanningTree, stable_clusters
from tests.plugins.points import as_pixels_of, blobs, moons, trained_on, vectors_of


def fitted(data: ArrayDataset, **values: object) -> HDBSCAN:
    method = HDBSCAN(HDBSCANParams.parse({"components": 0} | values))
    trained_on(method, data)
    return method


def scattered(count: int = 500) -> NDArray[np.float64]:
    """Return blobs of different densities in a thin cloud."""
    random = np.random.default_rng(4)
    centres = random.uniform(-10, 10, (5, 3))
    spreads = np.linspace(0.6, 2, 5)
    some = [
        random.normal(centre, spread, (count // 6, 3))
        for centre, spread in zip(centres, spreads, strict=True)
    ]
    return np.concatenate([*some, random.uniform(-20, 20, (count // 6, 3))])


@pytest.mark.parametrize("selection", ["eom", "leaf"])
def test_clusters_and_noise_are_those_of_the_reference(selection: str) -> None:
    points = scattered()
    core = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)[:, 4]
    theirs = Reference(12, min_samples=5, cluster_selection_method=selection, copy=True).fit(points)

    tree = SpanningTree(points, core)
    tree.grow(len(points))
    ours = stable_clusters(tree, 12, leaves=selection == "leaf")

    assert tree.done
    assert len(ours.births) == theirs.labels_.max() + 1 > 2
    assert 0 < (ours.labels < 0).sum() < len(points)
    assert adjusted_rand_score(theirs.labels_, ours.labels) > 0.98


def test_two_moons_are_told_apart_where_k_means_cuts_them() -> None:
    data, kinds = moons()
    points = vectors_of(data)

    found = fitted(data).cluster(data.images(slice(None)))

    assert adjusted_rand_score(kinds, found) > 0.95
    assert adjusted_rand_score(kinds, KMeans(2, n_init=5, random_state=0).fit_predict(points)) < 0.5


def test_a_fitted_image_keeps_its_cluster_and_a_new_one_finds_it() -> None:
    points = scattered(900)
    pixels = as_pixels_of(points).array
    fitted_on, new = ArrayDataset(pixels[::2]), ArrayDataset(pixels[1::2])
    method = fitted(fitted_on)
    assert method.clustering is not None

    again = method.cluster(fitted_on.images(slice(None)))
    np.testing.assert_array_equal(again, method.clustering.labels)

    placed = method.cluster(new.images(slice(None)))
    both = (placed >= 0) & (again >= 0)  # neighbours in the list are of one blob
    assert both.mean() > 0.3
    assert (placed == again)[both].mean() > 0.95


def test_an_image_far_from_all_is_noise_and_scores_high() -> None:
    points = np.concatenate([scattered(300)[:200], [[60.0, 60.0, 60.0]]])
    data = as_pixels_of(points)
    method = fitted(ArrayDataset(data.array[:-1]))

    far = as_images(data.array[-1:])

    assert method.cluster(far)[0] == -1
    assert method.score(far)[0] > 3 * method.score(as_images(data.array[:-1])).max()


def test_scores_are_about_one_inside_whatever_the_density() -> None:
    random = np.random.default_rng(0)
    tight, loose = random.normal(0, 0.5, (150, 2)), random.normal(20, 2, (150, 2))
    data = as_pixels_of(np.concatenate([tight, loose]))

    method = fitted(data, min_cluster_size=30)

    scores = method.score(data.images(slice(None)))
    inside = method.cluster(data.images(slice(None))) >= 0
    for some in (slice(0, 150), slice(150, 300)):
        assert np.median(scores[some][inside[some]]) == pytest.approx(1, abs=0.15)


def test_noise_in_many_dimensions_is_no_cluster_and_the_log_says_so() -> None:
    data = as_pixels_of(np.random.default_rng(0).normal(size=(300, 32)))
    method = HDBSCAN(HDBSCANParams(components=0))

    events = list(method.fit(data))

    assert (method.cluster(data.images(slice(None))) == -1).all()
    assert any(isinstance(event, Note) and "all images are noise" in event.text for event in events)
    assert np.isfinite(method.score(data.images(slice(None)))).all()


def test_equal_images_have_a_finite_density() -> None:
    pixels = np.repeat(np.array([0, 200], np.uint8), 30).reshape(60, 1, 1, 1)

    method = fitted(ArrayDataset(np.repeat(pixels, 4, axis=3)))

    assert method.clustering is not None
    assert np.isfinite(method.clustering.stabilities).all()
    assert len(np.unique(method.clustering.labels)) == 2


def test_views_tell_sizes_noise_and_stability() -> None:
    data, _ = blobs(spread=2)
    method = fitted(data)

    sizes, members, noise, stability, hierarchy = method.views()

    assert isinstance(sizes, Curve)
    assert isinstance(members, ImageGrid)
    assert isinstance(noise, Table)
    assert int(noise.rows[0][1]) == sizes.lines["images"][1].sum()
    assert int(noise.rows[0][1]) + int(noise.rows[1][1]) == 400
    assert isinstance(stability, Curve)
    assert (stability.lines["stability"][1] > 0).all()
    assert isinstance(hierarchy, Curve)
    density, left = hierarchy.lines["0"]
    assert (np.diff(density) >= 0).all()
    assert left[0] == sizes.lines["images"][1][0]
    assert left[-1] == 0
