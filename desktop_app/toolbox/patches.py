"""Locally aware patches: one vector per place of an image, out of several feature maps.

Roth et al., Towards total recall in industrial anomaly detection, 2022,
https://arxiv.org/abs/2106.08265

Each map is averaged over its neighbourhood, brought to one grid and scaled to vectors of length 1,
so that no layer drowns the others and contrast does not matter; then they are stacked. Very long
vectors are projected at random onto fewer dimensions, which keeps distances (Johnson &
Lindenstrauss, 1984). They can be whitened, so that faint directions count as well. Two more numbers
say where the patch lies, where that counts.

Shapes: N images, C_l H_l W_l of a map, H W of the grid, D dimensions of a patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.method import State
from desktop_app.toolbox.features import Features, restored_features
from desktop_app.toolbox.inference import require_shape
from desktop_app.toolbox.reconstruction import smoothed
from desktop_app.toolbox.regions import inside
from desktop_app.toolbox.training import to_device

WORST = 0.01
"""Share of the patches whose mean is a score: steadier than the worst one alone."""
_SMOOTHING = 56
"""Maps are smoothed by a Gaussian of S / 56 pixels: 4 pixels at 224, as in the paper."""
_MIXING = "mixing"
_STRIDE = 8
"""Pixels from patch to patch."""
_IMAGES = 256
_SAMPLE = 20_000
"""Images and patches that whitening is learned from."""
_FAINT = 1e-3
"""Added to variances, as a share of their mean: below it is nothing but noise."""
_LEAST_SIDE = 16
"""Patches along a side of small images, where the maps are fine enough."""
_SPREAD = 0.8
"""Standard deviation of a map's vectors of length 1, as found with several networks and folders."""


@dataclass(frozen=True)
class PatchFeatures:
    """Turns images of one shape into a grid of patch vectors."""

    features: Features
    sample_shape: tuple[int, int, int]
    """(C, H, W) of the images."""
    grid: tuple[int, int]
    neighbourhood: int
    """Side, in map pixels, of the square that is averaged."""
    position: float
    """Weight of the place beside what is seen there."""
    mixing: Tensor | None
    """(dimensions of all maps, D without place): projection and whitening, or None."""
    dimensions: int
    """D."""

    @property
    def places(self) -> int:
        """Patches per image."""
        return self.grid[0] * self.grid[1]

    def of(self, images: Tensor) -> Tensor:
        """Return patches (N, H, W, D) of images (N, C, H, W) in [0, 1].

        Raises InvalidInput for images of another shape.
        """
        require_shape(images, self.sample_shape)
        patches = self.seen(images)
        if self.mixing is not None:
            patches = patches @ self.mixing
        if not self.position:
            return patches
        return torch.cat([patches, self.position * _places(patches)], dim=3)

    def seen(self, images: Tensor) -> Tensor:
        """Return what the maps show (N, H, W, dimensions of all maps), not mixed, without place."""
        return patch_grid(
            self.features.maps(images),
            self.grid,
            self.neighbourhood,
            plain=self.features.plain_channels,
        )

    def state(self) -> State:
        """Return everything `restored_patches` needs."""
        state = self.features.state()
        arrays = dict(state.arrays)
        if self.mixing is not None:
            arrays[_MIXING] = self.mixing.cpu().numpy().copy()
        values = {
            "sample_shape": list(self.sample_shape),
            "grid": list(self.grid),
            "neighbourhood": self.neighbourhood,
            "position": self.position,
            "dimensions": self.dimensions,
            "features": dict(state.values),
        }
        return State(arrays, values)


def prepared_patches(
    features: Features,
    data: Dataset,
    *,
    neighbourhood: int,
    position: float,
    whitening: float,
    most_dimensions: int,
    seed: int,
    device: str,
) -> PatchFeatures:
    """Return the patches of these features, on a grid of every eighth pixel, at least 16 x 16.

    The grid is never finer than the finest map. `whitening` 0 leaves the variances of the patches
    as they are, 1 makes them all equal. `position` 1 lets places spread as widely as what is seen.
    """
    with torch.inference_mode():
        maps = features.maps(torch.zeros(1, *data.sample_shape, device=device))
    finest = max(tuple(one.shape[-2:]) for one in maps)
    rows, columns = (
        min(most, max(side // _STRIDE, _LEAST_SIDE))
        for most, side in zip(finest, data.sample_shape[1:], strict=True)
    )
    before = sum(one.shape[1] for one in maps)
    spread = _SPREAD * len(maps) ** 0.5
    patches = PatchFeatures(
        features=features,
        sample_shape=data.sample_shape,
        grid=(rows, columns),
        neighbourhood=neighbourhood,
        position=position * spread,
        mixing=None,
        dimensions=before + 2 * (position > 0),
    )
    mixing = None
    if before > most_dimensions:
        mixing = _random_projection(before, most_dimensions, seed).to(device)
    if whitening:
        mixing = _whitened(_sample(patches, data, seed, device), mixing, whitening, spread)
    dimensions = min(before, most_dimensions) + 2 * (position > 0)
    return replace(patches, mixing=mixing, dimensions=dimensions)


def restored_patches(state: State, device: str) -> PatchFeatures:
    """Return the patches of a state. Raises InvalidInput when it is incomplete."""
    values, arrays = state.values, dict(state.arrays)
    mixing = arrays.pop(_MIXING, None)
    try:
        channels, height, width = values["sample_shape"]
        rows, columns = values["grid"]
        return PatchFeatures(
            features=restored_features(State(arrays, values["features"]), device),
            sample_shape=(channels, height, width),
            grid=(rows, columns),
            neighbourhood=values["neighbourhood"],
            position=values["position"],
            mixing=None if mixing is None else torch.tensor(mixing, device=device),
            dimensions=values["dimensions"],
        )
    except KeyError as missing:
        raise InvalidInput(f"The saved state of the patch features lacks {missing}.") from None


def patch_grid(
    maps: Sequence[Tensor], grid: tuple[int, int], neighbourhood: int = 3, plain: int = 0
) -> Tensor:
    """Return patches (N, H, W, D) on a grid (H, W), each map averaged over its neighbourhood.

    The part of a patch that comes from one map has length 1, but for its last `plain` channels,
    which stay as they are.
    """
    parts: list[Tensor] = []
    for one in maps:
        aligned = resized(_averaged(one, neighbourhood), grid)
        directions = aligned.shape[1] - plain
        parts += [F.normalize(aligned[:, :directions], dim=1), aligned[:, directions:]]
    return torch.cat(parts, dim=1).permute(0, 2, 3, 1)


def resized(one: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (N, C, H, W) at another size: averaged where it is smaller, else enlarged."""
    if tuple(one.shape[-2:]) == size:
        return one
    if one.shape[-2] >= size[0] and one.shape[-1] >= size[1]:
        return F.adaptive_avg_pool2d(one, size)
    return F.interpolate(one, size=size, mode="bilinear", align_corners=False)


def worst_patches(
    distances: Tensor, share: float = WORST, *, region: NDArray[np.bool_] | None = None
) -> Tensor:
    """Return the mean (N,) of that share of the largest distances (N, H, W) that count.

    It is the mean of one at least.
    """
    flat = inside(distances, region)
    return flat.topk(max(1, round(share * flat.shape[1])), dim=1).values.mean(1)


def enlarged(distances: Tensor, size: int) -> Tensor:
    """Return distances (N, H, W) as maps (N, S, S), enlarged and smoothed."""
    large = F.interpolate(distances.unsqueeze(1), size=(size, size), mode="bilinear")
    return smoothed(large.squeeze(1), sigma=max(1.0, size / _SMOOTHING))


def _places(patches: Tensor) -> Tensor:
    """Return the row and column, each in [-1, 1], of every place of patches (N, H, W, D)."""
    count, rows, columns, _ = patches.shape
    down = torch.linspace(-1, 1, rows, device=patches.device).view(1, rows, 1, 1)
    across = torch.linspace(-1, 1, columns, device=patches.device).view(1, 1, columns, 1)
    return torch.cat(
        [down.expand(count, -1, columns, -1), across.expand(count, rows, -1, -1)], dim=3
    )


def _averaged(one: Tensor, neighbourhood: int) -> Tensor:
    size = min(neighbourhood, *(2 * side - 1 for side in one.shape[-2:]))
    if size < 2:
        return one
    return F.avg_pool2d(one, size, stride=1, padding=size // 2, count_include_pad=False)


def _sample(patches: PatchFeatures, data: Dataset, seed: int, device: str) -> Tensor:
    """Return patches (n, dimensions of all maps) from random places of evenly spread images."""
    rows = even_rows(len(data), _IMAGES)
    generator = np.random.default_rng(seed)
    per_image = min(patches.places, -(-_SAMPLE // len(rows)))
    found = []
    for row in rows:
        image = to_device(data.pixels(slice(int(row), int(row) + 1)), device)
        places = torch.from_numpy(generator.permutation(patches.places)[:per_image])
        with torch.inference_mode():
            found.append(patches.seen(image).flatten(0, 2)[places.to(device)])
    return torch.cat(found)


def _whitened(sample: Tensor, mixing: Tensor | None, power: float, spread: float) -> Tensor:
    """Return a mixing whose outputs have variances e^(1 - power) and `spread` in all."""
    mixed = sample if mixing is None else sample @ mixing
    variances, axes = torch.linalg.eigh(torch.cov(mixed.T).double())
    variances = variances.clamp_min(0)
    variances = variances + _FAINT * variances.mean()
    matrix = axes * variances.pow(-power / 2)
    matrix *= spread / variances.pow(1 - power).sum().sqrt()
    whitening: Tensor = matrix.float().contiguous()
    return whitening if mixing is None else mixing @ whitening


def _random_projection(before: int, after: int, seed: int) -> Tensor:
    """Return a Gaussian matrix (before, after) that keeps squared lengths on average."""
    generator = np.random.default_rng([seed, before, after])
    matrix = generator.standard_normal((before, after)) / np.sqrt(after)
    return torch.from_numpy(matrix.astype(np.float32))
