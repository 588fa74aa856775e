from pathlib import Path

import pytest

from desktop_app.core.copies import copied, folder_names, lies_within, sort_into_folders
from desktop_app.sdk.errors import InvalidInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three files, two of them of one name."""
    for name in ("a/图.png", "b/图.png", "b/2.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path / "images"


PATHS = ["a/图.png", "b/图.png", "b/2.png"]


def files_below(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_group_gets_a_folder_and_equal_names_a_number(root: Path, tmp_path: Path) -> None:
    before = files_below(root)
    steps = list(sort_into_folders(root, PATHS, ["划痕", "划痕", "none"], tmp_path / "out"))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert files_below(tmp_path / "out") == {
        "划痕/图.png": "a/图.png",
        "划痕/图-2.png": "b/图.png",
        "none/2.png": "b/2.png",
    }
    assert files_below(root) == before


def test_a_second_time_overwrites_nothing(root: Path, tmp_path: Path) -> None:
    for _ in range(2):
        list(sort_into_folders(root, PATHS[2:], ["x"], tmp_path / "out"))
    assert set(files_below(tmp_path / "out")) == {"x/2.png", "x/2-2.png"}


@pytest.mark.parametrize("inside", ["", "sorted", "a/../sorted"])
def test_nothing_is_written_into_the_folder_of_the_images(root: Path, inside: str) -> None:
    before = files_below(root)
    with pytest.raises(InvalidInput, match="choose a folder elsewhere"):
        list(sort_into_folders(root, PATHS, ["x"] * 3, root / inside))
    assert files_below(root) == before
    assert not lies_within(root.parent, root)


def test_a_copy_that_fails_leaves_nothing_behind(root: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        copied(root / "gone.png", tmp_path / "out" / "gone.png")
    assert files_below(tmp_path / "out") == {}


def test_names_of_folders_suit_every_system() -> None:
    names = folder_names(["cluster 1", "a/b:c", "A_b_c", "..", "", "长" * 200])
    assert names["cluster 1"] == "cluster 1"
    assert names["a/b:c"] == "a_b_c"
    assert names["A_b_c"] == "A_b_c-2"
    assert (names[".."], names[""]) == ("group", "group-2")
    assert len(names["长" * 200]) == 80
    assert len({name.casefold() for name in names.values()}) == 6
