"""The report of a run on a folder."""

from pathlib import Path

import pytest

from desktop_app.core.columns import ResultColumns, result_columns
from desktop_app.core.images import ImageFolder
from desktop_app.core.runreport import ReportRequest, report_steps, training_command
from desktop_app.core.runs import JobSpec, Run
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
