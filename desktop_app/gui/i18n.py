"""Translation: the English text is the key, a JSON file per language holds the rest.

    tr("Open folder")
    tr("{n} images", n=1200)

Texts are literals, so that a test can collect them and compare them with every catalogue.
"""

import json

from PySide6.QtCore import QLocale

from desktop_app.gui.resources import resource

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
"""Code of each language and its name in that language."""

_catalogue: dict[str, str] = {}
_language = "en"


def tr(text: str, **values: object) -> str:
    """Return `text` in the chosen language, `{name}` replaced by `values`; English if unknown."""
    translated = _catalogue.get(text, text)
    return translated.format(**values) if values else translated


def set_language(code: str) -> None:
    """Translate from now on into `code`; `system` asks the desktop, unknown ones mean English."""
    global _language
    if code == "system":
        code = "zh_CN" if QLocale.system().name().startswith("zh") else "en"
    _language = code if code in LANGUAGES else "en"
    _catalogue.clear()
    _catalogue.update(catalogue(_language))


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
