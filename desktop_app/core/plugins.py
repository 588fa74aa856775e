"""Where plugins come from, and how one is loaded without harm to the others.

Three sources: the bundled folders of `plugins`, installed packages that name the entry-point group
`loupe.plugins`, and single files in the user's plugin folder. Each is loaded into a plugin manager
of its own, so one that cannot be imported or misspells a hook stands alone with its problem.
"""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy

from desktop_app import __version__
from desktop_app.core.files import read_json
from desktop_app.core.settings import data_dir
from desktop_app.sdk import hookspecs
from desktop_app.sdk.errors import InvalidInput, PluginProblem, UnknownMethod
from desktop_app.sdk.hookspecs import PROJECT, DatasetSource
from desktop_app.sdk.method import Card, Method

ENTRY_POINT_GROUP = "loupe.plugins"
_BUNDLED = "plugins"
_KINDS = ("*.py", "*.md", "*.json")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
_USER_PACKAGE = "loupe_user_plugins"


@dataclass(frozen=True)
class PluginSource:
    """A plugin that can be loaded; finding it runs none of its code."""

    id: str
    kind: Literal["bundled", "installed", "file"]
    location: str
    """Module name, or path of a single file."""
    version: str
    stamp: str
    """Changes whenever the plugin may have changed."""


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin."""

    source: PluginSource
    manager: pluggy.PluginManager

    def methods(self) -> list[type[Method[Any]]]:
        """Return the methods it offers. Raises PluginProblem when one breaks the contract."""
        try:
            methods = [kind for kinds in self.manager.hook.register_methods() for kind in kinds]
        except Exception as problem:  # whatever a hook of a plugin raises belongs to that plugin
            raise PluginProblem(
                f"Plugin '{self.source.id}' fails: {type(problem).__name__}: {problem}"
            ) from problem
        for kind in methods:
            _check_method(kind)
        return methods

    def datasets(self) -> list[DatasetSource]:
        """Return the data sets it can write."""
        return [item for items in self.manager.hook.register_datasets() for item in items]


def user_plugin_dir() -> Path:
    """Return the folder in which single-file plugins are found."""
    return data_dir() / "plugins"


def plugin_sources() -> list[PluginSource]:
    """Return all plugins that can be loaded, bundled ones first."""
    return [*_bundled(), *_installed(), *_files()]


def load_plugin(source: PluginSource) -> Plugin:
    """Import a plugin and check its hooks.

    Raises PluginProblem, caused by whatever the plugin raised.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(_module(source), name=source.id)
        manager.check_pending()
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # a plugin may even call sys.exit while it is imported
        raise PluginProblem(
            f"Plugin '{source.id}' cannot be loaded: {type(problem).__name__}: {problem}"
        ) from problem
    return Plugin(source, manager)


def find_method(method_id: str) -> tuple[type[Method[Any]], Plugin]:
    """Return the method of this name and its plugin; only as many plugins are loaded as needed.

    Raises UnknownMethod with the names that are known, or PluginProblem when its plugin is broken.
    """
    sources = sorted(plugin_sources(), key=lambda source: source.id != method_id)
    known: list[str] = []
    for source in sources:
        try:
            plugin = load_plugin(source)
            methods = plugin.methods()
        except PluginProblem:
            if source.id == method_id:
                raise
            continue
        for kind in methods:
            if kind.card.id == method_id:
                return kind, plugin
            known.append(kind.card.id)
    raise UnknownMethod(f"No method '{method_id}'. Known: {', '.join(sorted(known))}.")


def help_text(source: PluginSource) -> str:
    """Return the plugin's README, which is also its help page; empty when it has none."""
    readme = _beside(source, "README.md", ".md")
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


def words(source: PluginSource) -> dict[str, dict[str, str]]:
    """Return language -> English text -> translation, from the files such as `zh_CN.json`.

    Raises InvalidInput when such a file is no mapping of texts.
    """
    found: dict[str, dict[str, str]] = {}
    example = _beside(source, "*.json", ".*.json")
    for path in sorted(example.parent.glob(example.name)):
        language = path.stem.removeprefix(f"{Path(source.location).stem}.")
        if _LANGUAGE.fullmatch(language) is None:
            continue
        texts = read_json(path)
        if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
            raise InvalidInput(f"'{path}' must hold English texts and their translations alone.")
        found[language] = texts
    return found


def _beside(source: PluginSource, name: str, suffix: str) -> Path:
    """Return the path of a file `name` in a plugin's folder, or of a single file's companion."""
    if source.kind == "installed":
        spec = importlib.util.find_spec(source.location)
        folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    elif source.kind == "bundled":
        folder = _bundled_root() / source.id
    else:
        folder = None
    return folder / name if folder is not None else Path(source.location).with_suffix(suffix)


def _bundled_root() -> Path:
    spec = importlib.util.find_spec(_BUNDLED)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise PluginProblem("The bundled methods are missing: install Loupe again.")
    return Path(places[0])


def _bundled() -> Iterator[PluginSource]:
    for folder in sorted(_bundled_root().iterdir()):
        if (folder / "__init__.py").is_file():
            location = f"{_BUNDLED}.{folder.name}"
            files = [file for kind in _KINDS for file in folder.glob(kind)]
            yield PluginSource(folder.name, "bundled", location, __version__, _stamp(files))


def _installed() -> Iterator[PluginSource]:
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        version = point.dist.version if point.dist is not None else ""
        name = point.dist.name if point.dist is not None else ""
        yield PluginSource(point.name, "installed", point.module, version, f"{name} {version}")


def _files() -> Iterator[PluginSource]:
    folder = user_plugin_dir()
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        yield PluginSource(
            path.stem, "file", str(path), "", _stamp(path.parent.glob(f"{path.stem}.*"))
        )


def _stamp(files: Iterable[Path]) -> str:
    stats = [(path.name, path.stat()) for path in sorted(files) if path.exists()]
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)


def _module(source: PluginSource) -> ModuleType:
    if source.kind != "file":
        return importlib.import_module(source.location)
    name = f"{_USER_PACKAGE}.{source.id}"
    spec = importlib.util.spec_from_file_location(name, source.location)
    if spec is None or spec.loader is None:
        raise PluginProblem(f"'{source.location}' is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_method(kind: Any) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Method)):
        raise PluginProblem(f"register_methods must return Method classes, got {kind!r}.")
    if not isinstance(getattr(kind, "card", None), Card):
        raise PluginProblem(f"{kind.__name__} has no card: write card = Card(...).")
    if not hasattr(kind, "params_type"):
        raise PluginProblem(
            f"{kind.__name__} does not name its parameters: write Method[YourParams]."
        )
