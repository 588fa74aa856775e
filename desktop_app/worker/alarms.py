"""Warns once when a training is stuck at a trivial value, or when its latents have collapsed.

A curve is judged by its mean over each pass through the images: single batches are noisy. It stays
where it should not when every mean of three passes lies there.
"""

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass

from desktop_app.core.health import Health
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.worker.narrator import Narrator

EPOCHS = 3.0
"""Passes over the images after which staying is worth a warning."""
TOLERANCE = 0.005
"""Share of the trivial value within which a curve is at it."""
COLLAPSE = "health/spread"
"""The curve that an alarm about collapsed latents names."""


@dataclass(frozen=True)
class Alarm:
    """A curve that has stayed where nothing is learned."""

    curve: str
    value: float
    meaning: str
    stays: str
    """near, below, above; or collapse, of latents."""
    epochs: float
    text: str


class Alarms:
    """Watches curves and health; every curve gives one alarm at most."""

    def __init__(self, told: Collection[str] = ()) -> None:
        """`told` are curves that the analyst was warned of before an interruption."""
        self._told = set(told)
        self._watches: dict[str, _Watch] = {}
        self._collapsed_since: float | None = None

    def expect(self, trivial: TrivialValue) -> None:
        """Watch a curve for a trivial value."""
        if trivial.stays is not None and trivial.curve not in self._watches:
            self._watches[trivial.curve] = _Watch(trivial)

    def watch(self, metrics: Metrics) -> list[Alarm]:
        """Take the metrics of a step; return what is worth a warning now."""
        watched = ((watch, metrics.values.get(name)) for name, watch in self._watches.items())
        return self._fresh(
            [watch.take(metrics.epoch, value) for watch, value in watched if value is not None]
        )

    def finish(self) -> list[Alarm]:
        """Judge the last pass; return what is worth a warning."""
        return self._fresh([watch.close() for watch in self._watches.values()])

    def watch_health(self, epoch: float, health: Health) -> list[Alarm]:
        """Take the health of the latents at a moment; return what is worth a warning now."""
        if not health.is_collapsed:
            self._collapsed_since = None
            return []
        if self._collapsed_since is None:
            self._collapsed_since = epoch
        epochs = epoch - self._collapsed_since
        if epochs < EPOCHS:
            return []
        text = (
            f"The latents have collapsed for {epochs:.0f} epochs: all images get nearly the same "
            f"vector (spread {health.spread:.2g}, healthy {health.healthy_spread:.2g}; effective "
            f"rank {health.effective_rank:.1f} of {health.dimensions})."
        )
        alarm = Alarm(COLLAPSE, health.healthy_spread, "collapse", "collapse", epochs, text)
        return self._fresh([alarm])

    def _fresh(self, alarms: list[Alarm | None]) -> list[Alarm]:
        fresh = [alarm for alarm in alarms if alarm is not None and alarm.curve not in self._told]
        self._told |= {alarm.curve for alarm in fresh}
        return fresh


def tell(alarms: list[Alarm], step: int, narrator: Narrator) -> None:
    """Tell alarms as notes for the log and as events for the curves."""
    for alarm in alarms:
        narrator.tell("note", level="warning", text=alarm.text)
        narrator.tell("alarm", step=step, **asdict(alarm))


class _Watch:
    """One curve and its trivial value."""

    def __init__(self, trivial: TrivialValue) -> None:
        self._trivial = trivial
        self._pass: int | None = None  # the pass whose values are gathered: (pass - 1, pass]
        self._sum, self._count = 0.0, 0
        self._since: float | None = None  # the epoch from which on every pass lay at the value

    def take(self, epoch: float, value: float) -> Alarm | None:
        """Gather a value; judge the pass before when it is over."""
        number = max(1, math.ceil(round(epoch, 6)))
        alarm = self.close() if self._pass is not None and number != self._pass else None
        self._pass = number
        self._sum += value
        self._count += 1
        return alarm

    def close(self) -> Alarm | None:
        """Judge the pass that is gathered."""
        if self._pass is None or not self._count:
            return None
        mean, last = self._sum / self._count, float(self._pass)
        self._sum, self._count = 0.0, 0
        if not _is_there(mean, self._trivial):
            self._since = None
            return None
        if self._since is None:
            self._since = last - 1
        epochs = last - self._since
        return _alarm(self._trivial, epochs) if epochs >= EPOCHS else None


def _is_there(mean: float, trivial: TrivialValue) -> bool:
    room = TOLERANCE * (abs(trivial.value) or 1.0)
    return {
        "near": abs(mean - trivial.value) <= room,
        "below": mean <= trivial.value + room,
        "above": mean >= trivial.value - room,
    }[trivial.stays or "near"]


def _alarm(trivial: TrivialValue, epochs: float) -> Alarm:
    where = {"near": "within 0.5 % of", "below": "at or below", "above": "at or above"}
    stays = trivial.stays or "near"
    text = (
        f"'{trivial.curve}' has stayed {where[stays]} {trivial.value:.4g} ({trivial.meaning}) for "
        f"{epochs:.0f} epochs: nothing useful is learned."
    )
    return Alarm(trivial.curve, trivial.value, trivial.meaning, stays, epochs, text)
