import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.images import ImageFolder, folder_key
from desktop_app.sdk.errors import InvalidInput
from tests.core.mutated import write_mutated_files
from tests.core.pictures import files_below, save_picture, save_pictures


def probed(folder: ImageFolder) -> ImageFolder:
    folder.list_files()
    for _ in folder.probe():
        pass
    return folder


def test_listing_shows_a_folder_before_any_file_is_opened(photographs: Path) -> None:
    (photographs / "cats" / "broken.jpg").write_text("no image")
    table = ImageFolder(photographs).list_files()
    assert table.paths == [
        "cats/0.png", "cats/1.png", "cats/2.png", "cats/broken.jpg",
        "dogs/3.png", "dogs/4.png", "dogs/5.png",
    ]  # fmt: skip
    assert table.labels == ["cats"] * 4 + ["dogs"] * 3
    assert table.widths.tolist() == [0] * 7
    assert table.problems == [""] * 7


def test_probing_fills_sizes_colours_thumbnails_and_problems(photographs: Path) -> None:
    (photographs / "cats" / "broken.jpg").write_text("no image")
    folder = probed(ImageFolder(photographs))
    table = folder.table()
    good = table.usable()
    assert (good.widths == 20).all()
    assert (good.channels == 3).all()
    assert len(folder.thumbnails.get_many(good.ids.tolist())) == 6
    assert folder.problems() == [("cats/broken.jpg", "The file holds text, not an image.")]
    assert list(folder.probe()) == [(0, 0)]


def test_three_hundred_mutated_files_are_all_judged(tmp_path: Path) -> None:
    files = write_mutated_files(tmp_path / "images")
    table = probed(ImageFolder(tmp_path / "images")).table()
    judged = dict(zip(table.paths, zip(table.problems, table.remarks, strict=True), strict=True))
    assert len(judged) == 300
    for file in files:
        problem, remark = judged[file.name]
        came = "problem" if problem else "remark" if remark else "good"
        assert file.expected in (came, "anything"), file.name


def test_nothing_is_written_in_the_source(tmp_path: Path) -> None:
    write_mutated_files(tmp_path / "images", 60)
    before = files_below(tmp_path / "images")
    folder = probed(ImageFolder(tmp_path / "images"))
    folder.training_rows(folder.table(), None)
    assert files_below(tmp_path / "images") == before


def test_listing_again_keeps_what_is_unchanged(photographs: Path) -> None:
    folder = probed(ImageFolder(photographs))
    before = folder.table()
    after = ImageFolder(photographs).list_files()
    assert after.ids.tolist() == before.ids.tolist()
    assert after.widths.tolist() == before.widths.tolist()
    assert after.fingerprints.tolist() == before.fingerprints.tolist()


def test_a_changed_file_is_looked_at_anew(photographs: Path) -> None:
    folder = probed(ImageFolder(photographs))
    before = folder.table()
    save_picture(photographs / "cats/1.png", side=33)
    table = folder.list_files()
    assert table.ids.tolist() == before.ids.tolist()
    assert table.widths.tolist() == [20, 0, 20, 20, 20, 20]
    assert folder.thumbnails.get(int(table.ids[1])) is None
    assert probed(folder).table().widths.tolist() == [20, 33, 20, 20, 20, 20]


def test_ids_are_never_used_twice(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    before = folder.list_files()
    (photographs / "dogs/5.png").unlink()
    assert len(folder.list_files()) == 5
    save_picture(photographs / "dogs/5.png")
    after = folder.list_files()
    assert after.ids[-1] > before.ids.max()


def test_a_repaired_file_leaves_quarantine(photographs: Path) -> None:
    (photographs / "a.png").write_bytes(b"")
    folder = probed(ImageFolder(photographs))
    assert len(folder.problems()) == 1
    save_picture(photographs / "a.png")
    assert probed(folder).problems() == []


def test_a_probe_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images", *(f"{index}.png" for index in range(60)))
    folder = ImageFolder(tmp_path / "images")
    folder.list_files()
    steps = folder.probe()
    while next(steps)[0] < 20:
        pass
    steps.close()
    done = int((folder.table().widths > 0).sum())
    assert 20 <= done < 60
    assert next(iter(folder.probe())) == (0, 60 - done)


def test_any_name_can_be_opened(tmp_path: Path) -> None:
    names = ["照片/图像 一.png", "🙂 🎉.png", "a" * 240 + ".png", "it's 100 %.png"]
    names.append(os.fsdecode(b"caf\xe9/\xff.png"))
    root = save_pictures(tmp_path / "图像 ü", *names)
    folder = probed(ImageFolder(root))
    assert folder.problems() == []
    assert sorted(folder.table().paths) == sorted(names)
    assert sorted(folder.content_hashes()) == sorted(names)


def test_labels_that_are_no_utf8_can_be_stored(tmp_path: Path) -> None:
    label = os.fsdecode(b"\xfc")
    root = save_pictures(tmp_path / "images", f"{label}/1.png", "b/2.png")
    assert set(ImageFolder(root).list_files().labels) == {label, "b"}


def test_an_mvtec_folder_has_masks_and_trains_on_its_normal_images(tmp_path: Path) -> None:
    root = save_pictures(
        tmp_path, "train/good/1.png", "train/good/2.png", "test/good/1.png",
        "test/crack/1.png", "ground_truth/crack/1_mask.png",
    )  # fmt: skip
    folder = ImageFolder(root)
    table = folder.list_files()
    assert folder.layout == "mvtec"
    assert table.splits == ["test", "test", "train", "train"]
    assert table.labels == ["crack", "good", "good", "good"]
    assert table.masks == ["ground_truth/crack/1_mask.png", "", "", ""]
    assert folder.training_rows(table, None).tolist() == [2, 3]
    assert folder.training_rows(table, "test").tolist() == [0, 1]


def test_other_folders_train_on_all_usable_images(photographs: Path) -> None:
    (photographs / "cats" / "0.png").write_bytes(b"")
    folder = probed(ImageFolder(photographs))
    table = folder.table()
    assert folder.training_rows(table, None).tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(InvalidInput, match=r"no split 'test'. Known: none"):
        folder.training_rows(table, "test")


def test_folders_that_cannot_be_used_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(InvalidInput, match="is a file"):
        ImageFolder(save_picture(tmp_path / "a.png"))
    (tmp_path / "empty").mkdir()
    empty = ImageFolder(tmp_path / "empty")
    with pytest.raises(InvalidInput, match="holds no images"):
        empty.training_rows(empty.list_files(), None)


def test_a_folder_that_disappears_does_not_put_its_images_in_quarantine(
    tmp_path: Path,
) -> None:
    root = save_pictures(tmp_path / "stick", *(f"{index}.png" for index in range(40)))
    folder = ImageFolder(root)
    folder.list_files()
    shutil.rmtree(root)
    with pytest.raises(InvalidInput, match="does not exist"):
        list(folder.probe())
    with pytest.raises(InvalidInput, match="does not exist"):
        folder.list_files()
    assert folder.problems() == []


def test_a_file_that_disappears_is_one_problem(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    folder.list_files()
    (photographs / "cats" / "1.png").unlink()
    for _ in folder.probe():
        pass
    assert folder.problems() == [("cats/1.png", "The file is gone.")]


def test_a_locked_folder_is_a_problem_and_the_others_are_read(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refusing(path: str | Path) -> object:
        if Path(path).name == "cats":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    folder = ImageFolder(photographs)
    assert len(folder.list_files()) == 3
    assert folder.problems() == [("cats", "This folder cannot be read (Permission denied).")]


def test_a_damaged_index_is_made_again(photographs: Path) -> None:
    folder = probed(ImageFolder(photographs))
    (folder.index_dir / "index.sqlite").write_bytes(b"not a database" * 100)
    (folder.index_dir / "thumbnails.sqlite").write_bytes(b"not a database" * 100)
    assert len(probed(ImageFolder(photographs)).table().usable()) == 6


def test_paths_to_one_folder_have_one_key(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photographs)
    assert folder_key(tmp_path / "link") == folder_key(photographs / "cats" / "..")
    assert folder_key(photographs) != folder_key(photographs / "cats")


def test_several_processes_probe_one_folder_while_a_reader_watches(tmp_path: Path) -> None:
    root = save_pictures(tmp_path / "images", *(f"{index:03d}.png" for index in range(200)))
    script = (
        "import sys; from pathlib import Path; from desktop_app.core.images import ImageFolder\n"
        "folder = ImageFolder(Path(sys.argv[1])); folder.list_files(); list(folder.probe())"
    )
    folder = ImageFolder(root)
    processes = [subprocess.Popen([sys.executable, "-c", script, str(root)]) for _ in range(2)]
    while any(process.poll() is None for process in processes):
        assert len(folder.table()) in (0, 200)
    assert [process.returncode for process in processes] == [0, 0]
    assert (folder.table().widths == 20).all()


def test_tables_can_be_cut_by_rows_and_by_masks(photographs: Path) -> None:
    table = ImageFolder(photographs).list_files()
    assert table.where(np.array([4, 0])).paths == ["dogs/4.png", "cats/0.png"]
    mask = np.array([label == "dogs" for label in table.labels])
    assert table.where(mask).ids.tolist() == table.ids[3:].tolist()
    assert len(table.where(np.zeros(0, np.int64))) == 0


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "layout", "images", "masks", "channels"),
    [
        ("aws_cookies", "mvtec", 85, 32, 3),
        ("elpv_poly", "mvtec", 1550, 0, 1),
        ("fashion_mnist_mini", "classes", 900, 0, 1),
        ("emoji_captions", "flat", 1377, 0, 3),
    ],
)
def test_real_folders_are_read_whole(
    shared_data: Path, name: str, layout: str, images: int, masks: int, channels: int
) -> None:
    folder = probed(ImageFolder(shared_data / name))
    table = folder.table()
    assert (folder.layout, len(table), sum(map(bool, table.masks))) == (layout, images, masks)
    assert folder.problems() == []
    assert table.channels.max() == channels


def test_a_mask_belongs_to_a_picture_of_another_format(tmp_path: Path) -> None:
    root = save_pictures(tmp_path, "train/good/1.jpg", "test/crack/1.jpg")
    (root / "ground_truth" / "crack").mkdir(parents=True)
    Image.new("1", (20, 20)).save(root / "ground_truth" / "crack" / "1_MASK.bmp")
    assert ImageFolder(root).list_files().masks == ["ground_truth/crack/1_MASK.bmp", ""]
