"""A folder that is watched by a trained run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.columns import result_columns, score_column
from desktop_app.core.ensembles import write_ensemble
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Run
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.applying import apply, apply_spec
from desktop_app.worker.watching import Seen, Watch


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "Eingang 入 📥"
    folder.mkdir()
    return folder


def watching(run: Run, folder: Path) -> Watch:
    images = ImageFolder(folder)
    result = run.result(images.key)
    result.path.mkdir(parents=True, exist_ok=True)
    result.write_spec(apply_spec(run, str(folder), "cpu", 1))
    return Watch(run, images, result, "cpu", settle_seconds=0.0)


def looked(watch: Watch) -> list[Seen]:
    """Look twice: a file must be the same the second time."""
    return [one for _ in range(2) for seen in watch.look() for one in seen]


def images_of(mvtec_folder: Path, count: int) -> list[Path]:
    return sorted(mvtec_folder.glob("test/**/*.png"))[:count]


def test_scores_on_arrival_are_those_of_the_folder(
    trained_run: Run, mvtec_folder: Path, incoming: Path
) -> None:
    result = trained_run.result(ImageFolder(mvtec_folder).key)
    result.write_spec(apply_spec(trained_run, str(mvtec_folder), "cpu", 1))
    apply(result, trained_run)
    watch = watching(trained_run, incoming)
    assert len(watch.usual) == 12
    for path in images_of(mvtec_folder, 3):
        shutil.copy(path, incoming / f"{path.parent.name}-{path.name}")

    seen = looked(watch)
    watch.keep()

    folder = ImageFolder(incoming)
    kept = score_column(trained_run.result(folder.key), folder.list_files())
    apply(watch._result, trained_run)  # as the window scores a folder
    again = score_column(trained_run.result(folder.key), folder.list_files())
    np.testing.assert_allclose([one.score for one in seen], kept, rtol=1e-6)
    np.testing.assert_allclose(kept, again, rtol=1e-4)
    assert all(one.share is not None and 0 <= one.share <= 1 for one in seen)


def test_broken_files_are_told_once_and_replaced_ones_scored_again(
    trained_run: Run, mvtec_folder: Path, incoming: Path
) -> None:
    good = images_of(mvtec_folder, 1)[0]
    watch = watching(trained_run, incoming)
    (incoming / "a.png").write_bytes(good.read_bytes()[:60])

    broken = looked(watch)
    assert [(one.path, one.score) for one in broken] == [("a.png", None)]
    assert broken[0].problem
    assert looked(watch) == []
    shutil.copy(good, incoming / "a.png")
    (first,) = looked(watch)
    assert first.is_replaced
    Image.eval(Image.open(good), lambda value: 255 - value).save(incoming / "a.png")
    (second,) = looked(watch)

    assert second.score != first.score
    watch.keep()
    folder = ImageFolder(incoming)
    kept = score_column(trained_run.result(folder.key), folder.list_files())
    assert kept is not None
    assert kept[0] == pytest.approx(second.score)


def test_what_was_scored_before_is_not_looked_at_again(
    trained_run: Run, mvtec_folder: Path, incoming: Path
) -> None:
    first, second = images_of(mvtec_folder, 2)
    shutil.copy(first, incoming / "a.png")
    watch = watching(trained_run, incoming)
    looked(watch)
    watch.keep()
    shutil.copy(second, incoming / "b.png")

    again = watching(trained_run, incoming)
    seen = looked(again)
    again.keep()

    assert again.known == 1
    assert [one.path for one in seen] == ["b.png"]
    folder = ImageFolder(incoming)
    table = folder.list_files()
    columns = result_columns(trained_run, trained_run.result(folder.key), table)
    assert columns.scores is not None
    assert np.isfinite(columns.scores).all()


def test_images_wait_while_their_folder_is_away(
    trained_run: Run, mvtec_folder: Path, incoming: Path
) -> None:
    watch = watching(trained_run, incoming)
    away = incoming.with_name("away")
    incoming.rename(away)
    with pytest.raises(InvalidInput):
        looked(watch)
    away.rename(incoming)
    shutil.copy(images_of(mvtec_folder, 1)[0], incoming / "a.png")
    assert [one.path for one in looked(watch)] == ["a.png"]


def test_an_ensemble_watches_too(
    trained_run: Run, mvtec_folder: Path, incoming: Path, tmp_path: Path
) -> None:
    folder = ImageFolder(mvtec_folder)
    table, other = folder.list_files(), tmp_path / "other"
    shutil.copytree(trained_run.path, other)
    scores = [np.linspace(0, 1, len(table)), np.linspace(1, 2, len(table))]
    run = write_ensemble(tmp_path / "both", folder, table, [trained_run, Run(other)], scores)
    shutil.copy(images_of(mvtec_folder, 1)[0], incoming / "a.png")

    (seen,) = looked(watching(run, incoming))

    assert seen.score is not None
    assert 0 <= seen.score <= 1
