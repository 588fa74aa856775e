"""Defects made from normal images: pasted, blended and textured patches with their masks.

Methods that learn to tell normal from spoilt images need spoilt ones, of which there are none. Five
recipes make them from the images themselves and a seeded generator, without outside textures:

    pasted     a jittered patch of another place, pasted hard; scar: a thin one, turned
               (CutPaste; Li, Sohn, Yoon & Pfister, 2021, https://arxiv.org/abs/2104.04015)
    blotch     a spot of any outline, from a dot or a scratch to a third of the image, that shows a
               colour of the image, another part of it, or a rough texture of two of its colours
    blended    a patch of another image, resized and blended without a seam by solving the Poisson
               equation with the target as border (NSA; Schlueter, Tan, Hou & Kainz, 2022,
               https://arxiv.org/abs/2109.15222; Perez, Gangnet & Blake, 2003)
    textured   a procedural texture laid over the places where Perlin noise is high, fractal and
               cellular ones in place of photographs (DRAEM; Zavrtanik, Kristan & Skocaj, 2021,
               section 3.3, https://arxiv.org/abs/2108.07610)

Shapes: C channels, H rows, W columns. Images are float32 in [0, 1].
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Random = np.random.Generator

Recipe = Literal["pasted", "scar", "blotch", "blended", "textured"]

_LEAST_CHANGE = 0.02
"""Grey levels in [0, 1] by which a defect must differ somewhere, else it is none."""
_TRIALS = 8
_HALF_SPOILT, _STEEPNESS = 24, 12
"""Grey levels of 255 at which a pixel counts as half spoilt, and that its label rises over."""
_WAVES = 6
"""Waves along the outline of a blotch."""


@dataclass(frozen=True)
class Spoilt:
    """A normal image with a made defect."""

    image: Image
    """(C, H, W)."""
    mask: Mask
    """(H, W): where it was changed visibly."""
    change: NDArray[np.float32]
    """(H, W): how much, as the mean absolute difference over channels."""

    @property
    def severity(self) -> NDArray[np.float32]:
        """How spoilt (H, W) each pixel is, in [0, 1]: the logistic label of NSA, section 3.2.

        It is a half where the grey changed by 24 of 255, and 0 outside the mask.
        """
        risen = 1 / (1 + np.exp(-(255 * self.change - _HALF_SPOILT) / _STEEPNESS))
        return np.where(self.mask, risen, 0).astype(np.float32)


def spoilt(image: Image, other: Image, recipe: Recipe, random: Random) -> Spoilt:
    """Return an image (C, H, W) with a defect by a recipe; `other` lends patches.

    A defect that cannot be seen is made again, a few times.
    """
    made = _RECIPES[recipe](image, other, random)
    for _ in range(_TRIALS):
        found = _measured(image, made)
        if found.mask.any():
            return found
        made = _RECIPES[recipe](image, other, random)
    return _measured(image, made)


def pasted(image: Image, other: Image, random: Random) -> Image:
    """Paste a jittered patch of 2 to 15 % of the image elsewhere in it."""
    height, width = _area_sides(image, random.uniform(0.02, 0.15), random)
    patch = _cut(image if random.random() < 0.5 else other, height, width, random)
    return _placed(image, _jittered(patch, random), random)


def scar(image: Image, other: Image, random: Random) -> Image:
    """Paste a long thin patch, turned by up to 45 degrees."""
    rows, columns = image.shape[1:]
    scale = min(rows, columns) / 256
    width = max(2, round(random.uniform(2, 16) * scale))
    length = max(width + 2, round(random.uniform(10, 50) * max(scale, 0.5)))
    patch = _jittered(_cut(image, min(length, rows), width, random), random)
    del other  # a scar is of the image itself
    return _turned(image, patch, random.uniform(-45, 45), random)


def blotch(image: Image, other: Image, random: Random) -> Image:
    """Cover a spot with a colour, another part of an image, or a texture between two colours."""
    channels, rows, columns = image.shape
    cover, (top, left) = _spot(rows, columns, random)
    height, width = cover.shape
    kind, first = int(random.integers(3)), _colour(image, random)
    if kind == 0:
        filling = np.broadcast_to(first, (channels, height, width))
    elif kind == 1:
        filling = _cut(image if random.random() < 0.5 else other, height, width, random)
    else:
        grain = gaussian_filter(random.random((height, width)), random.uniform(0.3, 2))
        grain = (grain - grain.min()) / max(float(np.ptp(grain)), 1e-6)
        filling = first + grain[None].astype(np.float32) * (_colour(image, random) - first)
    opacity = 1.0 if random.random() < 0.5 else random.uniform(0.3, 1.0)
    made = image.copy()
    place = made[:, top : top + height, left : left + width]
    place += (opacity * cover[None]).astype(np.float32) * (filling - place)
    return np.clip(made, 0, 1)


def blended(image: Image, other: Image, random: Random) -> Image:
    """Blend a resized patch of another image into this one without a seam."""
    rows, columns = image.shape[1:]
    height = _gamma_side(rows, random)
    width = _gamma_side(columns, random)
    patch = _cut(other, height, width, random)
    scale = float(np.clip(random.normal(1, 0.35), 0.6, 1.6))
    new = (
        int(np.clip(round(height * scale), 4, rows - 2)),
        int(np.clip(round(width * scale), 4, columns - 2)),
    )
    patch = zoom(patch, (1, new[0] / height, new[1] / width), order=1)[:, : new[0], : new[1]]
    height, width = patch.shape[1:]
    top = int(random.integers(1, rows - height)) if rows - height > 1 else 1
    left = int(random.integers(1, columns - width)) if columns - width > 1 else 1
    return seamless(image, patch, top, left)


def textured(image: Image, other: Image, random: Random) -> Image:
    """Lay a procedural texture over the high places of Perlin noise, somewhere in the image."""
    _, rows, columns = image.shape
    window = _window(rows, columns, random)
    place = image[:, *window]
    _, height, width = place.shape
    shape = perlin_noise(height, width, random)
    where = shape > np.quantile(shape, random.uniform(0.7, 0.95))
    texture = _texture(place.shape, other[:, *window], random)
    soft = gaussian_filter(where.astype(np.float32), 0.7, mode="constant")[None]
    made = image.copy()
    made[:, *window] += soft * np.float32(random.uniform(0.2, 0.9)) * (texture - place)
    return np.clip(made, 0, 1)


_RECIPES: Mapping[Recipe, Callable[[Image, Image, Random], Image]] = {
    "pasted": pasted,
    "scar": scar,
    "blotch": blotch,
    "blended": blended,
    "textured": textured,
}


def seamless(image: Image, patch: Image, top: int, left: int) -> Image:
    """Return an image (C, H, W) into which a patch (C, h, w) is blended at a place.

    Inside, the result has the stronger gradient of the two at each pixel; at the border it equals
    the image (Perez et al. 2003, equations 7 and 12). The equation is solved exactly by sine
    transforms. The patch must lie at least one pixel inside the image.
    """
    height, width = patch.shape[1:]
    rows = slice(top - 1, top + height + 1)
    columns = slice(left - 1, left + width + 1)
    target = image[:, rows, columns].astype(np.float64)  # with its border of one pixel
    source = np.pad(patch.astype(np.float64), ((0, 0), (1, 1), (1, 1)), mode="edge")
    divergence = np.zeros_like(target[:, 1:-1, 1:-1])
    for axis in (1, 2):
        ours, theirs = np.diff(target, axis=axis), np.diff(source, axis=axis)
        mixed = np.where(np.abs(theirs) > np.abs(ours), theirs, ours)
        mixed = mixed[:, :, 1:-1] if axis == 1 else mixed[:, 1:-1, :]
        divergence += np.diff(mixed, axis=axis)
    inside = _poisson(divergence, target)
    result = image.copy()
    result[:, top : top + height, left : left + width] = np.clip(inside, 0, 1)
    return result


def perlin_noise(rows: int, columns: int, random: Random) -> Image:
    """Return gradient noise (H, W) about zero with a random scale per axis (Perlin, 1985)."""
    cells = [2 ** int(random.integers(0, 6)) for _ in range(2)]
    cells = [min(cells[0], rows // 2), min(cells[1], columns // 2)]
    angles = random.uniform(0, 2 * math.pi, (cells[0] + 2, cells[1] + 2))
    y = np.linspace(0, cells[0], rows, endpoint=False)
    x = np.linspace(0, cells[1], columns, endpoint=False)
    row, column = y.astype(int)[:, None], x.astype(int)[None]
    dy, dx = (y % 1)[:, None], (x % 1)[None]

    def slope(down: int, right: int) -> NDArray[np.float64]:
        angle = angles[row + down, column + right]
        along: NDArray[np.float64] = np.cos(angle) * (dx - right) + np.sin(angle) * (dy - down)
        return along

    fade_y, fade_x = (t**3 * (t * (t * 6 - 15) + 10) for t in (dy, dx))
    above = slope(0, 0) + fade_x * (slope(0, 1) - slope(0, 0))
    below = slope(1, 0) + fade_x * (slope(1, 1) - slope(1, 0))
    noise: Image = (math.sqrt(2) * (above + fade_y * (below - above))).astype(np.float32)
    return noise


def _measured(image: Image, made: Image) -> Spoilt:
    change = np.abs(made - image).mean(axis=0, dtype=np.float32)
    return Spoilt(made.astype(np.float32), change > _LEAST_CHANGE, change)


def _poisson(divergence: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve Laplace f = divergence (C, h, w) with the border of target (C, h + 2, w + 2)."""
    known = divergence.copy()
    known[:, 0, :] -= target[:, 0, 1:-1]
    known[:, -1, :] -= target[:, -1, 1:-1]
    known[:, :, 0] -= target[:, 1:-1, 0]
    known[:, :, -1] -= target[:, 1:-1, -1]
    height, width = known.shape[1:]
    down = 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1)) - 2
    right = 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1)) - 2
    waves = dstn(known, type=1, axes=(1, 2)) / (down[:, None] + right[None])
    solved: NDArray[np.float64] = idstn(waves, type=1, axes=(1, 2))
    return solved


def _area_sides(image: Image, share: float, random: Random) -> tuple[int, int]:
    """Return height and width of a patch with a share of the area and a random proportion."""
    rows, columns = image.shape[1:]
    proportion = math.exp(random.uniform(math.log(0.3), math.log(3.3)))
    area = share * rows * columns
    height = int(np.clip(round(math.sqrt(area * proportion)), 2, rows - 1))
    width = int(np.clip(round(math.sqrt(area / proportion)), 2, columns - 1))
    return height, width


def _gamma_side(side: int, random: Random) -> int:
    """Return the side of a patch: mostly small, seldom up to 40 % (NSA, section 3)."""
    share = float(np.clip(0.06 + random.gamma(2, 0.1), 0.06, 0.4))
    return int(np.clip(round(share * side), 4, side - 2))


def _cut(image: Image, height: int, width: int, random: Random) -> Image:
    rows, columns = image.shape[1:]
    top = int(random.integers(0, rows - height + 1))
    left = int(random.integers(0, columns - width + 1))
    return image[:, top : top + height, left : left + width]


def _colour(image: Image, random: Random) -> Image:
    """Return the colour (C, 1, 1) of a pixel."""
    row, column = random.integers(0, image.shape[1:]).tolist()
    return image[:, row, column][:, None, None]


def _spot(rows: int, columns: int, random: Random) -> tuple[Image, tuple[int, int]]:
    """Return how far (h, w) in [0, 1] a spot covers pixels, and its first row and column.

    Its outline in polar coordinates is an ellipse with a few random waves; small ones are as
    frequent as large ones.
    """
    side = min(rows, columns)
    radius = math.exp(random.uniform(math.log(0.015 * side), math.log(0.2 * side)))
    stretch = math.exp(random.uniform(0, math.log(5)))
    long, short = max(1.2, radius * math.sqrt(stretch)), max(0.8, radius / math.sqrt(stretch))
    reach = min(math.ceil(1.5 * long) + 1, (side - 1) // 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    turn = random.uniform(0, math.pi)
    u = (math.cos(turn) * x + math.sin(turn) * y) / long
    v = (math.cos(turn) * y - math.sin(turn) * x) / short
    angle = np.arctan2(v, u)
    sizes = random.normal(0, 0.3, _WAVES) / np.arange(1, _WAVES + 1)
    phases = random.uniform(0, 2 * math.pi, _WAVES)
    outline = 1 + sum(
        size * np.cos(wave * angle + phase)
        for wave, (size, phase) in enumerate(zip(sizes, phases, strict=True), start=1)
    )
    inside = (np.clip(outline, 0.3, 1.5) - np.hypot(u, v)) * short
    cover = np.clip(inside + 0.5, 0, 1).astype(np.float32)
    top, left = (int(random.integers(0, length - 2 * reach)) for length in (rows, columns))
    return cover, (top, left)


def _jittered(patch: Image, random: Random) -> Image:
    """Return a patch with other brightness, contrast and, in colour, balance."""
    gain = random.uniform(0.9, 1.1, (len(patch), 1, 1)) if len(patch) > 1 else 1.0
    mean = patch.mean()
    contrast, shift = random.uniform(0.8, 1.2), random.uniform(-0.1, 0.1)
    jittered: Image = (((patch - mean) * contrast + mean) * gain + shift).astype(np.float32)
    return np.clip(jittered, 0, 1)


def _placed(image: Image, patch: Image, random: Random) -> Image:
    height, width = patch.shape[1:]
    top = int(random.integers(0, image.shape[1] - height + 1))
    left = int(random.integers(0, image.shape[2] - width + 1))
    made = image.copy()
    made[:, top : top + height, left : left + width] = patch
    return made


def _turned(image: Image, patch: Image, degrees: float, random: Random) -> Image:
    """Paste a patch (C, h, w) turned about its centre at a random place."""
    rows, columns = image.shape[1:]
    height, width = patch.shape[1:]
    centre = random.uniform(0.1, 0.9, 2) * (rows, columns)
    y, x = np.mgrid[0:rows, 0:columns] - centre[:, None, None]
    turn = math.radians(degrees)
    v = math.cos(turn) * y - math.sin(turn) * x + (height - 1) / 2
    u = math.sin(turn) * y + math.cos(turn) * x + (width - 1) / 2
    inside = (v >= 0) & (v <= height - 1) & (u >= 0) & (u <= width - 1)
    made = image.copy()
    for channel, own in enumerate(patch):
        made[channel][inside] = map_coordinates(own, [v[inside], u[inside]], order=1)
    return made


def _window(rows: int, columns: int, random: Random) -> tuple[slice, slice]:
    """Return a random rectangle that keeps a defect to one place."""
    height = max(4, round(rows * random.uniform(0.15, 0.6)))
    width = max(4, round(columns * random.uniform(0.15, 0.6)))
    top = int(random.integers(0, rows - height + 1))
    left = int(random.integers(0, columns - width + 1))
    return slice(top, top + height), slice(left, left + width)


def _texture(shape: tuple[int, ...], other: Image, random: Random) -> Image:
    """Return a texture (C, H, W): fractal noise, cells, stripes, or another image in pieces."""
    channels, rows, columns = shape
    kind = int(random.integers(0, 4))
    if kind == 0:
        grey = sum(0.5**n * perlin_noise(rows, columns, random) for n in range(4))
    elif kind == 1:
        points = random.uniform(0, 1, (int(random.integers(8, 40)), 2)) * (rows, columns)
        y, x = np.mgrid[0:rows, 0:columns]
        grey = np.min([np.hypot(y - a, x - b) for a, b in points], axis=0)
    elif kind == 2:
        y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
        turn, waves = random.uniform(0, math.pi), random.uniform(4, 40)
        grey = np.sin(2 * math.pi * waves * (math.cos(turn) * x + math.sin(turn) * y))
    else:
        shift = random.integers(0, (rows, columns))
        moved: Image = np.roll(other[:, ::-1], tuple(shift.tolist()), axis=(1, 2))
        return moved
    grey = np.asarray(grey, np.float32)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-6)
    low, high = random.uniform(0, 1, (2, channels, 1, 1)).astype(np.float32)
    coloured: Image = low + grey[None] * (high - low)
    return coloured
