"""The small U-Net."""

import pytest
import torch

from desktop_app.toolbox.unet import Narrowing, UNet


@pytest.mark.parametrize("side", [16, 33, 64])
def test_it_draws_maps_of_the_size_of_the_image(side: int) -> None:
    drawn = UNet(3, 2, side, width=4)(torch.rand(2, 3, side, side))

    assert drawn.shape == (2, 2, side, side)


def test_levels_halve_and_widen_until_four_pixels() -> None:
    network = Narrowing(1, 64, width=4)

    seen = network(torch.rand(1, 1, 64, 64))

    assert [tuple(one.shape[1:]) for one in seen] == [
        (4, 32, 32),
        (8, 16, 16),
        (16, 8, 8),
        (32, 4, 4),
    ]


def test_an_image_is_treated_alike_alone_and_among_others() -> None:
    torch.manual_seed(0)
    network, images = UNet(1, 1, 32, width=8).train(), torch.rand(4, 1, 32, 32)

    torch.testing.assert_close(network(images)[:1], network(images[:1]), atol=1e-5, rtol=1e-4)


def test_brightness_and_contrast_that_are_told_are_taken_out() -> None:
    torch.manual_seed(0)
    network, images = Narrowing(1, 32, width=4), torch.rand(2, 1, 32, 32)
    before = network(images)[-1]

    network.centre.fill_(0.2)
    network.spread.fill_(0.5)

    torch.testing.assert_close(network(0.2 + 0.5 * images)[-1], before, atol=1e-5, rtol=1e-4)
