"""What the method of the open run can do, from the catalogue: the window asks by capability."""

from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.ensembles import ENSEMBLE_INFO
from desktop_app.core.runs import Run
from desktop_app.gui.i18n import language
from desktop_app.gui.session import Session
from desktop_app.sdk.errors import LoupeError

_known: WeakKeyDictionary[QObject, tuple[Run, str]] = WeakKeyDictionary()
"""Session -> its run and the id of that run's method, so that the spec is read once."""


def method_of(session: Session) -> MethodInfo | None:
    """Return the method of the open run, or None where it is not in the catalogue."""
    run = session.run
    if run is None:
        return None
    known = _known.get(session)
    if known is None or known[0] is not run:
        try:
            known = _known[session] = (run, run.spec().method)
        except LoupeError:
            return None
    return info_of(session, known[1])


def info_of(session: Session, method_id: str) -> MethodInfo | None:
    """Return a method by the id in a spec, an ensemble among them, or None where it is unknown."""
    infos = (info for info in (*session.catalog, ENSEMBLE_INFO) if info.id == method_id)
    return next(infos, None)


def can(session: Session, *capabilities: str) -> bool:
    """Tell whether the method of the open run has all these capabilities."""
    method = method_of(session)
    return method is not None and set(capabilities) <= set(method.capabilities)


def method_title(session: Session) -> str:
    """Return the name of the open run's method in the language of the window, or ""."""
    method = method_of(session)
    return method.text("title", language()) if method is not None else ""
