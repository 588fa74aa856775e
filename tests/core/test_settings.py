from pathlib import Path

import pytest
from pydantic import ValidationError

from desktop_app.core.settings import (
    MOST_RECENT,
    Settings,
    cache_dir,
    config_dir,
    data_dir,
    settings_file,
)
from desktop_app.sdk.errors import InvalidInput


def test_one_variable_moves_all_folders(home: Path) -> None:
    assert {cache_dir(), data_dir(), config_dir()} == {
        home / "cache", home / "data", home / "config",
    }  # fmt: skip
    assert all(folder.is_dir() for folder in (cache_dir(), data_dir(), config_dir()))


def test_settings_come_back_as_they_were_written() -> None:
    settings = Settings(theme="dark", language="zh_CN", torch_threads=3)
    settings = settings.with_workspace(Path("/somewhere/图 \udcff"))
    settings.write()
    assert Settings.read() == settings
    assert Settings.read().problems == ()


def test_without_a_file_there_are_defaults() -> None:
    assert Settings.read() == Settings()


def test_a_broken_file_is_kept_aside() -> None:
    settings_file().write_text('{"theme": "dark"')
    settings = Settings.read()
    assert settings.theme == "system"
    assert "damaged" in settings.problems[0]
    aside = [path for path in config_dir().iterdir() if "broken" in path.name]
    assert aside[0].read_text() == '{"theme": "dark"'
    assert not settings_file().exists()


def test_a_bad_value_costs_only_itself() -> None:
    settings_file().write_text('{"theme": "pink", "language": "en", "torch_threads": -4}')
    settings = Settings.read()
    assert (settings.theme, settings.language, settings.torch_threads) == ("system", "en", 0)
    assert len(settings.problems) == 2
    assert "'theme'" in settings.problems[0]


def test_names_of_a_newer_version_survive() -> None:
    settings_file().write_text('{"theme": "dark", "hologram": [1, 2]}')
    Settings.read().changed(language="en").write()
    assert '"hologram"' in settings_file().read_text()


def test_bad_changes_are_refused() -> None:
    with pytest.raises(ValidationError):
        Settings().changed(theme="pink")


def test_recent_workspaces_are_few_and_newest_first() -> None:
    settings = Settings()
    for number in [*range(20), 15]:
        settings = settings.with_workspace(Path(f"/w/{number}"))
    assert settings.recent_workspaces[:3] == ("/w/15", "/w/19", "/w/18")
    assert len(settings.recent_workspaces) == MOST_RECENT
    assert settings.last_workspace == "/w/15"


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="Cannot write"):
        Settings().write(tmp_path / "file" / "settings.json")
