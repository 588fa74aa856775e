"""What only the context autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from desktop_app.sdk.data import ArrayDataset, Images
from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.toolbox.baselines import context_error
from desktop_app.toolbox.filling import smoothly_filled
from plugins.context_ae import masks
from plugins.context_ae.context_ae import ContextAE, ContextParams
from plugins.context_ae.masks import (
    centre_mask,
    grid_masks,
    hidden_regions,
    surrounded,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 8, "code_size": 4, "batch_size": 16}


def context_ae(**values: object) -> ContextAE:
    return ContextAE(ContextParams.parse(QUICK | values))


@pytest.mark.parametrize("region", ["any", "centre", "square", "blocks", "brush"])
def test_regions_hide_a_part_of_every_image(region: str) -> None:
    torch.manual_seed(0)
    hidden = hidden_regions(region, 50, 40, 28, 0.5)  # type: ignore[arg-type]

    shares = hidden.float().mean(dim=(1, 2, 3))
    assert hidden.shape == (50, 1, 40, 28)
    assert 0.02 < shares.mean() < 0.5
    assert shares.max() < 0.8
    assert len(torch.unique(hidden.flatten(1), dim=0)) > 35


def test_the_centre_moves_a_little_and_stays_whole() -> None:
    torch.manual_seed(0)
    for side, size in ((32, 0.25), (16, 0.9)):
        hidden = hidden_regions("centre", 200, side, side, size)

        square = round(size * side) ** 2
        assert (hidden.sum(dim=(1, 2, 3)) == square).all()
        middle = hidden.float().mean(dim=0)[0]
        assert middle[side // 2, side // 2] > 0.7
        assert middle[0, 0] < 1


def test_the_grid_hides_each_pixel_once() -> None:
    for rows, columns in ((32, 32), (28, 45), (5, 9)):
        assert (grid_masks(rows, columns).sum(dim=0) == 1).all()


def test_the_band_surrounds_the_region() -> None:
    mask = centre_mask(12, 12, 0.5)

    band = surrounded(mask, 2) & ~mask

    assert int(band.sum()) == 10 * 10 - 6 * 6
    assert int((surrounded(mask, 0) & ~mask).sum()) == 0


def test_an_untrained_network_draws_the_smooth_continuation() -> None:
    method = context_ae()
    next(method.fit(shaded(40)))
    x = torch.from_numpy(shaded(5, seed=1).images(slice(None)))
    mask = centre_mask(16, 16, 0.5).expand(5, -1, -1, -1)
    network = method.network

    expected = smoothly_filled(network.deviation(x), mask) * network.spread + network.centre

    torch.testing.assert_close(network(x, mask), expected)


@pytest.mark.parametrize("adversary", ["squares", "entropy"])
def test_the_loss_is_that_of_the_paper(adversary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "_MOVED", 0.0)
    data = shaded(16)
    method = context_ae(
        region="centre",
        adversarial=0.3,
        adversary=adversary,
        learning_rate=1e-8,
        least_steps=1,
        overlap=1,
    )
    values = last_metrics(method.fit(data)).values

    x = torch.from_numpy(data.images(slice(None)))
    mask = centre_mask(16, 16, 0.5)
    weights = mask + 10.0 * (surrounded(mask, 1) & ~mask)
    with torch.no_grad():
        drawn = method.network(x, mask.expand(16, -1, -1, -1))
        said = method.judge(method.network.deviation(torch.where(mask, drawn, x)))
    error = (drawn - x).square()
    squares = (weights * error).sum() / (16 * 64) / x.sub(x.mean(0)).square().mean()
    deceit = (
        (said - 1).square().mean()
        if adversary == "squares"
        else torch.nn.functional.softplus(-said).mean()
    )

    assert values["mse"] == pytest.approx(float(error[..., 4:12, 4:12].mean()), rel=1e-3)
    assert values["adversarial"] == pytest.approx(float(deceit), rel=1e-3)
    assert values["loss"] == pytest.approx(float(0.7 * squares + 0.3 * deceit), rel=1e-3)


def test_network_and_adversary_resume_as_if_never_interrupted() -> None:
    data, values = shaded(32), {"least_steps": 4, "adversarial": 0.1}
    whole = [e.values for e in context_ae(**values).fit(data) if isinstance(e, Metrics)]
    first = context_ae(**values)
    events = (e for e in first.fit(data) if isinstance(e, Metrics))
    told = [next(events).values, next(events).values]
    second = context_ae(**values)
    second.restore(first.state())

    told += [e.values for e in second.fit(data) if isinstance(e, Metrics)]

    assert told == whole


def test_what_is_hidden_has_no_influence_and_what_is_not_stays() -> None:
    method = context_ae()
    last_metrics(method.fit(shaded(40, 3)))
    x = shaded(4, 3, seed=1).images(slice(None))
    mask = np.zeros((4, 16, 16), bool)
    mask[:, 3:9, 5:] = True
    other = np.where(mask[:, None], np.float32(0.3), x)

    filled = method.complete(x, mask)

    np.testing.assert_allclose(filled, method.complete(other, mask), atol=1e-6)
    np.testing.assert_array_equal(np.moveaxis(filled, 1, 3)[~mask], np.moveaxis(x, 1, 3)[~mask])


def test_lines_are_the_mean_image_and_a_linear_prediction() -> None:
    events = list(context_ae(region="centre").fit(shaded(200)))

    lines = {e.meaning: e for e in events if isinstance(e, TrivialValue)}
    told = {"mean image", "ridge from context", "cannot tell", "the discriminator has won"}
    assert set(lines) == told
    assert lines["ridge from context"].stays is None
    assert lines["ridge from context"].value < 0.05 * lines["mean image"].value
    assert any(isinstance(e, Preview) for e in events)


def test_linear_predictions_are_those_of_the_textbook() -> None:
    random = np.random.default_rng(0)
    data = ArrayDataset(random.integers(0, 256, (200, 1, 6, 6)).astype(np.uint8))
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 2:4, 2:4] = True
    found = context_error(data, mask)

    x = data.images(slice(None)).reshape(200, 36).astype(np.float64)
    apart = np.arange(200) % 5 == 4
    x -= x[~apart].mean(axis=0)
    hidden = mask.ravel()
    context, wanted = x[:, ~hidden], x[:, hidden]
    scale = np.square(context[~apart]).sum() / (~apart).sum()  # mean variance in image space
    errors = []
    for penalty in (1e-3, 1e-2, 1e-1, 1.0):
        gram = context[~apart].T @ context[~apart] + penalty * scale * np.eye(32)
        weights = np.linalg.solve(gram, context[~apart].T @ wanted[~apart])
        errors.append(np.square(context[apart] @ weights - wanted[apart]).mean())

    assert found is not None
    assert found.ridge == pytest.approx(min(errors), rel=1e-3)
    assert found.mean_image == pytest.approx(np.square(wanted[apart]).mean(), rel=1e-4)


def test_three_causes_are_seen_in_the_surroundings() -> None:
    method = context_ae(region="centre", least_steps=100, adversarial=0, nodes=16)
    told = [e for e in method.fit(shaded(128)) if isinstance(e, Metrics)]

    x = shaded(32, seed=5).images(slice(None))
    mask = np.broadcast_to(centre_mask(16, 16, 0.5).numpy()[0], (32, 16, 16))
    error = np.square(method.complete(x, mask) - x)[:, :, 4:12, 4:12].mean()
    assert error < 0.1 * x[:, :, 4:12, 4:12].var(axis=0).mean()
    assert set(told[-1].values) == {"loss", "mse"}


_RIDGE = 0.0158
"""Of all 10,000 training images, with the penalty that suits the test images best."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.shared
def test_small_photographs_are_filled_in_better_than_by_ridge(shared_data: Path, bar: Bar) -> None:
    folder = shared_data / "cifar10_subset"
    data = ArrayDataset(_colours(folder / "train"))
    params = {
        **ContextAE.presets[1].values,
        "size": 0.25,
        "overlap": 0,
        "adversarial": 0,
        "epochs": 16,
    }
    method = ContextAE(ContextParams.parse(params))
    for _ in method.fit(data):
        pass

    x: Images = ArrayDataset(_colours(folder / "test")).images(slice(None))
    mask = np.broadcast_to(centre_mask(32, 32, 0.25).numpy()[0], (len(x), 32, 32))
    error = float(np.square(method.complete(x, mask) - x)[:, :, 12:20, 12:20].mean())
    bar("context_ae", "CIFAR MSE, centre 8 x 8 (ridge)", error, below=_RIDGE, trivial=_RIDGE)


def _colours(folder: Path) -> np.ndarray:
    files = sorted(folder.glob("*/*"))
    return np.stack([np.asarray(Image.open(f).convert("RGB")).transpose(2, 0, 1) for f in files])
