import csv
import json
from pathlib import Path

from desktop_app.core.runs import Run
from tests.cli.conftest import Loupe

THREADS = ("--threads", 1, "--device", "cpu")


def test_the_most_unusual_images_are_grouped(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "groups.csv"
    outcome = loupe(
        *("group", trained_run.path, mvtec_folder, "--top", 8, "--groups", 3, "--by", "both"),
        *("--json", "--out", out, *THREADS),
    )

    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["n_images"] == sum(report["groups"]) == 8
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["cluster"] for row in rows] == sorted(row["cluster"] for row in rows)
    assert {row["cluster"] for row in rows} == {"1", "2", "3"}


def test_too_high_a_threshold_is_told(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    outcome = loupe(
        *("group", trained_run.path, mvtec_folder, "--threshold", 1e9),
        *("--out", tmp_path / "groups.csv", *THREADS),
    )
    assert outcome.code == 1
    assert "lower --threshold" in outcome.err
