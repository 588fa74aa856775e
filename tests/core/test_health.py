import numpy as np
import pytest

from desktop_app.core.health import effective_rank, health

RANDOM = np.random.default_rng(0)


def test_vectors_in_all_directions_are_healthy() -> None:
    found = health(RANDOM.normal(size=(2000, 16)))

    assert found is not None
    assert found.spread == pytest.approx(found.healthy_spread, rel=0.02)
    assert found.healthy_spread == 0.25
    assert found.effective_rank == pytest.approx(16, rel=0.01)
    assert found.dead_share == 0
    assert not found.is_collapsed


def test_the_effective_rank_is_that_of_the_formula() -> None:
    vectors = RANDOM.normal(size=(40, 6)) * [9, 4, 2, 1, 0.1, 0.01] + 100

    sizes = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    shares = sizes / sizes.sum()
    assert effective_rank(vectors) == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))


def test_fewer_images_than_dimensions_fill_no_more_dimensions_than_images() -> None:
    vectors = RANDOM.normal(size=(10, 300))

    assert 8.5 < effective_rank(vectors) <= 9


def test_dimensions_that_hardly_vary_are_dead() -> None:
    vectors = RANDOM.normal(size=(200, 10)) * ([1.0] * 7 + [1e-3] * 3)

    found = health(vectors)

    assert found is not None
    assert found.dead_share == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("vectors", "collapsed"),
    [
        (np.full((50, 8), 3.0), True),
        (np.zeros((50, 8)), True),
        (np.full((50, 8), 3.0) + 1e-3 * RANDOM.normal(size=(50, 8)), True),
        (np.outer(RANDOM.normal(size=50), np.ones(8)), True),
        (RANDOM.normal(size=(50, 8)) * [1, 0, 0, 0, 0, 0, 0, 1], False),
        (RANDOM.normal(size=(50, 8)) + 5, False),
        (np.outer(RANDOM.normal(size=50), np.ones(2)), False),
    ],
    ids=["equal", "zero", "nearly equal", "a line", "a plane", "off centre", "two dimensions"],
)
def test_only_latents_that_tell_images_no_longer_apart_are_collapsed(
    vectors: np.ndarray, collapsed: bool
) -> None:
    found = health(vectors)

    assert found is not None
    assert found.is_collapsed is collapsed


@pytest.mark.parametrize(
    "vectors", [np.ones((3, 8)), np.ones((50, 1)), np.full((50, 8), np.nan), np.ones((9, 2, 2))]
)
def test_health_is_not_told_where_it_means_nothing(vectors: np.ndarray) -> None:
    assert health(vectors) is None
