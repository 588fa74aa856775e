"""Held-out images and scores out of the fold."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.columns import result_columns
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import JobState, Run
from desktop_app.worker.commands import Commands
from desktop_app.worker.folds import on_one_scale
from desktop_app.worker.training import train
from tests.runs import dense_spec


def test_held_out_images_are_not_trained_on_and_are_known(
    mvtec_folder: Path, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", dense_spec(mvtec_folder, hold_out=0.25, apply_after=True))

    assert train(run) is JobState.FINISHED

    data = run.data()
    assert data is not None
    assert (len(data["paths"]), len(data["held_out"])) == (9, 3)
    assert not set(data["paths"]) & set(data["held_out"])
    folder = ImageFolder(mvtec_folder)
    columns = result_columns(run, run.result(folder.key), folder.table())
    assert columns.unseen is not None
    table = folder.table()
    assert {table.paths[row] for row in np.flatnonzero(columns.unseen)} == set(data["held_out"])


def test_images_that_are_left_out_are_not_trained_on(mvtec_folder: Path, tmp_path: Path) -> None:
    left = ["train/good/000.png", "train/good/003.png"]
    run = Run.create(tmp_path / "run", dense_spec(mvtec_folder, leave_out=left))

    train(run)

    data = run.data()
    assert data is not None
    assert len(data["paths"]) == 10
    assert not set(left) & set(data["paths"])
    assert data["left_out"] == left
    notes = [event["text"] for event in run.events() if event["type"] == "note"]
    assert "2 of 12 training images are left out, as was asked for." in notes


def test_a_folder_without_any_image_left_says_so(mvtec_folder: Path, tmp_path: Path) -> None:
    folder = ImageFolder(mvtec_folder)
    everything = folder.list_files().paths
    run = Run.create(tmp_path / "run", dense_spec(mvtec_folder, leave_out=everything))

    assert train(run) is JobState.FAILED
    assert "take some of them back" in run.events()[-1]["detail"]


@pytest.fixture
def dirty_folder(image_folder: Path) -> Path:
    """24 images of two classes and one that resembles none of them."""
    noise = np.random.default_rng(0).integers(0, 2, (16, 16), np.uint8) * 255
    Image.fromarray(noise).save(next(image_folder.rglob("*.png")).parent / "odd.png")
    return image_folder


def test_out_of_its_fold_an_odd_training_image_has_the_highest_score(
    dirty_folder: Path, tmp_path: Path
) -> None:
    spec = dense_spec(
        dirty_folder, folds=3, apply_after=True, params={"epochs": 60, "code_size": 8}
    )
    run = Run.create(tmp_path / "run", spec)

    assert train(run) is JobState.FINISHED, run.events()[-1]

    folder = ImageFolder(dirty_folder)
    table, result = folder.table(), run.result(folder.key)
    columns = result_columns(run, result, table)
    assert columns.scores is not None
    assert columns.unseen is not None
    assert columns.unseen.all()
    assert table.paths[int(columns.scores.argmax())].endswith("odd.png")
    seen = result.array("seen_scores")
    assert seen is not None
    assert np.median(columns.scores) > np.median(seen)


def test_folds_that_are_done_are_not_done_again(
    dirty_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = dense_spec(dirty_folder, folds=2, apply_after=True, params={"epochs": 3})
    run = Run.create(tmp_path / "run", spec)
    train(run)
    first = run.result(ImageFolder(dirty_folder).key).array("scores")
    monkeypatch.setattr("desktop_app.worker.folds._scored_fold", None)

    assert train(run) is JobState.FINISHED

    np.testing.assert_array_equal(first, run.result(ImageFolder(dirty_folder).key).array("scores"))


def test_a_stop_between_folds_keeps_those_that_are_done(dirty_folder: Path, tmp_path: Path) -> None:
    spec = dense_spec(dirty_folder, folds=3, apply_after=True, params={"epochs": 3})
    run, commands = Run.create(tmp_path / "run", spec), Commands()

    def observe(line: dict[str, object]) -> None:
        if str(line.get("what", "")).startswith("Fold 2"):
            commands.put("stop")

    assert train(run, commands, observe) is JobState.STOPPED
    assert [path.name for path in (run.path / "folds").iterdir()] == ["0.npy"]
    assert train(run) is JobState.FINISHED


def test_too_many_folds_are_refused(mvtec_folder: Path, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", dense_spec(mvtec_folder, folds=7, apply_after=True))

    assert train(run) is JobState.FAILED
    assert "choose fewer folds" in run.events()[-1]["detail"]


def test_folds_of_another_scale_are_brought_to_one() -> None:
    random = np.random.default_rng(0)
    numbers = np.arange(400) % 2
    scores = random.normal(0, 1, 400)
    scores[numbers == 1] = 100 + 30 * scores[numbers == 1]

    aligned = on_one_scale(scores, numbers)

    halves = [aligned[numbers == fold] for fold in (0, 1)]
    assert np.median(halves[0]) == pytest.approx(np.median(halves[1]))
    assert halves[0].std() == pytest.approx(halves[1].std(), rel=0.15)
