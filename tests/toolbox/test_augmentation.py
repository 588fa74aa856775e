"""Images that are blended, moved, mirrored and lit otherwise."""

import numpy as np
import torch

from desktop_app.toolbox.augmentation import blended, lit, mirrored, moved


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


def test_moved_images_show_the_same_by_up_to_so_many_pixels_further() -> None:
    image = torch.arange(100.0).view(1, 1, 10, 10).expand(200, 1, 10, 10)

    places = moved(image, 0.2, np.random.default_rng(0))[:, 0, 5, 5] - image[:, 0, 5, 5]

    rows, columns = torch.round(places / 10), places - 10 * torch.round(places / 10)
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}
    assert moved(image, 0.0, np.random.default_rng(0)) is image


def test_images_are_mirrored_along_both_axes_by_chance() -> None:
    image = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).expand(400, 1, 2, 2)

    seen = mirrored(image, np.random.default_rng(0)).flatten(1)

    kinds, counts = torch.unique(seen, dim=0, return_counts=True)
    assert kinds.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    assert counts.min() > 70


def test_light_varies_contrast_and_brightness_within_bounds() -> None:
    images = torch.tensor([0.4, 0.6]).view(1, 1, 1, 2).expand(500, 1, 1, 2)

    changed = lit(images, 0.1, np.random.default_rng(0)).flatten(1)

    mean, contrast = changed.mean(dim=1), changed[:, 1] - changed[:, 0]
    assert 0.4 <= mean.min() < 0.42 < 0.58 < mean.max() <= 0.6
    assert 0.16 - 1e-6 <= contrast.min() < 0.17 < 0.23 < contrast.max() <= 0.24 + 1e-6
    assert lit(images, 0.0, np.random.default_rng(0)) is images
