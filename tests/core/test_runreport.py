"""The report of a run on a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.core.columns import ResultColumns, result_columns
from desktop_app.core.images import ImageFolder
from desktop_app.core.runreport import ReportRequest, report_steps, training_command
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.synthetic import SyntheticScores
from desktop_app.core.zones import Thresholds
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.applying import apply_method
from desktop_app.worker.loading import trained_method
from desktop_app.worker.narrator import Narrator


@pytest.fixture
def request_(trained_run: Run, mvtec_folder: Path) -> ReportRequest:
    """A report on the run that all tests share, scored on its folder with maps."""
    folder = ImageFolder(mvtec_folder)
    result = trained_run.result(folder.key)
    wanted = ("scores", "maps", "latents")
    with Narrator(result) as narrator:
        apply_method(
            trained_method(trained_run.path, "cpu"),
            trained_run,
            folder,
            result,
            narrator,
            wanted=wanted,
        )
    table = folder.table()
    return ReportRequest(folder, table, result_columns(trained_run, result, table), "Autoencoder")


def test_the_report_holds_measures_pictures_and_the_command(
    request_: ReportRequest, tmp_path: Path
) -> None:
    told = list(report_steps(request_, tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert told[-1][0] == told[-1][1]
    assert "Most unusual images" in text
    assert "marked truth" in text
    assert "loupe train" in text
    assert "AUROC" in text
    assert "without learning (mean image) it is" in text
    assert "train/good" not in text  # measured on the test images


def test_a_threshold_by_synthetic_defects_says_what_it_rests_on(
    request_: ReportRequest, tmp_path: Path
) -> None:
    made = SyntheticScores(np.arange(6.0), np.arange(4.0, 10.0), "held-out images", 7)
    result = replace(request_.result, synthetic=made)

    def told(**changes: Any) -> str:
        path = tmp_path / "report.html"
        list(report_steps(replace(request_, result=result, **changes), path))
        return path.read_text(encoding="utf-8")

    assert made.basis() in told(thresholds=Thresholds(made.best()[1]))
    assert "6 synthetic defects" not in told(thresholds=Thresholds(made.best()[1] + 1))
    assert "rests on a guess." in told(thresholds=Thresholds(3.0), basis="a guess.")


def test_pictures_that_are_gone_are_left_out(request_: ReportRequest, tmp_path: Path) -> None:
    for path in request_.folder.root.rglob("test/blot/*.png"):
        path.unlink()
    list(report_steps(request_, tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'alt="test/scratch/000.png, image"' in text
    assert 'alt="test/blot/000.png, image"' not in text


def test_a_run_without_scores_is_refused(request_: ReportRequest, tmp_path: Path) -> None:
    found = request_.result
    without = ResultColumns(
        found.run, found.index, None, found.latents, None, None, 0.0, None, None, (0.0, 1.0)
    )
    asked = ReportRequest(request_.folder, request_.table, without, "Autoencoder")
    with pytest.raises(InvalidInput, match="scored images"):
        list(report_steps(asked, tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()


def test_the_command_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    spec = JobSpec(
        folder="/data/批次 7", method="pca", params={"components": 8}, seed=3, split="train"
    )
    command = training_command(spec, tmp_path / "run")
    assert "'/data/批次 7'" in command
    assert "--set components=8" in command
    assert "--split train" in command
