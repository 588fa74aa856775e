"""The arithmetic of the gallery."""

import pytest

from desktop_app.gui.library.grid import Grid

GRID = Grid(count=1_000_000, width=500, cell_width=100, cell_height=120)


@pytest.mark.parametrize("position", [0, 3, 4, 401, 999_999])
def test_the_middle_of_a_cell_belongs_to_it(position: int) -> None:
    left, top = GRID.corner(position)
    assert GRID.position_at(left + 50, top + 60) == position


def test_nothing_lies_beside_the_cells() -> None:
    assert GRID.position_at(1, 60) == -1
    assert GRID.position_at(499, 60) == -1
    assert GRID.position_at(50, -10) == -1
    assert Grid(3, 500, 100, 120).position_at(450, 60) == -1


def test_a_strip_holds_the_rows_that_it_touches() -> None:
    assert GRID.between(0, 100) == range(0, 4)
    assert GRID.between(127, 129) == range(0, 8)
    assert GRID.between(GRID.height - 50, GRID.height) == range(999_996, 1_000_000)
    assert list(Grid(0, 500, 100, 120).between(0, 600)) == []


def test_a_rectangle_holds_the_cells_that_it_touches() -> None:
    left, top = GRID.corner(5)
    assert GRID.inside(left + 10, top + 10, left + 130, top + 20).tolist() == [5, 6]
    assert GRID.inside(0, 0, 500, 130).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert Grid(2, 500, 100, 120).inside(0, 0, 500, 500).tolist() == [0, 1]


def test_a_narrow_window_still_has_one_column() -> None:
    narrow = Grid(7, 40, 100, 120)
    assert (narrow.columns, narrow.rows) == (1, 7)
