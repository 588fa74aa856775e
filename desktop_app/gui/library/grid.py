"""The arithmetic of a grid of equal tiles: only what is in sight is ever counted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """`count` cells in rows over `width` pixels; a cell is at least `cell_width` wide."""

    count: int
    width: int
    cell_width: int
    cell_height: int
    margin: int = 8

    @property
    def columns(self) -> int:
        """Number of cells side by side, at least one."""
        return max(1, (self.width - 2 * self.margin) // self.cell_width)

    @property
    def rows(self) -> int:
        """Number of rows, the last perhaps not full."""
        return -(-self.count // self.columns)

    @property
    def pitch(self) -> int:
        """Distance of two cells in a row: what is left over is spread between them."""
        return max(self.cell_width, (self.width - 2 * self.margin) // self.columns)

    @property
    def height(self) -> int:
        """Height of all rows in pixels."""
        return self.rows * self.cell_height + 2 * self.margin

    def corner(self, position: int) -> tuple[int, int]:
        """Return the left upper corner of a cell."""
        row, column = divmod(position, self.columns)
        spare = (self.pitch - self.cell_width) // 2
        return (
            self.margin + column * self.pitch + spare,
            self.margin + row * self.cell_height,
        )

    def position_at(self, x: float, y: float) -> int:
        """Return the cell at a place, or -1 between and beside the cells."""
        column, row = (x - self.margin) // self.pitch, (y - self.margin) // self.cell_height
        if not 0 <= column < self.columns or row < 0:
            return -1
        position = int(row) * self.columns + int(column)
        if position >= self.count:
            return -1
        left, _top = self.corner(position)
        return position if left <= x < left + self.cell_width else -1

    def between(self, top: float, bottom: float) -> range:
        """Return the cells of the rows that touch a horizontal strip."""
        first = max(0, int((top - self.margin) // self.cell_height))
        last = int((bottom - self.margin) // self.cell_height) + 1
        return range(
            min(self.count, first * self.columns),
            min(self.count, max(first, last) * self.columns),
        )

    def inside(self, left: float, top: float, right: float, bottom: float) -> NDArray[np.int64]:
        """Return the cells that touch a rectangle, in order."""
        strip = self.between(top, bottom)
        if not strip:
            return np.zeros(0, np.int64)
        spare = (self.pitch - self.cell_width) // 2
        lefts = self.margin + np.arange(self.columns) * self.pitch + spare
        columns = np.flatnonzero((lefts <= right) & (lefts + self.cell_width > left))
        rows = np.arange(strip.start // self.columns, -(-strip.stop // self.columns))
        cells = (rows[:, None] * self.columns + columns[None, :]).ravel()
        return cells[cells < self.count]
