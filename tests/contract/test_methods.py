"""Every bundled method keeps every promise."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import plugins
from desktop_app.sdk.method import Method
from desktop_app.sdk.testing import CHECKS


def bundled_methods() -> list[type[Method[Any]]]:
    names = [name for _, name, is_package in pkgutil.iter_modules(plugins.__path__) if is_package]
    modules = [importlib.import_module(f"plugins.{name}") for name in names]
    return [kind for module in modules for kind in module.register_methods()]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_it_keeps_its_promise(
    method: type[Method[Any]], check: Callable[[type[Method[Any]]], None]
) -> None:
    check(method)


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_folder_file_and_card_have_one_name(method: type[Method[Any]]) -> None:
    name = method.card.id

    assert method.__module__ == f"plugins.{name}.{name}"


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_it_has_a_help_page_on_the_template(method: type[Method[Any]]) -> None:
    from importlib.resources import files

    text = (files("plugins") / method.card.id / "README.md").read_text(encoding="utf-8")

    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("## ")]
    expected = ["Idea", "Formula", "Parameters", "What the viewer shows"]
    assert headings == [*expected, "What to try", "When it fails", "Paper"]


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_card_speaks_chinese(method: type[Method[Any]]) -> None:
    assert {"title", "summary"} <= set(method.card.translations["zh_CN"])
