"""Similarity of structure, against slow formulas and a peer library."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve, prewitt

from desktop_app.toolbox.similarity import (
    gradient_similarity,
    ms_gradient_similarity,
    ms_ssim,
    ssim_map,
)

Floats = NDArray[np.float64]


def pair(side: int = 40, columns: int = 44) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    x = random.random((2, 3, side, columns))
    y = np.clip(x + random.normal(0, 0.2, x.shape), 0, 1)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.float32))


def slow_ssim(x: Floats, y: Floats, radius: int) -> tuple[Floats, Floats]:
    """Return light and structure of two images (H, W) wherever the window lies inside."""
    offsets = np.arange(-radius, radius + 1)
    window = np.exp(-0.5 * (offsets / (0.3 * radius)) ** 2)
    window = np.outer(window, window) / window.sum() ** 2
    shape = (x.shape[0] - 2 * radius, x.shape[1] - 2 * radius)
    light, structure = np.zeros(shape), np.zeros(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            place = (slice(row, row + 2 * radius + 1), slice(column, column + 2 * radius + 1))
            a, b = x[place], y[place]
            m_a, m_b = (window * a).sum(), (window * b).sum()
            v_a, v_b = (window * (a - m_a) ** 2).sum(), (window * (b - m_b) ** 2).sum()
            both = (window * (a - m_a) * (b - m_b)).sum()
            light[row, column] = (2 * m_a * m_b + 1e-4) / (m_a**2 + m_b**2 + 1e-4)
            structure[row, column] = (2 * both + 9e-4) / (v_a + v_b + 9e-4)
    return light, structure


@pytest.mark.parametrize("radius", [3, 5])
def test_similarity_is_that_of_the_slow_formula(radius: int) -> None:
    x, y = pair(24, 21)

    ours = ssim_map(x, y, radius)[1, 2, radius:-radius, radius:-radius].numpy()

    light, structure = slow_ssim(x[1, 2].double().numpy(), y[1, 2].double().numpy(), radius)
    np.testing.assert_allclose(ours, light * structure, atol=1e-5)


def test_similarity_is_that_of_a_peer_library() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    x, y = pair()

    ours = ssim_map(x, y)[0].numpy()

    _, theirs = metrics.structural_similarity(
        x[0].numpy(), y[0].numpy(), channel_axis=0, data_range=1, full=True,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    inside = (slice(None), slice(5, -5), slice(5, -5))  # borders are mirrored another way
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-5)


def test_several_scales_are_multiplied_with_weights_of_sum_one() -> None:
    x, y = pair(48, 48)

    ours = ms_ssim(x, y)  # 48 and 24 pixels; 12 px hold the window too

    product, weights = np.ones(2), np.array([0.0448, 0.2856, 0.3001])
    for number, weight in enumerate(weights / weights.sum()):
        a, b = (torch.nn.functional.avg_pool2d(part, 2**number) for part in (x, y))
        light = (2 * _blurred(a) * _blurred(b) + 1e-4) / (
            _blurred(a) ** 2 + _blurred(b) ** 2 + 1e-4
        )
        part = (ssim_map(a, b).numpy() / light).mean(axis=(1, 2, 3))
        if number == 2:
            part = part * light.mean(axis=(1, 2, 3))
        product *= part**weight
    np.testing.assert_allclose(ours.numpy(), product, rtol=1e-4)


def _blurred(images: torch.Tensor) -> Floats:
    offsets = np.arange(-5, 6)
    line = np.exp(-0.5 * (offsets / 1.5) ** 2)
    window = np.outer(line, line)[None, None] / line.sum() ** 2
    return convolve(images.double().numpy(), window, mode="mirror")


@pytest.mark.parametrize("side", [4, 11, 16])
def test_equal_images_are_alike_at_any_size(side: int) -> None:
    x = torch.rand(2, 1, side, side)

    for found in (ssim_map(x, x), ms_ssim(x, x), gradient_similarity(x, x)):
        torch.testing.assert_close(found, torch.ones_like(found))
    assert ms_gradient_similarity(x, x).shape == (2, side, side)


def test_opposite_images_are_unlike_and_have_finite_slopes() -> None:
    x = (torch.arange(32) % 4 < 2).float().expand(1, 1, 32, 32)
    opposite = (1 - x).requires_grad_()

    similarity = ms_ssim(x, opposite, scales=2)
    similarity.sum().backward()

    assert float(similarity.detach()) < 0.05
    assert float(ssim_map(x, opposite.detach())[..., 8:-8, 8:-8].mean()) < -0.5
    assert opposite.grad is not None
    assert bool(torch.isfinite(opposite.grad).all())


def test_gradients_are_compared_as_the_formula_says() -> None:
    x, y = pair()

    ours = gradient_similarity(x, y)[1, 0].numpy()

    g, h = (
        np.hypot(prewitt(image, 0, mode="nearest"), prewitt(image, 1, mode="nearest")) / 3
        for image in (x[1, 0].double().numpy(), y[1, 0].double().numpy())
    )
    expected = (2 * g * h + 0.0026) / (g**2 + h**2 + 0.0026)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_gradients_of_several_scales_are_averaged() -> None:
    x, y = pair(20, 20)

    ours = ms_gradient_similarity(x, y)

    halved = (torch.nn.functional.avg_pool2d(part, 2) for part in (x, y))
    coarse = gradient_similarity(*halved).mean(dim=1, keepdim=True)
    coarse = torch.nn.functional.interpolate(coarse, size=(20, 20), mode="bilinear")
    expected = (gradient_similarity(x, y).mean(dim=1) + coarse[:, 0]) / 2
    torch.testing.assert_close(ours, expected)


def test_flat_images_have_finite_slopes() -> None:
    flat = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)

    (ms_gradient_similarity(torch.rand(1, 1, 16, 16), flat).mean() + ms_ssim(flat, flat)).backward()

    assert flat.grad is not None
    assert bool(torch.isfinite(flat.grad).all())
