"""Numbers per pixel as colours, and masks as lines.

Shapes: H rows, W columns, C channels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.heatmaps import OUTSIDE

_FADE = 0.6
"""Share of the scale below which a heat map fades out, so that what is usual stays in sight."""
_LONGEST = 512
"""Pixels to which masks and maps are thinned before lines are drawn around them."""

_SCREEN = 1100
"""Pixels along a side of a map that are coloured at most."""
_STEPS = 4096
"""Steps of the scale of colours that are told apart."""
_VEIL = 0.8
"""Opacity of the grey over what does not count."""

DIFFERENCE_RANGE = (0.0, 0.5)
"""One scale for all differences of images in [0, 1]."""


def heat_rgba(
    values: NDArray[np.floating[Any]],
    limits: tuple[float, float],
    lut: NDArray[np.uint8],
    *,
    fade: bool = True,
    usual: float | None = None,
) -> NDArray[np.uint8]:
    """Return a map (H, W) as RGBA (H, W, 4), low values transparent where `fade` is set.

    `limits` are the values of the first and the last colour of `lut` (256, 3); what is no number,
    because it lies outside of the region of interest, is grey. Where it is known up to which value
    maps are `usual`, all below it fades out. Of maps larger than a screen some pixels are left out.

    Values are told apart in `_STEPS` steps of the scale, each of which is coloured once: a map of a
    million pixels takes a tenth of the time.
    """
    low, high = limits
    top = high if usual is None or usual < high else usual + high - low
    scale = np.linspace(low, top, _STEPS, dtype=np.float32)
    rgba = np.empty((_STEPS + 1, 4), np.uint8)
    share = relative(scale, limits)
    rgba[:-1, :3] = lut[(share * 255).astype(np.uint8)]
    above = share if usual is None else relative(scale, (usual, max(usual, high)))
    alpha = np.minimum(above / _FADE, 1.0) if fade else np.ones_like(share)
    rgba[:-1, 3] = (alpha * 255).astype(np.uint8)
    rgba[-1] = (OUTSIDE, OUTSIDE, OUTSIDE, int(_VEIL * 255))
    steps = _steps(shown(values), (low, top))
    colours = rgba.view(np.uint32)[:, 0].take(steps, mode="clip")
    return colours.view(np.uint8).reshape(*steps.shape, 4)


def shown(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return a map (H, W) with so many pixels as a screen shows."""
    step = max(1, -(-max(values.shape) // _SCREEN))
    return values[step // 2 :: step, step // 2 :: step] if step > 1 else values


def _steps(values: NDArray[np.floating[Any]], limits: tuple[float, float]) -> NDArray[np.int32]:
    """Return at which step of the scale each value lies; the one after the last is no number."""
    share = relative(values, limits)
    share *= _STEPS - 1
    share += 0.5
    outside = np.isnan(share)
    if outside.any():
        share[outside] = _STEPS
    return share.astype(np.int32)


def greyed(
    lut: NDArray[np.uint8], limits: tuple[float, float], usual: float | None
) -> NDArray[np.uint8]:
    """Return colours (256, 3) of a scale, those below the usual value without their hue."""
    if usual is None:
        return lut
    colours = lut.copy()
    stop = int(relative(np.array([usual]), limits)[0] * len(lut))
    colours[:stop] = lut[:stop].mean(axis=1, keepdims=True).astype(np.uint8)
    return colours


def heat_rgb(
    values: NDArray[np.floating[Any]], limits: tuple[float, float], lut: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return a map (H, W) as RGB (H, W, 3); of large ones some pixels are left out."""
    colours: NDArray[np.uint8] = lut[
        (np.nan_to_num(relative(shown(values), limits)) * 255).astype(np.uint8)
    ]
    return colours


def relative(values: NDArray[np.floating[Any]], limits: tuple[float, float]) -> NDArray[np.float32]:
    """Return values on a scale from 0 to 1, clipped; NaN stays."""
    low, high = limits
    span = high - low if high > low else 1.0
    share: NDArray[np.float32] = values.astype(np.float32)
    share -= np.float32(low)
    share *= np.float32(1 / span)
    return np.clip(share, 0, 1, out=share)


def difference(
    images: NDArray[np.floating[Any]], rebuilt: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Return how much two images (C, H, W) differ, the mean over the channels (H, W)."""
    gaps = np.abs(images.astype(np.float32) - rebuilt.astype(np.float32))
    mean: NDArray[np.float32] = gaps.mean(axis=0)
    return mean


def pixels_of(image: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return an image (C, H, W) in [0, 1] as uint8 (H, W) or (H, W, 3)."""
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3])


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the border of a mask (H, W) as lines (n, 4): x1, y1, x2, y2, shares of the image."""
    step = max(1, -(-max(mask.shape) // _LONGEST))
    thin = np.pad(_thinned(mask, step), 1)
    across = _runs(thin[1:, 1:-1] != thin[:-1, 1:-1])  # edges between a row and the next
    down = _runs((thin[1:-1, 1:] != thin[1:-1, :-1]).T)
    lines = np.empty((len(across) + len(down), 4), np.float32)
    lines[: len(across)] = across[:, [1, 0, 2, 0]]
    lines[len(across) :] = down[:, [0, 1, 0, 2]]
    height, width = mask.shape
    sides = np.array([width, height, width, height], np.float32)
    shares: NDArray[np.float32] = np.minimum(lines * (step / sides), 1).astype(np.float32)
    return shares


def contour(values: NDArray[np.floating[Any]], level: float) -> NDArray[np.float32]:
    """Return where a map (H, W) passes a level, as lines (n, 4) in shares of the image.

    Marching squares: each square of four neighbouring pixels adds the straight lines between its
    crossed sides. Beyond its outermost pixels the map goes on as it ends. Of large maps some pixels
    are left out.
    """
    step = max(1, -(-max(values.shape) // _LONGEST))
    values = values[step // 2 :: step, step // 2 :: step]
    field = np.pad(np.nan_to_num(values.astype(np.float64), nan=-np.inf), 1, mode="edge")
    above = field >= level
    corners = (above[:-1, :-1], above[:-1, 1:], above[1:, 1:], above[1:, :-1])
    cases = np.zeros(corners[0].shape, np.uint8)
    for bit, corner in enumerate(corners):
        cases |= corner.astype(np.uint8) << bit
    row, column = np.nonzero((cases > 0) & (cases < 15))
    case = cases[row, column]
    top_left, top_right = field[row, column], field[row, column + 1]
    bottom_left, bottom_right = field[row + 1, column], field[row + 1, column + 1]
    sides = np.stack(  # (n, 4 sides, 2): x and y where each is crossed
        [
            np.column_stack([column + _crossing(top_left, top_right, level), row]),
            np.column_stack([column + 1, row + _crossing(top_right, bottom_right, level)]),
            np.column_stack([column + _crossing(bottom_left, bottom_right, level), row + 1]),
            np.column_stack([column, row + _crossing(top_left, bottom_left, level)]),
        ],
        axis=1,
    )
    ends = []
    for pair in range(2):
        own = np.flatnonzero(_SIDES[case, pair, 0] >= 0)
        chosen = _SIDES[case[own], pair]
        ends.append(np.hstack([sides[own, chosen[:, 0]], sides[own, chosen[:, 1]]]))
    height, width = values.shape
    lines = (np.concatenate(ends) - 0.5) / np.array([width, height, width, height])
    shares: NDArray[np.float32] = np.clip(lines, 0, 1).astype(np.float32)
    return shares


_SIDES = np.full((16, 2, 2), -1, np.int64)
"""Case -> up to two pairs of crossed sides: top 0, right 1, bottom 2, left 3."""
for _cases, _pair in (
    ((1, 14), (3, 0)),
    ((2, 13), (0, 1)),
    ((3, 12), (3, 1)),
    ((4, 11), (1, 2)),
    ((6, 9), (0, 2)),
    ((7, 8), (3, 2)),
):
    _SIDES[list(_cases), 0] = _pair
_SIDES[5] = (3, 0), (1, 2)
_SIDES[10] = (0, 1), (3, 2)


def _crossing(
    first: NDArray[np.float64], second: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """Return where between two pixels the level lies, 0 to 1; anything where it does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (level - first) / (second - first)
    return np.clip(np.nan_to_num(share, nan=0.5), 0, 1)


def _thinned(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return a smaller mask, True where any pixel of a block is."""
    if step == 1:
        return mask
    height, width = -(-mask.shape[0] // step), -(-mask.shape[1] // step)
    whole = np.zeros((height * step, width * step), np.bool_)
    whole[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(whole.reshape(height, step, width, step).any(axis=(1, 3)))


def _runs(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the runs of True in each row as (row, start, stop), (n, 3)."""
    padded = np.pad(edges, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    row, start = np.nonzero(change == 1)
    _row, stop = np.nonzero(change == -1)
    return np.column_stack([row, start, stop])
