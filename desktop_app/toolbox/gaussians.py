"""Gaussians of what normal images look like at every place, steadied by that of all places.

Defard et al., PaDiM, 2020, https://arxiv.org/abs/2011.08785

    Sigma_p = 1 / (N - 1) sum over images of (x_p - mu_p)(x_p - mu_p)'                (their eq. 1)
    d(x_p)  = sqrt((x_p - mu_p)' Sigma_p^-1 (x_p - mu_p) / D)                  (their eq. 2, over D)

The covariance of a place borrows a little from that of all places,

    Sigma_p <- (N Sigma_p + k Sigma) / (N + k) + epsilon tr(Sigma) / D I,

so that few images, or places where normal images never vary, do not give endless distances.

Fewer images than dimensions span only N directions. What is left of Sigma_p is then equal at all
places, and one whitening serves them all (the Woodbury identity): with B the shared part,
B = L L', and Y_p (N, D) the rows of a place in units of L, scaled by their weight,

    Sigma_p = L (I + Y_p' Y_p) L',    I + Y_p Y_p' = C_p C_p',    V_p = C_p^-1 Y_p
    D d(x)^2 = |z|^2 - |V_p z|^2      with z = L^-1 (x - mu_p)

Shapes: N images, P places, D dimensions; p places of a block.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

_BLOCK = 64
"""Places whose covariances are inverted at once."""
_LEAST = 1e-8
"""Added to variances: a folder of equal images gives finite distances."""


def place_gaussians(
    batches: Iterable[Tensor], *, borrowed: float, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return mean (P, D) and whitening (P, D, D) at every place of vectors (n, P, D) in batches.

    There must be at least one vector.
    """
    count = 0
    shift = sums = products = torch.empty(0)
    for batch in batches:
        vectors = batch.double().transpose(0, 1)  # (P, n, D)
        if count == 0:
            shift = vectors.mean(dim=1)
            sums = torch.zeros_like(shift)
            products = shift.new_zeros(*shift.shape, shift.shape[1])
        apart = vectors - shift[:, None]
        sums += apart.sum(dim=1)
        products.baddbmm_(apart.transpose(1, 2), apart)
        count += len(batch)
    offset = sums / count
    own = sum_of_squares(products, offset, count) / max(1, count - 1)
    steady = steadied(own, own.mean(dim=0), count, borrowed, epsilon)
    return (shift + offset).float(), whitenings(steady).float()


def spanned_gaussians(
    vectors: Tensor, pooled: Tensor, *, borrowed: float, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return the root L^-1 (D, D) of all places and V (P, N, D) of each, float32.

    `vectors` (N, P, D) are around their mean, `pooled` (D, D) is the covariance of all places.
    """
    count, places, size = vectors.shape
    weight = borrowed / (borrowed + count)
    shared = steadied(torch.zeros_like(pooled)[None], pooled, count, borrowed, epsilon)
    root = whitenings(shared)[0]
    scale = ((1 - weight) / max(1, count - 1)) ** 0.5
    directions = torch.empty(places, count, size, device=vectors.device)
    identity = torch.eye(count, dtype=root.dtype, device=root.device)
    for start in range(0, places, _BLOCK):
        some = slice(start, start + _BLOCK)
        rows = scale * vectors[:, some].transpose(0, 1).to(root.dtype) @ root.T  # (p, N, D)
        factor = torch.linalg.cholesky(identity + rows @ rows.transpose(1, 2))
        directions[some] = torch.linalg.solve_triangular(factor, rows, upper=False).float()
    return root.float(), directions


def distances_from_spans(vectors: Tensor, mean: Tensor, root: Tensor, directions: Tensor) -> Tensor:
    """Return Mahalanobis distances (N, P) over sqrt(D) of vectors (N, P, D).

    `mean` (P, D), `root` (D, D) and `directions` (P, R, D) as of `spanned_gaussians`.
    """
    white = (vectors - mean) @ root.T  # (N, P, D)
    inner = torch.bmm(white.transpose(0, 1), directions.transpose(1, 2))  # (P, N, R)
    squared = white.square().sum(2) - inner.square().sum(2).T
    return (squared.clamp_min(0) / vectors.shape[2]).sqrt()


def reduction(
    before: int, after: int, kind: Literal["channels", "projection"], seed: int
) -> Tensor:
    """Return a matrix (before, after) that keeps random channels, or projects orthogonally."""
    generator = np.random.default_rng([seed, before, after])
    if kind == "channels":
        chosen = np.sort(generator.permutation(before)[:after])
        matrix = np.eye(before)[:, chosen]
    else:
        matrix, _ = np.linalg.qr(generator.standard_normal((before, after)))
    return torch.from_numpy(matrix.astype(np.float32))


def sum_of_squares(products: Tensor, offset: Tensor, count: int) -> Tensor:
    """Return sums of products around the mean, float64 (p, D, D).

    `products` are around another point, `offset` (p, D) is the mean's distance from it.
    """
    apart = offset.double()
    return products.double() - count * apart[:, :, None] * apart[:, None, :]


def steadied(own: Tensor, pooled: Tensor, count: int, borrowed: float, epsilon: float) -> Tensor:
    """Return covariances (p, D, D) that borrow from the pooled one (D, D), with a floor."""
    weight = borrowed / (borrowed + count)
    floor = epsilon * float(pooled.diagonal().mean()) + _LEAST
    identity = torch.eye(len(pooled), dtype=own.dtype, device=own.device)
    return (1 - weight) * own + weight * pooled + floor * identity


def whitenings(covariances: Tensor) -> Tensor:
    """Return the inverse Cholesky factors (p, D, D) of covariances (p, D, D)."""
    factor = torch.linalg.cholesky(covariances)
    identity = torch.eye(factor.shape[1], dtype=factor.dtype, device=factor.device)
    inverse: Tensor = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
    return inverse


def distances_at_places(vectors: Tensor, mean: Tensor, whitening: Tensor) -> Tensor:
    """Return Mahalanobis distances (N, P) over sqrt(D) of vectors (N, P, D).

    `mean` (P, D) and `whitening` (P, D, D) are those of every place.
    """
    apart = vectors.transpose(0, 1) - mean[:, None]  # (P, N, D)
    white: Tensor = torch.bmm(apart, whitening.transpose(1, 2))
    return white.square().mean(2).T.sqrt()
