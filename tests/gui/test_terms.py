"""The words of methods in Chinese: presets, experiments, parameters, views."""

import ast
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

import desktop_app.toolbox
from desktop_app.core.catalog import MethodInfo, describe_plugins
from desktop_app.gui.form import ParameterRow
from desktop_app.gui.i18n import set_language, term, terms
from desktop_app.gui.views.words import in_words
from desktop_app.sdk.views import Curve, Table

PLUGINS = Path(str(files("plugins")))
TOOLBOX = Path(desktop_app.toolbox.__path__[0])
_VIEWS = ("Curve", "ImageGrid", "HeatMap", "Scatter", "Table")
_TITLES = ("title", "_SPECTRUM")
_SIGNS = {"", "BIC", "AIC", "CD-1", "CD-5", "PCD-1", "KL", "L1", "top-k", "log Z"}
"""Signs that are the same in every language."""


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    set_language("zh_CN")
    yield
    set_language("en")


@pytest.fixture(scope="module")
def infos() -> list[MethodInfo]:
    return describe_plugins()


def untranslated(texts: set[str], own: dict[str, str]) -> list[str]:
    words = {text for text in texts - _SIGNS if any(letter.isalpha() for letter in text)}
    return sorted(
        text for text in words if all(term(form, own) == form for form in (text, _sized(text)))
    )


def _sized(text: str) -> str:
    """Return a text with a size where a number may stand."""
    return text.replace("1", "1x1")


def test_presets_and_experiments_of_all_bundled_methods_speak_chinese(
    infos: list[MethodInfo],
) -> None:
    missing: dict[str, list[str]] = {}
    for info in infos:
        texts = {str(preset[name]) for preset in info.presets for name in ("name", "summary")}
        for experiment in info.experiments:
            texts |= {experiment["name"], experiment["summary"], *experiment["variants"]}
        found = untranslated(texts, dict(info.translations["zh_CN"]))
        if found:
            missing[info.id] = found
    assert not missing


def test_parameters_of_all_bundled_methods_speak_chinese(
    qtbot: QtBot, infos: list[MethodInfo]
) -> None:
    missing: dict[str, list[str]] = {}
    for info in infos:
        own = dict(info.translations["zh_CN"])
        rows = [ParameterRow(field, own, tuple) for field in info.parameters]
        for row in rows:
            qtbot.addWidget(row)
        texts = {text for row in rows for text in (row.words, row.explanation)}
        found = sorted(text for text in texts if text.isascii())
        if found:
            missing[info.id] = found
    assert not missing


@pytest.mark.parametrize(
    "folder", [*sorted(path.parent for path in PLUGINS.glob("*/__init__.py")), TOOLBOX], ids=str
)
def test_views_of_bundled_methods_speak_chinese(folder: Path) -> None:
    path = folder / "zh_CN.json"
    own = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    texts = {text for file in folder.glob("*.py") for text in view_texts(file)}
    assert not untranslated(texts, own)


def test_lines_of_trivial_values_speak_chinese() -> None:
    texts = {text for file in PLUGINS.rglob("*.py") for text in trivial_values(file)}
    assert len(texts) > 10
    assert not untranslated(texts - {"PCA"}, {})


def test_numbers_in_a_text_stay_what_they_are() -> None:
    assert term("3 layers", {"# layers": "# 层"}) == "3 层"
    assert term("3 layers of 4", {}) == "3 layers of 4"
    assert term("Photographs.", {"Photographs.": "相片。"}) == "相片。"  # the method's own first


def test_a_view_is_told_in_words_and_keeps_its_numbers() -> None:
    line = np.zeros(3, np.float32)
    own = {"Cost": "代价", "cost": "代价", "line": "线", "row": "行"}
    curve = in_words(Curve("Cost", {"cost": (line, line)}, "what", "cost", kind="line"), own)
    assert (curve.title, list(curve.lines), curve.kind) == ("代价", ["代价"], "line")
    table = in_words(Table("Cost", ("cost", "b"), (("row", 2),)), own)
    assert (table.columns, table.rows) == (["代价", "b"], [["行", 2]])


def test_shared_words_are_sorted_and_no_plugin_repeats_them() -> None:
    shared = terms("zh_CN")
    assert list(shared) == sorted(shared)
    for path in PLUGINS.glob("*/zh_CN.json"):
        own = json.loads(path.read_text(encoding="utf-8"))
        assert list(own) == sorted(own)
        assert not set(own) & set(shared), path


def view_texts(file: Path) -> Iterator[str]:
    """Yield title, labels and names of each view that a file makes, as far as they are written."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in _TITLES:
            yield from _written(node.value)
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in _VIEWS:
            continue
        for part in (*node.args, *(key.value for key in node.keywords if _is_text(key.arg))):
            yield from _written(part)


def trivial_values(file: Path) -> Iterator[str]:
    """Yield what the lines of trivial values mean, as far as it is written."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TrivialValue":
            yield from _written(node.args[2]) if len(node.args) > 2 else ()


def _is_text(name: str | None) -> bool:
    return name is not None and name not in ("kind", "captions", "columns", "rows", "colours")


def _written(node: Any) -> Iterator[str]:
    """Yield literal texts; a number stands for what is filled into them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(p.value) if isinstance(p, ast.Constant) else "1" for p in node.values)
        if any(isinstance(p, ast.Constant) for p in node.values) and len(text) > 6:
            yield text
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            yield from _written(key)
    elif isinstance(node, ast.Tuple | ast.List):
        for inner in node.elts:
            yield from _written(inner)
