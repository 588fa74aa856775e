"""Translation: literal English texts, each with a Chinese one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_app.gui import i18n
from desktop_app.gui.i18n import catalogue, set_language, tr

GUI = Path(i18n.__file__).parent


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    set_language("en")


def test_english_is_its_own_translation() -> None:
    assert tr("Gallery") == "Gallery"
    assert tr("{n} images", n=12) == "12 images"


def test_a_text_is_translated_into_the_chosen_language() -> None:
    set_language("zh_CN")
    assert tr("Gallery") == catalogue("zh_CN")["Gallery"] != "Gallery"
    assert i18n.language() == "zh_CN"


def test_an_unknown_text_stays_english() -> None:
    set_language("zh_CN")
    assert tr("No such text {n}", n=1) == "No such text 1"


def test_an_unknown_language_means_english() -> None:
    set_language("tlh")
    assert i18n.language() == "en"


def test_every_call_translates_a_literal() -> None:
    computed = [where for where, text in _calls() if text is None]
    assert not computed, f"tr() takes literal texts only: {computed}"


def test_every_text_has_a_chinese_translation() -> None:
    texts = {text for _where, text in _calls() if text}
    missing = sorted(texts - set(catalogue("zh_CN")))
    assert not missing, f"{len(missing)} texts are missing in zh_CN.json: {missing}"


def test_no_translation_is_left_over() -> None:
    texts = {text for _where, text in _calls() if text}
    assert not sorted(set(catalogue("zh_CN")) - texts)


def test_translations_have_the_placeholders_of_their_texts() -> None:
    for text, translated in catalogue("zh_CN").items():
        assert _placeholders(translated) == _placeholders(text), text


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)[^}]*\}", text))


def _calls() -> Iterator[tuple[str, str | None]]:
    """Return place and text of each call of tr(); None where the text is no literal."""
    for path in sorted(GUI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr":
                text = node.args[0] if node.args else None
                literal = isinstance(text, ast.Constant) and isinstance(text.value, str)
                where = f"{path.relative_to(GUI)}:{node.lineno}"
                yield where, text.value if literal else None  # type: ignore[union-attr]
