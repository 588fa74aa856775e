"""What is unusual about images: a descriptor of each one's anomaly, and groups of similar ones.

The anomaly of an image is where its heat map is highest. It is described by what lies there: how
colours and edges differ from those around, how large and how long it is; and, of methods that
encode images, by the latents of the square cut out around it. Groups are those of Ward's linkage,
whose tree is built once and cut at any number.

Ward, Hierarchical grouping to optimize an objective function, 1963. A number of groups is suggested
where the curve of what they leave unexplained bends most (Satopaa et al., Kneedle, 2011):

    K = argmax of the distance of log W(K) below the line between its ends,
    W(K) = mean |x - mean of its group|^2

Anomalies seldom form groups that lie apart, and of others the widest silhouettes (Rousseeuw, 1987)
are those of two halves.

Shapes: N images, C channels, H rows, W columns, D numbers of a descriptor, K groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Images

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

MOST_GROUPED = 3000
"""Images that are grouped at once: all pairs of them are looked at."""
MOST_SUGGESTED = 12
"""Groups up to which a number is suggested."""
_HALF = 0.5  # share of the way from the median of a map to its peak that belongs to the anomaly
_MARGIN = 0.25  # of the anomaly's side, left around it in a square cut out
_SMALLEST = 0.2  # side of a square cut out, as a share of the image
_DIRECTIONS = 8  # bins of edges over half a turn
_NOTHING = 1e-9  # share of the whole sum of squares that counts as none
_CLIP = 4.0  # standard deviations beyond which one number of a descriptor counts no more


@dataclass(frozen=True)
class Grouping:
    """The tree of all groups of N images, and what is needed to look at a cut of it."""

    distances: Floats
    """(N, N) between descriptors."""
    tree: NDArray[np.float64]
    """(N - 1, 4), as scipy.cluster.hierarchy.linkage returns it."""
    suggested: int
    """The number of groups beyond which another one tells little more."""

    def __len__(self) -> int:
        return len(self.distances)

    def groups(self, count: int, scores: NDArray[np.floating]) -> list[Numbers]:
        """Return `count` groups of numbers of images (n,): the typical one first, then by score.

        The group with the most unusual image, by scores (N,), comes first.
        """
        labels = _cut(self.tree, count, len(self))
        found = [self._ordered(np.flatnonzero(labels == label), scores) for label in set(labels)]
        return sorted(found, key=lambda rows: -float(scores[rows].max()))

    def _ordered(self, rows: Numbers, scores: NDArray[np.floating]) -> Numbers:
        typical = rows[int(self.distances[np.ix_(rows, rows)].sum(axis=1).argmin())]
        others = rows[rows != typical]
        worst_first = others[np.argsort(-scores[others], kind="stable")]
        return np.concatenate([[typical], worst_first]).astype(np.int64)


def grouping(blocks: Mapping[str, Floats]) -> Grouping:
    """Return the tree of groups of N images by blocks of descriptors (N, D), all equally heavy."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist, squareform

    count = len(next(iter(blocks.values())))
    if count < 2:
        return Grouping(np.zeros((count, count), np.float32), np.zeros((0, 4)), count)
    points = np.concatenate([_scaled(block) for block in blocks.values()], axis=1)
    condensed = pdist(points)
    tree = linkage(condensed, "ward")
    distances = squareform(condensed).astype(np.float32)
    return Grouping(distances, tree, _suggested(tree))


def squares_around(maps: Floats) -> NDArray[np.float64]:
    """Return left, top, right, bottom (N, 4) of a square around each map's peak, in shares."""
    return np.array([_square(one) for one in maps])


def cut_out(images: Images, squares: NDArray[np.float64]) -> Images:
    """Return the squares (N, 4) of images (N, C, S, S), stretched to their size."""
    side = images.shape[-1]
    cut = np.empty_like(images)
    for place, (left, top, right, bottom) in enumerate(squares):
        rows = _samples(top, bottom, side)
        columns = _samples(left, right, side)
        cut[place] = _bilinear(images[place], rows, columns)
    return cut


def region_features(images: Images, maps: Floats | None) -> Floats:
    """Return plain numbers (N, D) of the anomalies of images (N, C, H, W) with maps (N, h, w).

    Without maps, the whole image is the anomaly.
    """
    side = images.shape[-2:]
    rows = [
        _features(image, np.ones(side, np.float32) if maps is None else _fitted(maps[place], side))
        for place, image in enumerate(images)
    ]
    return np.array(rows, np.float32)


def _features(image: NDArray[np.floating], heat: Floats) -> list[float]:
    """Return colours and edges of an anomaly against those around it, its extent and length."""
    inside = _weights(heat)
    outside = 1 - inside
    total, around = float(inside.sum()), float(outside.sum()) + 1e-6
    grey = image.mean(axis=0)
    down, across = np.gradient(grey)
    strength = np.hypot(down, across)
    means = (image * inside).sum(axis=(1, 2)) / total
    beyond = (image * outside).sum(axis=(1, 2)) / around
    brightness = float(means.mean())
    spread = float(np.sqrt((inside * (grey - brightness) ** 2).sum() / total))
    edges = float((strength * inside).sum() / total)
    edges_beyond = float((strength * outside).sum() / around)
    turn = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS
    bins = np.minimum(turn.astype(np.int64), _DIRECTIONS - 1)
    directions = np.bincount(bins.ravel(), (strength * inside).ravel(), _DIRECTIONS)
    directions = np.sort(directions / (directions.sum() + 1e-6))[::-1]  # however it is turned
    return [
        *(means - beyond).tolist(),
        spread,
        edges,
        edges - edges_beyond,
        *directions[: _DIRECTIONS // 2].tolist(),
        *_extent(inside),
    ]


def _extent(inside: Floats) -> list[float]:
    """Return the logarithm of the share of an image that is inside, its length and roundness."""
    total = float(inside.sum())
    height, width = inside.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    place = np.stack([rows.ravel() / height, columns.ravel() / width])
    weights = inside.ravel() / total
    centred = place - (place * weights).sum(axis=1, keepdims=True)
    small, large = np.linalg.eigvalsh((centred * weights) @ centred.T)
    length = float(np.sqrt(max(large, 1e-8)))
    roundness = float(np.sqrt(max(small, 1e-8)) / length)
    return [float(np.log(total / inside.size + 1e-4)), length, roundness]


def _weights(heat: Floats) -> Floats:
    """Return how much each pixel belongs to the anomaly, 0 to 1; all of it where a map is flat."""
    base, peak = float(np.median(heat)), float(heat.max())
    if peak <= base:
        return np.ones_like(heat, dtype=np.float32)
    share: Floats = np.clip((heat - base) / (peak - base), 0, 1).astype(np.float32)
    return np.where(share >= _HALF, share, 0).astype(np.float32)


def _square(heat: Floats) -> tuple[float, float, float, float]:
    """Return the square around the connected part of an anomaly that holds its peak."""
    from scipy.ndimage import find_objects, label

    parts, _count = label(_weights(heat) > 0)
    peak = np.unravel_index(int(heat.argmax()), heat.shape)
    rows, columns = find_objects(parts, int(parts[peak]))[int(parts[peak]) - 1]
    height, width = heat.shape
    tall, wide = (rows.stop - rows.start) / height, (columns.stop - columns.start) / width
    side = float(np.clip(max(tall, wide) * (1 + 2 * _MARGIN), _SMALLEST, 1))
    middle_row = (rows.start + rows.stop) / 2 / height
    middle_column = (columns.start + columns.stop) / 2 / width
    top = float(np.clip(middle_row - side / 2, 0, 1 - side))
    left = float(np.clip(middle_column - side / 2, 0, 1 - side))
    return left, top, left + side, top + side


def _fitted(heat: Floats, shape: Sequence[int]) -> Floats:
    """Return a map at the size of its image."""
    if heat.shape == tuple(shape):
        return heat
    rows, columns = (_samples(0.0, 1.0, side) for side in shape)
    fitted: Floats = _bilinear(heat[None], rows, columns)[0].astype(np.float32)
    return fitted


def _samples(start: float, stop: float, count: int) -> NDArray[np.float64]:
    """Return the middles (count,) of equal steps between two shares of a side."""
    return start + (stop - start) * (np.arange(count) + 0.5) / count


def _bilinear(
    image: NDArray[np.floating], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.floating]:
    """Return an image (C, H, W) at rows (h,) and columns (w,), shares of its sides; (C, h, w)."""
    for axis, places in ((1, rows), (2, columns)):
        size = image.shape[axis]
        at = np.clip(places * size - 0.5, 0, size - 1)
        below = np.minimum(at.astype(np.int64), max(0, size - 2))
        above = np.minimum(below + 1, size - 1)
        share = (at - below).astype(np.float32)
        share = share[:, None] if axis == 1 else share
        image = image.take(below, axis) * (1 - share) + image.take(above, axis) * share
    return image


def _scaled(block: Floats) -> NDArray[np.float64]:
    """Return a block (N, D) whose numbers vary alike and which weighs 1 in all."""
    values = np.nan_to_num(block.astype(np.float64))
    middle, spread = values.mean(axis=0), values.std(axis=0)
    varying = spread > 1e-9
    unit = np.clip((values - middle)[:, varying] / spread[varying], -_CLIP, _CLIP)
    scaled: NDArray[np.float64] = unit / np.sqrt(max(1, unit.shape[1]))
    return scaled


def _cut(tree: NDArray[np.float64], count: int, images: int) -> Numbers:
    """Return which of `count` groups each image (N,) is in, from 1."""
    from scipy.cluster.hierarchy import fcluster

    if images < 2:
        return np.ones(images, np.int64)
    return fcluster(tree, min(count, images), "maxclust").astype(np.int64)


def _suggested(tree: NDArray[np.float64]) -> int:
    most = min(MOST_SUGGESTED, len(tree))
    if most < 2:
        return 1
    told = -np.log(_left(tree, most))
    chord = np.linspace(told[0], told[-1], most)
    return max(2, 1 + int((told - chord).argmax()))


def _left(tree: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return the mean squared distance to the group's mean for 1 to `most` groups, (most,).

    A merge of Ward's tree at height h adds h^2 / 2 to the sum of squares.
    """
    sums = np.concatenate([[0.0], np.cumsum(tree[:, 2] ** 2 / 2)])  # after each merge
    left: NDArray[np.float64] = sums[::-1][:most] / (len(tree) + 1)
    return np.maximum(left, max(float(left[0]) * _NOTHING, 1e-300))
