"""How alike two images are in structure: SSIM, at one scale or several, and gradient similarity.

Wang, Bovik, Sheikh & Simoncelli, Image quality assessment, 2004, eq. 12-13, with a Gaussian window:

    l = (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1)        cs = (2 s_xy + c2) / (s_x^2 + s_y^2 + c2)
    SSIM = l cs                                        c1 = .01^2, c2 = .03^2

Wang, Simoncelli & Bovik, Multi-scale structural similarity, 2003, eq. 7:

    MS-SSIM = mean(l_M)^w_M  prod_j mean(cs_j)^w_j     each scale half as large as the one before

Xue, Zhang, Mou & Bovik, Gradient magnitude similarity deviation, 2014, eq. 4, with Prewitt's g:

    GMS = (2 g_x g_y + c) / (g_x^2 + g_y^2 + c)        c = .0026

All are 1 where images in [0, 1] agree. Images are mirrored at the border, so that maps are as large
as images; away from it they are those of the papers.

Shapes: N images, C channels, H rows, W columns.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.toolbox.reconstruction import smoothed

RADIUS = 5
"""Pixels on each side of the middle of the window: 11 in all."""
_SIGMA_PER_RADIUS = 1.5 / 5
_C1, _C2 = 0.01**2, 0.03**2
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, the finest first."""
_LEAST = 1e-6
"""Means below it, negative ones too, have no power of a fraction."""
_GRADIENT_CONSTANT = 0.0026
_GRADIENT_SCALES = 4
_LEAST_SIDE = 8
"""Pixels of a side below which no further scale is looked at."""
_TINY = 1e-12
"""Keeps the slope of a square root finite where an image is flat."""


def ssim_map(images: Tensor, others: Tensor, radius: int = RADIUS) -> Tensor:
    """Return the structural similarity (N, C, H, W) around each value, in [-1, 1]."""
    light, structure = _compared(images, others, radius)
    return light * structure


def ms_ssim(images: Tensor, others: Tensor, radius: int = RADIUS, scales: int = 5) -> Tensor:
    """Return the multi-scale similarity (N,) of images, at most 1.

    Scales at which the window is larger than the image are left out, and the weights of the others
    are scaled to a sum of 1, so that equal loss of structure at all scales counts alike.
    """
    side = min(images.shape[-2:])
    used = [number for number in range(scales) if number == 0 or side >> number > 2 * radius]
    weights = torch.tensor(_WEIGHTS[: len(used)], device=images.device)
    similarity = images.new_ones(len(images))
    for number, weight in zip(used, weights / weights.sum(), strict=True):
        if number > 0:
            images, others = F.avg_pool2d(images, 2), F.avg_pool2d(others, 2)
        light, structure = _compared(images, others, radius)
        part = structure.mean(dim=(1, 2, 3)).clamp(min=_LEAST)
        if number == used[-1]:
            part = part * light.mean(dim=(1, 2, 3)).clamp(min=_LEAST)
        similarity = similarity * part**weight
    return similarity


def gradient_similarity(images: Tensor, others: Tensor) -> Tensor:
    """Return the similarity (N, C, H, W) of the gradient magnitudes, in (0, 1]."""
    g, h = _gradient(images), _gradient(others)
    return (2 * g * h + _GRADIENT_CONSTANT) / (g.square() + h.square() + _GRADIENT_CONSTANT)


def ms_gradient_similarity(images: Tensor, others: Tensor) -> Tensor:
    """Return the similarity (N, H, W) of gradients, its mean over channels and up to four scales.

    Each scale is half as large as the one before, and its map is enlarged again (Zavrtanik et al.,
    Reconstruction by inpainting for visual anomaly detection, 2021, section 3.2).
    """
    size, maps = images.shape[-2:], []
    for number in range(_GRADIENT_SCALES):
        if number > 0:
            if min(images.shape[-2:]) < 2 * _LEAST_SIDE:
                break
            images, others = F.avg_pool2d(images, 2), F.avg_pool2d(others, 2)
        similarity = gradient_similarity(images, others).mean(dim=1, keepdim=True)
        maps.append(F.interpolate(similarity, size=size, mode="bilinear", align_corners=False))
    return torch.stack(maps).mean(dim=0).squeeze(1)


def _compared(images: Tensor, others: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Return how alike light (l) and structure (cs) are around each value, both (N, C, H, W)."""
    x, y = images.flatten(0, 1), others.flatten(0, 1)  # (N C, H, W)
    stacked = torch.cat([x, y, x * x + y * y, x * y])
    blurred = smoothed(stacked, _SIGMA_PER_RADIUS * radius, radius)
    m_x, m_y, squares, product = blurred.view(4, *images.shape)
    both, means = m_x * m_y, m_x.square() + m_y.square()
    light = (2 * both + _C1) / (means + _C1)
    structure = (2 * (product - both) + _C2) / (squares - means + _C2)
    return light, structure


def _gradient(images: Tensor) -> Tensor:
    """Return the magnitude (N, C, H, W) of Prewitt's gradient, the border repeated."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]  # (N, C, H, W + 2)
    columns = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]  # (N, C, H + 2, W)
    across = (rows[..., 2:] - rows[..., :-2]) / 3
    down = (columns[:, :, 2:] - columns[:, :, :-2]) / 3
    return (across.square() + down.square() + _TINY).sqrt()
