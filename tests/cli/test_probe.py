import json
from pathlib import Path

from desktop_app.core.runs import Run
from tests.cli.conftest import Loupe
from tests.folders import write_classes

THREADS = ("--threads", 1, "--device", "cpu")


def test_latents_are_compared_with_pixels_components_and_the_untrained_network(
    loupe: Loupe, trained_run: Run, image_folder: Path
) -> None:
    outcome = loupe("probe", trained_run.path, image_folder, *THREADS)

    assert outcome.code == 0
    heading, *lines = [line.split() for line in outcome.out.splitlines()[1:]]
    assert outcome.out.splitlines()[0] == "12 images known, 12 asked, 2 classes"
    assert heading == ["features", "kNN", "linear"]
    assert [line[0] for line in lines] == ["latents", "raw", "PCA-64", "untrained"]
    assert all(line[-1].endswith("%") for line in lines)


def test_the_probe_is_there_for_machines_and_is_the_same_the_second_time(
    loupe: Loupe, trained_run: Run, image_folder: Path
) -> None:
    first = loupe("probe", trained_run.path, image_folder, "--json", *THREADS)
    second = loupe("probe", trained_run.path, image_folder, "--json", *THREADS)

    told = json.loads(first.out)
    assert told == json.loads(second.out)
    assert (told["known"], told["asked"], told["classes"]) == (12, 12, ["circles", "stripes"])
    assert set(told["latents"]) == {"knn", "linear"}


def test_training_and_test_images_of_the_folder_are_its_halves(
    loupe: Loupe, trained_run: Run, tmp_path: Path
) -> None:
    for split, count in (("train", 8), ("test", 6)):
        write_classes(tmp_path / "both" / split, per_class=count)

    outcome = loupe("probe", trained_run.path, tmp_path / "both", "--json", *THREADS)

    told = json.loads(outcome.out)
    assert (told["known"], told["asked"]) == (16, 12)


def test_a_folder_without_enough_labels_is_refused(
    loupe: Loupe, trained_run: Run, tmp_path: Path
) -> None:
    folder = write_classes(tmp_path / "one", classes=("circles",))

    assert "too few labels" in loupe("probe", trained_run.path, folder, *THREADS).told()


def test_fewer_images_can_be_looked_at(loupe: Loupe, trained_run: Run, image_folder: Path) -> None:
    outcome = loupe("probe", trained_run.path, image_folder, "--images", 16, "--json", *THREADS)

    told = json.loads(outcome.out)
    assert told["known"] + told["asked"] == 16
