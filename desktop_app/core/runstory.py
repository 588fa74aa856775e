"""What the events of a training say of it in the end, as sentences and curves for a report."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from desktop_app.core.reports.content import TrainingCurve

_RECENT = 20  # values that an end is the mean of: single batches are noisy
_MOST_CURVES = 4
_MOST_POINTS = 200  # of a curve: single batches are noisy
_FEWEST_POINTS = 3
_FEATURES = {"pixels": "raw pixels", "pca": "PCA-64", "untrained": "the untrained network"}


def training_sentences(events: Sequence[dict[str, Any]]) -> list[str]:
    """Return how curves with a trivial value ended, alarms, and what labels say of latents."""
    ends: dict[str, list[float]] = {}
    trivial: dict[tuple[str, str], float] = {}
    alarms: dict[str, str] = {}
    probe: dict[str, Any] = {}
    for event in events:
        match event["type"]:
            case "metrics":
                for name, column in event["values"].items():
                    told = [value for value in column if value is not None]
                    ends[name] = [*ends.get(name, []), *told][-_RECENT:]
            case "trivial_value":
                trivial[event["curve"], event["meaning"]] = float(event["value"])
            case "alarm":
                alarms[event["curve"]] = event["text"]
            case "probe":
                probe = event
    sentences = [
        f"'{curve}' ended at {sum(ends[curve]) / len(ends[curve]):.4g}; "
        f"without learning ({meaning}) it is {value:.4g}."
        for (curve, meaning), value in trivial.items()
        if ends.get(curve)
    ]
    return [*sentences, *alarms.values(), *_probe_sentences(probe)]


def training_curves(events: Sequence[dict[str, Any]]) -> list[TrainingCurve]:
    """Return the curves that were measured most often, those of a name with "loss" first."""
    told: dict[str, dict[float, float]] = {}
    trivial: dict[str, float] = {}
    for event in events:
        if event["type"] == "trivial_value":
            trivial[event["curve"]] = float(event["value"])
        elif event["type"] == "metrics":
            for name, column in event["values"].items():
                pairs = zip(event["step"], column, strict=True)
                known = {s: v for s, v in pairs if v is not None and math.isfinite(v)}
                told.setdefault(name, {}).update(known)
    names = [name for name, values in told.items() if len(values) >= _FEWEST_POINTS]
    names.sort(key=lambda name: ("loss" not in name, name not in trivial, -len(told[name])))
    return [_curve(name, told[name], trivial.get(name)) for name in names[:_MOST_CURVES]]


def _curve(name: str, told: dict[float, float], trivial: float | None) -> TrainingCurve:
    """Return a curve of at most so many points, each the mean of neighbouring steps."""
    steps = np.array(sorted(told), dtype=np.float64)
    values = np.array([told[step] for step in steps.tolist()], dtype=np.float64)
    parts = np.array_split(np.arange(len(steps)), min(len(steps), _MOST_POINTS))
    means = [(steps[part].mean(), values[part].mean()) for part in parts]
    x, y = np.array(means).T
    return TrainingCurve(name, x, y, trivial)


def _probe_sentences(probe: dict[str, Any]) -> list[str]:
    """Return one sentence for each accuracy of the latents, with what it must beat."""
    words = {"knn": "Nearest neighbours (kNN)", "linear": "A linear probe"}
    sentences = []
    for name, value in probe.get("values", {}).items():
        others = ", ".join(
            f"{_FEATURES[key]} {accuracies[name]:.1%}"
            for key, accuracies in probe["baselines"].items()
            if name in accuracies
        )
        beside = f" (with {others})" if others else ""
        sentences.append(
            f"{words[name]} of the latents read {value:.1%} of the labels rightly{beside}."
        )
    return sentences
