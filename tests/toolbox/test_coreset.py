"""The blocked selection chooses as the textbook's greedy loop does."""

import numpy as np
import pytest
import torch
from torch import Tensor

from desktop_app.sdk.errors import InvalidInput
from desktop_app.toolbox import coreset
from desktop_app.toolbox.coreset import Coreset, nearest_squared


def greedy(points: Tensor, count: int) -> tuple[list[int], float]:
    """The loop of the paper: one pass over all points per centre; rows and covering radius."""
    points = points.double()
    row = int((points - points.mean(0)).square().sum(1).argmin())
    nearest, rows = torch.full((len(points),), torch.inf, dtype=torch.float64), []
    for _ in range(count):
        rows.append(row)
        nearest = torch.minimum(nearest, (points - points[row]).square().sum(1))
        row = int(nearest.argmax())
    return rows, float(nearest.max().sqrt())


def points(count: int = 6000, dimensions: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def covering_radius(everything: Tensor, rows: np.ndarray) -> float:
    return float(torch.cdist(everything, everything[torch.from_numpy(rows)]).amin(1).max())


def test_without_slack_the_rows_are_those_of_the_greedy_loop() -> None:
    selection = Coreset(points(), slack=0.0)
    list(selection.grow(400))

    assert selection.centres.tolist() == greedy(points(), 400)[0]


@pytest.mark.parametrize(("dimensions", "count"), [(2, 300), (5, 800), (40, 200)])
def test_with_slack_the_covering_radius_is_within_five_per_cent(
    dimensions: int, count: int
) -> None:
    cloud = points(dimensions=dimensions)
    selection = Coreset(cloud)
    list(selection.grow(count))

    assert len(set(selection.centres.tolist())) == count
    assert covering_radius(cloud, selection.centres) <= 1.05 * greedy(cloud, count)[1]


def test_the_radius_told_is_the_true_one_though_points_sleep() -> None:
    selection = Coreset(points())
    for _ in selection.grow(700):
        assert selection.radius() == pytest.approx(
            covering_radius(points(), selection.centres), rel=1e-3
        )


def test_a_stopped_selection_continues_to_the_same_rows() -> None:
    whole, first, second = (Coreset(points()) for _ in range(3))
    list(whole.grow(900))
    next(first.grow(900))

    second.restore(first.state())
    list(second.grow(900))

    assert second.centres.tolist() == whole.centres.tolist()


def test_copies_of_points_are_not_chosen_twice() -> None:
    selection = Coreset(points(50).repeat(20, 1).half())
    list(selection.grow(600))

    assert len(selection.centres) == 50
    assert selection.radius() == 0.0


def test_no_round_holds_more_than_a_block_of_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = []

    def watched(some: Tensor, centres: Tensor) -> Tensor:
        largest.append(len(some))
        return nearest_squared(some, centres)

    monkeypatch.setattr(coreset, "nearest_squared", watched)
    list(Coreset(points(20_000)).grow(300))

    assert max(largest) <= 4096


def test_nothing_to_choose_from_is_told() -> None:
    with pytest.raises(InvalidInput, match="at least one point"):
        Coreset(torch.empty(0, 3))
