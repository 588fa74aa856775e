"""A teacher is standardised, remembered to the last bit, and tells which errors are usual."""

import json

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.method import State
from desktop_app.toolbox import teachers
from desktop_app.toolbox.features import FeatureParams, chosen_features
from desktop_app.toolbox.teachers import (
    Lessons,
    Teacher,
    UsualErrors,
    chosen_teacher,
    restored_teacher,
    together,
)
from tests.plugins.textures import stripes


def data(count: int = 12) -> ArrayDataset:
    return ArrayDataset(stripes(count, size=32, channels=1), "stripes")


def teacher(images: ArrayDataset, spacing: int = 8) -> Teacher:
    features = chosen_features(
        FeatureParams(filters=6), images, encoder=None, encoder_title="", seed=0, device="cpu"
    )
    return chosen_teacher(features, images, spacing, "cpu")


def test_every_channel_is_standardised_over_the_training_images() -> None:
    images = data()
    subject = teacher(images)

    for level in subject.levels(torch.from_numpy(images.images(slice(None)))):
        values = level.double().transpose(0, 1).flatten(1)
        np.testing.assert_allclose(values.mean(1), 0, atol=1e-4)
        assert (values.std(1) < 1.01).all()
        assert (values.std(1) > 0.99).sum() > len(values) / 2


def test_maps_of_one_size_are_one_level_the_finest_first() -> None:
    images = ArrayDataset(stripes(4, size=64, channels=1), "stripes")

    assert teacher(images).sizes == ((16, 16), (8, 8))  # 32 and 16 are both brought to 16
    assert teacher(images, spacing=2).sizes == ((32, 32), (16, 16), (8, 8))
    assert teacher(images).channels == (16, 8)
    assert teacher(images).first == 8


def test_it_comes_back_from_its_state() -> None:
    images = data()
    subject = teacher(images)
    state = subject.state()
    again = restored_teacher(State(state.arrays, json.loads(json.dumps(state.values))), "cpu")

    seen = torch.from_numpy(images.images(slice(0, 3)))
    for one, other in zip(subject.levels(seen), again.levels(seen), strict=True):
        assert torch.equal(one, other)
    assert (again.sizes, again.channels, again.first) == (
        subject.sizes,
        subject.channels,
        subject.first,
    )


@pytest.mark.parametrize("room", [0, 5, 1000])
def test_lessons_are_the_same_bits_in_whatever_order_and_room(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = data()
    subject = teacher(images)
    per_image = sum(
        channels * rows * columns
        for channels, (rows, columns) in zip(subject.channels, subject.sizes, strict=True)
    )
    monkeypatch.setattr(teachers, "_MOST_VALUES", room * per_image)
    lessons, others = (Lessons(subject, images, "cpu") for _ in range(2))

    order = np.random.default_rng(0).permutation(12)
    lessons.of(order[:7])
    shuffled = lessons.of(order)
    straight = [torch.cat(parts) for parts in zip(*others.batches(5), strict=True)]

    assert len(lessons._known) == min(room, 12)
    for one, other in zip(shuffled, straight, strict=True):
        assert torch.equal(one, other[order])
    exact = subject.levels(torch.from_numpy(images.images(slice(None))))
    for one, other in zip(straight, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


def test_usual_errors_become_0_and_1_at_their_quantiles() -> None:
    subject = UsualErrors(2, (4, 4))
    fine, coarse = torch.rand(50, 4, 4), 30 * torch.rand(50, 2, 2) + 7
    subject.measure([fine, coarse])

    for one in subject([fine, coarse]):
        assert (one > 0).double().mean() == pytest.approx(0.1, abs=0.01)
        assert (one > 1).double().mean() == pytest.approx(0.005, abs=0.004)
    torch.testing.assert_close(subject.places[0], fine.mean(0))


def test_errors_that_are_all_equal_stay_finite() -> None:
    subject = UsualErrors(1, (4, 4))
    subject.measure([torch.zeros(3, 4, 4)])

    assert torch.isfinite(subject([torch.ones(1, 4, 4)])[0]).all()


def test_errors_of_several_sizes_are_brought_to_one() -> None:
    found = together([torch.rand(3, 4, 4), torch.full((3, 2, 2), 5.0)], (4, 4))

    assert found.shape == (3, 2, 4, 4)
    torch.testing.assert_close(found[:, 1], torch.full((3, 4, 4), 5.0))
