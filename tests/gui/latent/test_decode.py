"""From places on the map back to latent vectors."""

import numpy as np
import pytest

from desktop_app.core.latentmap import Axes, projected
from desktop_app.gui.latent.decode import (
    MapInverse,
    aligned,
    along_dimension,
    between,
    dimension_ranges,
    nearest_rows,
    nearest_to,
    shifted,
)


@pytest.fixture
def cloud() -> np.ndarray:
    """Two hundred latents (200, 6) of which two dimensions hold nearly all variance."""
    random = np.random.default_rng(0)
    return (random.normal(size=(200, 6)) * [5, 3, 0.1, 0.1, 0.1, 0.1]).astype(np.float32)


def test_the_place_of_an_image_gives_its_own_latent(cloud: np.ndarray) -> None:
    plane = projected(cloud, Axes())
    inverse = MapInverse(plane.coordinates, cloud)
    guess = inverse.at(plane.coordinates[:5])
    assert np.allclose(guess.latents, cloud[:5], atol=0.05)
    assert not guess.far.any()


def test_the_plane_inverts_the_projection(cloud: np.ndarray) -> None:
    plane = projected(cloud, Axes())
    inverse = MapInverse(plane.coordinates, cloud, (plane.mean, plane.axes))
    places = np.array([[1.0, -2.0], [40.0, 40.0]])
    latents = inverse.at(places, "plane").latents
    assert np.allclose((latents - plane.mean) @ plane.axes.T, places, atol=1e-4)


def test_places_far_from_all_images_are_marked(cloud: np.ndarray) -> None:
    plane = projected(cloud, Axes())
    inverse = MapInverse(plane.coordinates, cloud)
    guess = inverse.at(np.array([[0.0, 0.0], [100.0, 0.0]]))
    assert guess.far.tolist() == [False, True]


def test_a_mixture_lies_within_its_neighbours(cloud: np.ndarray) -> None:
    plane = projected(cloud, Axes())
    latents = MapInverse(plane.coordinates, cloud).at(np.array([[0.3, 0.1], [90.0, 9.0]])).latents
    assert (latents >= cloud.min(axis=0) - 1e-4).all()
    assert (latents <= cloud.max(axis=0) + 1e-4).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_are_enough(count: int) -> None:
    places = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    latents = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    guess = MapInverse(places, latents).at(places)
    assert np.allclose(guess.latents, latents, atol=0.05)


def test_images_in_one_place_break_nothing() -> None:
    guess = MapInverse(np.zeros((9, 2), np.float32), np.eye(9, dtype=np.float32)).at(
        np.ones((1, 2))
    )
    assert np.isfinite(guess.latents).all()
    assert guess.far.all()


def test_a_walk_begins_and_ends_at_its_images() -> None:
    first, second = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    for spherical in (False, True):
        way = between(first, second, 5, spherical=spherical)
        assert np.allclose(way[[0, -1]], [first, second], atol=1e-6)
    lengths = np.linalg.norm(between(first, second, 5, spherical=True), axis=1)
    assert np.allclose(lengths, 3)


def test_a_spherical_walk_between_parallel_vectors_is_straight() -> None:
    way = between(np.array([1.0, 0.0]), np.array([3.0, 0.0]), 3, spherical=True)
    assert way.tolist() == [[1, 0], [2, 0], [3, 0]]
    assert np.isfinite(between(np.zeros(2), np.ones(2), 3, spherical=True)).all()


def test_one_dimension_changes_and_no_other() -> None:
    latents = along_dimension(np.array([1.0, 2.0, 3.0], np.float32), 1, -1, 1, 3)
    assert latents.tolist() == [[1, -1, 3], [1, 0, 3], [1, 1, 3]]


def test_ranges_leave_outliers_out() -> None:
    latents = np.r_[np.linspace(0, 1, 1000), [500.0]][:, None].astype(np.float32)
    low, high, spread = dimension_ranges(latents)
    assert 0 <= low[0] < 0.05
    assert 0.95 < high[0] < 1.1
    assert spread[0] > 1


def test_neighbours_are_those_of_a_slow_search(cloud: np.ndarray) -> None:
    distances = np.linalg.norm(cloud - cloud[7], axis=1)
    expected = np.argsort(distances)[1:6]
    assert nearest_rows(cloud, 7, 5).tolist() == expected.tolist()
    assert nearest_rows(cloud[:1], 0, 5).tolist() == []


def test_a_turned_and_mirrored_map_is_laid_back(cloud: np.ndarray) -> None:
    places = cloud[:, :2] - cloud[:, :2].mean(axis=0)
    turn = np.array([[0, -1], [-1, 0]], np.float32)
    assert np.allclose(aligned(places @ turn, places), places, atol=1e-4)


def test_images_that_one_map_lacks_do_not_spoil_the_alignment(cloud: np.ndarray) -> None:
    places = cloud[:, :2].copy()
    places -= places[10:].mean(axis=0)
    partial = places.copy()
    partial[:10] = np.nan
    moved = aligned(partial[:, ::-1].copy(), places)
    assert np.allclose(moved[10:], places[10:], atol=1e-4)


def test_a_map_that_is_laid_on_another_takes_its_place() -> None:
    reference = np.random.default_rng(0).normal(5, 2, (40, 3)).astype(np.float32)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    moved = (reference @ turn - 30).astype(np.float32)
    assert np.allclose(aligned(moved, reference), reference, atol=1e-3)


def test_the_nearest_to_a_vector_come_first() -> None:
    latents = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    found, distances = nearest_to(latents, latents[7], 5, without=7)
    slow = np.linalg.norm(latents - latents[7], axis=1)
    order = np.argsort(slow)
    assert found.tolist() == order[order != 7][:5].tolist()
    assert np.allclose(distances, slow[found], atol=1e-5)


def test_a_difference_is_added_by_amounts() -> None:
    start, shift = np.array([1.0, 2.0], np.float32), np.array([0.5, -1.0], np.float32)
    moved = shifted(start, shift, np.array([0.0, 1.0, -2.0]))
    assert np.allclose(moved, [[1, 2], [1.5, 1], [0, 4]])
