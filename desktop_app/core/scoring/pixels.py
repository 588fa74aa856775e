"""Measures of maps against masks, over all pixels of a folder.

Areas are exact: ties are handled by counting, no curve is sampled. What is held are the scores of
the defect pixels and one block of normal pixels, never all maps at once.

Letters: N images, H rows, W columns, P defect pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring.checks import (
    Booleans,
    Counts,
    require_length,
)
from desktop_app.core.scoring.labels import is_normal
from desktop_app.sdk.errors import InvalidInput

AUPRO_LIMIT = 0.3
"""False-positive rate up to which region overlap is integrated (Bergmann et al., 2021)."""

PIXELS_PER_BLOCK = 1 << 24
"""Normal pixels sorted at once; 64 MB of float32."""


class Masks(Protocol):
    """One boolean mask of shape (H, W) per image, `None` where the truth is unknown."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Any: ...


def pixel_measures(
    labels: Sequence[str],
    maps: NDArray[np.floating[Any]] | None,
    masks: Masks | None,
    count: int,
) -> tuple[float | None, float | None]:
    """Return pixel AUROC and AUPRO, `None` where no defect pixel is known."""
    if maps is None or masks is None:
        return None, None
    require_length("maps", len(maps), count)
    require_length("masks", len(masks), count)
    ranks = _rank_defect_pixels(maps, _CountedMasks(labels, masks, maps.shape[1:]))
    if not ranks.measurable:
        return None, None
    return ranks.auroc(), ranks.overlap_area(AUPRO_LIMIT)


def pixel_auroc(maps: NDArray[np.floating[Any]], masks: Masks) -> float:
    """Return the AUROC over all pixels of maps (N, H, W) against masks (N, H, W).

    Raises InvalidInput without a pixel inside and a pixel outside the masks.
    """
    return _measurable_ranks(maps, masks, "Pixel AUROC").auroc()


def aupro(maps: NDArray[np.floating[Any]], masks: Masks, limit: float = AUPRO_LIMIT) -> float:
    """Return the area under the per-region overlap of maps (N, H, W), from 0 to 1.

    Overlap is the share of a connected defect region (8 neighbours) that is flagged, averaged over
    the regions; it is integrated over the false-positive rate of all other pixels from 0 to
    `limit` and divided by `limit` (Bergmann et al., The MVTec Anomaly Detection Dataset, 2021,
    https://doi.org/10.1007/s11263-020-01400-4).

    Raises InvalidInput without a pixel inside and a pixel outside the masks.
    """
    if not 0 < limit <= 1:
        raise InvalidInput(f"The limit of AUPRO must be above 0 and at most 1; came {limit}.")
    return _measurable_ranks(maps, masks, "AUPRO").overlap_area(limit)


@dataclass(frozen=True)
class _DefectPixels:
    """Where each defect pixel stands among the normal pixels; arrays of shape (P,)."""

    above: Counts
    """Normal pixels with a higher score."""
    at_least: Counts
    """Normal pixels with an equal or higher score."""
    region: Counts
    """Number of the connected region, from 0."""
    normal: int
    """Normal pixels in all."""

    @property
    def measurable(self) -> bool:
        return len(self.above) > 0 and self.normal > 0

    def auroc(self) -> float:
        lost_twice = int(self.above.sum()) + int(self.at_least.sum())
        return 1 - lost_twice / (2 * self.normal * len(self.above))

    def overlap_area(self, limit: float) -> float:
        """Integrate the overlap curve exactly.

        A region's overlap is the mean over its pixels of "is flagged". As the threshold passes a
        pixel's score the false-positive rate runs from f0 = above / normal to
        f1 = at_least / normal, and by linear interpolation the pixel is flagged by
        (f - f0) / (f1 - f0). Its area up to the limit L is L - (f0 + f1) / 2 when f1 <= L, and
        (L - f0)^2 / (2 (f1 - f0)) when L falls in between. Areas add, so no curve is needed.
        """
        f0, f1 = self.above / self.normal, self.at_least / self.normal
        is_cut = f1 > limit
        width = np.where(is_cut & (f1 > f0), f1 - f0, 1.0)
        cut = np.maximum(limit - f0, 0.0) ** 2 / (2 * width)
        area = np.where(is_cut, cut, limit - (f0 + f1) / 2)
        sizes = np.bincount(self.region)
        per_region = np.bincount(self.region, weights=area / limit) / sizes
        return float(per_region.mean())


def _measurable_ranks(maps: NDArray[np.floating[Any]], masks: Masks, measure: str) -> _DefectPixels:
    require_length("masks", len(masks), len(maps))
    ranks = _rank_defect_pixels(maps, masks)
    if not ranks.measurable:
        raise InvalidInput(
            f"{measure} needs pixels inside and outside the masks; "
            f"came {len(ranks.above)} inside and {ranks.normal} outside."
        )
    return ranks


def _rank_defect_pixels(maps: NDArray[np.floating[Any]], masks: Masks) -> _DefectPixels:
    """Count, for every defect pixel, the normal pixels of all images that score as high."""
    values, region = _defect_pixels(maps, masks)
    order = np.argsort(values)
    values, region = values[order], region[order]  # sorted keys make the searches fast
    above = np.zeros(len(values), dtype=np.int64)
    at_least = np.zeros(len(values), dtype=np.int64)
    normal = 0
    for block in _normal_pixels(maps, masks):
        block.sort()
        above += len(block) - np.searchsorted(block, values, side="right")
        at_least += len(block) - np.searchsorted(block, values, side="left")
        normal += len(block)
    return _DefectPixels(above, at_least, region, normal)


def _defect_pixels(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> tuple[NDArray[np.floating[Any]], Counts]:
    """Return scores and region numbers of all pixels inside the masks, each (P,)."""
    from scipy.ndimage import label

    touching = np.ones((3, 3), dtype=np.int64)  # 8 neighbours
    values: list[NDArray[np.floating[Any]]] = [np.empty(0, dtype=maps.dtype)]
    regions: list[Counts] = [np.empty(0, dtype=np.int64)]
    count = 0
    for scores, mask in _measured_images(maps, masks):
        mask = mask & np.isfinite(scores)
        numbers, found = label(mask, structure=touching)
        values.append(scores[mask])
        regions.append(numbers[mask].astype(np.int64) + (count - 1))
        count += int(found)
    return np.concatenate(values), np.concatenate(regions)


def _normal_pixels(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield the scores of all pixels outside the masks, in new arrays of bounded size."""
    waiting: list[NDArray[np.floating[Any]]] = []
    for scores, mask in _measured_images(maps, masks):
        waiting.append(scores[~mask & np.isfinite(scores)])
        if sum(map(len, waiting)) >= PIXELS_PER_BLOCK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _measured_images(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> Iterator[tuple[NDArray[np.floating[Any]], Booleans]]:
    """Yield map and mask, each (H, W), of the images whose truth is known.

    Pixels of a map that are no number do not count; a map of nothing else has diverged.
    """
    for row in range(len(maps)):
        mask = masks[row]
        if mask is None:
            continue
        scores, mask = np.asarray(maps[row]), np.asarray(mask, dtype=np.bool_)
        if mask.shape != scores.shape:
            raise InvalidInput(
                f"Mask and map must have the same size; image {row} has a mask of "
                f"{mask.shape} and a map of {scores.shape}. Resize the mask to the map."
            )
        if np.isinf(scores).any() or np.isnan(scores).all():
            raise InvalidInput(
                f"Maps must hold finite numbers; the map of image {row} does not. "
                "Training may have diverged: try a smaller learning rate."
            )
        yield scores, mask


@dataclass(frozen=True)
class _CountedMasks:
    """Masks as the pixel measures count them: empty where normal, `None` where unknown."""

    labels: Sequence[str]
    masks: Masks
    shape: tuple[int, ...]
    """Rows and columns of a map."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int, /) -> Booleans | None:
        if self.labels[row] == "":
            return None
        if is_normal(self.labels[row]):
            return np.zeros(self.shape, dtype=np.bool_)
        mask = self.masks[row]
        return None if mask is None or not np.any(mask) else np.asarray(mask, dtype=np.bool_)
