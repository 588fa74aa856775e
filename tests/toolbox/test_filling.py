"""First guesses of what is hidden."""

import torch

from desktop_app.toolbox.filling import smoothly_filled


def test_smooth_fillings_keep_what_is_known_and_continue_slopes() -> None:
    slope = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    mask[..., 8:24, 8:24] = True

    filled = smoothly_filled(torch.where(mask, torch.tensor(9.0), slope), mask)

    assert torch.equal(filled[~mask], slope[~mask])
    assert (filled - slope).abs().max() < 0.2
    assert (filled - slope)[mask].square().mean() < 0.3 * (slope - 0.5)[mask].square().mean()


def test_smooth_fillings_do_not_see_what_is_hidden() -> None:
    x = torch.rand(2, 3, 21, 18)
    mask = torch.rand(2, 1, 21, 18) < 0.3
    changed = torch.where(mask, torch.rand(1), x)

    torch.testing.assert_close(smoothly_filled(changed, mask), smoothly_filled(x, mask))
