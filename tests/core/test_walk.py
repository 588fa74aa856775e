import os
from pathlib import Path

import pytest

from desktop_app.core.walk import walked
from desktop_app.sdk.errors import InvalidInput
from tests.core.pictures import save_picture, save_pictures


def listed(root: Path, without: str = "") -> set[str]:
    return {
        f"{folder.path}/{file.name}" if folder.path else file.name
        for folder in walked(root, without)
        for file in folder.files
    }


def test_images_are_listed_and_everything_else_is_not(tmp_path: Path) -> None:
    save_pictures(tmp_path, "a.PNG", "deep/er/b.jpg", ".hidden/c.png", ".d.png", "masks/e.png")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert listed(tmp_path, without="masks") == {"a.PNG", "deep/er/b.jpg"}


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    root = save_pictures(tmp_path / "root", "a.png", "sub/b.png").resolve()
    save_pictures(tmp_path / "elsewhere", "c.png")
    (root / "sub" / "up").symlink_to(root)
    (root / "twice").symlink_to(root / "sub")
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path)
    assert listed(root) == {"a.png", "sub/b.png", "outside/c.png"}


@pytest.mark.parametrize(
    "name",
    [
        "照片/图像 一.png",
        " blank / in .png",
        "🙂/🎉.png",
        "a" * 200 + "/" + "b" * 250 + ".png",
        "new\nline.png",
    ],
)
def test_any_name_is_listed(tmp_path: Path, name: str) -> None:
    save_picture(tmp_path / name)
    assert listed(tmp_path) == {name}


def test_a_name_that_is_no_utf8_is_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    save_picture(tmp_path / name)
    assert listed(tmp_path) == {name}


def test_a_folder_that_cannot_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_pictures(tmp_path, "a.png", "locked/b.png")
    lock(tmp_path / "locked", monkeypatch)
    problems = {folder.path: folder.problem for folder in walked(tmp_path) if folder.problem}
    assert problems == {"locked": "This folder cannot be read (Permission denied)."}
    assert listed(tmp_path) == {"a.png"}


def test_a_root_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, monkeypatch)
    with pytest.raises(InvalidInput, match="cannot be listed"):
        list(walked(tmp_path))


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to list a folder, also to an administrator, who may read everything."""
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
