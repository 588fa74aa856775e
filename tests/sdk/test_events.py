import pickle
from typing import get_args

import numpy as np
import pytest

from desktop_app.sdk.events import Event, Latents, Metrics, Note, Picture, Preview, TrivialValue
from desktop_app.sdk.views import Table

EVENTS: list[Event] = [
    Metrics(3, 0.5, {"loss": 0.25}, epoch=1.5, images=8, waited=0.01),
    Preview("samples", np.zeros((2, 1, 4, 4), np.float32)),
    Latents(np.zeros((2, 3), np.float32), np.array([0, 5])),
    Picture(Table("Clusters", ["name"], [["a"]])),
    Note("The learning rate was halved."),
    TrivialValue("loss", 0.25, "mean image"),
]


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_are_plain_data_that_travels_between_processes(event: Event) -> None:
    copy = pickle.loads(pickle.dumps(event))

    assert repr(copy) == repr(event)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_cannot_be_changed_afterwards(event: Event) -> None:
    name = next(iter(vars(event)))

    with pytest.raises(AttributeError):
        setattr(event, name, None)
