"""What can be reached without learning: the lines that a method's curves are held against.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D components.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from desktop_app.sdk.data import Array, Dataset, Images, even_rows

_PRODUCTS = 1e10
"""Multiplications that the components of a sample may cost: under a second."""
_MOST_SAMPLE = 2048
_LEAST_PER_COMPONENT = 8
"""Images for each component below which a sample says too little about the folder."""
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Of ridge regression, as shares of the mean variance."""
_LEAST_CONTEXTS = 20
"""Images below which nothing is predicted from a context."""
_SIGMAS = tuple(round(0.3 * 1.15**number, 3) for number in range(20))
"""Widths of the Gaussians that are tried, 0.3 to 4.3 pixels."""


def mean_image_entropy(mean: Array, margin: float = 1e-3) -> float:
    """Return the binary cross-entropy per value of the mean image (C, H, W), in nats.

    It is linear in the images: their mean stands for all of them.
    """
    m = np.clip(np.asarray(mean, np.float64), margin, 1 - margin)
    return float(-(mean * np.log(m) + (1 - mean) * np.log(1 - m)).mean())


def components_error(data: Dataset, components: int) -> float | None:
    """Return the mean squared error per value of that many principal components.

    They are those of an even sample of the images. None where the sample is too small for them:
    a few images lie in the span of their own components, which says nothing about others.
    """
    F = math.prod(data.sample_shape)
    rows = even_rows(len(data), int(min(_MOST_SAMPLE, math.sqrt(_PRODUCTS / F))))
    if len(rows) <= components or len(rows) < min(len(data), _LEAST_PER_COMPONENT * components):
        return None
    X = data.images(rows).reshape(len(rows), F)
    X = X - X.mean(axis=0)
    gram = X @ X.T if len(rows) < F else X.T @ X
    left = float(np.linalg.eigvalsh(gram)[:-components].sum())  # rising
    return max(0.0, left / (len(rows) * F))


@dataclass(frozen=True)
class ContextError:
    """Mean squared errors per hidden value of guesses at what is hidden."""

    mean_image: float
    ridge: float
    """Of the best linear prediction from all that is not hidden."""


def context_error(
    data: Dataset, masks: NDArray[np.bool_], products: float = _PRODUCTS
) -> ContextError | None:
    """Return how well regions (K, H, W) can be guessed without a network; None for few images.

    Both guesses learn from four fifths of an even sample and are tried on the others; the penalty
    of ridge regression is the best of a few.
    """
    C, F = data.sample_shape[0], math.prod(data.sample_shape)
    rows = even_rows(len(data), int(math.sqrt(products / (F * len(masks)))))
    if len(rows) < _LEAST_CONTEXTS:
        return None
    X = data.images(rows).reshape(len(rows), F)
    apart = np.arange(len(rows)) % 5 == 4
    X = X - X[~apart].mean(axis=0)
    trivial, best, sizes = [], [], []
    for mask in masks:
        hidden = np.broadcast_to(mask, (C, *mask.shape)).ravel()
        if not hidden.any() or hidden.all():
            continue
        context, wanted = X[:, ~hidden], X[:, hidden]
        errors = _ridge_errors(context, wanted, apart)
        trivial.append(float(np.square(wanted[apart]).mean()))
        best.append(min(errors))
        sizes.append(int(hidden.sum()))  # every hidden value counts alike, as in a loss
    if not best:
        return None
    mean_image, ridge = (np.average(found, weights=sizes) for found in (trivial, best))
    return ContextError(float(mean_image), float(ridge))


def _ridge_errors(context: Array, wanted: Array, apart: NDArray[np.bool_]) -> list[float]:
    """Return the error on the rows `apart` of a ridge regression on the others, per penalty."""
    known = context[~apart]
    variances, axes = np.linalg.eigh(known @ known.T)  # (n, n), in the space of images
    turned = axes.T @ wanted[~apart]
    weights = (context[apart] @ known.T) @ axes  # (m, n)
    scale = max(float(variances.mean()), 1e-12)
    return [
        float(
            np.square(
                (weights / (np.maximum(variances, 0) + penalty * scale)) @ turned - wanted[apart]
            ).mean()
        )
        for penalty in _PENALTIES
    ]


def psnr(images: Images, others: Images) -> float:
    """Return the peak signal-to-noise ratio in dB of images in [0, 1]."""
    error = float(np.square(np.asarray(images, np.float64) - others).mean())
    return -10 * math.log10(max(error, 1e-12))


def best_gaussian(clean: Images, noisy: Images) -> tuple[float, float]:
    """Return sigma in pixels and PSNR in dB of the Gaussian that denoises (N, C, H, W) best."""
    tried = [
        (sigma, psnr(clean, gaussian_filter(noisy, (0, 0, sigma, sigma)))) for sigma in _SIGMAS
    ]
    return max(tried, key=lambda pair: pair[1])
