"""Batches, the clock and one step down."""

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.params import TrainingParams
from desktop_app.toolbox.training import (
    Clock,
    Step,
    descend,
    let_rate_fall,
    shuffled,
    training_steps,
)

DATA = ArrayDataset(np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1))


def steps(clock: Clock, *, least_steps: int = 0, epochs: int = 2) -> list[Step]:
    params = TrainingParams(epochs=epochs, batch_size=4, least_steps=least_steps)
    done = []
    for step in training_steps(DATA, params, seed=1, device="cpu", clock=clock):
        step.metrics()
        done.append(step)
    return done


def test_every_epoch_shows_every_image_once() -> None:
    done = steps(Clock())

    assert len(done) == 6
    for epoch in (0, 1):
        rows = np.concatenate([step.rows for step in done if step.epoch == epoch])
        assert sorted(rows) == list(range(10))


def test_batches_hold_the_images_of_their_rows() -> None:
    for step in steps(Clock()):
        np.testing.assert_allclose(step.batch.flatten().numpy() * 255, step.rows, atol=1e-5)


def test_a_clock_continues_in_the_middle_of_an_epoch() -> None:
    whole, rest = steps(Clock()), steps(Clock(step=4))

    assert [step.number for step in rest] == [5, 6]
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(whole[4:], rest, strict=True))


def test_small_folders_are_passed_over_more_often() -> None:
    assert len(steps(Clock(), epochs=1, least_steps=20)) == 21  # seven epochs of three


def test_a_step_counts_only_once_its_metrics_are_made() -> None:
    clock = Clock()
    step = next(iter(training_steps(DATA, TrainingParams(), seed=0, device="cpu", clock=clock)))
    assert clock.step == 0

    metrics = step.metrics(loss=torch.tensor(2.0, requires_grad=True))

    assert clock.step == 1
    assert metrics.values == {"loss": 2.0}


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    np.testing.assert_array_equal(shuffled(9, 3, 4), shuffled(9, 3, 4))
    assert not np.array_equal(shuffled(9, 3, 4), shuffled(9, 3, 5))
    assert not np.array_equal(shuffled(9, 3, 4), shuffled(9, 4, 4))


def test_descending_moves_against_the_gradient_and_clips_it() -> None:
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimiser = torch.optim.SGD([weight], lr=1.0)

    descend(weight.square().sum(), optimiser, clip=1.0)  # gradient (6, 8), clipped to (0.6, 0.8)

    assert torch.allclose(weight, torch.tensor([2.4, 3.2]), atol=1e-5)


def test_a_loss_that_is_not_finite_is_told() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))

    with pytest.raises(InvalidInput, match="The loss became nan"):
        descend((weight * float("nan")).sum(), torch.optim.SGD([weight], lr=1.0))


def test_a_rate_falls_along_a_cosine() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.Adam([weight], 0.1)
    rates = []
    for progress in (0.0, 0.5, 1.0):
        let_rate_fall(adam, 0.1, progress)
        rates.append(adam.param_groups[0]["lr"])

    assert rates == pytest.approx([0.1, 0.1 * 0.525, 0.1 * 0.05])
