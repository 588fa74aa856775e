"""What only the classifier of pasted crops promises."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.sdk.views import Curve, ImageGrid, Table
from desktop_app.toolbox.features import encoder_of
from desktop_app.toolbox.networks import colour_statistics
from plugins.cutpaste import cutpaste
from plugins.cutpaste.cutpaste import CutPaste, CutPasteParams, pooled
from tests.plugins.conftest import Bar
from tests.plugins.pictures import last_metrics, photographs, shaded

QUICK = {"epochs": 1, "least_steps": 2, "width": 4, "batch_size": 4}


def method(**values: object) -> CutPaste:
    return CutPaste(CutPasteParams.parse(QUICK | values))


@pytest.mark.parametrize(("patches", "classes"), [("both", 3), ("patch", 2), ("scar", 2)])
def test_the_trivial_value_is_chance(patches: str, classes: int) -> None:
    events = list(method(patches=patches).fit(shaded(8, 3, 32)))

    (trivial,) = [event for event in events if isinstance(event, TrivialValue)]
    (preview,) = [event for event in events if isinstance(event, Preview)]
    assert trivial.value == pytest.approx(math.log(classes))
    assert preview.images.shape == (4 * classes, 3, 16, 16)


def test_the_loss_is_the_mean_cross_entropy_of_the_classes() -> None:
    subject, data = method(least_steps=1, batch_size=8, light=0.0), shaded(8, 1, 32)
    told = next(event for event in subject.fit(data) if isinstance(event, Metrics))

    same = method(least_steps=1, batch_size=8, light=0.0)
    torch.manual_seed(0)
    same.build(data.sample_shape)
    centre, spread = colour_statistics(data)
    same.encoder.centre.copy_(centre)
    same.encoder.spread.copy_(spread)
    order = np.random.default_rng([0, 0]).permutation(8)
    images = torch.from_numpy(data.images(order))
    x, _ = same._classes(images, np.random.default_rng([0, 1]))
    with torch.no_grad():
        chances = same.head(pooled(same.encoder.train()(x))).softmax(dim=1).view(3, 8, 3)
    per_class = [-chances[kind, :, kind].log().mean() for kind in range(3)]

    assert told.values["loss"] == pytest.approx(float(sum(per_class)) / 3, rel=1e-4)


@pytest.mark.parametrize(("channels", "side", "window"), [(1, 16, 0.25), (3, 33, 0.5), (1, 32, 1)])
def test_it_takes_images_and_windows_of_any_size(channels: int, side: int, window: float) -> None:
    data = shaded(6, channels, side)
    subject = method(window=window)
    last_metrics(subject.fit(data))

    images = data.images(slice(None))
    scores, maps = subject.inspect(images)
    assert (scores.shape, maps.shape) == ((6,), (6, side, side))
    np.testing.assert_allclose(scores, subject.score(images), rtol=1e-5)
    np.testing.assert_allclose(maps, subject.localize(images), rtol=1e-5)
    assert subject.encode(images).shape == (6, 16)


def test_it_learns_to_tell_pasted_crops_and_says_what_was_taken_for_what() -> None:
    subject = method(least_steps=80, batch_size=16, width=8, learning_rate=5e-3)
    told = [event for event in subject.fit(shaded(32, 1, 32)) if isinstance(event, Metrics)]

    grid, mistakes, curve = subject.views()

    assert np.mean([event.values["accuracy"] for event in told[-20:]]) > 0.6
    assert isinstance(grid, ImageGrid)
    assert (grid.images.shape, len(grid.captions)) == ((24, 1, 16, 16), 24)
    assert isinstance(mistakes, Table)
    shares = np.array([row[1:] for row in mistakes.rows], float)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=0.01)
    assert shares.trace() / 3 > 0.5
    assert isinstance(curve, Curve)
    assert list(curve.lines) == ["normal", "patch", "scar"]
    assert all(counts.sum() == 64 for _, counts in curve.lines.values())


def test_scores_are_distances_from_the_gaussians_of_the_training_images() -> None:
    subject, data = method(least_steps=6), shaded(40, 1, 32)
    last_metrics(subject.fit(data))
    images = data.images(slice(None))
    with torch.no_grad():
        _, finer, last = subject.eval().encoder.levels(torch.from_numpy(images))
    finer = finer.view(40, 8, 4, 2, 4, 2).mean(dim=(3, 5))  # (N, 8, 4, 4), as the last one
    parts = [one / one.norm(dim=1, keepdim=True) for one in (finer, last)]
    maps = torch.cat(parts, dim=1).double().numpy()  # (N, D, H, W)

    vectors = maps[:, :, 1, 2]
    every = [np.cov(maps[:, :, row, column].T) for row, column in np.ndindex(4, 4)]
    pooled_one = np.mean(every, axis=0)
    steady = (40 * np.cov(vectors.T) + 5 * pooled_one) / 45
    steady += (0.01 * pooled_one.trace() / 24 + 1e-8) * np.eye(24)
    apart = vectors - vectors.mean(axis=0)
    expected = np.sqrt(np.einsum("nd,de,ne->n", apart, np.linalg.inv(steady), apart) / 24)

    distances = subject._at_places(images)
    assert distances.shape == (40, 4, 4)
    np.testing.assert_allclose(distances[:, 1, 2], expected, rtol=2e-3)
    np.testing.assert_allclose(subject.score(images), distances.max(axis=(1, 2)), rtol=1e-5)


def test_between_two_looks_the_scores_stay() -> None:
    subject, data = method(least_steps=20), shaded(12, 1, 32)
    images, told = data.images(slice(0, 4)), {}
    for event in subject.fit(data):
        if isinstance(event, Metrics) and event.step in (4, 6, 8):  # a look at every fourth step
            told[event.step] = subject.score(images)

    np.testing.assert_array_equal(told[4], told[6])
    assert np.abs(told[8] - told[6]).min() > 0


def test_on_large_grids_fewer_dimensions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutpaste, "_MOST_VALUES", 16 * 7**2)
    subject = method()
    subject.build((1, 32, 32))

    assert subject.whitening.shape == (16, 7, 7)
    torch.testing.assert_close(subject.axes.T @ subject.axes, torch.eye(7), atol=1e-5, rtol=0)


def test_its_encoder_lends_features() -> None:
    subject, data = method(), shaded(4, 1, 32)
    last_metrics(subject.fit(data))
    images = torch.from_numpy(data.images(slice(None)))

    maps = encoder_of(subject).feature_maps(images)

    assert [one.shape[-1] for one in maps] == [16, 8, 4]
    np.testing.assert_allclose(pooled(maps[-1]), subject.encode(images.numpy()), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(600)
def test_broken_cookies_are_told_without_outside_weights(shared_data: Path, bar: Bar) -> None:
    cookies = shared_data / "aws_cookies"
    subject = CutPaste(CutPasteParams.parse({"least_steps": 300}))
    last_metrics(subject.fit(ArrayDataset(photographs(cookies / "train" / "good"))))

    good, broken = (
        subject.score(as_images(photographs(cookies / "test" / kind)))
        for kind in ("good", "broken")
    )

    area = float((broken[:, None] > good[None]).mean())
    bar("cutpaste", "image AUROC of broken cookies, 300 steps", area, above=0.88, trivial=0.5)
