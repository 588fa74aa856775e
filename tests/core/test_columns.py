from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.columns import result_columns
from desktop_app.core.files import write_array
from desktop_app.core.runs import JobSpec, Result, Run
from desktop_app.core.table import ImageTable


def _table(ids: list[int]) -> ImageTable:
    texts = [""] * len(ids)
    return ImageTable(
        ids=np.array(ids, np.int64),
        paths=[f"{number}.png" for number in ids],
        labels=texts,
        splits=texts,
        masks=texts,
        problems=texts,
        remarks=texts,
        widths=np.zeros(len(ids), np.int32),
        heights=np.zeros(len(ids), np.int32),
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", JobSpec(folder=str(tmp_path)))


@pytest.fixture
def result(run: Run) -> Result:
    """What was said of the images 7, 3 and 5."""
    result = run.result("key")
    write_array(result.path / "ids.npy", np.array([7, 3, 5]))
    write_array(result.path / "scores.npy", np.array([0.7, 0.3, 0.5], np.float32))
    write_array(result.path / "latents.npy", np.array([[7, 7], [3, 3], [5, 5]], np.float32))
    write_array(result.path / "positions.npy", np.array([[7, 0], [3, 0], [5, 0]], np.float32))
    write_array(result.path / "basis.npy", np.array([[9, 9], [1, 0], [0, 1]], np.float32))
    write_array(result.path / "clusters.npy", np.array([1, 0, 1]))
    maps = np.stack([np.full((2, 2), value, np.float32) for value in (7, 3, 5)])
    write_array(result.path / "maps.npy", maps)
    result.write_rows({"paths": ["7.png", "3.png", "5.png"], "explained": 0.8})
    return result


def test_columns_stand_beside_the_images_they_speak_of(run: Run, result: Result) -> None:
    columns = result_columns(run, result, _table([3, 4, 5, 7]))

    assert columns.scores is not None
    assert columns.positions is not None
    assert columns.clusters is not None
    assert np.array_equal(
        columns.scores, np.array([0.3, np.nan, 0.5, 0.7], np.float32), equal_nan=True
    )
    assert columns.positions[:, 0].tolist()[0::2] == [3, 5]
    assert np.isnan(columns.positions[1]).all()
    assert columns.clusters.tolist() == [0, -1, 1, 1]
    assert columns.index.tolist() == [1, -1, 2, 0]


def test_latents_and_maps_are_found_by_the_row_of_an_image(run: Run, result: Result) -> None:
    columns = result_columns(run, result, _table([3, 4, 5, 7]))

    assert columns.latents is not None
    assert columns.latents[columns.index[3]].tolist() == [7, 7]
    heat = columns.map(0)
    assert heat is not None
    assert heat.tolist() == [[3, 3], [3, 3]]
    assert columns.map(1) is None


def test_mean_and_axes_of_the_plane_are_told_apart(run: Run, result: Result) -> None:
    columns = result_columns(run, result, _table([3]))

    assert columns.basis is not None
    mean, axes = columns.basis
    assert mean.tolist() == [9, 9]
    assert axes.tolist() == [[1, 0], [0, 1]]
    assert columns.explained == 0.8


def test_one_scale_holds_for_all_maps(run: Run, result: Result) -> None:
    low, high = result_columns(run, result, _table([3])).map_range

    assert 3 <= low < high <= 7


def test_a_method_without_a_capability_has_no_such_column(run: Run, result: Result) -> None:
    for name in ("scores", "latents", "positions", "basis", "clusters", "maps"):
        (result.path / f"{name}.npy").unlink()

    columns = result_columns(run, result, _table([3, 4]))

    assert columns.scores is columns.latents is columns.positions is columns.basis is None
    assert columns.clusters is columns.maps is columns.map(0) is None
    assert columns.map_range == (0.0, 1.0)


@pytest.mark.parametrize("ids", [[], [1, 2]])
def test_a_table_of_other_images_has_empty_columns(
    run: Run, result: Result, ids: list[int]
) -> None:
    columns = result_columns(run, result, _table(ids))

    assert columns.scores is not None
    assert np.isnan(columns.scores).all()
    assert len(columns.scores) == len(ids)
