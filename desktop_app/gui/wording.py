"""Numbers and durations as an analyst reads them."""

import math
import time

from desktop_app.gui.i18n import tr

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def duration(seconds: float) -> str:
    """Return seconds as "8 s", "3 min 20 s", "2 h 05 min" or "3 d 4 h"."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return tr("{n} s", n=whole)
    if whole < _HOUR:
        return tr("{minutes} min {seconds:02d} s", minutes=whole // 60, seconds=whole % 60)
    if whole < _DAY:
        return tr("{hours} h {minutes:02d} min", hours=whole // 3600, minutes=whole % 3600 // 60)
    return tr("{days} d {hours} h", days=whole // _DAY, hours=whole % _DAY // _HOUR)


def about(seconds: float | None) -> str:
    """Return an estimate no more exact than it is: "about 3 min"; empty when unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 10:
        return tr("a few seconds")
    if seconds < 55:
        return tr("about {n} s", n=10 * max(1, round(seconds / 10)))
    if seconds < 55 * _MINUTE:
        return tr("about {n} min", n=max(1, round(seconds / _MINUTE)))
    if seconds < _DAY:
        return tr("about {n} h", n=f"{round(2 * seconds / _HOUR) / 2:g}")
    return tr("about {n} d", n=f"{round(2 * seconds / _DAY) / 2:g}")


def clock(seconds: float) -> str:
    """Return seconds as a tick of a time axis: "0:45", "12:30", "1:05:00"."""
    sign, whole = ("-" if seconds < 0 else ""), abs(round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes}:{rest:02d}"


def number(value: float, digits: int = 4) -> str:
    """Return a metric with a fixed count of significant digits: "0.0231", "1,204", "3.1e-07"."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size and (size < 10.0**-digits or size >= 1e7):
        return f"{value:.{digits - 2}e}"
    if size >= 10.0 ** (digits - 1):
        return f"{value:,.0f}"
    places = digits - 1 - (math.floor(math.log10(size)) if size else 0)
    return f"{value:.{max(0, min(places, digits + 3))}f}"


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{round(value):,}"


def size_of(memory: float) -> str:
    """Return bytes as "812 MB" or "7.4 GB"."""
    return f"{memory / 1e9:.1f} GB" if memory >= 1e9 else f"{memory / 1e6:.0f} MB"


def moment(stamp: float, now: float | None = None) -> str:
    """Return when something was, seconds since 1970: "14:05" today, else "2026-03-01 14:05"."""
    then, today = time.localtime(stamp), time.localtime(now)
    if (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday):
        return time.strftime("%H:%M", then)
    return time.strftime("%Y-%m-%d %H:%M", then)


_ABBREVIATIONS = {"bce", "elbo", "kl", "mae", "mse", "nll", "pca", "psnr", "ssim"}


def spoken(name: str) -> str:
    """Return the name of a parameter or metric as words: "learning_rate" -> "Learning rate".

    Abbreviations of the field are written as such: "kl_weight" -> "KL weight".
    """
    parts = name.replace("_", " ").split()
    words = " ".join(part.upper() if part in _ABBREVIATIONS else part for part in parts)
    return words[:1].upper() + words[1:]
