"""Axes of a map, places on it, and what it hides."""

import numpy as np
import pytest

from desktop_app.core import latentmap
from desktop_app.core.latentmap import (
    Axes,
    neighbours_lost,
    offered,
    plane_distances,
    projected,
    rotated,
)


def latents(count: int = 200, dimensions: int = 5, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    spread = np.arange(dimensions, 0, -1)
    return (random.normal(size=(count, dimensions)) * spread + 3).astype(np.float32)


def test_two_numbers_are_shown_as_they_are() -> None:
    points = latents(dimensions=2)
    shown = projected(points, Axes("plane"))
    assert shown.kind == "own"
    assert shown.explained is None
    assert np.array_equal(shown.coordinates, points)
    assert np.allclose(shown.place(points[:3]), points[:3])


@pytest.mark.parametrize(("dimensions", "kinds"), [(1, 1), (2, 1), (3, 3), (40, 3)])
def test_axes_are_offered_by_dimensions(dimensions: int, kinds: int) -> None:
    assert len(offered(dimensions)) == kinds


@pytest.mark.parametrize("kind", ["plane", "dimensions", "space"])
def test_a_place_leads_back_to_what_the_axes_hold(kind: latentmap.Kind) -> None:
    points = latents()
    shown = projected(points, Axes(kind, (1, 3)))
    back = shown.coordinates @ shown.axes + shown.mean
    assert np.allclose(shown.place(back), shown.coordinates, atol=1e-4)
    assert np.allclose(shown.axes @ shown.axes.T, np.eye(len(shown.axes)), atol=1e-5)
    assert 0 < (shown.explained or 0) < 1


def test_two_dimensions_are_the_values_themselves() -> None:
    points = latents()
    shown = projected(points, Axes("dimensions", (4, 0)))
    assert np.array_equal(shown.coordinates, points[:, [4, 0]])


def test_three_axes_hold_more_than_two() -> None:
    points = latents()
    plane, space = (projected(points, Axes(kind)).explained for kind in ("plane", "space"))
    assert space > plane


def test_a_turn_keeps_places_and_latents_together() -> None:
    points = latents()
    shown = projected(points, Axes("space"))
    seen = shown.turned(rotated(np.eye(3), 0.7, -0.3))
    assert seen.coordinates.shape == (200, 2)
    assert np.allclose(seen.place(points), seen.coordinates, atol=1e-4)


def test_turns_stay_rotations() -> None:
    rotation = np.eye(3)
    for _ in range(500):
        rotation = rotated(rotation, 0.3, 0.2)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_turn_to_the_right_brings_depth_to_the_right() -> None:
    turned = rotated(np.eye(3), np.pi / 2, 0) @ np.array([0, 0, 1.0])
    assert np.allclose(turned, [1, 0, 0], atol=1e-12)


def test_distances_from_the_plane_are_those_of_the_definition() -> None:
    points = latents()
    shown = projected(points, Axes("plane"))
    slow = [np.linalg.norm(z - (shown.place(z[None])[0] @ shown.axes + shown.mean)) for z in points]
    assert np.allclose(plane_distances(points, shown), slow, atol=1e-3)


def test_lost_neighbours_are_those_of_the_definition() -> None:
    points, count = latents(80), 6
    places = points[:, :2]

    def nearest(vectors: np.ndarray, row: int) -> set[int]:
        order = np.argsort(np.linalg.norm(vectors - vectors[row], axis=1), kind="stable")
        return set(order[order != row][:count].tolist())

    slow = [1 - len(nearest(points, row) & nearest(places, row)) / count for row in range(80)]
    assert np.allclose(neighbours_lost(points, places, count), slow)


def test_a_map_of_all_dimensions_loses_no_neighbour() -> None:
    points = latents(dimensions=2)
    assert (neighbours_lost(points, points) == 0).all()


def test_coinciding_points_are_compared_all_the_same() -> None:
    points = np.repeat(latents(3), 20, axis=0)
    lost = neighbours_lost(points, points[:, :2])
    assert np.isfinite(lost).all()
    assert ((lost >= 0) & (lost <= 1)).all()


def test_of_very_many_a_choice_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latentmap, "MOST_COMPARED", 50)
    points = latents(120)
    assert np.isfinite(neighbours_lost(points, points[:, :2])).sum() == 50
