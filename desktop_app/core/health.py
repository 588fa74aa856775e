"""How healthy latent vectors are, without labels.

    spread          mean over dimensions of the standard deviation of z / ||z||; vectors that point
                    in all directions have 1 / sqrt(D), vectors that all point the same way have 0
                    (SimSiam, Chen & He 2020, https://arxiv.org/abs/2011.10566, section 4.1)
    effective rank  exp(-sum_k p_k log p_k), p_k = sigma_k / sum_j sigma_j, of the singular values
                    sigma of the latents (Roy & Vetterli 2007; RankMe, Garrido et al. 2022,
                    https://arxiv.org/abs/2210.02885, eq. 1); here of the centred latents, so that
                    an offset that all images share does not count as a dimension
    dead share      share of the dimensions whose standard deviation is below a hundredth of the
                    largest one

Shapes: N images, D latent dimensions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_IMAGES = 4
_DEAD = 0.01  # of the largest standard deviation
_SAME_DIRECTION = 0.02  # of the healthy spread
_ONE_DIRECTION = 1.2  # effective rank
_FEW_DIMENSIONS = 4  # below, an effective rank near 1 is no collapse


@dataclass(frozen=True)
class Health:
    """What is said of latents (N, D)."""

    spread: float
    effective_rank: float
    dead_share: float
    dimensions: int

    @property
    def healthy_spread(self) -> float:
        """The spread of vectors that point in all directions alike."""
        return 1 / float(np.sqrt(self.dimensions))

    @property
    def is_collapsed(self) -> bool:
        """Tell whether all images got nearly the same vector, or lie on one line."""
        if self.spread < _SAME_DIRECTION * self.healthy_spread:
            return True
        return self.dimensions >= _FEW_DIMENSIONS and self.effective_rank < _ONE_DIRECTION


def health(latents: NDArray[Any]) -> Health | None:
    """Return the health of latents (N, D).

    None where it means nothing: fewer than 4 images, one dimension, or values that are not finite.
    """
    if latents.ndim != 2 or len(latents) < LEAST_IMAGES or latents.shape[1] < 2:
        return None
    vectors = np.asarray(latents, dtype=np.float64)
    if not np.isfinite(vectors).all():
        return None
    deviations = vectors.std(axis=0)
    largest = float(deviations.max())
    dead = float((deviations <= _DEAD * largest).mean()) if largest > 0 else 1.0
    return Health(_spread(vectors), effective_rank(vectors), dead, vectors.shape[1])


def effective_rank(vectors: NDArray[np.float64]) -> float:
    """Return how many dimensions vectors (N, D) fill: 1 to min(N - 1, D); 0 for equal vectors."""
    centred = vectors - vectors.mean(axis=0)
    smaller = centred.T @ centred if centred.shape[1] < len(centred) else centred @ centred.T
    sizes = np.sqrt(np.maximum(np.linalg.eigvalsh(smaller), 0))  # singular values, any order
    total = float(sizes.sum())
    if total <= 1e-6 * float(np.abs(vectors).max(initial=0.0)):
        return 0.0
    shares = sizes[sizes > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _spread(vectors: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return float(units.std(axis=0).mean())
