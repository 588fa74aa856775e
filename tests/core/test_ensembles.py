from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.columns import result_columns, score_column
from desktop_app.core.ensembles import is_ensemble, joined_scores, members, write_ensemble
from desktop_app.core.images import ImageFolder
from desktop_app.core.runreport import training_command
from desktop_app.core.runs import JobSpec, JobState, Run
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
