"""K-means finds blobs, chooses their number, and does not end worse than the reference."""

import numpy as np
import pytest
from sklearn.cluster import KMeans as Reference
from sklearn.cluster import MiniBatchKMeans as Mini
from sklearn.metrics import adjusted_rand_score

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics, Note, TrivialValue
from desktop_app.sdk.views import Curve, ImageGrid, Table
from plugins.kmeans import kmeans
from plugins.kmeans.kmeans import KMeans, KMeansParams
from tests.plugins.pictures import shaded
from tests.plugins.points import blobs, moons, trained_on, vectors_of


def fitted(data: ArrayDataset, **values: object) -> KMeans:
    method = KMeans(KMeansParams.parse({"components": 0, "most_clusters": 0} | values))
    trained_on(method, data)
    return method


def test_four_blobs_are_found_and_so_is_their_number() -> None:
    data, kinds = blobs()

    method = fitted(data, most_clusters=8, starts=3)

    assert len(method.centroids) == 4
    found = method.cluster(data.images(slice(None)))
    assert adjusted_rand_score(kinds, found) >= 0.95
    assert (np.diff(np.bincount(found)) <= 0).all()


def test_the_inertia_is_not_above_that_of_the_reference_nor_of_random_centroids() -> None:
    data, _ = blobs(spread=3)
    points = vectors_of(data)

    method = fitted(data, clusters=7, starts=10, tolerance=0)

    theirs = Reference(7, n_init=10, tol=0, random_state=0).fit(points).inertia_
    assert method.inertia <= theirs * 1.02
    distances = method.score(data.images(slice(None)))
    assert np.square(distances).sum() == pytest.approx(method.inertia, rel=1e-4)
    some = points[np.random.default_rng(0).permutation(len(points))[:7]]
    random = np.square(points[:, None] - some).sum(axis=2).min(axis=1).sum()
    assert method.inertia < 0.7 * random


def test_from_the_same_start_it_ends_as_the_reference_does(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = blobs(spread=3)
    points = vectors_of(data)
    start = points[:5].astype(np.float64)
    monkeypatch.setattr(kmeans, "first_centres", lambda points, count, _: points[:count].double())

    method = fitted(data, clusters=5, starts=1, tolerance=0)

    theirs = Reference(5, init=start, n_init=1, tol=0).fit(points.astype(np.float64))
    assert method.inertia == pytest.approx(theirs.inertia_, rel=1e-4)
    assert adjusted_rand_score(theirs.labels_, method.cluster(data.images(slice(None)))) == 1


def test_passes_over_all_images_follow_a_comparison_on_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, _ = blobs(spread=2)
    whole = fitted(data, clusters=4)
    monkeypatch.setattr(kmeans, "_SAMPLE", 60)

    sampled = fitted(data, clusters=4, tolerance=0)

    assert sampled.inertia == pytest.approx(whole.inertia, rel=1e-3)


def test_mini_batches_end_as_near_as_those_of_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kmeans, "_SAMPLE", 100)
    data, _ = blobs(spread=3)
    points = vectors_of(data)

    method = fitted(data, clusters=6, starts=3, batch=64)
    whole = fitted(data, clusters=6, starts=3, batch=0)

    theirs = Mini(6, batch_size=64, n_init=3, random_state=0).fit(points).inertia_
    assert method.inertia <= 1.03 * min(theirs, whole.inertia)
    assert not np.array_equal(method.centroids, whole.centroids)


def test_halves_of_a_continuum_are_not_all_that_is_suggested() -> None:
    """Kinds of images that overlap: the widest silhouette is that of two halves."""
    random = np.random.default_rng(0)
    middles = random.normal(size=(8, 12)) * np.array([4, *[1.5] * 11])
    kinds = np.repeat(np.arange(8), 60)
    points = middles[kinds] + random.normal(size=(480, 12))
    pixels = np.clip(points * 12 + 128, 0, 255).astype(np.uint8).reshape(-1, 1, 3, 4)
    method = KMeans(KMeansParams(components=0, most_clusters=14, starts=2))

    notes = [event for event in method.fit(ArrayDataset(pixels)) if isinstance(event, Note)]

    found = kmeans.suggested(method._comparison)
    assert found["silhouette"] <= 3
    assert 6 <= len(method.centroids) == found["gap"] <= 10
    assert (
        len(fitted(ArrayDataset(pixels), most_clusters=14, criterion="silhouette").centroids)
        == (found["silhouette"])
    )
    assert all("continuum" in note.text for note in notes)


def test_half_moons_are_cut_through() -> None:
    data, kinds = moons()

    method = fitted(data, clusters=2)

    assert adjusted_rand_score(kinds, method.cluster(data.images(slice(None)))) < 0.5


def test_the_curve_has_the_line_of_a_single_centroid() -> None:
    data, _ = blobs()
    method = KMeans(KMeansParams(components=0, clusters=4, most_clusters=0, starts=1))

    events = list(method.fit(data))

    line = next(event for event in events if isinstance(event, TrivialValue))
    assert line.value == pytest.approx(vectors_of(data).var(axis=0).sum(), rel=1e-5)
    last = [event for event in events if isinstance(event, Metrics)][-1]
    assert last.values["inertia"] < 0.2 * line.value


def test_there_are_no_more_clusters_than_different_images() -> None:
    images = np.repeat(np.arange(3, dtype=np.uint8) * 100, 4).reshape(12, 1, 1, 1)
    method = KMeans(KMeansParams(components=0, clusters=9, most_clusters=0))

    events = list(method.fit(ArrayDataset(np.broadcast_to(images, (12, 1, 4, 4)).copy())))

    assert any(isinstance(event, Note) and "3 different" in event.text for event in events)
    assert len(method.centroids) == 3
    assert method.inertia == pytest.approx(0, abs=1e-9)


def test_views_compare_numbers_of_clusters_and_show_members() -> None:
    data = shaded(60, channels=3, side=64)
    method = KMeans(KMeansParams(components=3, most_clusters=6, starts=2))
    trained_on(method, data)

    gap, silhouette, inertia, table, sizes, members = method.views()

    assert isinstance(inertia, Curve)
    number, values = inertia.lines["inertia"]
    assert number.tolist() == [2, 3, 4, 5, 6]
    assert (np.diff(values) < 0).all()
    assert isinstance(silhouette, Curve)
    assert isinstance(gap, Curve)
    assert (
        gap.places == silhouette.places == {f"K = {len(method.centroids)}": len(method.centroids)}
    )
    assert isinstance(table, Table)
    found = dict(table.rows)
    assert found["bend of the gap"] == len(method.centroids)
    heights = silhouette.lines["silhouette"][1]
    assert number[heights.argmax()] == found["best silhouette"]
    assert isinstance(sizes, Curve)
    assert sizes.lines["images"][1].sum() == 60
    assert isinstance(members, ImageGrid)
    assert members.images.shape == (len(method.centroids) * 10, 3, 48, 48)
    assert members.columns == 10
    centre, nearest = members.images[0], members.images[1]
    assert np.square(centre - nearest).mean() < np.square(centre - members.images[10]).mean()
