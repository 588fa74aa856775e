"""K-means: starts, passes and how well separated the clusters are, in blocks of points.

Lloyd, Least squares quantization in PCM, 1982; Arthur & Vassilvitskii, k-means++, 2007, in the
greedy variant with 2 + ln K candidates per centre; Sculley, Web-scale k-means clustering, 2010;
Rousseeuw, Silhouettes, 1987; Tibshirani, Walther & Hastie, Estimating the number of clusters in a
data set via the gap statistic, 2001; Satopaa et al., Finding a "kneedle" in a haystack, 2011.

    inertia = sum_n min_k |x_n - mu_k|^2
    silhouette = mean_n (b_n - a_n) / max(a_n, b_n)
    gap(K) = log inertia of a structureless cloud - log inertia of the points, both per point

a is the mean distance to the other points of the own cluster, b to those of the next one. Sums are
made in double precision: clusters much smaller than their distances keep their digits.

Shapes: N points, D dimensions, K clusters.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_BLOCK = 8192
"""Points whose distances are computed at once."""
_PAIRS_BLOCK = 512


def assigned(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest centre (N,) of points (N, D) and the squared distance (N,) to it."""
    found = [_nearest(block, centres.double()) for block in _blocks(points)]
    return torch.cat([rows for rows, _ in found]), torch.cat([squares for _, squares in found])


def first_centres(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Return `count` of the points (N, D) as first centres (K, D), far from each other."""
    n, candidates = len(points), 2 + int(math.log(count))
    first = int(torch.randint(n, (1,), generator=random))
    chosen = [first]
    nearest = _squares(points, points[first : first + 1])[:, 0]  # (N,)
    for _ in range(count - 1):
        total = nearest.cumsum(0)
        draws = torch.rand(candidates, generator=random, dtype=torch.float64).to(total)
        rows = torch.searchsorted(total, draws * total[-1]).clamp_(max=n - 1)
        closer = torch.minimum(_squares(points, points[rows]), nearest[:, None])  # (N, candidates)
        best = int(closer.sum(0).argmin())
        chosen.append(int(rows[best]))
        nearest = closer[:, best]
    return points[chosen].double()


def improved(points: Tensor, centres: Tensor) -> tuple[Tensor, float]:
    """Return the centres (K, D) after one pass over points (N, D), and the inertia before it.

    A centre without points moves to the point that is farthest from its own centre.
    """
    K, D = centres.shape
    sums = torch.zeros((K, D), dtype=torch.float64, device=points.device)
    counts = torch.zeros(K, dtype=torch.float64, device=points.device)
    distances = []
    for block in _blocks(points):
        rows, squares = _nearest(block, centres.double())
        belongs = torch.nn.functional.one_hot(rows, K).double()  # (n, K)
        sums += belongs.T @ block
        counts += belongs.sum(0)
        distances.append(squares)
    squares = torch.cat(distances)
    means = sums / counts.clamp_min(1)[:, None]
    empty = counts == 0
    if bool(empty.any()):
        means[empty] = points[squares.topk(int(empty.sum())).indices].double()
    return means, float(squares.sum())


def moved_by(batch: Tensor, centres: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the centres (K, D) after one mini-batch (n, D), and how many points each has seen.

    Each point moves its centre by 1 / (points that this centre has seen), Sculley's algorithm 1.
    """
    centres, batch = centres.double(), batch.double()
    rows, _ = _nearest(batch, centres)
    belongs = torch.nn.functional.one_hot(rows, len(centres)).double()  # (n, K)
    counts = belongs.sum(0)
    seen = seen + counts
    drawn = belongs.T @ batch - counts[:, None] * centres
    return centres + drawn / seen.clamp_min(1)[:, None], seen


def structureless(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Return `count` draws (count, D) from a Gaussian of the mean and covariance of points (N, D).

    Sums of all centred points, with normal weights: no covariance need be computed.
    """
    mean = points.double().mean(dim=0)
    weights = torch.randn((count, len(points)), generator=random)
    centred = (points.double() - mean).to(weights)
    return mean.to(weights) + weights @ centred / math.sqrt(len(points))


def bend(numbers: Sequence[float], heights: Sequence[float]) -> int:
    """Return the place where a curve bends most: farthest above the line between its ends."""
    x, y = (torch.as_tensor(values, dtype=torch.float64) for values in (numbers, heights))
    across = (x - x[0]) / (x[-1] - x[0]).clamp_min(1e-12)
    return int((y - (y[0] + across * (y[-1] - y[0]))).argmax())


def clustered(
    points: Tensor, count: int, random: torch.Generator, *, passes: int = 300
) -> tuple[Tensor, Tensor]:
    """Return centres (K, D) and the nearest one (N,) of points (N, D), from one start."""
    centres = first_centres(points, count, random)
    for _ in range(passes):
        moved, _ = improved(points, centres)
        still = torch.equal(moved, centres)
        centres = moved
        if still:
            break
    return centres, assigned(points, centres)[0]


def silhouettes(points: Tensor, labellings: Sequence[Tensor]) -> list[float]:
    """Return the mean silhouette of points (N, D) under each labelling (N,), in [-1, 1].

    All labellings share one computation of the distances of all pairs. A labelling of one cluster
    has the silhouette 0, as has a point that is alone in its cluster.
    """
    members = [torch.nn.functional.one_hot(labels).double() for labels in labellings]  # (N, K)
    sums = [0.0] * len(labellings)
    for start in range(0, len(points), _PAIRS_BLOCK):
        some = slice(start, start + _PAIRS_BLOCK)
        distances = torch.cdist(points[some].double(), points.double())  # (n, N)
        for place, (labels, belongs) in enumerate(zip(labellings, members, strict=True)):
            sums[place] += _silhouette_sum(distances @ belongs, labels[some], belongs.sum(0))
    return [total / len(points) for total in sums]


def _silhouette_sum(totals: Tensor, labels: Tensor, counts: Tensor) -> float:
    """Return the sum of silhouettes, given summed distances (n, K) to all clusters."""
    own = labels[:, None]
    others = counts[labels] - 1
    a = totals.gather(1, own)[:, 0] / others.clamp_min(1)
    means = torch.where(counts > 0, totals / counts.clamp_min(1), torch.inf)
    b = means.scatter(1, own, torch.inf).min(dim=1).values
    there = (others > 0) & torch.isfinite(b)
    share = torch.where(there, (b - a) / torch.maximum(a, b).clamp_min(1e-300), 0)
    return float(share.sum())


def _nearest(block: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    partial = torch.addmm(centres.square().sum(1), block, centres.T, alpha=-2)
    least, rows = partial.min(dim=1)
    return rows, (least + block.square().sum(1)).clamp_min_(0)


def _squares(points: Tensor, centres: Tensor) -> Tensor:
    """Return all squared distances (N, K)."""
    centres = centres.double()
    parts = [
        torch.addmm(centres.square().sum(1), block, centres.T, alpha=-2)
        + block.square().sum(1, keepdim=True)
        for block in _blocks(points)
    ]
    return torch.cat(parts).clamp_min_(0)


def _blocks(points: Tensor) -> Iterator[Tensor]:
    return (block.double() for block in torch.split(points, _BLOCK))
