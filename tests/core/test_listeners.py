import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop_app.core import listeners
from desktop_app.core.catalog import Catalog, MethodInfo
from desktop_app.core.listeners import listening_plugins

SOURCE = """
from desktop_app.sdk.hookspecs import hookimpl

@hookimpl
def job_event(run_dir, event):
    pass
"""


def test_files_and_packages_that_name_the_hook_are_loaded(
    write_plugin: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin("diary", SOURCE)
    package = tmp_path / "site" / "loupe_parent" / "loupe_bell"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("", encoding="utf-8")
    (package / "__init__.py").write_text("from .bell import job_event", encoding="utf-8")
    (package / "bell.py").write_text(SOURCE, encoding="utf-8")
    about = tmp_path / "site" / "bell-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bell\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[loupe.plugins]\nbell = loupe_parent.loupe_bell\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    loaded = {plugin.source.id for plugin in listening_plugins()}

    for name in [name for name in sys.modules if name.startswith("loupe_parent")]:
        del sys.modules[name]
    assert loaded == {"diary", "bell"}


def test_a_plugin_that_the_catalog_knows_to_be_broken_is_not_loaded_again(
    write_plugin: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin("diary", "import os; os._exit(1)  # job_event")
    broken = MethodInfo("diary", "diary", plugin="diary", problem="ended the process")
    monkeypatch.setattr(listeners, "cached_catalog", lambda: Catalog("", [broken]))

    assert listening_plugins() == []
