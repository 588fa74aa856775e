import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Loupe

BUNDLED = {"autoencoder", "vae", "pca", "patch_memory"}


@pytest.mark.usefixtures("catalog")
def test_methods_json_lists_id_title_family_capabilities_and_parameters(loupe: Loupe) -> None:
    outcome = loupe("methods", "--json")

    methods = {method["id"]: method for method in json.loads(outcome.out)}
    assert outcome.code == 0
    assert set(methods) >= BUNDLED
    for method in methods.values():
        assert list(method)[:5] == ["id", "title", "family", "capabilities", "parameters"]
        assert list(method)[5:] == ["presets", "experiments"]
        assert method["capabilities"]
        assert all(parameter["help"] for parameter in method["parameters"])


@pytest.mark.usefixtures("catalog")
def test_methods_lists_one_line_a_method(loupe: Loupe) -> None:
    outcome = loupe("methods")

    lines = outcome.out.splitlines()
    assert {line.split()[0] for line in lines} >= BUNDLED
    presets = lines[[line.split()[0] for line in lines].index("autoencoder") + 1]
    assert presets.split(": ")[0].strip() == "presets"
    assert "64 px" in presets


@pytest.mark.usefixtures("catalog")
def test_a_broken_plugin_is_told_of_and_the_others_are_listed(
    loupe: Loupe, write_plugin: Callable[[str, str], Path]
) -> None:
    write_plugin("broken", "import no_such_module")

    outcome = loupe("methods", "--json")

    assert outcome.code == 0
    assert {method["id"] for method in json.loads(outcome.out)} >= BUNDLED
    assert outcome.err.startswith("problem: Plugin 'broken' cannot be loaded: ModuleNotFoundError")


def test_describe_writes_everything_the_window_shows(loupe: Loupe, tmp_path: Path) -> None:
    outcome = loupe(
        *("describe", "--out", tmp_path / "catalog.json"),
        *("--journal", tmp_path / "journal"),
    )

    described = json.loads((tmp_path / "catalog.json").read_text(encoding="utf-8"))
    assert outcome.code == 0
    assert {method["id"] for method in described} >= BUNDLED
    assert all(method["summary"] and method["help"] for method in described)
