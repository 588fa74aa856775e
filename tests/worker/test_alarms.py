import math

import numpy as np
import pytest

from desktop_app.core.health import Health
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.worker.alarms import Alarm, Alarms

PER_EPOCH = 10


def told(
    alarms: Alarms, values: list[float], name: str = "loss", *, last: bool = True
) -> list[Alarm]:
    """Tell the values step by step, ten an epoch; return all alarms."""
    found = []
    for step, value in enumerate(values, 1):
        found += alarms.watch(
            Metrics(step, step / len(values), {name: value}, epoch=step / PER_EPOCH)
        )
    return found + (alarms.finish() if last else [])


def watching(value: float = 2.0, stays: str | None = "near") -> Alarms:
    alarms = Alarms()
    alarms.expect(TrivialValue("loss", value, "chance", stays))  # type: ignore[arg-type]
    return alarms


def test_a_curve_that_stays_at_its_trivial_value_for_three_epochs_is_told_once() -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, 90)

    found = told(watching(), (2.0 + noise).tolist())

    assert [(alarm.curve, alarm.value, alarm.stays) for alarm in found] == [("loss", 2.0, "near")]
    assert found[0].epochs == 3
    assert "'loss' has stayed within 0.5 % of 2 (chance) for 3 epochs" in found[0].text


def test_a_curve_that_learns_gives_no_alarm() -> None:
    falling = [2.0 * math.exp(-step / 200) for step in range(90)]

    assert told(watching(), falling) == []


def test_two_epochs_are_not_yet_three() -> None:
    assert told(watching(), [2.0] * 20) == []
    assert len(told(watching(), [2.0] * 30)) == 1


def test_a_curve_that_leaves_and_comes_back_begins_anew() -> None:
    values = [2.0] * 20 + [1.0] * 10 + [2.0] * 20

    assert told(watching(), values) == []


@pytest.mark.parametrize(
    ("stays", "value", "alarms"),
    [
        ("below", -1.0, 1),
        ("below", -0.9, 0),
        ("above", 0.3, 1),
        ("above", -1.1, 0),
        ("near", -0.9, 0),
        (None, -1.0, 0),
    ],
)
def test_a_curve_may_be_watched_on_one_side_alone(
    stays: str | None, value: float, alarms: int
) -> None:
    assert len(told(watching(-1.0, stays), [value] * 40)) == alarms


def test_a_trivial_value_of_zero_is_reached_as_well() -> None:
    assert len(told(watching(0.0, "below"), [0.004] * 30)) == 1
    assert told(watching(0.0, "below"), [0.1] * 30) == []


def test_curves_without_epochs_or_without_a_trivial_value_are_left_alone() -> None:
    alarms = watching()
    steps = [Metrics(step, 0.5, {"loss": 2.0}) for step in range(1, 100)]

    assert [alarm for step in steps for alarm in alarms.watch(step)] == []
    assert told(watching(), [2.0] * 60, name="other") == []


def test_what_was_told_before_an_interruption_is_not_told_again() -> None:
    alarms = Alarms({"loss"})
    alarms.expect(TrivialValue("loss", 2.0, "chance"))

    assert told(alarms, [2.0] * 60) == []


def test_collapsed_latents_are_told_after_three_epochs() -> None:
    sick, well = Health(0.001, 1.1, 0.9, 16), Health(0.25, 14.0, 0.0, 16)
    alarms = Alarms()

    before = [alarms.watch_health(epoch, sick) for epoch in (0.1, 2.0)]
    recovered = alarms.watch_health(3.0, well)
    again = [alarms.watch_health(epoch, sick) for epoch in (4.0, 6.9)]
    found = alarms.watch_health(7.0, sick) + alarms.watch_health(9.0, sick)

    assert before == again == [[], []]
    assert recovered == []
    assert [(alarm.curve, alarm.stays) for alarm in found] == [("health/spread", "collapse")]
    assert "effective rank 1.1 of 16" in found[0].text
