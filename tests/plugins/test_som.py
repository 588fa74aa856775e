"""The map unfolds: prototypes follow the slow formula, errors fall, neighbours stay neighbours."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import MissingCapability
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.views import HeatMap, ImageGrid
from plugins.som.som import SOM, SOMParams, u_matrix
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, shaded
from tests.plugins.points import as_pixels_of, blobs, trained_on, vectors_of


def fitted(data: ArrayDataset, **values: object) -> SOM:
    method = SOM(SOMParams.parse({"components": 0} | values))
    trained_on(method, data)
    return method


def errors(events: list[Metrics], name: str = "quantisation_error") -> list[float]:
    return [event.values[name] for event in events if name in event.values]


def square(count: int = 600) -> ArrayDataset:
    """Return points spread evenly over a square."""
    return as_pixels_of(np.random.default_rng(0).uniform(0, 1, (count, 2)))


def test_a_pass_is_the_slow_formula() -> None:
    data = square(80)
    method = SOM(SOMParams(components=0, side=4, passes=5))
    training = method.fit(data)
    while not errors([event for event in [next(training)] if isinstance(event, Metrics)]):
        pass
    after_one = method.prototypes.copy()
    next(training)

    points = vectors_of(data).astype(np.float64)
    sigma = 2 * 0.5 ** (1 / 4)
    expected = np.zeros((16, 2))
    best = [int(np.linalg.norm(after_one - x, axis=1).argmin()) for x in points]
    for unit in range(16):
        weights = [
            np.exp(-((unit // 4 - b // 4) ** 2 + (unit % 4 - b % 4) ** 2) / (2 * sigma**2))
            for b in best
        ]
        expected[unit] = np.average(points, axis=0, weights=weights)
    np.testing.assert_allclose(method.prototypes, expected, atol=1e-5)


def test_the_error_ends_well_below_the_principal_plane() -> None:
    data, _ = blobs(600, dimensions=6, spread=2)
    method = SOM(SOMParams(components=0))

    events = list(method.fit(data))

    line = next(event for event in events if isinstance(event, TrivialValue))
    told = errors([event for event in events if isinstance(event, Metrics)])
    assert line.value == told[0]
    assert told[-1] < 0.85 * line.value
    distances = method.score(data.images(slice(None)))
    assert distances.mean() == pytest.approx(told[-1], rel=1e-5)


def test_an_even_square_is_mapped_without_folds() -> None:
    data = square()
    method = SOM(SOMParams(components=0, side=8))

    told = trained_on(method, data)

    assert errors(told, "topographic_error")[-1] < 0.1
    places = method.encode(data.images(slice(None)))
    points = vectors_of(data)
    for axis in (0, 1):  # each side of the square is a side of the map
        correlations = np.abs([np.corrcoef(points[:, axis], places[:, p])[0, 1] for p in (0, 1)])
        assert correlations.max() > 0.9


def test_places_and_prototypes_belong_together() -> None:
    data = shaded(200)
    method = fitted(data, side=6)
    prototypes = method.prototypes.reshape(6, 6, *data.sample_shape)

    drawn = method.decode(np.array([[0, 5], [5, 0], [2.5, 5]], np.float32))

    np.testing.assert_allclose(drawn[0], prototypes[0, 0], atol=1e-6)  # column 0, topmost row
    np.testing.assert_allclose(drawn[1], prototypes[5, 5], atol=1e-6)
    np.testing.assert_allclose(drawn[2], prototypes[0, 2:4].mean(axis=0), atol=1e-6)
    places = method.encode(prototypes.reshape(36, *data.sample_shape))
    rows, columns = np.divmod(np.arange(36), 6)
    np.testing.assert_allclose(places, np.stack([columns, 5 - rows], axis=1), atol=0.01)


def test_adjacent_cells_are_joined_to_groups() -> None:
    data, kinds = blobs()
    images = data.images(slice(None))

    cells, groups = fitted(data), fitted(data, groups=4)

    assert cells.cluster(images).max() == cells.side**2 - 1
    found = groups.cluster(images)
    assert adjusted_rand_score(kinds, found) >= 0.95
    assert (np.diff(np.bincount(found)) <= 0).all()


def test_the_u_matrix_is_the_mean_distance_to_the_cells_beside() -> None:
    prototypes = np.array([[[0], [1]], [[3], [7]]], np.float32)

    np.testing.assert_allclose(u_matrix(prototypes), [[2, 3.5], [3.5, 5]])


def test_views_are_laid_out_as_the_map() -> None:
    data = shaded(100, channels=3, side=48)
    method = fitted(data, side=5, components=4, groups=3)

    views = {view.title: view for view in method.views()}

    hits = views["Images per cell"]
    assert isinstance(hits, HeatMap)
    assert hits.matrix.shape == (5, 5)
    assert hits.matrix.sum() == 100
    prototypes = views["Prototypes"]
    assert isinstance(prototypes, ImageGrid)
    assert prototypes.images.shape == (25, 3, 28, 28)
    assert prototypes.columns == 5
    nearest = views["Image nearest to each cell"]
    assert isinstance(nearest, ImageGrid)
    assert np.abs(nearest.images - prototypes.images).mean() < 0.05
    assert sum(title.startswith("Dimension") for title in views) == 4


def test_prototypes_of_directions_cannot_be_drawn() -> None:
    method = fitted(shaded(60), scaling="length")

    assert "Prototypes" not in [view.title for view in method.views()]
    with pytest.raises(MissingCapability):
        method.decode(np.zeros((1, 2), np.float32))


def test_it_is_no_worse_than_one_image_at_a_time() -> None:
    minisom = pytest.importorskip("minisom")
    data, _ = blobs(600, dimensions=6, spread=3)
    points = vectors_of(data)
    method = SOM(SOMParams(components=0, side=10))

    told = trained_on(method, data)

    other = minisom.MiniSom(10, 10, points.shape[1], sigma=5, learning_rate=0.5, random_seed=0)
    other.pca_weights_init(points)
    other.train_random(points, 20 * len(points))
    assert errors(told)[-1] <= 1.02 * other.quantization_error(points)
    ours = method.prototypes.reshape(10, 10, -1).astype(np.float64)
    other._weights = ours  # their measures of our map are ours
    assert errors(told)[-1] == pytest.approx(other.quantization_error(points), rel=1e-4)
    measured = errors(told, "topographic_error")[-1]
    assert measured == pytest.approx(other.topographic_error(points), abs=1e-6)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(1200)
def test_ten_thousand_digits_are_mapped(shared_data: Path, bar: Bar) -> None:
    """Topographic error below .1, quantisation error 15 % below the principal plane."""
    data = ArrayDataset(digits(shared_data, "train")[:10_000])
    method = SOM(SOMParams(components=0, side=20))

    told = trained_on(method, data)

    quantisation, topographic = errors(told), errors(told, "topographic_error")
    start = quantisation[0]
    measure = "MNIST quantisation error (PCA start)"
    bar("som", measure, quantisation[-1], below=0.85 * start, trivial=start)
    bar("som", "MNIST topographic error", topographic[-1], below=0.1)
