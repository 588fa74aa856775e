from typing import Any

from desktop_app.core.runstory import training_sentences


def metrics(*losses: float | None) -> dict[str, Any]:
    return {"type": "metrics", "values": {"loss": list(losses)}}


def test_a_curve_ends_beside_its_trivial_value() -> None:
    events = [
        {"type": "trivial_value", "curve": "loss", "value": 0.25, "meaning": "mean image"},
        {"type": "trivial_value", "curve": "never told", "value": 1.0, "meaning": "chance"},
        metrics(0.9, *[0.1] * 19),
        metrics(None, 0.3),
    ]

    assert training_sentences(events) == [
        "'loss' ended at 0.11; without learning (mean image) it is 0.25."
    ]


def test_alarms_and_probes_are_told_once_with_what_must_be_beaten() -> None:
    alarm = {"type": "alarm", "curve": "loss", "text": "It is stuck."}
    early = {"type": "probe", "values": {"knn": 0.1}, "baselines": {}}
    late = {
        "type": "probe",
        "values": {"knn": 0.8, "linear": 0.9},
        "baselines": {"pixels": {"knn": 0.5, "linear": 0.6}, "untrained": {"knn": 0.4}},
    }

    assert training_sentences([alarm, early, alarm, late]) == [
        "It is stuck.",
        "Nearest neighbours (kNN) of the latents read 80.0% of the labels rightly "
        "(with raw pixels 50.0%, the untrained network 40.0%).",
        "A linear probe of the latents read 90.0% of the labels rightly (with raw pixels 60.0%).",
    ]


def test_a_training_that_told_nothing_of_it_has_no_sentences() -> None:
    assert training_sentences([metrics(1.0), {"type": "state"}]) == []
