"""Which metrics share a plot, which direction is better, and which one matters most."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Direction = Literal["lower", "higher", "neither"]

_LONE = ("learning_rate", "lr", "temperature", "beta", "gradient", "norm", "weight")
"""Parts of names of settings and norms: never in one plot with losses."""
_LOWER = (
    "loss", "error", "nll", "mse", "mae", "bce", "perplexity", "distance", "distortion", "fid",
    "inertia", "stress", "reconstruction", "energy", "cross-entropy",
)  # fmt: skip
_HIGHER = (
    "accuracy", "auroc", "aupr", "psnr", "ssim", "f1", "purity", "silhouette", "explained",
    "coverage", "elbo", "likelihood", "similarity", "trustworthiness", "kept",
)  # fmt: skip
_VALIDATION = ("validation", "val_", "val ", "test")
_MEASURED = ("health/", "probe/")
"""What the names of values begin with that the host measures, not the method."""
_MEASURED_PLOTS = (
    ("health/spread", "health/dead_share"),
    ("health/effective_rank",),
    ("probe/knn", "probe/linear"),
)
_RATIO = 30.0  # between magnitudes that still share an axis
_MOST_LINES = 6


def is_measured(name: str) -> bool:
    """Tell whether the host measured a value now and then, rather than the method every step."""
    return name.startswith(_MEASURED)


def measured_plots(names: Sequence[str]) -> list[list[str]]:
    """Return the plots of what the host measured, in their order."""
    plots = [[name for name in plot if name in names] for plot in _MEASURED_PLOTS]
    return [plot for plot in plots if plot]


def is_setting(name: str) -> bool:
    """Tell whether a metric is a setting or a norm rather than a measure: never smoothed."""
    return _has(name, _LONE)


def direction(name: str) -> Direction:
    """Return whether lower or higher values of a metric are better, as far as its name tells."""
    if is_measured(name):
        return "higher" if name.startswith("probe/") else "neither"
    if is_setting(name):
        return "neither"
    negated = name.startswith(("nll", "negative"))
    if _has(name, _HIGHER) and not negated:
        return "higher"
    return "lower" if negated or _has(name, _LOWER) else "neither"


def main_metric(names: Sequence[str]) -> str:
    """Return the metric that speaks for the run: a validation loss, a loss, or the first one."""
    names = [name for name in names if not is_measured(name)]
    losses = [name for name in names if "loss" in name]
    validation = [name for name in losses if _has(name, _VALIDATION)]
    judged = [name for name in names if direction(name) != "neither"]
    return next(iter([*validation, *losses, *judged, *names]), "")


def shared_plots(magnitudes: Mapping[str, float]) -> list[list[str]]:
    """Return the metrics of each plot, by the usual size of each: near ones share an axis.

    Losses come first; the order within a plot is that of the mapping.
    """
    plots: list[list[str]] = []
    for name in magnitudes:
        plot = next((plot for plot in plots if _fits(name, plot, magnitudes)), None)
        if plot is None:
            plots.append([name])
        else:
            plot.append(name)
    return sorted(plots, key=lambda plot: not any("loss" in name for name in plot))


def _fits(name: str, plot: Sequence[str], magnitudes: Mapping[str, float]) -> bool:
    if is_setting(name) or is_setting(plot[0]) or len(plot) >= _MOST_LINES:
        return False
    if (direction(name) == "higher") != (direction(plot[0]) == "higher"):
        return False
    sizes = [magnitudes[name], *(magnitudes[other] for other in plot)]
    known = [size for size in sizes if size > 0 and math.isfinite(size)]
    return not known or max(known) / min(known) <= _RATIO


def _has(name: str, parts: Sequence[str]) -> bool:
    lowered = name.lower()
    words = lowered.replace("-", "_").split("_")
    return any(part in words if len(part) <= 4 else part in lowered for part in parts)
