"""Seeds, checkpoints and randomness of methods trained with torch."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from desktop_app.sdk.data import ArrayDataset, Dataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events
from desktop_app.sdk.method import Card, State
from desktop_app.sdk.params import TrainingParams
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend

DATA = ArrayDataset(np.random.default_rng(0).integers(0, 256, (12, 1, 4, 4)).astype(np.uint8))
PARAMS = TrainingParams(epochs=3, least_steps=0, batch_size=4)


class Noisy(TorchMethod[TrainingParams]):
    """Fits a layer with dropout and a momentum, whose losses depend on torch's random numbers."""

    card = Card("noisy", "Noisy", "Tests", "Learns little.")

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        self.layer = nn.Linear(16, 2)

    def learn(self, data: Dataset) -> Events:
        momentum = self.keep("sgd", torch.optim.SGD(self.parameters(), 0.1, momentum=0.9))
        for step in self.steps(data):
            loss = nn.functional.dropout(self.layer(step.batch.flatten(1))).square().mean()
            descend(loss, momentum)
            yield step.metrics(loss=loss)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


def losses(method: Noisy) -> list[float]:
    return [event.values["loss"] for event in method.fit(DATA)]


def saved(method: Noisy) -> State:
    state = method.state()
    return State(state.arrays, json.loads(json.dumps(state.values)))


def test_the_seed_decides_all() -> None:
    assert losses(Noisy(PARAMS, seed=1)) == losses(Noisy(PARAMS, seed=1))
    assert losses(Noisy(PARAMS, seed=1)) != losses(Noisy(PARAMS, seed=2))


def test_random_numbers_drawn_outside_change_nothing() -> None:
    alone, disturbed = Noisy(PARAMS), []
    for event in Noisy(PARAMS).fit(DATA):
        torch.rand(7)
        disturbed.append(event.values["loss"])

    assert losses(alone) == disturbed


def test_the_hosts_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    losses(Noisy(PARAMS))

    assert torch.equal(torch.rand(3), expected)


def test_momentum_and_random_state_survive_an_interruption() -> None:
    whole = losses(Noisy(PARAMS))
    method = Noisy(PARAMS)
    events = method.fit(DATA)
    before = [next(events).values["loss"] for _ in range(4)]
    other = Noisy(PARAMS)

    other.restore(saved(method))

    assert before + losses(other) == whole


def test_a_restored_state_can_be_saved_again_before_it_trains() -> None:
    method = Noisy(PARAMS)
    losses(method)
    other = Noisy(PARAMS)
    other.restore(saved(method))

    again = other.state()

    assert again.values == method.state().values
    assert all(
        np.array_equal(again.arrays[name], array) for name, array in method.state().arrays.items()
    )


def test_a_state_without_training_is_empty() -> None:
    fresh = Noisy(PARAMS)

    Noisy(PARAMS).restore(fresh.state())

    assert not fresh.state().arrays


def test_images_of_another_shape_are_refused() -> None:
    method = Noisy(PARAMS)
    losses(method)

    with pytest.raises(InvalidInput, match="start a new run for that size"):
        list(method.fit(ArrayDataset(np.zeros((3, 1, 5, 5), np.uint8))))


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'nothing' holds no usable image"):
        list(Noisy(PARAMS).fit(ArrayDataset(np.zeros((0, 1, 4, 4), np.uint8), "nothing")))


def test_a_method_that_is_not_trained_says_so() -> None:
    with pytest.raises(InvalidInput, match="Noisy is not trained yet"):
        Noisy(PARAMS).encode(DATA.images(slice(None)))
