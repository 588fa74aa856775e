"""What the method of the open run can do, from the catalogue: the window asks by capability."""

from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.ensembles import ENSEMBLE_INFO
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.tiles import capabilities_in_tiles
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.session import Session
from desktop_app.sdk.errors import LoupeError

_known: WeakKeyDictionary[QObject, tuple[Run, JobSpec]] = WeakKeyDictionary()
"""Session -> its run and the spec of that, so that it is read once."""


def method_of(session: Session) -> MethodInfo | None:
    """Return the method of the open run, or None where it is not in the catalogue."""
    spec = spec_of(session)
    return info_of(session, spec.method) if spec is not None else None


def spec_of(session: Session) -> JobSpec | None:
    """Return what was asked of the open run, or None where there is none that can be read."""
    run = session.run
    if run is None:
        return None
    known = _known.get(session)
    if known is None or known[0] is not run:
        try:
            known = _known[session] = (run, run.spec())
        except LoupeError:
            return None
    return known[1]


def info_of(session: Session, method_id: str) -> MethodInfo | None:
    """Return a method by the id in a spec, an ensemble among them, or None where it is unknown."""
    infos = (info for info in (*session.catalog, ENSEMBLE_INFO) if info.id == method_id)
    return next(infos, None)


def can(session: Session, *capabilities: str) -> bool:
    """Tell whether the method of the open run has all these capabilities.

    "rebuilds" is one more: to encode images and make images of that again. Of images that are cut
    into tiles a method can do less.
    """
    method, spec = method_of(session), spec_of(session)
    if method is None or spec is None:
        return False
    offered = set(method.capabilities)
    if spec.tile:
        return set(capabilities) <= set(capabilities_in_tiles(offered))
    if {"encodes", "decodes"} <= offered:
        offered.add("rebuilds")
    return set(capabilities) <= offered


def is_in_tiles(session: Session) -> bool:
    """Tell whether the open run looks at images in tiles."""
    spec = spec_of(session)
    return spec is not None and spec.tile > 0


def method_title(session: Session) -> str:
    """Return the name of the open run's method in the language of the window, or ""."""
    method = method_of(session)
    return method.text("title", language()) if method is not None else ""


def no_images_of_latents(session: Session) -> str:
    """Return why no images are made of latents, as a sentence."""
    if is_in_tiles(session):
        return tr("The open run looks at tiles: places on its map are means of tiles, no images.")
    return tr("The method of the open run cannot make images of latents.")
