"""Icons: 24 x 24 line drawings in `resources/icons`, tinted in the colours of the theme."""

from functools import cache
from typing import Protocol
from weakref import WeakKeyDictionary

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from shiboken6 import isValid

from desktop_app.gui.resources import resource
from desktop_app.gui.theme import Theme, broadcast, current_theme

_SIZES = (16, 20, 32)
"""Logical pixels at which an icon is drawn crisply, each once per pixel ratio of the screens."""

_shown: WeakKeyDictionary[QObject, tuple[str, str]] = WeakKeyDictionary()
"""Name and tint of the icon that each button or action carries."""


class TakesIcon(Protocol):
    """A button, an action, a window: whatever has an icon."""

    def setIcon(self, icon: QIcon, /) -> None:
        """Show the icon."""


def icon(name: str, tint: str = "text") -> QIcon:
    """Return the icon `name` in a colour of the theme; grey when disabled, accented when checked.

    The icon keeps the colours of the moment: use `set_icon` for what lives through a change of
    theme. Raises FileNotFoundError for a name without a drawing.
    """
    return _icon(name, tint, current_theme())


def set_icon(target: TakesIcon, name: str, tint: str = "text") -> None:
    """Show the icon `name` on a button or an action and tint it anew after each change of theme."""
    if not isinstance(target, QObject):
        raise TypeError(f"A Qt object was expected to carry the icon, but {target!r} came.")
    _shown[target] = (name, tint)
    target.setIcon(icon(name, tint))


def pixmap(name: str, size: int, tint: str = "text", ratio: float = 1.0) -> QPixmap:
    """Return the icon as a pixmap of `size` logical pixels for a screen of that pixel ratio."""
    return _drawn(name, current_theme().colour(tint).name(), size, ratio)


def icon_names() -> list[str]:
    """Return the names of all icons."""
    return sorted(path.stem for path in resource("icons").glob("*.svg"))


def _tint_again(theme: Theme) -> None:
    for target, (name, tint) in list(_shown.items()):
        if isValid(target):
            target.setIcon(_icon(name, tint, theme))  # type: ignore[attr-defined]


@cache
def _icon(name: str, tint: str, theme: Theme) -> QIcon:
    colours = theme.colours
    colour = getattr(colours, tint)
    tints = (
        (QIcon.Mode.Normal, QIcon.State.Off, colour),
        (QIcon.Mode.Normal, QIcon.State.On, colours.accent if tint == "text" else colour),
        (QIcon.Mode.Disabled, QIcon.State.Off, colours.text_disabled),
    )
    ratios = {screen.devicePixelRatio() for screen in QGuiApplication.screens()}
    made = QIcon()
    for mode, state, tinted in tints:
        for size in _SIZES:
            for ratio in ratios:
                made.addPixmap(_drawn(name, tinted, size, ratio), mode, state)
    return made


def _drawn(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    drawing = _drawing(name).replace("currentColor", colour)
    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    image = QPixmap(QSize(size, size) * ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, image.width(), image.height()))
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image


@cache
def _drawing(name: str) -> str:
    return resource("icons", f"{name}.svg").read_text(encoding="utf-8")


broadcast.themed.connect(_tint_again)
