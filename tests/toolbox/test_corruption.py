"""Spoilt images."""

from typing import get_args

import pytest
import torch

from desktop_app.toolbox.corruption import Corruption, corrupted, masked

GREY = torch.full((4, 3, 64, 64), 0.5)


def test_gaussian_noise_has_the_deviation_asked_for() -> None:
    noise = corrupted(GREY, "gaussian", 0.1) - GREY

    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.01)


def test_masked_pixels_are_black_in_all_channels() -> None:
    spoilt = corrupted(GREY, "masking", 0.3)

    black = (spoilt == 0).all(dim=1)
    assert black.float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(spoilt.eq(0).any(dim=1), black)


def test_salt_and_pepper_are_white_and_black_in_equal_parts() -> None:
    spoilt = corrupted(GREY, "salt_pepper", 0.4)

    for value in (0.0, 1.0):
        assert (spoilt == value).float().mean() == pytest.approx(0.2, abs=0.03)
    assert (spoilt == 0.5).float().mean() == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("kind", get_args(Corruption))
def test_images_stay_between_black_and_white_and_nothing_is_spoilt_by_zero(
    kind: Corruption,
) -> None:
    images = torch.rand(2, 1, 32, 32)

    assert torch.equal(corrupted(images, kind, 0.0), images)
    spoilt = corrupted(images, kind, 1.0)
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1


@pytest.mark.parametrize("kind", get_args(Corruption))
def test_a_generator_repeats_the_noise(kind: Corruption) -> None:
    first, second = (corrupted(GREY, kind, 0.3, torch.Generator().manual_seed(3)) for _ in range(2))

    assert torch.equal(first, second)
    assert not torch.equal(first, corrupted(GREY, kind, 0.3))


def test_masked_values_are_zero() -> None:
    values = masked(torch.ones(100, 100), 0.25)

    assert set(values.unique().tolist()) == {0.0, 1.0}
    assert (values == 0).float().mean() == pytest.approx(0.25, abs=0.03)
