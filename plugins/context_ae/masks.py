"""Regions that are hidden from the network.

Shapes: N images, C channels, H rows, W columns; masks are (N, 1, H, W), true where hidden.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Region = Literal["any", "centre", "square", "blocks", "brush"]

_MOVED = 0.125
"""How far the centre moves at most, as a share of a side: each image teaches more than once."""
GRID = 8
"""Cells along each side of an image: of blocks, and of the cells that are scored."""
_BLOCK_SHARES = (0.1, 0.4)
_STROKES = 3
_STROKE_WIDTHS = (0.03, 0.08)
"""Half the width of a stroke, as a share of the shorter side."""


def hidden_regions(
    region: Region, count: int, rows: int, columns: int, size: float, device: str = "cpu"
) -> Tensor:
    """Return random masks (count, 1, H, W); `size` is the share of a side that squares have."""
    if region == "centre":
        return _near_the_centre(count, rows, columns, size, device)
    if region == "square":
        return _squares(count, rows, columns, size, device)
    if region == "blocks":
        return _blocks(count, rows, columns, device)
    if region == "brush":
        return _strokes(count, rows, columns, device)
    kinds = torch.stack(
        [
            _squares(count, rows, columns, size, device),
            _blocks(count, rows, columns, device),
            _strokes(count, rows, columns, device),
        ]
    )
    chosen = torch.randint(len(kinds), (count,), device=device)
    return kinds[chosen, torch.arange(count, device=device)]


def centre_mask(rows: int, columns: int, size: float, device: str = "cpu") -> Tensor:
    """Return the mask (1, 1, H, W) of a square in the middle."""
    mask = torch.zeros(1, 1, rows, columns, dtype=torch.bool, device=device)
    height, width = max(1, round(size * rows)), max(1, round(size * columns))
    top, left = (rows - height) // 2, (columns - width) // 2
    mask[..., top : top + height, left : left + width] = True
    return mask


def _near_the_centre(count: int, rows: int, columns: int, size: float, device: str) -> Tensor:
    """Return masks (count, 1, H, W) of the square in the middle, moved a little at random."""
    mask = centre_mask(rows, columns, size, device)[0, 0]
    inside = []
    for known, side in ((mask.any(dim=1), rows), (mask.any(dim=0), columns)):
        edge = int(known.int().argmax())  # the square stays whole
        most = min(int(_MOVED * side), edge, side - edge - int(known.sum()))
        moved = torch.randint(-most, most + 1, (count, 1), device=device)
        places = torch.arange(side, device=device) - moved  # (count, side)
        inside.append((places >= edge) & (places < edge + known.sum()))
    return (inside[0][:, :, None] & inside[1][:, None, :]).unsqueeze(1)


def grid_masks(rows: int, columns: int, device: str = "cpu") -> Tensor:
    """Return four masks (4, 1, H, W) that together hide each cell of a grid once.

    No two cells of a mask touch.
    """
    row = torch.arange(rows, device=device) * GRID // rows
    column = torch.arange(columns, device=device) * GRID // columns
    which = (row % 2)[:, None] * 2 + (column % 2)[None]  # (H, W)
    return torch.stack([which == number for number in range(4)]).unsqueeze(1)


def surrounded(mask: Tensor, pixels: int) -> Tensor:
    """Return masks that are wider by some pixels on all sides."""
    if pixels == 0:
        return mask
    wide = functional.max_pool2d(mask.float(), 2 * pixels + 1, stride=1, padding=pixels)
    return wide > 0.5


def _squares(count: int, rows: int, columns: int, size: float, device: str) -> Tensor:
    share = size * (0.5 + 0.5 * torch.rand(count, 1, device=device))
    return (
        _within(share * rows, rows, device)[:, None, :, None]
        & (_within(share * columns, columns, device)[:, None, None, :])
    )


def _within(lengths: Tensor, side: int, device: str) -> Tensor:
    """Return (N, side): true on a random interval of the given length (N, 1)."""
    lengths = lengths.round().clamp(1, side)
    start = (torch.rand(len(lengths), 1, device=device) * (side - lengths + 1)).floor()
    place = torch.arange(side, device=device)[None]
    return (place >= start) & (place < start + lengths)


def _blocks(count: int, rows: int, columns: int, device: str) -> Tensor:
    low, high = _BLOCK_SHARES
    share = low + (high - low) * torch.rand(count, 1, 1, device=device)
    cells = torch.rand(count, GRID, GRID, device=device) < share
    row = torch.arange(rows, device=device) * GRID // rows
    column = torch.arange(columns, device=device) * GRID // columns
    return cells[:, row][:, :, column].unsqueeze(1)


def _strokes(count: int, rows: int, columns: int, device: str) -> Tensor:
    y = torch.linspace(0, 1, rows, device=device)[:, None]
    x = torch.linspace(0, 1, columns, device=device)[None]
    low, high = _STROKE_WIDTHS
    mask = torch.zeros(count, rows, columns, dtype=torch.bool, device=device)
    for _ in range(_STROKES):
        ends = torch.rand(4, count, 1, 1, device=device)
        width = low + (high - low) * torch.rand(count, 1, 1, device=device)
        dy, dx = ends[2] - ends[0], ends[3] - ends[1]
        along = ((y - ends[0]) * dy + (x - ends[1]) * dx) / (dy**2 + dx**2).clamp(min=1e-6)
        along = along.clamp(0, 1)
        distance = torch.hypot(y - ends[0] - along * dy, x - ends[1] - along * dx)
        mask |= distance < width
    return mask.unsqueeze(1)
