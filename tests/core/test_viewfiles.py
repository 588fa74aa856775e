from dataclasses import fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from desktop_app.core.viewfiles import read_views, write_views
from desktop_app.sdk.errors import UnreadableRun
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Scatter, Table, View

LINE = np.arange(3, dtype=np.float32)
VIEWS: list[View] = [
    ImageGrid("滤波器", np.ones((2, 1, 4, 4), np.float32), captions=("a", "b"), signed=True),
    Curve("Scree", {"variance": (LINE, LINE**2), "sum": (LINE, LINE)}, marks={"random": 0.5}),
    Scatter("Codes", np.ones((3, 2), np.float32), colours=LINE, x_label="first"),
    HeatMap("Covariance", np.eye(3, dtype=np.float32), row_label="i"),
    Table("Clusters", ["name", "count", "share"], [["a", np.int64(3), 0.25], ["b", 1, 0.5]]),
]


def test_there_is_an_example_of_every_view() -> None:
    assert {type(view) for view in VIEWS} == set(get_args(View))


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_a_view_comes_back_as_it_was(tmp_path: Path, view: View) -> None:
    write_views(tmp_path / "views", [view])

    (restored,) = read_views(tmp_path / "views")

    assert type(restored) is type(view)
    for field in fields(view):
        _assert_same(getattr(restored, field.name), getattr(view, field.name))


def test_views_keep_their_order(tmp_path: Path) -> None:
    write_views(tmp_path / "views", VIEWS)

    assert [view.title for view in read_views(tmp_path / "views")] == [v.title for v in VIEWS]


def test_no_folder_means_no_views(tmp_path: Path) -> None:
    assert read_views(tmp_path / "views") == []


def test_views_of_another_version_are_a_sentence(tmp_path: Path) -> None:
    write_views(tmp_path / "views", VIEWS)
    plain = tmp_path / "views" / "state.json"
    plain.write_text(plain.read_text("utf-8").replace('"ImageGrid"', '"Hologram"'), "utf-8")

    with pytest.raises(UnreadableRun, match="cannot be read"):
        read_views(tmp_path / "views")


def _assert_same(one: object, other: object) -> None:
    if isinstance(other, np.ndarray):
        assert np.array_equal(np.asarray(one), other)
    elif isinstance(other, dict):
        assert isinstance(one, dict)
        assert one.keys() == other.keys()
        for key in other:
            _assert_same(one[key], other[key])
    elif isinstance(other, list | tuple):
        assert isinstance(one, list | tuple)
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            _assert_same(left, right)
    else:
        assert one == other
