"""The methods that are there, as plain data: what the gallery, forms and help are made of.

Plugins import torch, the window must not: a process of its own describes them all, and the window
reads what it wrote. A plugin that fails, or even crashes or stalls that process, is listed with its
problem, and all others are described.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from desktop_app import __version__
from desktop_app.core.files import read_json, write_json
from desktop_app.core.plugins import PluginSource, help_text, load_plugin, plugin_sources, words
from desktop_app.core.settings import cache_dir
from desktop_app.sdk.capabilities import capabilities_of
from desktop_app.sdk.errors import InvalidInput, LoupeError, UnknownMethod
from desktop_app.sdk.method import Method
from desktop_app.sdk.params import parameter_schema

FAMILIES = (
    "Anomaly detection",
    "Dimension reduction",
    "Clustering",
    "Autoencoders",
    "Self-prediction",
    "Boltzmann machines",
    "Downstream",
)
"""Families in the order in which they are offered: first what answers an analyst's question."""
_SECONDS = 180
"""A plugin that takes longer than this to load is listed as stalled."""


@dataclass(frozen=True)
class MethodInfo:
    """A method as plain data, or a plugin that could not be loaded, with its problem."""

    id: str
    title: str
    family: str = ""
    summary: str = ""
    paper: str = ""
    needs: str = ""
    image_size: int = 64
    rank: int = 50
    capabilities: tuple[str, ...] = ()
    uses_labels: bool = False
    parameters: list[dict[str, Any]] = field(default_factory=list)
    presets: list[dict[str, Any]] = field(default_factory=list)
    """Name, values, summary and image_size of each."""
    experiments: list[dict[str, Any]] = field(default_factory=list)
    """Name, summary and variants of each."""
    plugin: str = ""
    version: str = ""
    source: str = ""
    """bundled, installed or file."""
    help: str = ""
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> what the card translates by field, and all other texts by their English."""
    problem: str = ""
    """Why it cannot be used; empty when it can."""
    traceback: str = ""

    def text(self, name: str, language: str) -> str:
        """Return the title, summary or needs in a language, or as the card says it."""
        translated = self.translations.get(language, {}).get(name)
        return translated or str(getattr(self, name))


def in_order(methods: Iterable[MethodInfo], language: str = "en") -> list[MethodInfo]:
    """Return methods by family, then by rank, then by their titles in a language.

    Families that Loupe does not know come last, by name.
    """
    places = {family: place for place, family in enumerate(FAMILIES)}

    def key(info: MethodInfo) -> tuple[int, str, int, str]:
        family = info.text("family", language)
        place = places.get(info.family, len(places))
        return place, family.lower(), info.rank, info.text("title", language).lower()

    return sorted(methods, key=key)


@dataclass(frozen=True)
class Catalog:
    """All methods, and a stamp that tells whether the plugins have changed since."""

    stamp: str
    methods: list[MethodInfo]

    def method(self, method_id: str) -> MethodInfo:
        """Return a usable method. Raises UnknownMethod with the names that are known."""
        usable = {info.id: info for info in self.usable()}
        if method_id not in usable:
            raise UnknownMethod(f"No method '{method_id}'. Known: {', '.join(sorted(usable))}.")
        return usable[method_id]

    def usable(self) -> list[MethodInfo]:
        """Return the methods without a problem, in their order."""
        return in_order(info for info in self.methods if not info.problem)

    def is_fresh(self) -> bool:
        """Tell whether the plugins are still those that were described."""
        return self.stamp == catalog_stamp(plugin_sources())


def catalog_stamp(sources: Iterable[PluginSource]) -> str:
    """Return a text that changes when a plugin, Loupe or Python changes."""
    parts = [__version__, sys.version, *(repr(source) for source in sources)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def cached_catalog() -> Catalog | None:
    """Return the catalog as it was last described, at once; None when there is none."""
    try:
        plain = read_json(_cache_path())
        methods = [MethodInfo(**info) for info in plain["methods"]]
    except (InvalidInput, TypeError, KeyError):
        return None
    return Catalog(plain["stamp"], methods)


def refresh_catalog() -> Catalog:
    """Describe all plugins in a process of their own, and keep the result for the window."""
    stamp = catalog_stamp(plugin_sources())
    catalog = Catalog(stamp, _described_safely())
    write_json(_cache_path(), asdict(catalog))
    return catalog


def current_catalog() -> Catalog:
    """Return the kept catalog when it is fresh, else describe all plugins anew."""
    cached = cached_catalog()
    return cached if cached is not None and cached.is_fresh() else refresh_catalog()


def describe_plugins(skipped: Iterable[str] = (), journal: Path | None = None) -> list[MethodInfo]:
    """Load every plugin in this process and describe its methods.

    The name of the plugin being loaded stands in `journal`, for whoever finds this process dead.
    """
    infos: list[MethodInfo] = []
    for source in plugin_sources():
        if source.id in set(skipped):
            continue
        if journal is not None:
            journal.write_text(source.id, encoding="utf-8")
        infos.extend(_described(source))
    return infos


def _described(source: PluginSource) -> list[MethodInfo]:
    try:
        methods = load_plugin(source).methods()
        text, texts = help_text(source), words(source)
        return [_info(kind, source, text, texts) for kind in methods]
    except LoupeError as problem:
        return [_broken(source, str(problem), "".join(traceback.format_exception(problem)))]
    except Exception as problem:  # whatever a hook of a plugin raises belongs to that plugin
        sentence = f"Plugin '{source.id}' fails: {type(problem).__name__}: {problem}"
        return [_broken(source, sentence, traceback.format_exc())]


def _info(
    kind: type[Method[Any]],
    source: PluginSource,
    text: str,
    words: Mapping[str, Mapping[str, str]],
) -> MethodInfo:
    card = kind.card
    return MethodInfo(
        id=card.id,
        title=card.title,
        family=card.family,
        summary=card.summary,
        paper=card.paper,
        needs=card.needs,
        image_size=card.image_size,
        rank=card.rank,
        capabilities=capabilities_of(kind),
        uses_labels=kind.uses_labels,
        parameters=parameter_schema(kind.params_type),
        presets=described_presets(kind),
        experiments=described_experiments(kind),
        plugin=source.id,
        version=source.version,
        source=source.kind,
        help=text,
        translations={
            language: {**words.get(language, {}), **card.translations.get(language, {})}
            for language in {**words, **card.translations}
        },
    )


def described_presets(kind: type[Method[Any]]) -> list[dict[str, Any]]:
    """Return the presets of a method as plain data."""
    return [asdict(preset) for preset in kind.presets]


def described_experiments(kind: type[Method[Any]]) -> list[dict[str, Any]]:
    """Return the experiments of a method as plain data."""
    return [asdict(experiment) for experiment in kind.experiments]


def _broken(source: PluginSource, problem: str, trace: str = "") -> MethodInfo:
    return MethodInfo(
        id=source.id,
        title=source.id,
        plugin=source.id,
        version=source.version,
        source=source.kind,
        problem=problem,
        traceback=trace,
    )


def _described_safely() -> list[MethodInfo]:
    sources = {source.id: source for source in plugin_sources()}
    broken: dict[str, MethodInfo] = {}
    with tempfile.TemporaryDirectory(prefix="loupe-catalog-") as name:
        journal = Path(name) / "journal"
        while True:
            output, problem, trace = _run_describe(journal, list(broken))
            if output is not None:
                infos = [MethodInfo(**info) for info in output]
                return [*infos, *broken.values()]
            culprit = journal.read_text(encoding="utf-8") if journal.exists() else ""
            if culprit not in sources or culprit in broken:
                raise LoupeError(f"The methods cannot be described: {problem} {trace}".strip())
            broken[culprit] = _broken(
                sources[culprit], f"Plugin '{culprit}' {problem} while it was loaded.", trace
            )


def _run_describe(journal: Path, skipped: list[str]) -> tuple[Any | None, str, str]:
    output = journal.with_name("catalog.json")
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "desktop_app", "describe", "--journal", str(journal)]
    command += ["--out", str(output), *(part for name in skipped for part in ("--skip", name))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return None, f"took longer than {_SECONDS} seconds", ""
    errors = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0 or not output.exists():
        return None, f"ended the process with code {done.returncode}", errors
    return json.loads(output.read_text(encoding="utf-8")), "", errors


def _cache_path() -> Path:
    return cache_dir() / "catalog.json"
