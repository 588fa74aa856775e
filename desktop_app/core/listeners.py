"""Plugins that take notice of what jobs tell.

Only those are loaded whose source names the hook: finding that out runs none of their code, and a
worker needs no other plugin than that of its method.
"""

from importlib.machinery import PathFinder
from pathlib import Path

from desktop_app.core.catalog import cached_catalog
from desktop_app.core.plugins import Plugin, PluginSource, load_plugin, plugin_sources
from desktop_app.sdk.errors import PluginProblem

_HOOK = "job_event"


def listening_plugins() -> list[Plugin]:
    """Load the plugins with the hook `job_event`; those with a problem are passed over."""
    catalog = cached_catalog()
    broken = {info.plugin for info in catalog.methods if info.problem} if catalog else set()
    plugins = []
    for source in plugin_sources():
        if source.id in broken or not _names_the_hook(source):
            continue
        try:
            plugins.append(load_plugin(source))
        except PluginProblem:
            continue  # the catalog tells of it
    return plugins


def _names_the_hook(source: PluginSource) -> bool:
    path = Path(source.location) if source.kind == "file" else _file_of(source.location)
    if path is None:
        return False
    files = path.parent.glob("*.py") if path.name == "__init__.py" else [path]
    return any(_HOOK in file.read_text(encoding="utf-8", errors="replace") for file in files)


def _file_of(module: str) -> Path | None:
    """Return the file of a module without importing it or the packages above it."""
    places, spec = None, None
    names = module.split(".")
    for depth in range(1, len(names) + 1):
        spec = PathFinder.find_spec(".".join(names[:depth]), places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec is not None and spec.origin else None
