"""Letters for a PDF: fonts that come along, and those of the machine for other scripts.

Latin, Greek and Cyrillic letters are always there. Names of files may hold any others: for those a
font of the machine is taken, and where it has none, the number of the letter is written instead.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from fontTools.ttLib.ttCollection import TTCollection

_OWN = Path(__file__).resolve().parents[3] / "resources" / "fonts"
REGULAR, BOLD, MONO = (
    _OWN / f"{name}.ttf" for name in ("NotoSans-Regular", "NotoSans-Bold", "NotoSansMono-Regular")
)

_PREFERRED = (
    # Chinese, Japanese and Korean in one
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "msyh.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Light.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "simsun.ttc",
    # Japanese or Korean alone
    "YuGothM.ttc",
    "meiryo.ttc",
    "malgun.ttf",
    "AppleSDGothicNeo.ttc",
    # signs and much else
    "DejaVuSans.ttf",
    "seguisym.ttf",
    "segoeui.ttf",
    "Arial Unicode.ttf",
    "NotoSansSymbols-Regular.ttf",
    "NotoSansSymbols2-Regular.ttf",
    "NotoSansMath-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "leelawui.ttf",
    "NotoSansArmenian-Regular.ttf",
    "NotoSansGeorgian-Regular.ttf",
)
"""Files that widely used systems bring, the best first."""

_JOINED = ((0x0590, 0x08FF), (0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFEFC))
"""Scripts that run from the right or join their letters: one by one they would be misread."""


@dataclass(frozen=True)
class Font:
    """A font of the machine."""

    path: Path
    number: int
    """Place in a collection; 0 where the file holds one font."""
    covered: frozenset[int]
    """Code points that it can show."""


@cache
def own_letters(path: Path) -> frozenset[int]:
    """Return the code points that a font which comes along can show."""
    return _covered(path, 0)


def further_fonts(text: str) -> list[Font]:
    """Return fonts of this machine that together show the letters of a text which ours lack.

    Letters that stay without a font are not covered by any of them.
    """
    missing = {ord(letter) for letter in set(text)} - own_letters(REGULAR)
    missing = {code for code in missing if not _is_joined(code)}
    fonts: list[Font] = []
    for path in _installed() if missing else ():
        font = _font(path)
        if font is not None and missing & font.covered:
            fonts.append(font)
            missing -= font.covered
        if not missing:
            break
    return fonts


def spelled(text: str, shown: frozenset[int]) -> str:
    """Return a text in which letters that are not shown are told by number: "‹U+7816›"."""
    kept = (letter if ord(letter) in shown or letter == "\n" else _told(letter) for letter in text)
    return "".join(kept)


def _told(letter: str) -> str:
    return " " if letter.isspace() else f"‹U+{ord(letter):04X}›"


def _is_joined(code: int) -> bool:
    return any(first <= code <= last for first, last in _JOINED)


def _installed() -> Iterator[Path]:
    """Yield the preferred fonts that are installed, the best first."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for place, _folders_in, names in os.walk(folder):
            for name in names:
                found.setdefault(name, Path(place) / name)
    yield from (found[name] for name in _PREFERRED if name in found)


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home)) / "Microsoft" / "Windows" / "Fonts"
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts", local]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    own = (home / ".local" / "share" / "fonts", home / ".fonts")
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), *own]


@cache
def _font(path: Path) -> Font | None:
    """Return a font, of a collection the one with simplified Chinese; None if it is damaged."""
    try:
        number = _chinese(path) if path.suffix.lower() == ".ttc" else 0
        return Font(path, number, _covered(path, number) - _joined())
    except (OSError, TTLibError, ValueError, KeyError):
        return None


def _chinese(path: Path) -> int:
    collection = TTCollection(path, lazy=True)
    try:
        names = [font["name"].getDebugName(1) or "" for font in collection.fonts]
    finally:
        collection.close()
    return next((number for number, name in enumerate(names) if name.endswith(" SC")), 0)


def _covered(path: Path, number: int) -> frozenset[int]:
    with TTFont(path, fontNumber=number, lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def _joined() -> frozenset[int]:
    return frozenset(code for first, last in _JOINED for code in range(first, last + 1))
