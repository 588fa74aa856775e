"""An adversary and its losses."""

import math

import pytest
import torch

from desktop_app.sdk.events import Metrics
from desktop_app.toolbox.adversary import Judge, adversary_lines, unlike, unmasking
from desktop_app.worker.alarms import Alarms

OPINIONS = torch.tensor([[-1.0], [0.5], [3.0]])


def test_losses_are_those_of_the_formulas() -> None:
    said = OPINIONS.double()
    surely = [math.log1p(math.exp(-y)) for y in said.flatten().tolist()]

    assert float(unlike(said, 1.0, "squares")) == pytest.approx((4 + 0.25 + 4) / 3)
    assert float(unlike(said, 1.0, "entropy")) == pytest.approx(sum(surely) / 3)
    both = float(unlike(said, 1.0, "entropy") + unlike(-said, 0.0, "entropy"))
    assert float(unmasking(said, -said, "entropy")) == pytest.approx(both / 2)


@pytest.mark.parametrize("adversary", ["squares", "entropy"])
def test_who_cannot_tell_stands_on_the_line(adversary: str) -> None:
    cannot_tell, won = adversary_lines(adversary)  # type: ignore[arg-type]
    undecided = torch.full((4, 1), 0.5 if adversary == "squares" else 0.0)

    loss = unmasking(undecided, undecided, adversary)  # type: ignore[arg-type]

    assert float(loss) == pytest.approx(cannot_tell.value)
    assert won.value < cannot_tell.value / 10


def test_an_alarm_is_raised_when_the_adversary_has_won() -> None:
    def told(loss: float) -> list[str]:
        alarms = Alarms()
        for line in adversary_lines("entropy"):
            alarms.expect(line)
        steps = [Metrics(n, n / 8, {"discriminator": loss}, epoch=n / 2) for n in range(1, 9)]
        raised = [alarm for step in steps for alarm in alarms.watch(step)] + alarms.finish()
        return [alarm.meaning for alarm in raised]

    assert told(0.001) == ["the discriminator has won"]
    assert told(math.log(2)) == []


def test_an_opinion_is_made_of_features() -> None:
    judge = Judge((3, 28, 20), 16)
    images = torch.rand(5, 3, 28, 20)

    features = judge.features(images)

    assert features.shape == (5, 16 * 4 * 3)
    torch.testing.assert_close(judge(images), judge[-1](features))
