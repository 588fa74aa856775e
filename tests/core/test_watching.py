from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.columns import result_columns
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import JobSpec, Result, Run
from desktop_app.core.watching import Watcher, keep_scores, listed, scored_files
from desktop_app.sdk.errors import InvalidInput


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(tmp_path: Path, clock: Clock) -> Watcher:
    (tmp_path / "watched").mkdir()
    return Watcher(tmp_path / "watched", {}, settle_seconds=1.0, clock=clock)


def arrived(watcher: Watcher, clock: Clock, seconds: float = 1.0) -> list[tuple[str, bool]]:
    clock.now += seconds
    return [(one.path, one.is_replaced) for one in watcher.poll()]


def test_a_file_arrives_once_it_stays_the_same(
    watcher: Watcher, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "watched" / "half.png"
    file.write_bytes(b"")
    assert arrived(watcher, clock) == []
    assert arrived(watcher, clock) == []  # empty: nothing was written yet
    file.write_bytes(b"half")
    assert arrived(watcher, clock) == []
    file.write_bytes(b"half and the rest")
    assert arrived(watcher, clock) == []
    assert arrived(watcher, clock, 0.5) == []
    assert watcher.waiting == 1
    assert arrived(watcher, clock, 0.5) == [("half.png", False)]
    assert arrived(watcher, clock) == []


def test_a_replaced_file_arrives_again_and_a_returned_one_is_new(
    watcher: Watcher, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "watched" / "批次" / "a.png"
    file.parent.mkdir()
    file.write_bytes(b"one")
    arrived(watcher, clock)
    assert arrived(watcher, clock) == [("批次/a.png", False)]
    file.write_bytes(b"another")
    arrived(watcher, clock)
    assert arrived(watcher, clock) == [("批次/a.png", True)]
    file.unlink()
    arrived(watcher, clock)
    file.write_bytes(b"another")
    arrived(watcher, clock)
    assert arrived(watcher, clock) == [("批次/a.png", False)]


def test_other_files_are_passed_over(watcher: Watcher, clock: Clock, tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.png", "a.png.part"):
        (tmp_path / "watched" / name).write_bytes(b"words")
    arrived(watcher, clock)
    assert arrived(watcher, clock) == []


def test_a_folder_that_is_away_is_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "watched").rmdir()
    with pytest.raises(InvalidInput, match="cannot be listed"):
        watcher.poll()


@pytest.fixture
def result(image_folder: Path, tmp_path: Path) -> Result:
    run = Run.create(tmp_path / "run", JobSpec(folder=str(image_folder), method="pca"))
    result = run.result(ImageFolder(image_folder).key)
    result.write_spec(run.spec())
    return result


def test_scores_are_kept_as_those_of_the_folder(image_folder: Path, result: Result) -> None:
    folder, files = ImageFolder(image_folder), listed(image_folder)
    first, second, third = sorted(files)[:3]
    gone = (third, ((1, 1), 0.5))  # another file than the one that is there now

    count = keep_scores(folder, result, dict([(first, (files[first], 7.0)), gone]))
    assert count == 1
    assert scored_files(folder, result) == {first: files[first]}
    keep_scores(folder, result, {first: (files[first], 8.0), second: (files[second], 9.0)})

    table = folder.list_files()
    columns = result_columns(Run(result.path.parent.parent), result, table)
    assert columns.scores is not None
    assert columns.scores[:2].tolist() == [8.0, 9.0]
    assert np.isnan(columns.scores[2:]).all()
    assert (columns.index == -1).all()


def test_a_file_that_was_replaced_meanwhile_is_not_known(
    image_folder: Path, result: Result
) -> None:
    folder, files = ImageFolder(image_folder), listed(image_folder)
    path = min(files)
    keep_scores(folder, result, {path: (files[path], 7.0)})
    (image_folder / path).write_bytes(b"something else")

    assert scored_files(folder, result) == {}
