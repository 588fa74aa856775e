"""What the events of a training say of it in the end, as sentences for a report."""

from collections.abc import Sequence
from typing import Any

_RECENT = 20  # values that an end is the mean of: single batches are noisy
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
