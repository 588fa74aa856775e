import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.runs import Run
from desktop_app.toolbox.exporting import run_module
from desktop_app.worker import exporting
from desktop_app.worker.loading import trained_method
from tests.cli.conftest import Loupe
from tests.cli.test_train import SMALL, listing

THREADS = ("--threads", 1, "--device", "cpu")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "结果 🍪"


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


class TestScore:
    def test_the_columns_are_exactly_path_label_score(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        outcome = loupe(
            "score", trained_run.path, mvtec_folder, "--out", out / "scores.csv", *THREADS
        )

        assert outcome.code == 0
        assert outcome.out == ""
        header, *rows = _rows(out / "scores.csv")
        assert header == ["path", "label", "score"]
        assert len(rows) == 22
        assert {label for _, label, _ in rows} == {"good", "blot", "scratch"}
        assert all((mvtec_folder / path).is_file() for path, _, _ in rows)

    def test_higher_is_more_unusual_and_nothing_is_clamped(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        loupe("score", trained_run.path, mvtec_folder, "--out", out / "s.csv", *THREADS)

        rows = [(label, float(score)) for _, label, score in _rows(out / "s.csv")[1:]]
        good = [score for label, score in rows if label == "good"]
        others = [score for label, score in rows if label != "good"]
        assert min(others) > np.median(good)
        assert len({score for _, score in rows}) == 22

    def test_a_split_alone_can_be_scored(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--split", "test", "--out", out / "s.csv", *THREADS)
        loupe("score", trained_run.path, mvtec_folder, *words)

        assert all(path.startswith("test/") for path, _, _ in _rows(out / "s.csv")[1:])

    def test_two_thresholds_tell_the_zone_of_every_image(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        cuts = ("--threshold", 0.05, "--review", 0.0)
        words = (*cuts, "--out", out / "s.csv", *THREADS)
        loupe("score", trained_run.path, mvtec_folder, *words)
        measured = loupe("evaluate", trained_run.path, mvtec_folder, *cuts, "--json", *THREADS)

        header, *rows = _rows(out / "s.csv")
        assert header == ["path", "label", "score", "zone"]
        for _, _, score, zone in rows:
            assert zone == ("fail" if float(score) >= 0.05 else "review")
        zones = json.loads(measured.out)["zones"]
        tests = [(label, zone) for path, label, _, zone in rows if path.startswith("test/")]
        for name in ("fail", "review"):
            inside = [label for label, zone in tests if zone == name]
            normal = inside.count("good")
            counts = {"images": len(inside), "anomalous": len(inside) - normal, "normal": normal}
            assert zones[name] == counts

    def test_a_threshold_is_found_by_made_defects_and_says_what_it_rests_on(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--threshold", "synthetic", "--out", out / "s.csv", *THREADS)
        outcome = loupe("score", trained_run.path, mvtec_folder, *words)

        assert outcome.code == 0
        (told,) = [line for line in outcome.err.splitlines() if line.startswith("Threshold")]
        assert "12 training images" in told
        assert "Real defects may look different" in told
        threshold = float(told.split()[1].rstrip(":"))
        for _, _, score, zone in _rows(out / "s.csv")[1:]:
            assert zone == ("fail" if float(score) >= threshold else "pass")

    def test_a_review_zone_needs_a_threshold(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--review", 1.0, "--out", out / "s.csv", *THREADS)
        assert (
            "--review needs --threshold"
            in loupe("score", trained_run.path, mvtec_folder, *words).told()
        )

    def test_an_unknown_split_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--split", "validation", "--out", out / "s.csv", *THREADS)
        outcome = loupe("score", trained_run.path, mvtec_folder, *words)

        assert "holds no image of split 'validation'. Known: test, train." in outcome.told()

    def test_maps_are_written_as_arrays_and_pictures(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--maps", out / "maps", "--out", out / "s.csv", *THREADS)
        outcome = loupe("score", trained_run.path, mvtec_folder, *words)

        assert outcome.code == 0
        name = _rows(out / "s.csv")[-1][0]
        heat = np.load(out / "maps" / f"{name}.npy", allow_pickle=False)
        assert (heat.shape, heat.dtype) == ((16, 16), np.float32)
        with Image.open(out / "maps" / f"{name}.png") as picture:
            assert picture.size == (16, 16)
        assert len(list((out / "maps").rglob("*.npy"))) == 22

    def test_json_names_count_and_file(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        words = ("--out", out / "s.csv", "--json", *THREADS)
        outcome = loupe("score", trained_run.path, mvtec_folder, *words)

        assert json.loads(outcome.out) == {"n_images": 22, "out": str(out / "s.csv")}

    def test_names_with_commas_quotes_and_line_breaks_survive(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        strange = 'a, "b"\nc.png'
        shutil.copy(
            mvtec_folder / "test" / "good" / "000.png", mvtec_folder / "test" / "good" / strange
        )

        loupe("score", trained_run.path, mvtec_folder, "--out", out / "s.csv", *THREADS)

        assert f"test/good/{strange}" in {row[0] for row in _rows(out / "s.csv")}

    def test_a_run_that_was_moved_and_whose_images_are_gone_still_scores(
        self, loupe: Loupe, image_folder: Path, mvtec_folder: Path, out: Path, tmp_path: Path
    ) -> None:
        loupe("train", image_folder, *SMALL, "--out", tmp_path / "run")
        moved = tmp_path / "另一处" / "run"
        moved.parent.mkdir()
        (tmp_path / "run").rename(moved)
        shutil.rmtree(image_folder)

        outcome = loupe("score", moved, mvtec_folder, "--out", out / "s.csv", *THREADS)

        assert outcome.code == 0
        assert len(_rows(out / "s.csv")) == 23

    def test_colour_images_are_scored_by_a_method_trained_on_grey_ones(
        self, loupe: Loupe, trained_run: Run, tmp_path: Path, out: Path
    ) -> None:
        from tests.folders import write_classes

        folder = write_classes(tmp_path / "colour", per_class=2, side=20, colour=True)

        outcome = loupe("score", trained_run.path, folder, "--out", out / "s.csv", *THREADS)

        assert outcome.code == 0
        assert len(_rows(out / "s.csv")) == 5

    def test_unreadable_images_are_left_out_with_a_warning(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        (mvtec_folder / "test" / "good" / "bad.png").write_bytes(b"nonsense")

        words = (trained_run.path, mvtec_folder, "--out", out / "s.csv", *THREADS)
        first, second = loupe("score", *words), loupe("score", *words)

        assert (first.code, second.code) == (0, 0)
        assert "1 of 23 images cannot be read" in first.err
        assert "1 of 23 images cannot be read" in second.err
        assert len(_rows(out / "s.csv")) == 23

    def test_neither_images_nor_run_are_written_to(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        before = listing(mvtec_folder), listing(trained_run.path)

        loupe("score", trained_run.path, mvtec_folder, "--out", out / "s.csv", *THREADS)
        loupe("evaluate", trained_run.path, mvtec_folder, "--json", *THREADS)

        assert (listing(mvtec_folder), listing(trained_run.path)) == before


class TestEmbed:
    def test_the_arrays_are_paths_labels_and_latents(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe(
            "embed", trained_run.path, image_folder, "--out", out / "latents.npz", *THREADS
        )

        assert outcome.code == 0
        with np.load(out / "latents.npz", allow_pickle=False) as arrays:
            assert sorted(arrays) == ["labels", "latents", "paths", "splits"]
            assert arrays["latents"].shape == (24, 4)
            assert arrays["latents"].dtype == np.float32
            assert set(arrays["labels"].tolist()) == {"circles", "stripes"}
            assert arrays["paths"][0] == "circles/图 00.png"

    def test_json_names_count_dimensions_and_file(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        words = ("--out", out / "l.npz", "--json", *THREADS)
        outcome = loupe("embed", trained_run.path, image_folder, *words)

        expected = {"n_images": 24, "dimensions": 4, "out": str(out / "l.npz")}
        assert json.loads(outcome.out) == expected

    def test_a_table_holds_a_row_per_image(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe("embed", trained_run.path, image_folder, "--out", out / "z.csv", *THREADS)

        assert outcome.code == 0
        with (out / "z.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["path", "label", "split", "z1", "z2", "z3", "z4"]
        assert (len(rows), rows[0]["path"]) == (24, "circles/图 00.png")

    def test_an_unknown_suffix_is_told_before_anything_is_computed(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe("embed", trained_run.path, image_folder, "--out", out / "z.xls", *THREADS)

        assert ".npz, .csv, .parquet" in outcome.told()


CLUSTERS = """
import numpy as np

from desktop_app.sdk.events import Metrics
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params

class Halves(Method[Params]):
    card = Card("halves", "Halves", "Tests", "Bright images, dark ones, and one that is neither.")

    def fit(self, data):
        yield Metrics(1, 1.0, {"loss": 0.0})

    def state(self):
        return State({}, {})

    def restore(self, state):
        pass

    def cluster(self, images):
        bright = images.mean(axis=(1, 2, 3))
        return np.where(bright == bright.max(), -1, bright > np.median(bright)).astype(np.int64)

@hookimpl
def register_methods():
    return [Halves]
"""


class TestCluster:
    @pytest.fixture
    def halves(
        self, loupe: Loupe, write_plugin: Callable[[str, str], Path], image_folder: Path, out: Path
    ) -> Path:
        write_plugin("halves", CLUSTERS)
        run = out / "run"
        words = ("--method", "halves", "--image-size", 16, "--out", run, *THREADS)
        assert loupe("train", image_folder, *words).code == 0
        return run

    def test_clusters_are_listed_and_copied(
        self, loupe: Loupe, halves: Path, image_folder: Path, out: Path
    ) -> None:
        before = listing(image_folder)
        words = ("--out", out / "clusters.csv", "--copy-to", out / "按组", "--json", *THREADS)

        outcome = loupe("cluster", halves, image_folder, *words)

        assert outcome.code == 0, outcome.err
        assert json.loads(outcome.out)["clusters"] == 2
        header, *rows = _rows(out / "clusters.csv")
        assert header == ["path", "label", "cluster"]
        assert len(rows) == 24
        assert {number for *_, number in rows} == {"", "0", "1"}
        copies = Counter(path.parent.name for path in (out / "按组").rglob("*.png"))
        told = Counter(f"cluster {number}" if number else "no cluster" for *_, number in rows)
        assert copies == told
        assert listing(image_folder) == before

    def test_copies_never_go_into_the_folder_of_the_images(
        self, loupe: Loupe, halves: Path, image_folder: Path, out: Path
    ) -> None:
        words = ("--out", out / "c.csv", "--copy-to", image_folder / "sorted", *THREADS)

        outcome = loupe("cluster", halves, image_folder, *words)

        assert "to which nothing is ever written" in outcome.told()
        assert not (image_folder / "sorted").exists()

    def test_a_method_without_clusters_says_so(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        outcome = loupe("cluster", trained_run.path, image_folder, "--out", out / "c.csv", *THREADS)

        assert "'Autoencoder' cannot find clusters" in outcome.told()


class TestExport:
    def test_the_file_gives_the_latents_of_the_run(
        self, loupe: Loupe, trained_run: Run, image_folder: Path, out: Path
    ) -> None:
        path = out / "编码器.pt2"

        outcome = loupe("export", trained_run.path, "--out", path, "--folder", image_folder)

        assert outcome.code == 0, outcome.err
        assert "(N, 1, 16, 16) in [0, 1] and returns latents (N, 4)" in outcome.err
        images = np.random.default_rng(0).random((3, 1, 16, 16), np.float32)
        expected = trained_method(trained_run.path, "cpu").encode(images)  # type: ignore[attr-defined]
        np.testing.assert_allclose(run_module(path, images), expected, rtol=1e-4, atol=1e-5)
        about = json.loads((out / "编码器.pt2.json").read_text(encoding="utf-8"))
        assert about["method"] == "autoencoder"
        assert about["input"]["shape"] == ["N", 1, 16, 16]
        assert about["output"]["shape"] == ["N", 4]
        assert about["parity"]["largest_relative_difference"] <= 1e-4
        assert about["parity"]["checked_on"] == f"16 images of '{image_folder.name}'"

    def test_random_images_check_it_when_the_folder_is_gone(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        shutil.rmtree(mvtec_folder)

        outcome = loupe("export", trained_run.path, "--out", out / "e.ts", "--json")

        assert json.loads(outcome.out)["checked_on"] == "16 random images"
        assert json.loads(outcome.out)["dimensions"] == 4

    def test_a_file_that_gives_other_latents_is_not_kept(
        self, loupe: Loupe, trained_run: Run, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            exporting, "run_module", lambda path, images: run_module(path, images) + np.float32(1)
        )

        outcome = loupe("export", trained_run.path, "--out", out / "encoder.ts")

        assert "gives other latents than the trained method" in outcome.told()
        assert not list(out.glob("*"))

    def test_an_unknown_suffix_names_the_known_ones(
        self, loupe: Loupe, trained_run: Run, out: Path
    ) -> None:
        outcome = loupe("export", trained_run.path, "--out", out / "encoder.bin")

        assert ".pt2, .onnx, .ts, .pt, got 'encoder.bin'" in outcome.told()


KEYS = [
    "n_images",
    "n_anomalous",
    "image_auroc",
    "image_aupr",
    "f1_max",
    "threshold_f1",
    "pixel_auroc",
    "aupro",
    "per_defect",
]


class TestEvaluate:
    def test_the_full_form_says_how_sure_it_is_and_what_the_floor_is(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path
    ) -> None:
        outcome = loupe("evaluate", trained_run.path, mvtec_folder, "--json", "--full", *THREADS)

        measures = json.loads(outcome.out)
        assert list(measures)[:9] == KEYS
        assert set(measures["floor"]) == {"mean_image", "principal_components"}
        low, high = measures["intervals"]["image_auroc"]
        assert low <= measures["image_auroc"] <= high

    def test_the_keys_are_exactly_those_that_were_promised(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path
    ) -> None:
        outcome = loupe("evaluate", trained_run.path, mvtec_folder, "--json", *THREADS)

        measures = json.loads(outcome.out)
        assert outcome.code == 0
        assert list(measures) == KEYS
        assert (measures["n_images"], measures["n_anomalous"]) == (10, 6)
        assert set(measures["per_defect"]) == {"blot", "scratch"}
        assert measures["image_auroc"] == 1.0
        assert 0.8 < measures["pixel_auroc"] <= 1
        assert 0 < measures["aupro"] <= 1

    def test_the_numbers_are_those_of_the_scores_and_maps_that_are_written(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path
    ) -> None:
        from sklearn.metrics import roc_auc_score

        words = ("--split", "test", "--maps", out / "maps", "--out", out / "s.csv", *THREADS)
        loupe("score", trained_run.path, mvtec_folder, *words)
        outcome = loupe("evaluate", trained_run.path, mvtec_folder, "--json", *THREADS)

        rows = _rows(out / "s.csv")[1:]
        truth, maps = [], []
        for path, label, _ in rows:
            mask = mvtec_folder / "ground_truth" / label / f"{Path(path).stem}_mask.png"
            truth.append(
                np.asarray(Image.open(mask)) > 0 if mask.exists() else np.zeros((16, 16), bool)
            )
            maps.append(np.load(out / "maps" / f"{path}.npy"))
        measures = json.loads(outcome.out)
        assert measures["image_auroc"] == pytest.approx(
            roc_auc_score([row[1] != "good" for row in rows], [float(row[2]) for row in rows])
        )
        assert measures["pixel_auroc"] == pytest.approx(
            roc_auc_score(np.ravel(truth), np.ravel(maps)), abs=1e-6
        )

    def test_what_cannot_be_measured_is_null(
        self, loupe: Loupe, trained_run: Run, image_folder: Path
    ) -> None:
        outcome = loupe("evaluate", trained_run.path, image_folder, "--json", *THREADS)

        measures = json.loads(outcome.out)
        assert list(measures) == KEYS
        assert measures["n_images"] == 24
        assert {measures[key] for key in KEYS[1:]} == {None}

    def test_without_masks_only_the_pixel_measures_are_null(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path
    ) -> None:
        shutil.rmtree(mvtec_folder / "ground_truth")

        outcome = loupe("evaluate", trained_run.path, mvtec_folder, "--json", *THREADS)

        measures = json.loads(outcome.out)
        assert [key for key in KEYS if measures[key] is None] == ["pixel_auroc", "aupro"]

    def test_without_json_a_table_is_printed(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path
    ) -> None:
        outcome = loupe("evaluate", trained_run.path, mvtec_folder, *THREADS)

        assert [line.split()[0] for line in outcome.out.splitlines()] == KEYS


@pytest.mark.parametrize("command", ["score", "embed", "evaluate"])
class TestErrors:
    def _words(self, command: str, out: Path) -> list[object]:
        return [] if command == "evaluate" else ["--out", out / "file"]

    def test_a_folder_that_is_no_run_is_one_sentence(
        self, loupe: Loupe, mvtec_folder: Path, out: Path, command: str
    ) -> None:
        outcome = loupe(command, mvtec_folder, mvtec_folder, *self._words(command, out), *THREADS)

        assert "is not a run folder: it holds no readable spec.json" in outcome.told()

    def test_a_run_that_is_not_trained_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path, command: str
    ) -> None:
        for name in ("method", "checkpoints"):
            shutil.rmtree(trained_run.path / name)

        outcome = loupe(
            command, trained_run.path, mvtec_folder, *self._words(command, out), *THREADS
        )

        assert "holds nothing trained yet: resume its training" in outcome.told()

    def test_a_damaged_trained_method_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path, command: str
    ) -> None:
        (trained_run.path / "method" / "state.safetensors").write_bytes(b"damaged")

        outcome = loupe(
            command, trained_run.path, mvtec_folder, *self._words(command, out), *THREADS
        )

        assert "No readable trained method in" in outcome.told()

    def test_a_folder_without_images_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, tmp_path: Path, out: Path, command: str
    ) -> None:
        (tmp_path / "empty").mkdir()

        outcome = loupe(
            command, trained_run.path, tmp_path / "empty", *self._words(command, out), *THREADS
        )

        assert "holds no images that can be read" in outcome.told()

    def test_a_folder_that_is_not_there_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, tmp_path: Path, out: Path, command: str
    ) -> None:
        outcome = loupe(
            command, trained_run.path, tmp_path / "nowhere", *self._words(command, out), *THREADS
        )

        assert "does not exist" in outcome.told()

    def test_a_method_that_is_no_longer_installed_is_one_sentence(
        self, loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path, command: str
    ) -> None:
        trained_run.write_spec(trained_run.spec().model_copy(update={"method": "gone"}))

        outcome = loupe(
            command, trained_run.path, mvtec_folder, *self._words(command, out), *THREADS
        )

        assert outcome.told().startswith("No method 'gone'. Known: ")


@pytest.mark.parametrize("command", ["score", "embed"])
def test_an_output_that_cannot_be_written_is_one_sentence(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    blocked = loupe(
        command, trained_run.path, mvtec_folder, "--out", tmp_path / "file" / "x", *THREADS
    )
    a_folder = loupe(command, trained_run.path, mvtec_folder, "--out", tmp_path, *THREADS)

    assert "file" in blocked.told()
    assert str(tmp_path) in a_folder.told()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_method_that_fails_is_one_sentence(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugins.autoencoder.autoencoder import Autoencoder

    def failing(method: Autoencoder, images: object) -> None:
        raise ValueError("shapes differ")

    monkeypatch.setattr(Autoencoder, "score", failing)

    outcome = loupe("score", trained_run.path, mvtec_folder, "--out", out / "s.csv", *THREADS)

    assert "ValueError: shapes differ" in outcome.told()


def test_output_that_nobody_reads_any_longer_ends_quietly(
    trained_run: Run, mvtec_folder: Path
) -> None:
    import subprocess
    import sys

    words = ["methods", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "desktop_app", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read().decode()
    process.stderr.close()

    assert process.wait() == 1
    assert "Traceback" not in err
