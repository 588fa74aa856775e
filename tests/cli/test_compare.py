import csv
import json
from pathlib import Path

import pytest

from desktop_app.core.runs import Run
from tests.cli.conftest import Loupe

THREADS = ("--threads", 1, "--device", "cpu")


@pytest.fixture
def runs(loupe: Loupe, trained_run: Run, mvtec_folder: Path, tmp_path: Path) -> list[Path]:
    """An autoencoder and principal components on the same folder."""
    other = tmp_path / "components"
    outcome = loupe(
        *("train", mvtec_folder, "--method", "pca", "--image-size", 16, "--out", other), *THREADS
    )
    assert outcome.code == 0, outcome.err
    return [trained_run.path, other]


def test_runs_are_compared_on_the_test_images(
    loupe: Loupe, runs: list[Path], mvtec_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "compare.csv"

    outcome = loupe("compare", mvtec_folder, *runs, "--json", "--out", out, *THREADS)

    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    names = [run.name for run in runs]
    assert (report["n_images"], report["runs"]) == (10, names)
    assert report["rank_correlation"][0][1] == report["rank_correlation"][1][0] > 0.5
    assert set(report["image_auroc"]) == {*names, "together"}
    assert report["image_auroc"]["together"] > 0.9
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", *names, "together", "disagreement"]
    assert all(0 <= float(row["together"]) <= 1 for row in rows)


def test_the_comparison_can_be_read(loupe: Loupe, runs: list[Path], mvtec_folder: Path) -> None:
    outcome = loupe("compare", mvtec_folder, *runs, *THREADS)

    assert "rank correlation" in outcome.out
    assert "largest disagreement" in outcome.out


def test_one_run_cannot_be_compared(loupe: Loupe, runs: list[Path], mvtec_folder: Path) -> None:
    outcome = loupe("compare", mvtec_folder, runs[0], *THREADS)

    assert outcome.code != 0
    assert "two or more runs" in outcome.err


def test_the_mean_rank_is_kept_and_scores_other_images(
    loupe: Loupe, runs: list[Path], mvtec_folder: Path, tmp_path: Path
) -> None:
    kept, out = tmp_path / "together", tmp_path / "scores.csv"

    outcome = loupe("compare", mvtec_folder, *runs, "--json", "--keep", kept, *THREADS)
    together = json.loads(outcome.out)["image_auroc"]["together"]
    evaluated = loupe("evaluate", kept, mvtec_folder, "--json", *THREADS)
    scored = loupe("score", kept, mvtec_folder, "--split", "train", "--out", out, *THREADS)
    embedded = loupe("embed", kept, mvtec_folder, "--out", tmp_path / "x.npz", *THREADS)

    assert json.loads(evaluated.out)["image_auroc"] == pytest.approx(together)
    assert json.loads(evaluated.out)["pixel_auroc"] is not None
    assert scored.code == 0, scored.err
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    assert embedded.code == 1
    assert "scores and heat maps alone" in embedded.err
