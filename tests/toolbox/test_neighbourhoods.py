"""Lists of nearest vectors."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from desktop_app.toolbox.neighbourhoods import Neighbourhoods


def test_neighbours_of_each_other_are_those_of_scikit_learn() -> None:
    vectors = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)

    near, distances = Neighbourhoods(vectors).of_rows(slice(100, 200), 7)

    expected = NearestNeighbors(n_neighbors=7).fit(vectors).kneighbors()
    np.testing.assert_array_equal(near, expected[1][100:200])
    np.testing.assert_allclose(distances, expected[0][100:200], rtol=1e-5)


def test_a_vector_far_from_the_origin_is_found_again_at_distance_nought() -> None:
    vectors = 1000 + np.random.default_rng(1).standard_normal((200, 20)).astype(np.float32)

    near, distances = Neighbourhoods(vectors).of(vectors[50:60], 3)

    np.testing.assert_array_equal(near[:, 0], np.arange(50, 60))
    assert (distances[:, 0] == 0).all()
    assert (distances[:, 1] > 0.1).all()


def test_none_is_its_own_neighbour_among_many_duplicates() -> None:
    vectors = np.ones((40, 3), np.float32)

    near, distances = Neighbourhoods(vectors).of_rows(slice(0, 40), 4)

    assert near.shape == (40, 4)
    assert (near != np.arange(40)[:, None]).all()
    assert (distances == 0).all()


def test_there_are_no_more_neighbours_than_others() -> None:
    vectors = np.random.default_rng(2).standard_normal((5, 2)).astype(np.float32)

    near, _ = Neighbourhoods(vectors).of_rows(slice(0, 5), 30)

    assert near.shape == (5, 4)
