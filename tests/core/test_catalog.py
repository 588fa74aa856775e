import json
from collections.abc import Callable
from pathlib import Path
from pkgutil import iter_modules

import pytest

import plugins
from desktop_app.core import catalog as catalog_module
from desktop_app.core.catalog import (
    Catalog,
    MethodInfo,
    cached_catalog,
    current_catalog,
    describe_plugins,
    in_order,
    refresh_catalog,
)
from desktop_app.sdk.capabilities import CAPABILITIES
from desktop_app.sdk.errors import UnknownMethod
from tests.plugin_sources import BROKEN, IN_PROCESS, WORKING

WritePlugin = Callable[[str, str], Path]
BUNDLED = {name for _, name, is_package in iter_modules(plugins.__path__) if is_package}


@pytest.fixture
def never_described(monkeypatch: pytest.MonkeyPatch) -> None:
    def described() -> list[MethodInfo]:
        raise AssertionError("The cached catalog was fresh.")

    monkeypatch.setattr(catalog_module, "_described_safely", described)


def test_every_way_to_be_broken_is_listed_and_all_others_are_described(
    write_plugin: WritePlugin,
) -> None:
    for name, (source, _) in BROKEN.items():
        write_plugin(name, source)
    write_plugin("mean", WORKING)

    infos = {info.id: info for info in refresh_catalog().methods}

    assert set(infos) == BUNDLED | set(BROKEN) | {"mean"}
    usable = {name for name, info in infos.items() if not info.problem}
    assert usable == BUNDLED | {"mean"}
    for name, (_, sentence) in BROKEN.items():
        assert sentence in infos[name].problem
        assert infos[name].source == "file"
    traced = {name for name in IN_PROCESS if "Traceback" in infos[name].traceback}
    assert traced == set(IN_PROCESS)


def test_a_description_is_plain_data_with_everything_the_gallery_shows(
    catalog: Path,
) -> None:
    described = json.loads(catalog.read_text(encoding="utf-8"))["methods"]

    infos = {info["id"]: MethodInfo(**info) for info in described}
    assert set(infos) == BUNDLED
    for info in infos.values():
        assert not info.problem
        assert (info.plugin, info.source) == (info.id, "bundled")
        assert info.title
        assert info.summary.endswith(".")
        assert set(info.capabilities) <= set(CAPABILITIES)
        assert info.text("title", "zh_CN") != info.title
        assert info.text("title", "fr") == info.title
        assert all(parameter["help"].endswith(".") for parameter in info.parameters)


@pytest.mark.usefixtures("catalog", "never_described")
def test_a_cached_catalog_is_used_as_long_as_no_plugin_changes() -> None:
    cached = cached_catalog()

    assert cached is not None
    assert cached.is_fresh()
    assert current_catalog() == cached


@pytest.mark.usefixtures("catalog")
def test_a_new_changed_or_removed_plugin_makes_the_cached_catalog_stale(
    write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_described_safely", lambda: [])
    cached = cached_catalog()
    assert cached is not None

    path = write_plugin("mean", WORKING)
    assert not cached.is_fresh()
    with_mean = refresh_catalog()
    assert with_mean.is_fresh()
    write_plugin("mean", WORKING + "# changed\n")
    assert not with_mean.is_fresh()
    path.unlink()
    assert cached.is_fresh()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stamp": 1}', '{"methods": [{"x": 1}]}'])
def test_a_damaged_cache_counts_as_none(catalog: Path, content: str) -> None:
    catalog.write_text(content, encoding="utf-8")

    assert cached_catalog() is None


def test_without_a_cache_there_is_no_catalog_yet() -> None:
    assert cached_catalog() is None


def test_a_plugin_that_stalls_is_listed_as_such(
    write_plugin: WritePlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_SECONDS", 1)
    sources = [_file_source(write_plugin("stalls", "import time; time.sleep(600)"))]
    monkeypatch.setattr(catalog_module, "plugin_sources", lambda: sources)
    usual = catalog_module._run_describe

    def only_the_stalling_one(journal: Path, skipped: list[str]) -> object:
        if skipped:
            return [], "", ""
        journal.write_text("stalls", encoding="utf-8")
        return usual(journal, [*BUNDLED])

    monkeypatch.setattr(catalog_module, "_run_describe", only_the_stalling_one)

    (info,) = refresh_catalog().methods

    assert info.problem == "Plugin 'stalls' took longer than 1 seconds while it was loaded."


def _file_source(path: Path) -> object:
    from desktop_app.core.plugins import plugin_sources

    return next(source for source in plugin_sources() if source.location == str(path))


def test_plugins_are_described_one_after_the_other_with_a_journal(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    write_plugin("zzz", WORKING)

    infos = describe_plugins(skipped=BUNDLED, journal=tmp_path / "journal")

    assert [info.id for info in infos] == ["mean"]
    assert infos[0].plugin == "zzz"
    assert (tmp_path / "journal").read_text(encoding="utf-8") == "zzz"


def test_a_method_is_found_by_its_name_unless_it_is_broken() -> None:
    catalog = Catalog("", [MethodInfo("vae", "VAE"), MethodInfo("gan", "GAN", problem="torn")])

    assert catalog.method("vae").title == "VAE"
    with pytest.raises(UnknownMethod, match=r"No method 'gan'\. Known: vae\."):
        catalog.method("gan")


def test_methods_stand_by_family_and_rank_and_families_of_others_come_last() -> None:
    methods = [
        MethodInfo("a", "A", "Of a plugin"),
        MethodInfo("b", "B", "Autoencoders"),
        MethodInfo("c", "C", "Autoencoders", rank=10),
        MethodInfo("d", "D", "Autoencoders"),
        MethodInfo("e", "E", "Anomaly detection"),
    ]

    assert [info.id for info in in_order(methods)] == ["e", "c", "b", "d", "a"]
