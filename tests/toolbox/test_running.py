"""Averages that follow a training."""

import torch

from desktop_app.toolbox.running import RunningMean


def test_the_first_observations_count_alike() -> None:
    mean = RunningMean(2)
    for number in range(1, 11):
        mean.observe(torch.tensor([float(number), 1.0]))

    assert torch.allclose(mean.value, torch.tensor([5.5, 1.0]))


def test_old_observations_are_forgotten() -> None:
    mean = RunningMean()
    for _ in range(200):
        mean.observe(torch.tensor(100.0))
    for _ in range(400):
        mean.observe(torch.tensor(1.0))

    assert mean.value.item() < 1.1


def test_it_is_saved_with_its_module() -> None:
    mean, other = RunningMean(3), RunningMean(3)
    mean.observe(torch.tensor([1.0, 2.0, 3.0]))

    other.load_state_dict(mean.state_dict())

    assert torch.equal(other.value, mean.value)
    assert int(other.count) == 1
