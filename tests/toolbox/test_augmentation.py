"""Blends lie between two images of the batch."""

import torch

from desktop_app.toolbox.augmentation import blended


def test_blends_lie_on_the_line_between_two_images() -> None:
    torch.manual_seed(0)
    levels = torch.tensor([0.0, 0.2, 0.7, 1.0]).view(4, 1, 1, 1).expand(4, 1, 3, 3)

    mixed = blended(levels, share=1.0)

    assert ((mixed >= 0) & (mixed <= 1)).all()
    assert (mixed.flatten(1).std(dim=1) == 0).all()
    assert not torch.equal(mixed, levels)


def test_a_share_of_none_or_a_single_image_stays_as_it_is() -> None:
    images = torch.rand(5, 1, 4, 4)

    assert blended(images, share=0.0) is images
    assert torch.equal(blended(images[:1], share=1.0), images[:1])


def test_about_the_share_that_is_asked_for_is_blended() -> None:
    torch.manual_seed(1)
    images = torch.rand(2000, 1, 2, 2)

    changed = (blended(images, share=0.3) != images).flatten(1).any(dim=1).float().mean()

    assert 0.25 < changed < 0.35
