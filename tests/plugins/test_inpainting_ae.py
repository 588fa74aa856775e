"""What only reconstruction by inpainting promises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.sdk.views import HeatMap, ImageGrid
from desktop_app.toolbox.filling import smoothly_filled
from desktop_app.toolbox.similarity import ms_gradient_similarity, ssim_map
from plugins.inpainting_ae.inpainting_ae import (
    InpaintingAE,
    InpaintingParams,
    cell_sizes,
    dealt_cells,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import cookies_told, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "width": 4, "coarsest": 4, "batch_size": 8}


def method(**values: object) -> InpaintingAE:
    return InpaintingAE(InpaintingParams.parse(QUICK | values))


@pytest.mark.parametrize(("rows", "columns", "size", "sets"), [(32, 32, 4, 3), (19, 30, 5, 4)])
def test_every_pixel_is_hidden_once_and_cells_stay_whole(
    rows: int, columns: int, size: int, sets: int
) -> None:
    masks = dealt_cells(size, sets, rows, columns, count=3)

    assert masks.shape == (3, sets, rows, columns)
    assert bool((masks.sum(dim=1) == 1).all())
    corner = masks[..., :size, :size]
    assert bool((corner == corner[..., :1, :1]).all())
    cells = masks[..., ::size, ::size].sum(dim=(2, 3))
    assert int(cells.max() - cells.min()) <= 1
    assert not torch.equal(masks[0], masks[1])


def test_with_a_seed_cells_are_always_dealt_alike() -> None:
    first = dealt_cells(2, 3, 16, 16, seed=0)
    torch.rand(5)

    assert torch.equal(first, dealt_cells(2, 3, 16, 16, seed=0))
    assert not torch.equal(first, dealt_cells(2, 3, 16, 16, seed=1))


@pytest.mark.parametrize(
    ("finest", "coarsest", "side", "sizes"),
    [
        (2, 16, 128, (2, 4, 8, 16)),
        (2, 16, 32, (2, 4, 8)),
        (3, 20, 64, (3, 6, 12)),
        (8, 4, 64, (8,)),
    ],
)
def test_sizes_of_cells_double_and_suit_the_image(
    finest: int, coarsest: int, side: int, sizes: tuple[int, ...]
) -> None:
    assert cell_sizes(finest, coarsest, side) == sizes


def test_an_untrained_network_draws_the_smooth_continuation() -> None:
    subject = method()
    events = subject.fit(shaded(40, 3))
    next(events)
    x = torch.from_numpy(shaded(4, 3, seed=1).images(slice(None)))
    expected = torch.zeros_like(x)
    for mask in dealt_cells(2, 3, 16, 16, seed=0)[0]:
        hidden = mask.expand(4, 1, -1, -1)
        base = smoothly_filled((x - subject.centre) / subject.spread, hidden)
        expected += hidden * (base * subject.spread + subject.centre)

    torch.testing.assert_close(subject.redrawn(x, 2), expected, atol=1e-5, rtol=1e-4)


def test_a_pixel_is_drawn_without_being_seen() -> None:
    subject = method(finest=4, least_steps=10)
    last_metrics(subject.fit(shaded(16)))
    x = torch.from_numpy(shaded(1, seed=1).images(slice(None)))
    changed = x.clone()
    changed[..., 4:8, 8:12] = 1 - changed[..., 4:8, 8:12]  # one cell, whichever set it is in

    with torch.no_grad():
        before, after = subject.redrawn(x, 4), subject.redrawn(changed, 4)

    torch.testing.assert_close(after[..., 4:8, 8:12], before[..., 4:8, 8:12], atol=1e-6, rtol=0)
    assert (after - before).abs().max() > 1e-3


def test_the_loss_is_that_of_the_formula() -> None:
    data = shaded(8, 3)
    subject = method(
        finest=4, sets=2, gradient=0.5, structure=2.0, learning_rate=1e-8, least_steps=1
    )
    drawn: list[torch.Tensor] = []
    original = subject._hidden
    subject._hidden = lambda count: drawn.append(original(count)) or drawn[-1]  # type: ignore[method-assign,func-returns-value]

    (told,) = [e.values for e in subject.fit(data) if isinstance(e, Metrics)]

    order = np.random.default_rng([0, 0]).permutation(8)
    x = torch.from_numpy(data.images(order))
    mask = drawn[1]  # the first is that of the lines
    with torch.no_grad():
        rebuilt = torch.where(mask, subject._drawn(x, mask), x)
    mse = (rebuilt - x)[mask.expand_as(x)].square().mean()
    gradient = 2 * (1 - ms_gradient_similarity(x, rebuilt)).mean()
    structure = 2 * (1 - ssim_map(x, rebuilt)).mean()
    variance = x.sub(x.mean(dim=0)).square().mean()
    assert told["mse"] == pytest.approx(float(mse), rel=1e-3)
    assert told["gradient"] == pytest.approx(float(gradient), rel=1e-3)
    assert told["structure"] == pytest.approx(float(structure), rel=1e-3)
    expected = mse / variance + 0.5 * gradient + 2.0 * structure
    assert told["loss"] == pytest.approx(float(expected), rel=1e-3)


def test_patterns_are_continued_better_than_smoothly() -> None:
    random = np.random.default_rng(0)
    shift = random.integers(0, 8, (64, 1, 1))
    stripes = (np.indices((16, 16)).sum(axis=0)[None] + shift) // 4 % 2
    data = ArrayDataset((60 + 130 * stripes[:, None]).astype(np.uint8))
    subject = method(finest=4, least_steps=120, learning_rate=1e-2, batch_size=16)

    events = list(subject.fit(data))

    lines = {e.meaning: e.value for e in events if isinstance(e, TrivialValue)}
    told = [e.values["mse"] for e in events if isinstance(e, Metrics)]
    assert np.mean(told[-10:]) < 0.5 * lines["smooth continuation"]
    assert any(isinstance(e, Preview) for e in events)


def test_what_is_hidden_at_once_is_shown() -> None:
    subject = method()
    assert subject.views() == ()
    last_metrics(subject.fit(shaded(8)))

    gradients, squares, grid = subject.views()

    assert isinstance(grid, ImageGrid)
    assert grid.images.shape == (6, 1, 16, 16)
    assert list(grid.captions) == ["2 px"] * 3 + ["4 px"] * 3
    for usual in (gradients, squares):
        assert isinstance(usual, HeatMap)
        assert usual.matrix.min() > 0


def test_the_map_is_made_of_gradients_and_values_in_usual_units() -> None:
    maps = {}
    images = shaded(8).images(slice(None))
    for values in (0.0, 1.0, 3.0):
        subject = method(values=values, learning_rate=1e-8, least_steps=1)
        last_metrics(subject.fit(shaded(8)))
        scores, maps[values] = subject.inspect(images)
        np.testing.assert_allclose(scores, maps[values].max(axis=(1, 2)))

    squares = maps[1.0] - maps[0.0]
    np.testing.assert_allclose(maps[3.0], maps[0.0] + 3 * squares, rtol=1e-3)
    assert maps[0.0].mean() == pytest.approx(1, abs=0.3)  # the images that it learned from
    assert squares.mean() == pytest.approx(1, abs=0.3)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(600)
def test_broken_cookies_are_told_better_than_by_the_mean_image(shared_data: Path, bar: Bar) -> None:
    subject = InpaintingAE(InpaintingParams.parse({"epochs": 1, "least_steps": 120}))

    area, trivial = cookies_told(subject, shared_data, 64)

    bar("inpainting_ae", "image AUROC of broken cookies, 64 px", area, above=0.96, trivial=trivial)
    assert area > trivial
