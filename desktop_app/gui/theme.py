"""The look of the window: tokens for colour, space and type, and the one place that applies them.

Widgets never name a colour. They carry a dynamic property - `kind` on buttons, `role` on labels,
`surface` on frames - and `resources/themes/loupe.qss` dresses them; whatever paints itself asks
`current_theme()` and repaints when `broadcast.themed` fires.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from string import Template
from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QDir, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.gui.resources import resource

ThemeName = Literal["dark", "light", "system"]
ButtonKind = Literal["primary", "secondary", "danger", "tool"]
LabelRole = Literal["display", "title", "heading", "body", "secondary", "caption", "mono"]
SurfaceKind = Literal["canvas", "background", "surface", "raised", "card"]


@dataclass(frozen=True)
class Space:
    """Distances in logical pixels."""

    xs: int = 4
    s: int = 8
    m: int = 12
    l: int = 16  # noqa: E741 - the scale reads xs, s, m, l, xl
    xl: int = 24


@dataclass(frozen=True)
class Radius:
    """Corner radii in logical pixels."""

    s: int = 4
    m: int = 6
    l: int = 10  # noqa: E741 - the scale reads s, m, l


@dataclass(frozen=True)
class TypeScale:
    """Font sizes in logical pixels."""

    caption: int = 11
    body: int = 13
    heading: int = 14
    title: int = 19
    display: int = 28


SPACE = Space()
RADIUS = Radius()
TYPE = TypeScale()
CONTROL_HEIGHT = 28
"""Height of buttons and inputs in logical pixels."""


@dataclass(frozen=True)
class Colours:
    """Every colour of one theme, as `#rrggbb`; backgrounds are listed from deep to near."""

    canvas: str
    """Behind photographs, plots and maps; almost neutral so that it tints nothing."""
    background: str
    """The window itself."""
    surface: str
    """Panels and docks."""
    raised: str
    """Inputs, cards, menus."""
    hover: str
    pressed: str
    border: str
    border_strong: str
    """Outlines that carry meaning: check boxes, handles."""
    text: str
    text_secondary: str
    text_disabled: str
    accent: str
    """Links, focus rings and active icons: readable on every background."""
    accent_fill: str
    """Fill of the one primary action."""
    accent_fill_hover: str
    accent_fill_pressed: str
    on_accent: str
    selection: str
    """Behind selected rows and tiles."""
    good: str
    warning: str
    bad: str
    good_fill: str
    """Behind badges and toasts of the same meaning."""
    warning_fill: str
    bad_fill: str
    shadow: str


@dataclass(frozen=True)
class Theme:
    """One complete look."""

    name: Literal["dark", "light"]
    colours: Colours
    categories: tuple[str, ...]
    """Colours of labels and clusters; told apart with red-green blindness, too."""

    def colour(self, role: str) -> QColor:
        """Return a colour by its role in `Colours`."""
        return QColor(getattr(self.colours, role))

    def category(self, index: int) -> str:
        """Return the colour of the label or cluster `index`; the list repeats after its end."""
        return self.categories[index % len(self.categories)]

    def category_lut(self, count: int) -> NDArray[np.uint8]:
        """Return (count, 3) RGB colours of `count` labels."""
        wanted = [self.category(index) for index in range(max(count, 1))]
        return np.array([_rgb(colour) for colour in wanted], np.uint8)


DARK = Theme(
    "dark",
    Colours(
        canvas="#121314",
        background="#17181a",
        surface="#1d1e21",
        raised="#26282b",
        hover="#2f3135",
        pressed="#383b40",
        border="#2e3034",
        border_strong="#6d727a",
        text="#e7e9ec",
        text_secondary="#a5aab2",
        text_disabled="#666b73",
        accent="#84a4ff",
        accent_fill="#4062e0",
        accent_fill_hover="#4767e2",
        accent_fill_pressed="#3553c4",
        on_accent="#ffffff",
        selection="#27335a",
        good="#55c58f",
        warning="#eeb64c",
        bad="#f5797b",
        good_fill="#1b3529",
        warning_fill="#3a2f17",
        bad_fill="#44232a",
        shadow="#000000",
    ),
    (
        "#8086ff",
        "#f9e83a",
        "#b8492a",
        "#149ca6",
        "#9a3fd2",
        "#6bc88b",
        "#a9deff",
        "#fe8e07",
        "#d79ee1",
        "#a9845a",
        "#f4f6f7",
        "#cc1a70",
        "#60699a",
        "#5affac",
    ),
)

LIGHT = Theme(
    "light",
    Colours(
        canvas="#eaebed",
        background="#f3f4f5",
        surface="#fbfbfc",
        raised="#ffffff",
        hover="#e9ebee",
        pressed="#dde0e4",
        border="#dcdfe3",
        border_strong="#767c86",
        text="#1a1c1f",
        text_secondary="#575d66",
        text_disabled="#9a9fa8",
        accent="#2f51cf",
        accent_fill="#3658d8",
        accent_fill_hover="#2b4cc6",
        accent_fill_pressed="#223fa9",
        on_accent="#ffffff",
        selection="#d9e2fd",
        good="#17693f",
        warning="#7d5000",
        bad="#b3262d",
        good_fill="#dcf1e5",
        warning_fill="#fbeccb",
        bad_fill="#fbe0e1",
        shadow="#3c4048",
    ),
    (
        "#1f4de0",
        "#b25b08",
        "#5c0d26",
        "#0d8181",
        "#5f1597",
        "#6baa71",
        "#4aa8e0",
        "#5e4508",
        "#e03fa9",
        "#4b5183",
        "#8d70f4",
        "#da870b",
        "#172c56",
        "#b11048",
    ),
)


class Broadcast(QObject):
    """Tells whatever paints itself that the look has changed."""

    themed = Signal(object)
    """Carries the new `Theme`."""


broadcast = Broadcast()


@dataclass
class _Look:
    asked: ThemeName = "dark"
    theme: Theme = DARK
    following: bool = False
    """Whether changes of the desktop's colour scheme are being followed."""


_look = _Look()


def current_theme() -> Theme:
    """Return the theme on screen; dark before the first `apply_theme`."""
    return _look.theme


def apply_theme(app: QApplication, name: ThemeName) -> Theme:
    """Dress the application and tell every painter; `system` follows the desktop from now on."""
    _look.asked = name
    if name == "system" and not _look.following:
        _look.following = True
        app.styleHints().colorSchemeChanged.connect(lambda _scheme: _follow_desktop(app))
    return _dress(app, _resolved(app, name))


def follow_theme(repaint: Callable[[Theme], object]) -> None:
    """Call `repaint`, a method of a QObject, now and after each change while that object lives."""
    broadcast.themed.connect(repaint)
    repaint(current_theme())


def set_kind(button: QWidget, kind: ButtonKind) -> None:
    """Mark a button as the primary action, an ordinary one, a dangerous one or a flat tool."""
    _set_look(button, "kind", kind)


def set_role(label: QWidget, role: LabelRole) -> None:
    """Mark a label with its place in the hierarchy of text."""
    _set_look(label, "role", role)


def set_surface(frame: QWidget, surface: SurfaceKind) -> None:
    """Give a frame the background of its layer; `card` adds an outline and round corners."""
    frame.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    _set_look(frame, "surface", surface)


def set_tone(widget: QWidget, tone: Literal["", "accent", "good", "warning", "bad"]) -> None:
    """Colour the text of a label or the outline of an input by what it means."""
    _set_look(widget, "tone", tone)


COLOUR_MAPS = ("viridis", "magma", "inferno", "cividis", "rainbow", "ice", "grey")
"""Names that `colour_map` knows, in the order in which menus list them."""

_PYQTGRAPH_MAPS = {
    "viridis": "viridis",
    "magma": "magma",
    "inferno": "inferno",
    "cividis": "cividis",
    "rainbow": "CET-R4",
    "ice": "CET-L6",
}


@cache
def colour_map(name: str) -> NDArray[np.uint8]:
    """Return the sequential map `name` as (256, 3) RGB, low values first; do not write to it.

    Raises KeyError for a name that is not in `COLOUR_MAPS`.
    """
    if name == "grey":
        table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    else:
        found = pg.colormap.get(_PYQTGRAPH_MAPS[name])
        table = np.ascontiguousarray(found.getLookupTable(0.0, 1.0, 256)[:, :3], np.uint8)
    table.setflags(write=False)
    return table


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ui_font(size: int = TYPE.body, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the interface font at a size in logical pixels."""
    font = QFont(list(_families()))
    font.setPixelSize(size)
    font.setWeight(weight)
    return font


def number_font(size: int = TYPE.body, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the interface font with digits of one width, so that live numbers do not jitter."""
    font = ui_font(size, weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def mono_font(size: int = 12) -> QFont:
    """Return the font of logs, paths and code."""
    available = set(QFontDatabase.families())
    fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).families()
    chosen = [family for family in _MONO_FAMILIES if family in available]
    font = QFont([*chosen, *fixed, *_cjk_families(available)])
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(size)
    return font


# helpers

_UI_FAMILIES = ("Inter", "Segoe UI Variable Text", "Segoe UI", ".AppleSystemUIFont", "Noto Sans")
_CJK_FAMILIES = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei UI",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
)
_MONO_FAMILIES = ("JetBrains Mono", "Cascadia Mono", "SF Mono", "Menlo", "Consolas")
_WIDE_FAMILIES = ("DejaVu Sans", "Bitstream Vera Sans", "Sans Serif", "Sans")
"""Families that a bare system falls back to; anything else reads better at 13 pixels."""


@cache
def _families() -> tuple[str, ...]:
    available = set(QFontDatabase.families())
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).families()
    wide = [family for family in system if family in _WIDE_FAMILIES]
    chosen = [family for family in system if family not in _WIDE_FAMILIES]
    chosen += [family for family in _UI_FAMILIES if family in available]
    return tuple(dict.fromkeys([*chosen, *_cjk_families(available), *wide]))


def _cjk_families(available: set[str]) -> list[str]:
    return [family for family in _CJK_FAMILIES if family in available]


def _resolved(app: QApplication, name: ThemeName) -> Theme:
    if name == "system":
        light = app.styleHints().colorScheme() == Qt.ColorScheme.Light
        return LIGHT if light else DARK
    return LIGHT if name == "light" else DARK


def _follow_desktop(app: QApplication) -> None:
    if _look.asked == "system":
        _dress(app, _resolved(app, "system"))


def _dress(app: QApplication, theme: Theme) -> Theme:
    _look.theme = theme
    QDir.setSearchPaths("glyph", [str(resource("themes", theme.name))])
    app.setStyle("Fusion")
    app.setPalette(_palette(theme.colours))
    app.setFont(ui_font())
    app.setStyleSheet(style_sheet(theme))
    pg.setConfigOptions(background=theme.colours.canvas, foreground=theme.colours.text_secondary)
    broadcast.themed.emit(theme)
    return theme


def style_sheet(theme: Theme) -> str:
    """Return the style sheet of all standard widgets in the colours of `theme`."""
    values: dict[str, str | int] = {
        colour.name: getattr(theme.colours, colour.name) for colour in fields(Colours)
    }
    for prefix, scale in (("space", SPACE), ("radius", RADIUS), ("type", TYPE)):
        for size in fields(scale):
            values[f"{prefix}_{size.name}"] = getattr(scale, size.name)
    values["mono"] = ", ".join(f'"{family}"' for family in mono_font().families())
    source = resource("themes", "loupe.qss").read_text(encoding="utf-8")
    return Template(source).substitute(values)


def _palette(colours: Colours) -> QPalette:
    role = QPalette.ColorRole
    active = {
        role.Window: colours.surface,
        role.WindowText: colours.text,
        role.Base: colours.raised,
        role.AlternateBase: colours.surface,
        role.ToolTipBase: colours.raised,
        role.ToolTipText: colours.text,
        role.PlaceholderText: colours.text_secondary,
        role.Text: colours.text,
        role.Button: colours.raised,
        role.ButtonText: colours.text,
        role.BrightText: colours.bad,
        role.Highlight: colours.accent_fill,
        role.HighlightedText: colours.on_accent,
        role.Accent: colours.accent_fill,
        role.Link: colours.accent,
        role.LinkVisited: colours.accent,
        role.Light: colours.hover,
        role.Midlight: colours.raised,
        role.Mid: colours.border,
        role.Dark: colours.border,
        role.Shadow: colours.shadow,
    }
    palette = QPalette()
    for name, value in active.items():
        palette.setColor(name, QColor(value))
    for name in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(colours.text_disabled))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(colours.pressed))
    return palette


def _set_look(widget: QWidget, name: str, value: str) -> None:
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    channels = np.array(_rgb(colour)) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
