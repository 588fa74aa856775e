"""What only the classifier of pasted crops promises."""

import math

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.sdk.views import Curve, ImageGrid, Table
from desktop_app.toolbox.features import encoder_of
from plugins.cutpaste.cutpaste import (
    CutPaste,
    CutPasteParams,
    gaussian,
    mahalanobis,
    pooled,
    spread_out,
    windows,
)
from tests.plugins.pictures import last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "width": 4, "batch_size": 4}


def method(**values: object) -> CutPaste:
    return CutPaste(CutPasteParams.parse(QUICK | values))


def correlated(count: int, dimensions: int) -> torch.Tensor:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(dimensions, dimensions))
    return torch.from_numpy((3 + random.normal(size=(count, dimensions)) @ mixing).astype("f"))


@pytest.mark.parametrize("count", [6, 400])
def test_distances_are_those_of_the_shrunk_gaussian_of_scikit_learn(count: int) -> None:
    known, asked = correlated(count, 8), 2 * correlated(20, 8)

    mean, whitening = gaussian(known)
    distances = mahalanobis(asked.double(), mean, whitening)

    theirs = LedoitWolf().fit(known.double().numpy()).mahalanobis(asked.double().numpy())
    np.testing.assert_allclose(distances, np.sqrt(theirs / 8), rtol=1e-3)


def test_a_usual_distance_is_about_one() -> None:
    known = 3 + 2 * torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 12)))

    mean, whitening = gaussian(known)

    squared = mahalanobis(known, mean, whitening).square()
    assert float(squared.mean()) == pytest.approx(1, abs=0.02)


def test_equal_vectors_give_finite_distances() -> None:
    mean, whitening = gaussian(torch.full((10, 4), 0.5))

    assert torch.isfinite(mahalanobis(torch.rand(3, 4), mean, whitening)).all()


def test_windows_are_the_means_of_all_squares_of_cells() -> None:
    maps = torch.rand(2, 3, 5, 6)

    found = windows(maps, 2)

    assert found.shape == (2, 4, 5, 3)
    torch.testing.assert_close(found[1, 3, 2], maps[1, :, 3:5, 2:4].mean(dim=(1, 2)))
    torch.testing.assert_close(windows(maps[:, :, :5, :5], 5)[:, 0, 0], pooled(maps[..., :5]))


def test_a_pixel_is_as_unusual_as_the_windows_that_cover_it_on_average() -> None:
    distances = torch.ones(1, 3, 3)
    distances[0, 0, 0] = 5  # covers the first 2 x 2 of 4 x 4 cells

    maps = spread_out(distances, 2, 64)

    assert maps.shape == (1, 64, 64)
    assert float(maps[0, 4, 4]) == pytest.approx(5, abs=0.2)
    assert float(maps[0, 60, 60]) == pytest.approx(1, abs=1e-4)
    assert float(maps[0, 24, 24]) == pytest.approx(2, abs=0.2)  # the mean of 5 and three times 1


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
    same._measure(data)
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
    assert all(counts.sum() == 100 for _, counts in curve.lines.values())


def test_its_encoder_lends_features() -> None:
    subject, data = method(), shaded(4, 1, 32)
    last_metrics(subject.fit(data))
    images = torch.from_numpy(data.images(slice(None)))

    maps = encoder_of(subject).feature_maps(images)

    assert [one.shape[-1] for one in maps] == [16, 8, 4]
    np.testing.assert_allclose(pooled(maps[-1]), subject.encode(images.numpy()), rtol=1e-4)
