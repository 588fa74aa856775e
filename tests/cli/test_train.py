import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from desktop_app.cli import train as train_module
from desktop_app.core import eventlog
from desktop_app.core.runs import JobState, Run
from tests.cli.conftest import Loupe
from tests.runs import losses

SMALL = (
    *("--method", "autoencoder", "--image-size", 16, "--threads", 1, "--device", "cpu"),
    *("--set", "architecture=dense", "--set", "code_size=4", "--set", "nodes=16"),
    *("--set", "epochs=5", "--set", "least_steps=0", "--set", "batch_size=8"),
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "输出 🍪" / "run"


def test_train_leaves_a_finished_run_and_says_where(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    outcome = loupe("train", image_folder, *SMALL, "--seed", 7, "--out", out)

    assert outcome.code == 0
    assert outcome.out == ""
    assert f"Trained autoencoder: {out}" in outcome.err
    spec = Run.open(out).spec()
    assert (spec.method, spec.image_size, spec.seed) == ("autoencoder", 16, 7)
    assert spec.params["code_size"] == 4
    assert Run.open(out).state() is JobState.FINISHED


def test_train_shows_progress_with_rate_and_remaining_time(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    outcome = loupe("train", image_folder, *SMALL, "--out", out)

    assert "100%" in outcome.err
    assert "images/s" in outcome.err
    assert "00:00<00:00" in outcome.err


def test_train_json_prints_events_and_the_result_as_lines(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    outcome = loupe("train", image_folder, *SMALL, "--out", out, "--json")

    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert {"state", "device", "metrics", "checkpoint"} <= {line["type"] for line in lines}
    assert lines[-1] == {"type": "result", "state": "finished", "run": str(out)}


def test_a_folder_in_mvtec_layout_is_trained_on_train_alone(
    loupe: Loupe, mvtec_folder: Path, out: Path
) -> None:
    loupe("train", mvtec_folder, *SMALL, "--out", out)

    paths = (Run.open(out).data() or {})["paths"]
    assert len(paths) == 12
    assert all(path.startswith("train/") for path in paths)


def test_split_names_the_images_to_train_on(loupe: Loupe, mvtec_folder: Path, out: Path) -> None:
    loupe("train", mvtec_folder, *SMALL, "--split", "test", "--out", out)

    assert len((Run.open(out).data() or {})["paths"]) == 10


def test_any_other_layout_is_trained_on_all_images(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    loupe("train", image_folder, *SMALL, "--out", out)

    assert len((Run.open(out).data() or {})["paths"]) == 24


def test_the_side_of_the_card_is_used_where_none_is_given(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    from plugins.autoencoder.autoencoder import Autoencoder

    words = [word for word in SMALL if word not in ("--image-size", 16)]

    loupe("train", image_folder, *words, "--out", out)

    assert Run.open(out).spec().image_size == Autoencoder.card.image_size


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["--method", "vea"], "No method 'vea'. Known: "),
        (["--set", "nodes=many"], "nodes must be a whole number, got 'many'."),
        (["--set", "nodes=0"], "nodes must be at least 1, got '0'."),
        (["--set", "loss=huber"], "loss must be 'mse' or 'bce', got 'huber'."),
        (["--set", "colour=red"], "No parameter 'colour'. Known: epochs, "),
        (["--set", "nodes"], "Expected --set NAME=VALUE, got 'nodes'."),
        (["--image-size", "4"], "--image-size must be 8 to 2048 pixels, got 4."),
        (["--split", "test"], "has no split 'test'. Known: none."),
        (["--device", "warp"], "Device 'warp' cannot be used"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    loupe: Loupe, image_folder: Path, out: Path, changes: list[str], sentence: str
) -> None:
    outcome = loupe("train", image_folder, *SMALL, *changes, "--out", out)

    assert sentence in outcome.told()


@pytest.mark.parametrize(
    "words",
    [["--checkpoint-seconds", "-1"], ["--seed", "-1"], ["--seed", "x"], ["--threads", "-1"]],
)
def test_a_number_below_zero_is_wrong_usage(
    loupe: Loupe, image_folder: Path, out: Path, words: list[str]
) -> None:
    outcome = loupe("train", image_folder, *SMALL, *words, "--out", out)

    assert outcome.code == 2
    assert f"argument {words[0]}: must be a " in outcome.err
    assert not out.exists()


def test_a_wrong_option_leaves_no_run_folder(loupe: Loupe, image_folder: Path, out: Path) -> None:
    loupe("train", image_folder, *SMALL, "--set", "nodes=0", "--out", out)
    loupe("train", image_folder, *SMALL, "--image-size", 4, "--out", out)

    assert not out.exists()


def test_a_method_must_be_named(loupe: Loupe, image_folder: Path, out: Path) -> None:
    outcome = loupe("train", image_folder, "--out", out)

    assert outcome.told() == "Name a method with --method; `loupe methods` lists them."


def test_a_folder_that_is_not_there_is_one_sentence(
    loupe: Loupe, tmp_path: Path, out: Path
) -> None:
    outcome = loupe("train", tmp_path / "没有", *SMALL, "--out", out)

    assert "没有' does not exist" in outcome.told()
    assert not out.exists()


def test_a_file_in_place_of_a_folder_is_one_sentence(
    loupe: Loupe, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    outcome = loupe("train", tmp_path / "file", *SMALL, "--out", out)

    assert "is a file" in outcome.told()


def test_a_folder_without_images_is_one_sentence(loupe: Loupe, tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no image", encoding="utf-8")

    outcome = loupe("train", tmp_path / "empty", *SMALL, "--out", out)

    assert "holds no images" in outcome.told()


def test_a_folder_of_unreadable_images_is_one_sentence(
    loupe: Loupe, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"\x89PNG nonsense")

    outcome = loupe("train", tmp_path / "bad", *SMALL, "--out", out)

    assert outcome.code == 1
    assert "can be " in outcome.told()


def test_unreadable_images_are_left_out_with_a_warning(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    (image_folder / "circles" / "bad.png").write_bytes(b"\x89PNG nonsense")

    outcome = loupe("train", image_folder, *SMALL, "--out", out)

    assert outcome.code == 0
    assert "1 of 25 images cannot be read" in outcome.err
    assert len((Run.open(out).data() or {})["paths"]) == 24


def test_a_run_folder_that_is_not_empty_is_refused_and_left_alone(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    out.mkdir(parents=True)
    (out / "thesis.txt").write_text("precious", encoding="utf-8")

    outcome = loupe("train", image_folder, *SMALL, "--out", out)

    assert "exists and is not empty" in outcome.told()
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_a_run_folder_that_cannot_be_made_is_one_sentence(
    loupe: Loupe, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    outcome = loupe("train", image_folder, *SMALL, "--out", tmp_path / "file" / "run")

    assert "Cannot write" in outcome.told()


class TestResume:
    @pytest.fixture(autouse=True)
    def stopped(
        self, loupe: Loupe, image_folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that was interrupted at its third step."""
        monkeypatch.setattr(eventlog, "_PAUSE", 0.0)
        usual = train_module.train_run

        def stopping(run: Run, commands: Any, observe: Any) -> JobState:
            def stop(line: dict[str, Any]) -> None:
                observe(line)
                if line["type"] == "metrics" and line["step"][-1] == 3:
                    commands.put("stop")

            return usual(run, commands, stop)

        with monkeypatch.context() as patch:
            patch.setattr(train_module, "train_run", stopping)
            outcome = loupe("train", image_folder, *SMALL, "--out", out)
        assert outcome.code == 130
        assert f"`--resume` continues '{out}'" in outcome.err

    def test_resume_continues_with_the_same_losses(
        self, loupe: Loupe, image_folder: Path, out: Path, tmp_path: Path
    ) -> None:
        loupe("train", image_folder, *SMALL, "--out", tmp_path / "whole")

        outcome = loupe("train", image_folder, "--out", out, "--resume")

        assert outcome.code == 0
        assert losses(Run.open(out)) == losses(Run.open(tmp_path / "whole"))

    def test_resume_may_add_epochs(self, loupe: Loupe, image_folder: Path, out: Path) -> None:
        outcome = loupe(
            "train", image_folder, "--out", out, "--resume", "--set", "epochs=6", "--threads", 1
        )

        assert outcome.code == 0
        assert losses(Run.open(out))[-1][0] == 18

    def test_another_method_is_refused(self, loupe: Loupe, image_folder: Path, out: Path) -> None:
        outcome = loupe("train", image_folder, "--method", "pca", "--out", out, "--resume")

        assert "has the method 'autoencoder', not 'pca'" in outcome.told()

    def test_another_folder_is_refused(self, loupe: Loupe, out: Path, mvtec_folder: Path) -> None:
        outcome = loupe("train", mvtec_folder, *SMALL, "--out", out, "--resume")

        assert "was trained on" in outcome.told()

    def test_another_image_size_is_refused(
        self, loupe: Loupe, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe("train", image_folder, "--out", out, "--resume", "--image-size", 32)

        assert "has the image size 16, not 32" in outcome.told()

    def test_another_seed_is_refused(self, loupe: Loupe, image_folder: Path, out: Path) -> None:
        outcome = loupe("train", image_folder, "--out", out, "--resume", "--seed", 5)

        assert "has the seed 0, not 5" in outcome.told()

    def test_the_device_and_the_clock_of_checkpoints_may_change(
        self, loupe: Loupe, image_folder: Path, out: Path
    ) -> None:
        words = ("--device", "cpu", "--checkpoint-seconds", "0.5", "--threads", 1)

        assert loupe("train", image_folder, "--out", out, "--resume", *words).code == 0

        spec = Run.open(out).spec()
        assert (spec.device, spec.checkpoint_seconds, spec.threads) == ("cpu", 0.5, 1)

    def test_a_parameter_that_does_not_fit_the_networks_leaves_the_run_as_it_was(
        self, loupe: Loupe, image_folder: Path, out: Path
    ) -> None:
        before = Run.open(out).spec()

        outcome = loupe("train", image_folder, "--out", out, "--resume", "--set", "code_size=9")

        assert "The saved networks do not fit these parameters" in outcome.told()
        assert Run.open(out).spec() == before
        assert loupe("train", image_folder, "--out", out, "--resume").code == 0

    def test_without_resume_the_run_is_refused(
        self, loupe: Loupe, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe("train", image_folder, *SMALL, "--out", out)

        assert "or resume what is in it" in outcome.told()


def test_resume_of_nothing_starts_a_new_run(loupe: Loupe, image_folder: Path, out: Path) -> None:
    outcome = loupe("train", image_folder, *SMALL, "--out", out, "--resume")

    assert outcome.code == 0


def test_apply_looks_at_all_images_afterwards(loupe: Loupe, mvtec_folder: Path, out: Path) -> None:
    loupe("train", mvtec_folder, *SMALL, "--out", out, "--apply")

    (result,) = Run.open(out).results()
    scores = result.array("scores")
    assert scores is not None
    assert len(result.rows()["paths"]) == len(scores) == 22
    assert np.isfinite(scores).all()


def test_training_never_writes_into_the_images_folder(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    before = listing(image_folder)

    loupe("train", image_folder, *SMALL, "--out", out, "--apply")

    assert listing(image_folder) == before


def test_a_read_only_folder_of_images_can_be_trained_on(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    for path in [image_folder, *image_folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert loupe("train", image_folder, *SMALL, "--out", out).code == 0
    finally:
        for path in [image_folder, *image_folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(image_folder)


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Return path, time and size of everything in a folder, and of the folder itself."""
    stats = [(path, path.stat()) for path in [folder, *folder.rglob("*")]]
    return sorted((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def test_images_in_a_list_are_left_out_and_a_share_is_held_out(
    loupe: Loupe, mvtec_folder: Path, out: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "left out.txt"
    listed.write_text("train/good/000.png\n\n train/good/001.png\n", encoding="utf-8")

    outcome = loupe(
        *("train", mvtec_folder, *SMALL, "--leave-out", listed, "--hold-out", 0.2, "--out", out)
    )

    assert outcome.code == 0, outcome.err
    data = Run.open(out).data() or {}
    assert (len(data["paths"]), len(data["held_out"])) == (8, 2)
    assert "train/good/000.png" not in data["paths"] + data["held_out"]


def test_a_list_that_names_no_image_is_refused(
    loupe: Loupe, mvtec_folder: Path, out: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "left out.txt"
    listed.write_text("good/none.png\n", encoding="utf-8")

    outcome = loupe("train", mvtec_folder, *SMALL, "--leave-out", listed, "--out", out)

    assert outcome.code != 0
    assert "name no image of" in outcome.err
    assert not out.exists()


@pytest.mark.parametrize("share", ["0.6", "-1", "much"])
def test_a_share_that_is_none_is_refused(
    loupe: Loupe, mvtec_folder: Path, out: Path, share: str
) -> None:
    outcome = loupe("train", mvtec_folder, *SMALL, "--hold-out", share, "--out", out)

    assert outcome.code != 0
    assert "share" in outcome.err


def test_folds_imply_that_all_images_are_looked_at(
    loupe: Loupe, mvtec_folder: Path, out: Path
) -> None:
    outcome = loupe("train", mvtec_folder, *SMALL, "--folds", 2, "--out", out)

    assert outcome.code == 0, outcome.err
    (result,) = Run.open(out).results()
    assert result.array("unseen") is not None


def test_a_preset_gives_parameters_and_the_image_size_and_the_rest_can_be_set(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    words = (
        "--method",
        "autoencoder",
        "--preset",
        "28 PX, dense",
        "--threads",
        1,
        "--device",
        "cpu",
    )
    small = ("--set", "nodes=8", "--set", "epochs=1", "--set", "least_steps=0")

    assert loupe("train", image_folder, *words, *small, "--out", out).code == 0

    spec = Run.open(out).spec()
    assert (spec.params["architecture"], spec.params["nodes"]) == ("dense", 8)
    assert spec.image_size == 28
    assert spec.title == "Autoencoder · 28 px, dense"


def test_an_unknown_preset_is_told_with_those_that_are_known(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    outcome = loupe("train", image_folder, *SMALL, "--preset", "29 px", "--out", out)

    assert outcome.told().startswith("No preset '29 px'. Known: '28 px, dense', ")
    assert not out.exists()


def test_a_run_that_is_named_as_encoder_gives_its_image_size(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
) -> None:
    words = ("--method", "kmeans", "--set", f"encoder={trained_run.path}", "--device", "cpu")

    assert loupe("train", mvtec_folder, *words, "--threads", 1, "--out", out).code == 0

    assert Run.open(out).spec().image_size == trained_run.spec().image_size == 16


def test_train_counts_what_a_mask_says_and_keeps_it_when_resumed(
    loupe: Loupe, image_folder: Path, out: Path, tmp_path: Path
) -> None:
    left, top = np.zeros((40, 40), np.uint8), np.zeros((10, 10), np.uint8)
    left[:, :20], top[:5] = 255, 255
    Image.fromarray(left).save(tmp_path / "left.png")
    Image.fromarray(top).save(tmp_path / "top.png")
    masks = ("--region", tmp_path / "left.png", "--ignore", tmp_path / "top.png")

    outcome = loupe("train", image_folder, *SMALL, *masks, "--out", out)

    assert outcome.code == 0, outcome.err
    region = Run.open(out).region()
    assert region is not None
    assert region.share == 0.25
    assert loupe("train", image_folder, *masks, "--out", out, "--resume").code == 0
    other = loupe("train", image_folder, *masks[:2], "--out", out, "--resume")
    assert other.code == 1
    assert "another region of interest" in other.err


def test_train_cuts_images_into_tiles_and_everything_follows(
    loupe: Loupe, mvtec_folder: Path, out: Path, tmp_path: Path
) -> None:
    words = ("--method", "pca", "--image-size", 32, "--tile", 16, "--device", "cpu", "--threads", 1)

    assert loupe("train", mvtec_folder, *words, "--out", out).code == 0

    spec = Run.open(out).spec()
    assert (spec.image_size, spec.tile, spec.overlap) == (32, 16, 2)
    scores, maps = tmp_path / "scores.csv", tmp_path / "maps"
    scored = loupe("score", out, mvtec_folder, "--maps", maps, "--out", scores)
    assert scored.code == 0, scored.err
    assert len(scores.read_text().splitlines()) == 23
    assert {np.load(path).shape for path in maps.rglob("*.npy")} == {(32, 32)}
    measured = json.loads(loupe("evaluate", out, mvtec_folder, "--json").out)
    assert measured["pixel_auroc"] > 0.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tile", "8", "--overlap", "8"], "must be 0 to 7, got 8"),
        (["--tile", "32", "--overlap", "0"], "got 32: choose smaller tiles"),
        (["--overlap", "4"], "--overlap 4 needs --tile"),
        (["--tile", "8", "--image-size", "0"], "--tile needs --image-size"),
    ],
)
def test_tiles_that_cannot_be_cut_leave_no_run_folder(
    loupe: Loupe, image_folder: Path, out: Path, words: list[str], sentence: str
) -> None:
    outcome = loupe("train", image_folder, *SMALL, *words, "--out", out)

    assert sentence in outcome.told()
    assert not out.exists()


def test_a_method_of_whole_images_refuses_tiles_before_it_starts(
    loupe: Loupe, image_folder: Path, out: Path
) -> None:
    words = ("--method", "tsne", "--image-size", 16, "--tile", 8)

    outcome = loupe("train", image_folder, *words, "--out", out)

    assert (
        "looks at whole images alone, not at tiles. It gives each image a place" in outcome.told()
    )
    assert not out.exists()


def test_a_resumed_run_keeps_its_tiles(loupe: Loupe, image_folder: Path, out: Path) -> None:
    loupe("train", image_folder, *SMALL, "--tile", 8, "--out", out)

    outcome = loupe("train", image_folder, *SMALL, "--tile", 12, "--out", out, "--resume")

    assert "has the tile 8, not 12" in outcome.told()
