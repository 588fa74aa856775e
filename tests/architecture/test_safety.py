import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.blocking import ROOT

KIT = ROOT / "desktop_app" / "sdk" / "testing"
"""The conformance kit is a test that is shipped: it asserts, and it pickles events to see that."""

FILES = sorted(
    path
    for pattern in ("desktop_app/**/*.py", "plugins/**/*.py")
    for path in ROOT.glob(pattern)
    if KIT not in path.parents
)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def _calls(tree: ast.AST) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the text of every called name and its keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
            yield ast.unparse(node.func), keywords


@cache
def _trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def test_nothing_is_pickled() -> None:
    modules = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}

    calls = [(str(path), name) for path, tree in _trees() for name, _ in _calls(tree)]

    assert [call for call in calls if call[1].partition(".")[0] in modules] == []


@pytest.mark.parametrize(
    ("function", "keyword", "value"),
    [("np.load", "allow_pickle", "False"), ("torch.load", "weights_only", "True")],
)
def test_what_is_read_cannot_run_code(function: str, keyword: str, value: str) -> None:
    calls = [
        (path.name, keywords)
        for path, tree in _trees()
        for name, keywords in _calls(tree)
        if name == function
    ]

    assert [file for file, keywords in calls if keywords.get(keyword) != value] == []


def test_asserts_belong_to_tests() -> None:
    culprits = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]

    assert culprits == []


def test_nothing_reaches_for_the_network() -> None:
    culprits = {"urllib", "requests", "httpx", "http", "aiohttp", "ftplib", "huggingface_hub"}

    found = {str(path): culprits & set(_imported(tree)) for path, tree in _trees()}

    assert {path: names for path, names in found.items() if names} == {}
