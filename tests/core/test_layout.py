from pathlib import Path

import pytest

from desktop_app.core.layout import recognised_layout
from tests.core.pictures import save_pictures


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["train/good/1.png", "test/good/2.png", "test/crack/3.png"], "mvtec"),
        (["Train/OK/1.png", "Test/crack/3.png"], "mvtec"),
        (["train/cat/1.png", "test/cat/2.png"], "splits"),
        (["train/good/1.png", "train/bad/2.png", "test/good/3.png"], "splits"),
        (["train/1.png", "valid/2.png"], "splits"),
        (["test/crack/1.png", "ground_truth/crack/1.png"], "splits"),
        (["cat/1.png", "dog/2.png"], "classes"),
        (["train/1.png", "car/2.png", "bus/3.png"], "classes"),
        (["images/cat/1.png", "images/dog/2.png"], "classes"),
        (["1.png", "2.png"], "flat"),
        (["images/1.png", "images/2.png"], "flat"),
        (["1.png", "ground_truth/1.png"], "flat"),
        ([], "flat"),
    ],
)
def test_layouts_are_recognised(tmp_path: Path, names: list[str], layout: str) -> None:
    save_pictures(tmp_path, *names)
    assert recognised_layout(tmp_path).name == layout


@pytest.mark.parametrize(
    ("layout_names", "folder", "label", "split"),
    [
        (["train/good/1.png", "test/crack/2.png"], "train/good", "good", "train"),
        (["train/good/1.png", "test/crack/2.png"], "test/crack", "crack", "test"),
        (["train/a/1.png", "val/a/2.png"], "val/a/left", "a/left", "validation"),
        (["train/images/1.png", "test/images/2.png"], "train/images", "", "train"),
        (["a/1.png", "b/2.png"], "a/deep/er", "a/deep/er", ""),
        (["images/1.png"], "images", "", ""),
        (["1.png"], "", "", ""),
    ],
)
def test_a_folder_tells_label_and_split(
    tmp_path: Path, layout_names: list[str], folder: str, label: str, split: str
) -> None:
    save_pictures(tmp_path, *layout_names)
    assert recognised_layout(tmp_path).label_and_split(folder) == (label, split)


def test_masks_are_found_by_defect_and_stem(tmp_path: Path) -> None:
    save_pictures(
        tmp_path,
        "train/good/1.png", "test/crack/1.jpg", "test/crack/2.jpg", "test/hole/1.jpg",
        "ground_truth/crack/1_mask.png", "ground_truth/crack/1.png", "ground_truth/crack/2.png",
    )  # fmt: skip
    layout = recognised_layout(tmp_path)
    assert layout.mask("crack", "test", "1.jpg") == "ground_truth/crack/1_mask.png"
    assert layout.mask("crack", "test", "2.jpg") == "ground_truth/crack/2.png"
    assert layout.mask("hole", "test", "1.jpg") == ""
    assert layout.mask("crack", "train", "1.jpg") == ""


def test_a_folder_of_masks_that_is_opened_itself_holds_images(tmp_path: Path) -> None:
    save_pictures(tmp_path, "ground_truth/crack/1.png")
    assert recognised_layout(tmp_path).masks_folder == ""
    assert recognised_layout(tmp_path / "ground_truth").name == "classes"
