"""The texts of a method's view in the language of the window."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from desktop_app.gui.i18n import term
from desktop_app.sdk.views import View


def in_words(view: View, texts: Mapping[str, str]) -> View:
    """Return a view whose titles, labels, names and words are translated.

    `texts` are the method's own translations; what nobody translates stays English.
    """
    say = partial(term, texts=texts)
    told: dict[str, Any] = {
        field.name: _translated(getattr(view, field.name), say) for field in fields(view)
    }
    if "kind" in told:
        told["kind"] = view.kind  # type: ignore[union-attr]  # of a curve: no text
    return replace(view, **told)


def _translated(value: Any, say: Any) -> Any:
    """Translate texts, the names of a mapping, and texts in rows; leave all else as it is."""
    if isinstance(value, str):
        return say(value)
    if isinstance(value, Mapping):
        return {say(name): inner for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_translated(inner, say) for inner in value]
    return value
