import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from desktop_app.core.columns import result_columns
from desktop_app.core.ensembles import write_ensemble
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import JobState, Result, Run
from desktop_app.worker.applying import apply_method, apply_run, apply_spec
from desktop_app.worker.commands import Commands
from desktop_app.worker.loading import trained_method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.process import work
from tests.runs import states


@pytest.fixture
def result(trained_run: Run, mvtec_folder: Path) -> Result:
    result = trained_run.result(ImageFolder(mvtec_folder).key)
    result.write_spec(apply_spec(trained_run, str(mvtec_folder), "cpu", 1))
    return result


def test_a_result_holds_what_the_method_says_of_every_image(
    result: Result, mvtec_folder: Path
) -> None:
    state = work(result.path)

    assert state is JobState.FINISHED
    assert result.is_complete
    assert result.rows()["paths"] == ImageFolder(mvtec_folder).list_files().paths
    shapes = {
        name: array.shape
        for name in ("latents", "scores", "maps", "positions", "basis", "clusters")
        if (array := result.array(name)) is not None
    }
    assert shapes == {
        "latents": (22, 4),
        "scores": (22,),
        "maps": (22, 16, 16),
        "positions": (22, 2),
        "basis": (3, 4),
    }


def test_a_result_equals_what_the_method_says_itself(
    result: Result, trained_run: Run, mvtec_folder: Path
) -> None:
    from desktop_app.core.pixels import PixelCache

    work(result.path)

    folder = ImageFolder(mvtec_folder)
    images = PixelCache(folder, 16, 1).dataset(folder.table()).images(slice(0, 22))
    method = trained_method(trained_run.path, "cpu")
    assert np.allclose(result.array("scores"), method.score(images), atol=1e-7)  # type: ignore[attr-defined, arg-type]


def test_an_ensemble_marks_what_all_of_its_runs_mark(
    result: Result, trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    folder, other = ImageFolder(mvtec_folder), tmp_path / "other"
    work(result.path)
    shutil.copytree(trained_run.path, other)
    table, scores = folder.table(), result.array("scores")
    assert scores is not None
    run = write_ensemble(tmp_path / "both", folder, table, [trained_run, Run(other)], [scores] * 2)
    own, maps = run.result(folder.key).array("maps"), result.array("maps")
    assert own is not None
    low, high = np.nanpercentile(maps, (1, 99.9))
    np.testing.assert_allclose(own, (maps - low) / (high - low), rtol=1e-4, atol=1e-4)

    with Narrator(anew := Result(tmp_path / "anew")) as narrator:
        apply_run(run, folder, anew, narrator, "cpu")
    np.testing.assert_allclose(anew.array("maps"), own, rtol=1e-4, atol=1e-4)
    with Narrator(anew) as narrator:
        apply_run(run, folder, anew, narrator, "cpu", wanted={"scores"})
    assert anew.array("maps") is None


def test_a_result_is_told_apart_from_the_training(result: Result, trained_run: Run) -> None:
    before = trained_run.events()

    work(result.path)

    assert trained_run.events() == before
    assert [event["state"] for event in result.events() if event["type"] == "state"] == [
        "running",
        "finished",
    ]
    assert [found.path for found in trained_run.results()] == [result.path]


def test_a_result_that_is_stopped_is_not_complete(result: Result, trained_run: Run) -> None:
    work(result.path)
    commands = Commands()
    commands.put("stop")

    assert work(result.path, commands) is JobState.STOPPED

    assert states(trained_run)[-1] == "finished"
    assert work(result.path) is JobState.FINISHED
    assert result.is_complete


def test_columns_follow_the_table_of_the_window(
    result: Result, trained_run: Run, mvtec_folder: Path
) -> None:
    work(result.path)
    (mvtec_folder / "train" / "good" / "000.png").unlink()
    table = ImageFolder(mvtec_folder).list_files()

    columns = result_columns(trained_run, result, table)

    names = result.rows()["paths"]
    scores = result.array("scores")
    assert columns.scores is not None
    assert scores is not None
    expected = [scores[names.index(path)] for path in table.paths]
    assert columns.scores.tolist() == pytest.approx(expected)


def test_a_folder_that_is_gone_is_a_sentence(result: Result, mvtec_folder: Path) -> None:
    mvtec_folder.rename(mvtec_folder.with_name("elsewhere"))

    assert work(result.path) is JobState.FAILED

    assert "does not exist" in result.events()[-1]["detail"]


def test_only_wanted_arrays_of_chosen_images_are_made(
    trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    result = Result(tmp_path / "result")
    with Narrator(result) as narrator:
        table = apply_method(
            trained_method(trained_run.path, "cpu"),
            trained_run,
            ImageFolder(mvtec_folder),
            result,
            narrator,
            wanted={"scores"},
            choose=lambda table: np.array([label == "blot" for label in table.labels]),
        )

    assert table.labels == ["blot"] * 3
    assert result.array("maps") is None
    scores = result.array("scores")
    assert scores is not None
    assert len(scores) == 3


def test_maps_that_are_too_large_for_the_disk_are_left_out_with_a_note(
    trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    result = Result(tmp_path / "result")
    with Narrator(result) as narrator:
        apply_method(
            trained_method(trained_run.path, "cpu"),
            trained_run,
            ImageFolder(mvtec_folder),
            result,
            narrator,
            most_map_bytes=1000,
        )

    assert result.array("maps") is None
    assert result.array("scores") is not None
    assert [event["type"] for event in result.events()].count("note") == 1


class _Laid:
    """Gives the images it was fitted to a place, and knows no other."""

    def __init__(self, places: np.ndarray) -> None:
        self._places = places
        self.card = SimpleNamespace(id="laid")

    def embed(self) -> np.ndarray:
        return self._places


class _Placed(_Laid):
    """Gives every image a place, and tells for which vector."""

    def encode(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1)[:, :2]

    def represent(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1)[:, :5]


@pytest.mark.parametrize("kind", [_Laid, _Placed])
def test_a_layout_is_the_map_itself(
    kind: type[_Laid], result: Result, trained_run: Run, mvtec_folder: Path
) -> None:
    folder = ImageFolder(mvtec_folder)
    fitted = folder.list_files().paths[3:12][::-1]
    trained_run.write_data({"folder_key": folder.key, "channels": 1, "paths": fitted})
    places = np.random.default_rng(0).normal(size=(len(fitted), 2)).astype(np.float32)

    with Narrator(result, lambda _event: None, size=0) as narrator:
        table = apply_method(kind(places), trained_run, folder, result, narrator)

    columns = result_columns(trained_run, result, table)
    row_of = {path: row for row, path in enumerate(table.paths)}
    if kind is _Laid:
        rows = [row_of[path] for path in fitted]
        assert np.array_equal(columns.positions[rows], places)
        assert np.isnan(np.delete(columns.positions, rows, axis=0)).all()
        assert columns.latents is None
    else:
        assert np.array_equal(columns.positions, columns.latents[columns.index])
        assert columns.vectors.shape == (len(table), 5)
        assert columns.explained == 0
