"""Columns of words as numbers: labels, splits and verdicts by which images are coloured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from desktop_app.core.images import NORMAL_NAMES
from desktop_app.core.table import ImageTable
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.theme import Theme
from desktop_app.gui.verdicts import NAMES as VERDICTS

_VERDICT_ROLES = ("text_disabled", "good", "bad", "warning")


@dataclass(frozen=True)
class Categories:
    """A column of N words, of which K are different."""

    kind: str
    """"label", "split", "verdict", "cluster" or "tag"."""
    keys: tuple[str, ...]
    """(K,): the words; "" where an image has none."""
    codes: NDArray[np.int64]
    """(N,): which of the words each row has."""

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(K,): how many rows have each word."""
        return np.bincount(self.codes, minlength=len(self.keys)).astype(np.int64)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(K,): the words as the analyst reads them."""
        return tuple(category_name(self.kind, key) for key in self.keys)

    def mask(self, keys: frozenset[str]) -> NDArray[np.bool_]:
        """Return (N,), True for the rows whose word is among `keys`."""
        chosen = np.array([key in keys for key in self.keys], dtype=np.bool_)
        return chosen[self.codes] if len(chosen) else np.zeros(len(self.codes), np.bool_)

    def colour(self, code: int, theme: Theme) -> str:
        """Return the colour of a word as `#rrggbb`: the same in every view."""
        key = self.keys[code]
        if self.kind == "verdict":
            return theme.colour(_VERDICT_ROLES[VERDICTS.index(key)]).name()
        if not key or key == NO_CLUSTER:
            return theme.colours.border_strong
        return theme.category(code - int(self.keys[0] in ("", NO_CLUSTER)))

    def lut(self, theme: Theme) -> NDArray[np.uint8]:
        """Return the colours of all words, RGB (K, 3)."""
        colours = [self.colour(code, theme) for code in range(len(self))]
        channels = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]
        return np.array(channels, np.uint8).reshape(-1, 3)


NO_CLUSTER = "-1"
"""The word of images that belong to no cluster."""

_KNOWN_SPLITS = ("", "train", "validation", "test")


def categories(kind: str, words: Sequence[str]) -> Categories:
    """Number the words of a column: none first, then normal names, then the others by name."""
    keys = sorted(set(words), key=lambda word: _place(kind, word))
    number = {key: code for code, key in enumerate(keys)}
    codes = np.fromiter((number[word] for word in words), np.int64, len(words))
    return Categories(kind, tuple(keys), codes)


def labels_of(session: Session) -> Categories:
    """Return the labels of the table; numbered once per table."""
    return _columns(session).labels


def splits_of(session: Session) -> Categories:
    """Return the splits of the table; numbered once per table."""
    return _columns(session).splits


def verdicts_of(session: Session) -> Categories:
    """Return what was said of the images of the table so far."""
    return Categories("verdict", VERDICTS, session.verdicts.astype(np.int64))


def clusters_of(session: Session) -> Categories | None:
    """Return the clusters that the open run found, or None."""
    clusters = session.result.clusters if session.result is not None else None
    if clusters is None or len(clusters) != len(session.table):
        return None
    found, codes = np.unique(clusters, return_inverse=True)
    keys = tuple(NO_CLUSTER if number < 0 else str(int(number)) for number in found)
    return Categories("cluster", keys, codes.astype(np.int64).reshape(-1))


def tags_of(session: Session) -> Categories:
    """Return the tags of the images of the table; several of one image are a word of their own."""
    words, codes = shared_tags(session).words()
    return Categories("tag", words, codes)


def searchable_paths(session: Session) -> list[str]:
    """Return the paths of the table in lower case; made once per table."""
    return _columns(session).lower_paths


def quarantined(session: Session) -> NDArray[np.bool_]:
    """Return (N,), True where an image cannot be used; found once per table."""
    return _columns(session).quarantined


def category_name(kind: str, key: str) -> str:
    """Return a word of a column as the analyst reads it."""
    if kind == "cluster":
        return tr("No cluster") if key == NO_CLUSTER else tr("Cluster {n}", n=key)
    named = {
        ("label", ""): tr("No label"),
        ("split", ""): tr("No split"),
        ("tag", ""): tr("No tag"),
        ("split", "train"): tr("Training"),
        ("split", "validation"): tr("Validation"),
        ("split", "test"): tr("Test"),
        ("verdict", ""): tr("Not judged"),
        ("verdict", "normal"): tr("Normal"),
        ("verdict", "anomalous"): tr("Anomalous"),
        ("verdict", "unsure"): tr("Unsure"),
    }
    return named.get((kind, key), key)


class _Columns:
    """What is computed once per table."""

    def __init__(self, table: ImageTable) -> None:
        self.table = table

    @cached_property
    def labels(self) -> Categories:
        return categories("label", self.table.labels)

    @cached_property
    def splits(self) -> Categories:
        return categories("split", self.table.splits)

    @cached_property
    def lower_paths(self) -> list[str]:
        return [path.casefold() for path in self.table.paths]

    @cached_property
    def quarantined(self) -> NDArray[np.bool_]:
        return np.array([bool(problem) for problem in self.table.problems], dtype=np.bool_)


_kept: WeakKeyDictionary[QObject, _Columns] = WeakKeyDictionary()


def _columns(session: Session) -> _Columns:
    kept = _kept.get(session)
    if kept is None or kept.table is not session.table:
        kept = _kept[session] = _Columns(session.table)
    return kept


def _place(kind: str, word: str) -> tuple[int, int, str]:
    if kind == "split":
        known = _KNOWN_SPLITS.index(word) if word in _KNOWN_SPLITS else len(_KNOWN_SPLITS)
        return known, 0, word
    return int(bool(word)), int(word.casefold() not in NORMAL_NAMES), word
