from pathlib import Path

import pytest

from tests.cli.conftest import Loupe


def test_a_path_that_is_not_there_is_one_sentence(loupe: Loupe, tmp_path: Path) -> None:
    outcome = loupe(tmp_path / "没有")

    assert "没有' does not exist" in outcome.told()


def test_a_file_cannot_be_opened_as_a_folder(loupe: Loupe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    assert "is a file" in loupe(tmp_path / "file").told()


def test_without_a_display_the_analyst_is_told_what_works(
    loupe: Loupe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")

    assert loupe().told().startswith("There is no display to open a window on.")
