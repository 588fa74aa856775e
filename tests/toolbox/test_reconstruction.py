"""Maps and scores of what cannot be rebuilt."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from desktop_app.toolbox.reconstruction import (
    PULL,
    UsualError,
    deviation,
    error_map,
    smoothed,
    worst_spot,
)


def test_smoothing_is_a_gaussian_that_mirrors_at_the_border() -> None:
    maps = np.random.default_rng(0).random((2, 40, 40)).astype(np.float32)

    ours = smoothed(torch.from_numpy(maps)).numpy()

    theirs = gaussian_filter(maps, (0, 1, 1), mode="mirror", truncate=3)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_tiny_and_flat_maps_are_smoothed() -> None:
    assert torch.allclose(smoothed(torch.ones(1, 2, 2)), torch.ones(1, 2, 2))


def test_a_rebuilt_image_still_differs_by_its_distance_from_the_mean() -> None:
    images, centre = torch.full((1, 1, 4, 4), 0.8), torch.full((1, 4, 4), 0.5)

    error = deviation(images, images, centre)

    assert torch.allclose(error, torch.full_like(error, PULL * 0.3))


def test_the_same_error_is_more_unusual_where_errors_are_small() -> None:
    usual = torch.full((32, 32), 0.01)
    usual[:, 16:] = 0.04
    error = torch.zeros(2, 1, 32, 32)
    error[0, 0, 16, 6], error[1, 0, 16, 26] = 0.5, 0.5

    quiet, loud = worst_spot(error_map(error, usual))

    assert quiet > 1.5 * loud


def test_a_perfectly_rebuilt_folder_has_finite_scores() -> None:
    maps = error_map(torch.zeros(1, 3, 16, 16), torch.zeros(16, 16))

    assert torch.isfinite(maps).all()


def test_the_usual_error_is_the_mean_over_batches() -> None:
    usual = UsualError((1, 4, 4))
    zeros = torch.full((2, 1, 4, 4), 0.5)
    for size in (0.1, 0.3):
        usual.observe(zeros + size, zeros)

    expected = (0.1**2 + 0.3**2) / 2
    assert torch.allclose(usual.error.value, torch.full((4, 4), expected))
