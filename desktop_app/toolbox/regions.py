"""Scores of a region of interest: what lies outside of it never makes an image unusual.

Shapes: N images, H rows and W columns of a map or of a grid of patches, P places that count.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


def counted_places(region: NDArray[np.bool_] | None, grid: tuple[int, int]) -> Tensor:
    """Return the places (P,) of a grid (H, W), row by row, that touch a region; all without one."""
    if region is None:
        return torch.arange(grid[0] * grid[1])
    touched = F.adaptive_max_pool2d(torch.from_numpy(region.astype(np.float32))[None, None], grid)
    return touched.flatten().nonzero().flatten()


def inside(maps: Tensor, region: NDArray[np.bool_] | None) -> Tensor:
    """Return the values (N, P) of maps (N, H, W) at the places that touch a region."""
    flat = maps.flatten(1)
    if region is None:
        return flat
    rows, columns = maps.shape[-2:]
    return flat[:, counted_places(region, (rows, columns)).to(flat.device)]
