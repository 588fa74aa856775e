"""What only the network that learns from made defects promises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.toolbox.features import encoder_of
from plugins.synthetic_defects.synthetic_defects import (
    SyntheticDefects,
    SyntheticDefectsParams,
    dice,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import last_metrics, photographs, shaded

QUICK = {"epochs": 1, "least_steps": 2, "width": 4, "batch_size": 4}


def method(**values: object) -> SyntheticDefects:
    return SyntheticDefects(SyntheticDefectsParams.parse(QUICK | values))


def test_dice_is_one_for_the_mask_itself_and_small_for_its_opposite() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, :4] = 1

    assert float(dice(mask, mask)) == pytest.approx(1)
    assert float(dice(1 - mask, mask)) < 0.02
    assert float(dice(torch.full_like(mask, 0.5), mask)) == pytest.approx(0.5, abs=0.01)


def test_the_trivial_value_is_the_entropy_of_the_share_of_spoilt_pixels() -> None:
    events = list(method().fit(shaded(8, 3, 32)))

    (trivial,) = [event for event in events if isinstance(event, TrivialValue)]
    (preview,) = [event for event in events if isinstance(event, Preview)]
    share = float(preview.images[4:8, 0].mean())  # of the labels, enlarged from half size
    expected = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert trivial.curve == "bce"
    assert trivial.value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("reconstruct", [False, True])
@pytest.mark.parametrize(("channels", "side"), [(1, 16), (3, 33)])
def test_it_takes_images_of_any_size(reconstruct: bool, channels: int, side: int) -> None:
    data = shaded(6, channels, side)
    subject = method(reconstruct=reconstruct, recipe="pasted")

    metrics = last_metrics(subject.fit(data))

    images = data.images(slice(None))
    scores, maps = subject.inspect(images)
    assert ("repair_error" in metrics.values) is reconstruct
    assert (scores.shape, maps.shape) == ((6,), (6, side, side))
    np.testing.assert_allclose(scores, subject.score(images), rtol=1e-5)


def test_the_learning_rate_falls_along_a_cosine_and_the_overlap_rises() -> None:
    subject = method(least_steps=100, batch_size=8, recipe="pasted", learning_rate=5e-3, width=8)

    told = [event for event in subject.fit(shaded(16, 1, 32)) if isinstance(event, Metrics)]

    first = np.mean([event.values["dice"] for event in told[:10]])
    last = np.mean([event.values["dice"] for event in told[-10:]])
    assert last > first + 0.15
    (group,) = subject._kept["adam"].param_groups
    assert group["lr"] == pytest.approx(0.05 * 5e-3, rel=0.1)


def test_the_kinds_of_defects_are_shown() -> None:
    subject = method()
    last_metrics(subject.fit(shaded(4, 3, 32)))

    (grid,) = subject.views()

    assert grid.images.shape == (8, 3, 32, 32)
    assert {"pasted", "scar", "blotch", "blended", "textured"} == set(grid.captions)


def test_it_begins_with_the_odds_of_a_spoilt_pixel() -> None:
    subject = method(least_steps=1, learning_rate=1e-8)
    data = shaded(4, 1, 32)
    last_metrics(subject.fit(data))

    logits = subject.localize(data.images(slice(None)))

    assert logits.mean() == pytest.approx(-3, abs=0.3)
    assert logits.std() < 0.3


@pytest.mark.parametrize("reconstruct", [False, True])
def test_the_networks_know_mean_and_spread_of_the_images(reconstruct: bool) -> None:
    subject, data = method(reconstruct=reconstruct), shaded(6, 3, 32)
    last_metrics(subject.fit(data))

    images = data.images(slice(None))
    assert subject.encoder.centre.shape == ((6, 1, 1) if reconstruct else (3, 1, 1))
    assert float(subject.encoder.spread) == pytest.approx(images.std(), rel=1e-3)
    np.testing.assert_allclose(
        subject.encoder.centre[:3, 0, 0], images.mean(axis=(0, 2, 3)), rtol=1e-4
    )


def test_its_encoder_lends_features_at_strides_two_four_and_eight() -> None:
    subject, data = method(), shaded(4, 1, 32)
    last_metrics(subject.fit(data))
    images = torch.from_numpy(data.images(slice(None)))

    copied = encoder_of(subject).feature_maps(images)

    with torch.no_grad():
        expected = subject.encoder(images)
    assert [one.shape[-1] for one in copied] == [16, 8, 4]
    for mine, theirs in zip(copied, expected, strict=False):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(600)
def test_broken_cookies_are_told_without_outside_weights(shared_data: Path, bar: Bar) -> None:
    cookies = shared_data / "aws_cookies"
    subject = SyntheticDefects(SyntheticDefectsParams.parse({"least_steps": 300}))
    last_metrics(subject.fit(ArrayDataset(photographs(cookies / "train" / "good"))))

    good, broken = (
        subject.score(as_images(photographs(cookies / "test" / kind)))
        for kind in ("good", "broken")
    )

    area = float((broken[:, None] > good[None]).mean())
    bar(
        "synthetic_defects",
        "image AUROC of broken cookies, 300 steps",
        area,
        above=0.95,
        trivial=0.5,
    )
