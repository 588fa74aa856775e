import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.plugins import (
    PluginSource,
    find_method,
    help_text,
    load_plugin,
    plugin_sources,
    user_plugin_dir,
    words,
)
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidInput, PluginProblem, UnknownMethod
from tests.plugin_sources import IN_PROCESS, WORKING

WritePlugin = Callable[[str, str], Path]
BUNDLED = {"autoencoder", "vae", "pca", "patch_memory"}


def _source(name: str) -> PluginSource:
    return next(source for source in plugin_sources() if source.id == name)


def test_bundled_plugins_are_found_without_running_them() -> None:
    sources = {source.id: source for source in plugin_sources()}

    assert set(sources) >= BUNDLED
    assert all(sources[name].kind == "bundled" for name in BUNDLED)
    assert sources["vae"].location == "plugins.vae"


def test_a_single_file_in_the_plugin_folder_is_a_plugin(write_plugin: WritePlugin) -> None:
    path = write_plugin("mean", WORKING)

    kind, plugin = find_method("mean")

    assert (plugin.source.kind, plugin.source.location) == ("file", str(path))
    assert path.parent == user_plugin_dir()
    method = kind()
    list(method.fit(ArrayDataset(np.full((2, 1, 8, 8), 255, np.uint8))))
    assert method.score(np.zeros((1, 1, 8, 8), np.float32)).tolist() == [1.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", list(IN_PROCESS))
def test_a_broken_plugin_is_a_sentence_of_its_own(write_plugin: WritePlugin, name: str) -> None:
    source, sentence = IN_PROCESS[name]
    write_plugin(name, source)

    with pytest.raises(PluginProblem) as problem:
        load_plugin(_source(name)).methods()

    assert sentence in str(problem.value)


def test_a_broken_plugin_does_not_keep_others_from_being_found(
    write_plugin: WritePlugin,
) -> None:
    for name in IN_PROCESS:
        write_plugin(name, IN_PROCESS[name][0])
    write_plugin("zzz_mean", WORKING)

    assert find_method("mean")[0].card.title == "Mean image"


def test_a_method_whose_own_plugin_is_broken_says_why(write_plugin: WritePlugin) -> None:
    write_plugin("mean", "import no_such_module")

    with pytest.raises(PluginProblem, match="Plugin 'mean' cannot be loaded: ModuleNotFoundError"):
        find_method("mean")


def test_an_unknown_method_names_those_that_are_known() -> None:
    with pytest.raises(UnknownMethod, match=r"No method 'vea'\. Known: .*autoencoder.*vae"):
        find_method("vea")


def test_the_stamp_changes_with_the_file(write_plugin: WritePlugin) -> None:
    write_plugin("mean", WORKING)
    before = _source("mean")

    write_plugin("mean", WORKING + "\n# more\n")

    assert _source("mean").stamp != before.stamp


def test_the_help_of_a_file_lies_beside_it(write_plugin: WritePlugin) -> None:
    path = write_plugin("mean", WORKING)
    path.with_suffix(".md").write_text("# Mean image", encoding="utf-8")

    assert help_text(_source("mean")) == "# Mean image"


def test_the_words_of_a_file_lie_beside_it(write_plugin: WritePlugin) -> None:
    path = write_plugin("mean", WORKING)
    assert words(_source("mean")) == {}
    path.with_name("mean.zh_CN.json").write_text('{"Mean": "平均"}', encoding="utf-8")
    path.with_name("mean.notes.json").write_text("[]", encoding="utf-8")

    assert words(_source("mean")) == {"zh_CN": {"Mean": "平均"}}

    path.with_name("mean.zh_CN.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="English texts"):
        words(_source("mean"))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with the entry point `loupe.plugins`, as pip would install it."""
    site = tmp_path / "site-packages"
    package = site / "loupe_mean"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(WORKING, encoding="utf-8")
    (package / "README.md").write_text("# Installed", encoding="utf-8")
    about = site / "loupe_mean-2.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: loupe-mean\nVersion: 2.5\n")
    (about / "entry_points.txt").write_text("[loupe.plugins]\nmean = loupe_mean\n")
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("loupe_mean", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_is_found_by_its_entry_point() -> None:
    kind, plugin = find_method("mean")

    source = plugin.source
    assert (source.id, source.kind, source.location) == ("mean", "installed", "loupe_mean")
    assert source.version == "2.5"
    assert kind.card.title == "Mean image"
    assert help_text(source) == "# Installed"


def test_a_broken_installed_package_stands_alone(installed: Path) -> None:
    (installed / "loupe_mean" / "__init__.py").write_text("1 / 0", encoding="utf-8")

    with pytest.raises(PluginProblem, match="ZeroDivisionError"):
        find_method("mean")

    assert find_method("pca")[0].card.id == "pca"
