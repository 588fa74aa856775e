"""Every bundled method keeps every promise."""

import importlib
import pkgutil
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

import plugins
from desktop_app.core.catalog import FAMILIES
from desktop_app.sdk.method import Method
from desktop_app.sdk.testing import CHECKS


def bundled_methods() -> list[type[Method[Any]]]:
    names = [name for _, name, is_package in pkgutil.iter_modules(plugins.__path__) if is_package]
    modules = [importlib.import_module(f"plugins.{name}") for name in names]
    return [kind for module in modules for kind in module.register_methods()]


def help_page(method: type[Method[Any]]) -> str:
    page = files("plugins") / method.card.id / "README.md"
    return page.read_text(encoding="utf-8")


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
    text = help_page(method)

    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("## ")]
    expected = ["Idea", "Formula", "Parameters", "What the viewer shows"]
    assert headings == [*expected, "What to try", "When it fails", "Paper"]


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_card_speaks_chinese(method: type[Method[Any]]) -> None:
    assert {"title", "family", "summary"} <= set(method.card.translations["zh_CN"])


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_help_page_names_all_its_parameters_and_no_others(method: type[Method[Any]]) -> None:
    _, _, section = help_page(method).partition("\n## Parameters\n")
    section, _, _ = section.partition("\n## ")
    names = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    named = [name.strip("` ") for cell in names for name in cell.split(",")]

    assert sorted(named) == sorted(method.params_type.model_fields)


def test_a_family_is_known_and_has_one_chinese_name() -> None:
    names: dict[str, set[str]] = {}
    for method in bundled_methods():
        chinese = method.card.translations["zh_CN"]["family"]
        names.setdefault(method.card.family, set()).add(chinese)

    assert set(names) <= set(FAMILIES)
    assert {family: len(chinese) for family, chinese in names.items()} == dict.fromkeys(names, 1)
    assert len(set().union(*names.values())) == len(names)


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_presets_and_experiments_can_be_trained(method: type[Method[Any]]) -> None:
    assert method.presets
    assert len({preset.name for preset in method.presets}) == len(method.presets)
    for preset in method.presets:
        method.params_type.parse(preset.values)
    for experiment in method.experiments:
        assert len(experiment.variants) > 1
        for values in experiment.variants.values():
            method.params_type.parse(values)
