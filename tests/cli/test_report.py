import shutil
from pathlib import Path

from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Run
from tests.cli.conftest import Loupe
from tests.cli.test_use import THREADS


def test_a_report_of_the_folder_trained_on_needs_no_other(
    loupe: Loupe, trained_run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "报告 1.pdf"
    outcome = loupe("report", trained_run.path, "--out", out, *THREADS)

    assert outcome.code == 0, outcome.err
    assert out.read_bytes().startswith(b"%PDF-")
    assert list(out.parent.iterdir()) == [out]
    key = ImageFolder(Path(trained_run.spec().folder)).key
    assert not trained_run.result(key).is_complete  # what was scored for it is not kept


def test_another_folder_and_thresholds_can_be_named(
    loupe: Loupe, trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(mvtec_folder, tmp_path / "others")
    out = tmp_path / "report.html"
    words = ("--threshold", 50, "--review", 2, "--out", out, *THREADS)
    outcome = loupe("report", trained_run.path, other, *words)

    assert outcome.code == 0, outcome.err
    text = out.read_text(encoding="utf-8")
    assert "Review from 2, fail from 50." in text
    assert "SHA-256" in text
    assert "marked truth" in text
    assert "heat map" in text
    assert "loupe train" in text


def test_another_form_is_refused_before_anything_is_computed(
    loupe: Loupe, trained_run: Run, tmp_path: Path
) -> None:
    told = loupe("report", trained_run.path, "--out", tmp_path / "report.doc", *THREADS).told()
    assert "A report is written as .html or .pdf" in told
