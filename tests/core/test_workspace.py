import shutil
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.database import writing
from desktop_app.core.images import ImageFolder, folder_key
from desktop_app.core.pixels import PixelCache
from desktop_app.core.regions import Region
from desktop_app.core.settings import data_dir
from desktop_app.core.workspace import DATABASE_NAME, Workspace, default_workspace
from desktop_app.sdk.errors import InvalidInput
from tests.core.pictures import save_pictures


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "工作 space")


def opened(root: Path) -> ImageFolder:
    folder = ImageFolder(root)
    folder.list_files()
    for _ in folder.probe():
        pass
    return folder


def test_a_workspace_is_made_and_opened_again(workspace: Workspace) -> None:
    workspace.set_setting("columns", {"width": 3})
    again = Workspace(workspace.path)
    assert Workspace.is_workspace(workspace.path)
    assert again.setting("columns") == {"width": 3}
    assert again.setting("rows", 7) == 7


def test_the_default_workspace_lies_with_the_data() -> None:
    assert default_workspace().path == data_dir() / "workspace"


def test_a_folder_of_images_does_not_become_a_workspace(photographs: Path) -> None:
    with pytest.raises(InvalidInput, match="holds other files"):
        Workspace(photographs)
    assert not (photographs / DATABASE_NAME).exists()


def test_a_damaged_workspace_is_a_sentence_and_is_kept(workspace: Workspace) -> None:
    (workspace.path / DATABASE_NAME).write_bytes(b"broken" * 200)
    with pytest.raises(InvalidInput, match="damaged"):
        Workspace(workspace.path)
    assert (workspace.path / DATABASE_NAME).read_bytes() == b"broken" * 200


def test_folders_are_listed_last_opened_first(workspace: Workspace, tmp_path: Path) -> None:
    first, second = (save_pictures(tmp_path / name, "1.png") for name in ("a", "b"))
    for root in (first, second, first):
        workspace.add_folder(root)
    assert [folder.root for folder in workspace.folders()] == [first, second]
    assert workspace.folder(folder_key(first)).name == "a"


def test_missing_folders_are_marked(workspace: Workspace, photographs: Path) -> None:
    key = workspace.add_folder(photographs)
    shutil.rmtree(photographs)
    assert [(folder.key, folder.is_missing) for folder in workspace.folders()] == [(key, True)]
    with pytest.raises(InvalidInput, match="is none"):
        workspace.add_folder(photographs)


def test_a_moved_folder_keeps_verdicts_notes_and_pixels(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    folder = opened(photographs)
    key = workspace.add_folder(photographs)
    list(PixelCache(folder, 8, 3).fill(folder.table()))
    workspace.set_verdicts(key, {"cats/0.png": "anomalous"})
    workspace.set_note(key, "cats/0.png", "scratch")
    moved = photographs.rename(tmp_path / "elsewhere")

    new_key = workspace.relocate(key, moved)

    assert new_key == folder_key(moved) != key
    assert workspace.verdicts(new_key) == {"cats/0.png": "anomalous"}
    assert workspace.notes(new_key) == {"cats/0.png": "scratch"}
    assert workspace.former_keys(new_key) == [key]
    assert workspace.folder(key).root == moved
    again = ImageFolder(moved)
    assert next(PixelCache(again, 8, 3).fill(again.list_files())) == (0, 0)


def test_a_moved_folder_is_recognised_when_it_is_added(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    opened(photographs)
    key = workspace.add_folder(photographs)
    workspace.set_verdicts(key, {"cats/0.png": "normal"})
    moved = photographs.rename(tmp_path / "elsewhere")
    new_key = workspace.add_folder(moved)
    assert workspace.verdicts(new_key) == {"cats/0.png": "normal"}
    assert [folder.root for folder in workspace.folders()] == [moved]


def test_a_moved_folder_is_found_below_a_place(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    opened(photographs)
    key = workspace.add_folder(photographs)
    save_pictures(tmp_path / "other", "cats/0.png", "cats/1.png")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    moved = photographs.rename(tmp_path / "deep" / "er" / "found")
    assert workspace.find_moved(key, [tmp_path]) == moved
    assert workspace.find_moved(key, [tmp_path / "other"]) is None


def test_a_folder_with_other_images_is_not_the_moved_one(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    opened(photographs)
    key = workspace.add_folder(photographs)
    other = save_pictures(tmp_path / "other", "x/1.png", "cats/0.png")
    with pytest.raises(InvalidInput, match="does not hold the images"):
        workspace.relocate(key, other)
    assert workspace.relocate(key, other, trusting=True) == folder_key(other)


def test_a_folder_may_move_there_and_back(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    opened(photographs)
    key = workspace.add_folder(photographs)
    workspace.set_verdicts(key, {"cats/0.png": "unsure"})
    moved = photographs.rename(tmp_path / "elsewhere")
    there = workspace.relocate(key, moved)
    back = workspace.relocate(there, moved.rename(photographs))
    assert back == key
    assert workspace.verdicts(key) == {"cats/0.png": "unsure"}
    assert workspace.former_keys(key) == [there]


def test_verdicts_are_kept_changed_and_taken_back(workspace: Workspace) -> None:
    name = "caf\udce9.png"
    workspace.set_verdicts("k", {"a.png": "normal", "图.png": "unsure", name: "anomalous"})
    workspace.set_verdicts("k", {"a.png": "anomalous", "图.png": ""})
    assert workspace.verdicts("k") == {"a.png": "anomalous", name: "anomalous"}
    assert workspace.verdicts("other") == {}
    with pytest.raises(InvalidInput, match=r"No verdict 'fine'. Known: normal"):
        workspace.set_verdicts("k", {"a.png": "fine"})


def test_tags_and_notes_are_kept(workspace: Workspace) -> None:
    workspace.add_tag("k", ["a.png", "b.png"], "blurred")
    workspace.add_tag("k", ["a.png"], "old")
    workspace.remove_tag("k", ["b.png"], "blurred")
    workspace.set_note("k", "a.png", "看")
    workspace.set_note("k", "b.png", "")
    assert workspace.tags("k") == {"a.png": frozenset({"blurred", "old"})}
    assert workspace.notes("k") == {"a.png": "看"}


def test_run_folders_are_new_each_time(workspace: Workspace) -> None:
    first, second = workspace.new_run_dir("vae"), workspace.new_run_dir("vae")
    assert first != second
    assert first.is_dir()
    assert first.parent == workspace.runs_dir
    assert "vae" in first.name


def test_runs_are_those_with_a_spec_here_and_elsewhere(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.new_run_dir("vae")  # nothing in it yet
    inside, outside = workspace.new_run_dir("pca"), tmp_path / "outside"
    outside.mkdir()
    for run in (inside, outside):
        (run / "spec.json").write_text("{}")
        workspace.add_run(run)
    assert set(workspace.runs()) == {inside, outside}
    workspace.forget_run(outside)
    assert workspace.runs() == [inside]


def test_two_windows_may_use_one_workspace(workspace: Workspace) -> None:
    other = Workspace(workspace.path)
    for number in range(20):
        (workspace, other)[number % 2].set_verdicts("k", {f"{number}.png": "normal"})
    assert len(workspace.verdicts("k")) == len(other.verdicts("k")) == 20


def test_images_are_left_out_and_taken_back(workspace: Workspace, photographs: Path) -> None:
    key = workspace.add_folder(photographs)
    workspace.leave_out(key, ["甲/1.png", "b.png", "odd\udcff.png"])
    workspace.leave_out(key, ["b.png"])
    workspace.take_back(key, ["b.png", "never.png"])
    assert Workspace(workspace.path).left_out(key) == {"甲/1.png", "odd\udcff.png"}
    assert workspace.left_out("another") == frozenset()


def test_images_left_out_move_along_with_their_folder(
    workspace: Workspace, photographs: Path
) -> None:
    key = workspace.add_folder(photographs)
    opened(photographs)
    workspace.leave_out(key, ["a.png"])
    moved = photographs.rename(photographs.with_name("moved"))
    assert workspace.left_out(workspace.relocate(key, moved, trusting=True)) == {"a.png"}


def test_a_workspace_from_before_images_were_left_out_keeps_what_it_holds(tmp_path: Path) -> None:
    from desktop_app.core import workspace as module

    path = tmp_path / "old" / DATABASE_NAME
    with writing(path, module._MIGRATIONS[:1]) as connection:
        connection.execute("INSERT INTO verdicts VALUES ('key', 'a.png', 'normal', 1.0)")
    old = Workspace(path.parent)
    assert old.verdicts("key") == {"a.png": "normal"}
    assert old.left_out("key") == frozenset()


def test_the_region_of_a_folder_is_kept_moves_along_and_is_taken_back(
    workspace: Workspace, photographs: Path, tmp_path: Path
) -> None:
    key = workspace.add_folder(photographs)
    mask = np.zeros((30, 40), np.bool_)
    mask[10:20] = True
    assert workspace.region(key) is None

    workspace.set_region(key, Region(mask))
    photographs.rename(tmp_path / "moved")
    moved = workspace.relocate(key, tmp_path / "moved", trusting=True)

    kept = workspace.region(moved)
    assert kept is not None
    assert np.array_equal(kept.mask, mask)
    workspace.set_region(moved, None)
    assert workspace.region(moved) is None
