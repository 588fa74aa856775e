from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.columns import result_columns, score_column
from desktop_app.core.ensembles import (
    is_ensemble,
    joined_map,
    joined_scores,
    members,
    write_ensemble,
)
from desktop_app.core.files import write_array
from desktop_app.core.images import ImageFolder
from desktop_app.core.runreport import training_command
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.scoring import pixel_auroc
from desktop_app.core.table import ImageTable
from desktop_app.sdk.errors import InvalidInput, UnreadableRun


def made_run(path: Path, folder: ImageFolder, held_out: list[str]) -> Run:
    run = Run.create(path, JobSpec(folder=str(folder.root), method="pca", title=path.name))
    paths = [name for name in folder.list_files().paths if name not in held_out]
    run.write_data(
        {"folder_key": folder.key, "channels": 1, "paths": paths[:5], "held_out": held_out}
    )
    return run


@pytest.fixture
def folder(image_folder: Path) -> ImageFolder:
    return ImageFolder(image_folder)


@pytest.fixture
def runs(folder: ImageFolder, tmp_path: Path) -> list[Run]:
    """Two runs that have both never seen the last image."""
    names = folder.list_files().paths
    return [
        made_run(tmp_path / "first", folder, [names[-1], names[-2]]),
        made_run(tmp_path / "second", folder, [names[-1]]),
    ]


def test_an_ensemble_is_a_scored_run_like_any_other(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    table = folder.list_files()
    first = np.arange(24.0)
    second = first[::-1].copy()
    second[3] = np.nan

    run = write_ensemble(tmp_path / "both", folder, table, runs, [first, second], "Both")

    assert is_ensemble(run)
    assert [one.path for one in members(run)] == [one.path for one in runs]
    assert run.state() is JobState.FINISHED
    columns = result_columns(run, run.result(folder.key), table)
    assert columns.scores is not None
    assert np.isnan(columns.scores[3])
    others = np.delete(columns.scores, 3)
    np.testing.assert_allclose(others, 0.5, atol=0.05)  # one says the contrary of the other
    assert columns.unseen is not None
    assert np.flatnonzero(columns.unseen).tolist() == [23]
    assert "compare" in training_command(run.spec(), run.path)


def test_members_place_new_scores_among_those_they_gave_before(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    table = folder.list_files()
    scores = [np.arange(24.0), 10 * np.arange(24.0)]
    run = write_ensemble(tmp_path / "both", folder, table, runs, scores)

    joined = joined_scores(run, [np.array([-1.0, 100.0]), np.array([-1.0, 5.0])])

    assert joined[0] == 0
    assert joined[1] == pytest.approx((1 + 1 / 24) / 2)
    kept = score_column(run.result(folder.key), table)
    np.testing.assert_allclose(joined_scores(run, scores), kept, rtol=1e-6)


def test_an_ensemble_of_ensembles_is_refused(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    table, scores = folder.list_files(), [np.arange(24.0)] * 2
    both = write_ensemble(tmp_path / "both", folder, table, runs, scores)

    with pytest.raises(InvalidInput, match="part of another"):
        write_ensemble(tmp_path / "more", folder, table, [both, runs[0]], scores)


def test_a_member_that_is_gone_is_named(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    scores = [np.arange(24.0)] * 2
    run = write_ensemble(tmp_path / "both", folder, folder.list_files(), runs, scores)
    (runs[1].path / "spec.json").unlink()

    with pytest.raises(UnreadableRun, match="second"):
        members(run)


def with_maps(run: Run, folder: ImageFolder, table: ImageTable, maps: np.ndarray) -> None:
    result = run.result(folder.key)
    write_array(result.path / "ids.npy", table.ids)
    write_array(result.path / "maps.npy", maps.astype(np.float32))
    result.write_rows({"paths": table.paths})


def test_maps_count_alike_whatever_their_scale_and_side() -> None:
    first = np.array([[0.0, 1.0], [2.0, 3.0]])
    second = np.full((4, 4), 1000.0)
    second[0, 0] = 3000.0
    joined = joined_map([first, second], np.array([[0.0, 2.0], [1000.0, 2000.0]]))

    assert joined.shape == (4, 4)
    assert joined[0, 0] == pytest.approx((0 / 2 + 2) / 2)
    assert joined[3, 3] == pytest.approx(3 / 2 / 2)
    assert np.isnan(joined_map([first * np.nan, second], np.array([[0, 1], [0, 1]]))).all()


def test_the_map_of_an_ensemble_finds_defects_better_than_each_of_its_runs(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    table, random = folder.list_files(), np.random.default_rng(0)
    count, side = len(table), 16
    masks = np.zeros((count, side, side), np.bool_)
    masks[::2, 4:9, 6:11] = True
    small = masks[:, ::2, ::2] + random.normal(0, 0.7, (count, side // 2, side // 2))
    large = 1000 * (masks + random.normal(0, 1.0, masks.shape)) + 7000
    with_maps(runs[0], folder, table, small)
    with_maps(runs[1], folder, table, large)

    run = write_ensemble(tmp_path / "both", folder, table, runs, [np.arange(24.0)] * 2)

    maps = run.result(folder.key).array("maps")
    assert maps is not None
    assert maps.shape == (count, side, side)
    truth = [mask if mask.any() else None for mask in masks]
    alone = [np.repeat(np.repeat(small, 2, axis=1), 2, axis=2), large]
    assert pixel_auroc(maps, truth) > max(pixel_auroc(one, truth) for one in alone) + 0.01
    columns = result_columns(run, run.result(folder.key), table)
    assert 0 < columns.map_range[0] < columns.map_range[1] < 1.2  # not those of the second run
    np.testing.assert_array_equal(columns.map(5), maps[5])


def test_without_maps_of_all_its_runs_an_ensemble_has_none(
    folder: ImageFolder, runs: list[Run], tmp_path: Path
) -> None:
    table = folder.list_files()
    with_maps(runs[0], folder, table, np.zeros((24, 8, 8)))
    run = write_ensemble(tmp_path / "both", folder, table, runs, [np.arange(24.0)] * 2)
    assert run.result(folder.key).array("maps") is None
