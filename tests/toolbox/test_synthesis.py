"""Defects made from normal images."""

import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.toolbox.synthesis import Recipe, Spoilt, perlin_noise, seamless, spoilt

RECIPES: tuple[Recipe, ...] = ("pasted", "scar", "blotch", "blended", "textured")


def photograph(seed: int, channels: int = 3, side: int = 64) -> NDArray[np.float32]:
    """Return a smooth, irregular picture (C, S, S)."""
    random = np.random.default_rng(seed)
    noise = [perlin_noise(side, side, random) for _ in range(3 * channels)]
    layers = np.stack(noise).reshape(channels, 3, side, side).sum(axis=1)
    return np.clip(0.5 + 0.25 * layers, 0, 1).astype(np.float32)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("channels", "side"), [(3, 64), (1, 28), (3, 33)])
def test_defects_are_local_visible_and_inside_their_mask(
    recipe: Recipe, channels: int, side: int
) -> None:
    image, other = photograph(0, channels, side), photograph(1, channels, side)
    before = image.copy()
    for seed in range(20):
        made = spoilt(image, other, recipe, np.random.default_rng(seed))

        assert made.image.shape == image.shape
        assert made.image.dtype == np.float32
        assert made.image.min() >= 0
        assert made.image.max() <= 1
        assert made.mask.any()
        assert made.mask.mean() < 0.6
        outside = np.abs(made.image - image).mean(axis=0)[~made.mask]
        assert outside.max(initial=0) <= 0.02 + 1e-6
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_makes_the_same_defect(recipe: Recipe) -> None:
    image, other = photograph(0), photograph(1)

    first, second, third = (
        spoilt(image, other, recipe, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(first.image, second.image)
    assert not np.array_equal(first.image, third.image)


def test_a_patch_of_the_image_itself_blends_into_it_unchanged() -> None:
    image = photograph(2)

    blended = seamless(image, image[:, 10:30, 20:50], 10, 20)

    np.testing.assert_allclose(blended, image, atol=1e-5)


def test_a_flat_patch_leaves_the_gradients_of_the_image() -> None:
    image = photograph(2)

    blended = seamless(image, np.full((3, 20, 30), 0.9, np.float32), 10, 20)

    np.testing.assert_allclose(blended, image, atol=1e-5)


def test_a_blended_patch_has_its_own_gradients_and_no_seam() -> None:
    image = np.full((1, 40, 40), 0.3, np.float32)
    rows, columns = np.mgrid[0:16, 0:16]
    bump = 0.2 * np.sin(np.pi * rows / 15) * np.sin(np.pi * columns / 15)
    patch = (0.7 + bump)[None].astype(np.float32)

    blended = seamless(image, patch, 12, 12)

    inside = blended[0, 12:28, 12:28]
    np.testing.assert_allclose(inside - 0.3, bump, atol=0.03)  # its shape, not its brightness
    assert np.abs(np.diff(blended, axis=1)).max() < 0.06


def test_perlin_noise_is_smooth_and_about_zero() -> None:
    noise = np.stack([perlin_noise(64, 64, np.random.default_rng(seed)) for seed in range(40)])

    assert abs(float(noise.mean())) < 0.05
    assert 0.15 < float(noise.std()) < 0.6
    assert float(np.abs(noise).max()) < 1.6


def test_half_spoilt_is_what_changed_by_24_grey_levels() -> None:
    change = np.array([[0, 24, 60], [24, 24, 255]], np.float32) / 255
    made = Spoilt(np.zeros((1, 2, 3), np.float32), np.array([[1, 1, 1], [0, 1, 1]], bool), change)

    expected = [[1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-3))], [0, 0.5, 1]]
    np.testing.assert_allclose(made.severity, expected, atol=1e-5)


def test_blotches_are_as_often_small_as_large() -> None:
    image = photograph(0, 1)
    random = np.random.default_rng(0)

    shares = [spoilt(image, image, "blotch", random).mask.mean() for _ in range(200)]

    assert np.quantile(shares, 0.25) < 0.006 < 0.03 < np.quantile(shares, 0.9)
