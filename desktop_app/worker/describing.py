"""Descriptors of what is unusual about images, by a trained method."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.anomalies import cut_out, region_features, squares_around
from desktop_app.core.regions import Region
from desktop_app.core.sight import counted
from desktop_app.sdk.capabilities import Encodes, Localizes
from desktop_app.sdk.data import Images
from desktop_app.sdk.method import Method
from desktop_app.toolbox.represented import shrunk
from desktop_app.worker.tiling import InTiles


def described(
    method: Method[Any], images: Images, region: Region | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return blocks of numbers (N, D) that describe the anomalies of images (N, C, H, W).

    "region": plain numbers of the anomaly; "latents", of methods that encode: those of the square
    around it, or of the whole image where there are no heat maps. Nothing outside of a region is
    unusual.
    """
    maps = None
    if isinstance(method, Localizes):
        maps = np.asarray(counted(region, method.localize(images)), np.float32)
        lowest = np.nanmin(maps, axis=(1, 2), keepdims=True)
        maps = np.where(np.isfinite(maps), maps, lowest)
    blocks = {"region": region_features(images, maps)}
    if isinstance(method, Encodes):
        latents = np.asarray(_latents(method, images, maps), np.float32)
        blocks["latents"] = latents.reshape(len(latents), -1)
    return blocks


def _latents(method: Any, images: Images, maps: NDArray[np.float32] | None) -> NDArray[Any]:
    """Return latents (N, ...) of the squares around anomalies; of whole images without maps."""
    if maps is None:
        return np.asarray(method.encode(images))
    squares = cut_out(images, squares_around(maps))
    if isinstance(method, InTiles):  # a square becomes one tile
        method, squares = method.method, shrunk(squares, method.grid.tile)
    return np.asarray(method.encode(squares))
