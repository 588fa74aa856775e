"""The pictures of a report: images, alone, under their heat maps, and with the true outline."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.heatmaps import OUTSIDE

HEAT = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=np.float32
)
"""Colours of a heat map from usual to unusual: five stops of matplotlib's inferno (CC0)."""

HEAT_OPACITY = 0.75
"""Of the most unusual pixel; the least unusual one is transparent."""

EXACT_SIDE = 64
"""Longest side in pixels of pictures that are kept exactly."""


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image (H, W), (H, W, 1) or (H, W, 3) as PNG, a large one as JPEG.

    A report holds a hundred pictures: as PNG they would be ten times as large.
    """
    image, buffer = Image.fromarray(_colour(pixels)), io.BytesIO()
    if max(image.size) <= EXACT_SIDE:
        image.save(buffer, format="PNG", optimize=True)
    else:
        image.save(buffer, format="JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def overlaid(
    pixels: NDArray[np.uint8], heat: NDArray[np.floating[Any]], usual: float, unusual: float
) -> NDArray[np.uint8]:
    """Lay a heat map (h, w) over an image (H, W, C) and return it as (H, W, 3).

    `usual` and `unusual` are the values at the two ends of the colours; take them from all images
    of a folder, so that the same colour means the same everywhere. What is not a number, because it
    lies outside of the region of interest, is grey.
    """
    image = _colour(pixels)
    height, width = image.shape[:2]
    counts = np.isfinite(heat)
    heat = np.where(counts, heat, usual)
    share = np.clip((heat - usual) / max(unusual - usual, 1e-30), 0, 1).astype(np.float32)
    resized = Image.fromarray(share).resize((width, height), Image.Resampling.BILINEAR)
    share = np.asarray(resized, dtype=np.float32)
    stops = np.linspace(0, 1, len(HEAT))
    colour = np.stack([np.interp(share, stops, HEAT[:, i]) for i in range(3)], axis=-1)
    opacity = (HEAT_OPACITY * np.sqrt(share))[..., None]
    mixed: NDArray[np.float64] = image + opacity * (colour - image)
    if not counts.all():
        outside = ~np.asarray(Image.fromarray(counts).resize((width, height)), np.bool_)
        mixed[outside] = image[outside] + HEAT_OPACITY * (OUTSIDE - image[outside])
    return (mixed + 0.5).astype(np.uint8)


def outlined(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw the outline of a mask (h, w) into an image (H, W, C) and return it as (H, W, 3)."""
    image = _colour(pixels).copy()
    height, width = image.shape[:2]
    sized = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
    inside = np.pad(np.asarray(sized, dtype=np.bool_), 1)
    near = inside[:-2, 1:-1] | inside[2:, 1:-1] | inside[1:-1, :-2] | inside[1:-1, 2:]
    image[near & ~inside[1:-1, 1:-1]] = (0, 230, 118)
    return image


def _colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
