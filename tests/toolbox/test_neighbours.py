"""Neighbours found block by block are those of all pairs at once."""

import pytest
import torch

from desktop_app.sdk.errors import InvalidInput
from desktop_app.toolbox.neighbours import Neighbours


@pytest.mark.parametrize("count", [1, 4])
def test_neighbours_are_those_of_all_pairs(count: int) -> None:
    torch.manual_seed(0)
    memory, queries = torch.randn(2500, 12), torch.randn(3000, 12)

    distances, rows = Neighbours(memory).nearest(queries, count)

    expected, places = torch.cdist(queries, memory).topk(count, dim=1, largest=False)
    torch.testing.assert_close(distances, expected, rtol=1e-3, atol=1e-3)
    assert (rows == places).float().mean() > 0.999


def test_a_memory_smaller_than_the_wish_gives_all_it_has() -> None:
    distances, rows = Neighbours(torch.eye(3)).nearest(torch.zeros(2, 3), 10)

    assert distances.shape == rows.shape == (2, 3)
    assert sorted(rows[0].tolist()) == [0, 1, 2]


def test_an_empty_memory_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one point"):
        Neighbours(torch.empty(0, 4))
