"""How well a map keeps neighbours."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from desktop_app.toolbox.mapquality import MapQuality


@pytest.mark.parametrize("neighbours", [1, 5, 15])
def test_trustworthiness_is_that_of_scikit_learn(neighbours: int) -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((600, 8))
    positions = vectors[:, :2] + 0.1 * random.standard_normal((600, 2))

    found = MapQuality(vectors, neighbours).of(positions)

    expected = trustworthiness(vectors, positions, n_neighbors=neighbours)
    assert found.trustworthiness == pytest.approx(expected, abs=1e-12)


def test_recall_is_the_share_of_neighbours_in_both_lists() -> None:
    random = np.random.default_rng(1)
    vectors, positions = random.standard_normal((300, 5)), random.standard_normal((300, 2))

    found = MapQuality(vectors, 10).of(positions)

    lists = [
        NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)
        for points in (vectors, positions)
    ]
    both = [len(set(one) & set(other)) for one, other in zip(*lists, strict=True)]
    assert found.recall == pytest.approx(np.mean(both) / 10)


def test_the_vectors_themselves_are_a_perfect_map() -> None:
    vectors = np.random.default_rng(2).standard_normal((50, 3))

    found = MapQuality(vectors).of(vectors * 7 + 1)

    assert (found.trustworthiness, found.recall) == (1.0, 1.0)


def test_many_images_are_judged_by_evenly_spaced_ones() -> None:
    vectors = np.random.default_rng(3).standard_normal((5000, 3))

    judge = MapQuality(vectors, most=100)

    assert len(judge.rows) == 100
    assert (judge.rows[0], judge.rows[-1]) == (0, 4999)
    assert judge.of(vectors).recall == 1.0


def test_few_images_are_judged_by_fewer_neighbours() -> None:
    vectors = np.random.default_rng(4).standard_normal((6, 2))

    judge = MapQuality(vectors)

    assert judge.neighbours == 2
    assert judge.of(vectors[::-1]).trustworthiness <= 1
