"""Regions are painted in shares of the image, and every change can be taken back."""

import numpy as np
import pytest

from desktop_app.core.painting import Painting
from desktop_app.core.regions import Region
from desktop_app.sdk.errors import InvalidInput


def test_the_first_shape_that_counts_begins_with_nothing() -> None:
    painting = Painting(400, 200)
    assert painting.region() is None

    painting.rectangle((0.75, 1.0), (0.25, 0.5), counts=True)

    region = painting.region()
    assert region is not None
    assert region.mask.shape == (512, 1024)
    assert region.share == pytest.approx(0.25, abs=0.01)
    assert region.at(2, 4).tolist() == [[False] * 4, [False, True, True, False]]


def test_shapes_add_up_and_take_away() -> None:
    painting = Painting(100, 100)

    painting.rectangle((0, 0), (0.5, 1), counts=True)
    painting.polygon([(0.5, 0), (1, 0), (1, 1)], counts=True)
    painting.brush([(0.25, 0.25), (0.25, 0.75)], 0.1, counts=False)

    mask = painting.mask
    assert mask[100, 900]
    assert not mask[900, 600]
    assert mask[512, 100]
    assert not mask[512, 256]
    assert not mask[512, 300]
    assert mask[512, 320]


def test_ignoring_a_part_of_everything_leaves_the_rest() -> None:
    painting = Painting(10, 10)

    painting.rectangle((0, 0), (0.1, 1), counts=False)

    assert painting.mask.mean() == pytest.approx(0.9, abs=0.01)


def test_every_change_can_be_taken_back_and_done_again() -> None:
    painting = Painting(30, 20)
    masks = [painting.mask]
    for change in (
        lambda: painting.rectangle((0.1, 0.1), (0.6, 0.6), counts=True),
        painting.invert,
        lambda: painting.brush([(0.5, 0.5)], 0.2, counts=True),
        painting.count_all,
        lambda: painting.take(Region(np.eye(3, dtype=np.bool_))),
    ):
        change()
        masks.append(painting.mask)

    for expected in reversed(masks[:-1]):
        painting.undo()
        assert np.array_equal(painting.mask, expected)
    assert not painting.can_undo
    for expected in masks[1:]:
        painting.redo()
        assert np.array_equal(painting.mask, expected)
    assert not painting.can_redo


def test_what_changes_nothing_is_no_step_and_nothing_is_no_region() -> None:
    painting = Painting(10, 10, Region(np.eye(2, dtype=np.bool_)))

    painting.take(Region(np.eye(2, dtype=np.bool_)))
    assert not painting.can_undo

    painting.rectangle((0, 0), (1, 1), counts=False)
    with pytest.raises(InvalidInput, match="nothing is marked"):
        painting.region()
