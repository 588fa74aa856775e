"""Translation: the English text is the key, a JSON file per language holds the rest.

    tr("Open folder")
    tr("{n} images", n=1200)

Texts are literals, so that a test can collect them and compare them with every catalogue.
"""

import json
import re
from collections.abc import Mapping

from PySide6.QtCore import QLocale

from desktop_app.gui.resources import resource

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
"""Code of each language and its name in that language."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")

_catalogue: dict[str, str] = {}
_terms: dict[str, str] = {}
_language = "en"


def tr(text: str, **values: object) -> str:
    """Return `text` in the chosen language, `{name}` replaced by `values`; English if unknown."""
    translated = _catalogue.get(text, text)
    return translated.format(**values) if values else translated


def term(text: str, texts: Mapping[str, str]) -> str:
    """Return a text of a method in the chosen language; English if unknown.

    `texts` are the method's own translations; after them, the words are looked up that methods
    share. Numbers do not count: "3 layers" is found as "# layers".
    """
    known = texts.get(text) or _terms.get(text)
    if known is not None:
        return known
    numbers = _NUMBER.findall(text)
    pattern = _NUMBER.sub("#", text)
    known = texts.get(pattern) or _terms.get(pattern) if numbers else None
    if known is None or known.count("#") != len(numbers):
        return text
    rest = iter(numbers)
    return re.sub("#", lambda _place: next(rest), known)


def set_language(code: str) -> None:
    """Translate from now on into `code`; `system` asks the desktop, unknown ones mean English."""
    global _language
    if code == "system":
        code = "zh_CN" if QLocale.system().name().startswith("zh") else "en"
    _language = code if code in LANGUAGES else "en"
    _catalogue.clear()
    _catalogue.update(catalogue(_language))
    _terms.clear()
    _terms.update(terms(_language))


def language() -> str:
    """Return the code of the language in use."""
    return _language


def catalogue(code: str) -> dict[str, str]:
    """Read the texts of one language: English text -> translation."""
    if code == "en":
        return {}
    path = resource("translations", f"{code}.json")
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def terms(code: str) -> dict[str, str]:
    """Read the words of methods that many of them share: English text -> translation."""
    if code == "en":
        return {}
    path = resource("translations", "methods", f"{code}.json")
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts
