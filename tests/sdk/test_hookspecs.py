import inspect
import re
from pathlib import Path

import pluggy
import pytest

from desktop_app.core.plugins import load_plugin, plugin_sources
from desktop_app.sdk import hookspecs
from desktop_app.sdk.hookspecs import PROJECT, DatasetSource

ROOT = Path(__file__).parents[2]


def _hooks() -> dict[str, object]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return {
        name: function
        for name, function in vars(hookspecs).items()
        if manager.parse_hookspec_opts(hookspecs, name) is not None
    }


HOOKS = sorted(_hooks())


def test_there_are_few_hooks_and_each_is_a_verb() -> None:
    assert HOOKS == ["job_event", "register_datasets", "register_methods"]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_one_sentence(name: str) -> None:
    text = inspect.getdoc(_hooks()[name])

    assert text
    assert re.fullmatch(r"[A-Z][^.]+\.", text)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_where_plugins_are_explained(name: str) -> None:
    readme = (ROOT / "desktop_app" / "sdk" / "README.md").read_text(encoding="utf-8")

    assert f"`{name}`" in readme


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_implemented_by_a_plugin_of_the_tests(name: str) -> None:
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]

    assert any(f"@hookimpl\ndef {name}(" in text for text in files)


DATA_SET = """
from desktop_app.sdk.hookspecs import DatasetSource, hookimpl

def _write(folder):
    (folder / "dot.txt").write_text("a dot")
    return folder

@hookimpl
def register_datasets():
    return [DatasetSource("dots", "Dots", "One dot.", _write)]
"""


def test_a_plugin_offers_data_sets_that_it_writes_where_it_is_told(
    write_plugin: object, tmp_path: Path
) -> None:
    write_plugin("dots", DATA_SET)  # type: ignore[operator]
    (source,) = [source for source in plugin_sources() if source.id == "dots"]

    plugin = load_plugin(source)

    (dots,) = plugin.datasets()
    assert isinstance(dots, DatasetSource)
    assert (dots.id, dots.title, dots.summary) == ("dots", "Dots", "One dot.")
    (tmp_path / "new").mkdir()
    assert (dots.write(tmp_path / "new") / "dot.txt").read_text() == "a dot"
    assert plugin.methods() == []
