"""Trying a method on toys: what the checks have in common."""

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from desktop_app.sdk.capabilities import CAPABILITIES
from desktop_app.sdk.data import Dataset, Images, Labelled, LabelledDataset
from desktop_app.sdk.errors import LoupeError
from desktop_app.sdk.events import Event, Metrics
from desktop_app.sdk.method import Method, State
from desktop_app.sdk.params import Params
from desktop_app.sdk.testing.toys import discs

MethodType: TypeAlias = type[Method[Any]]
Check: TypeAlias = Callable[[MethodType], None]
Told: TypeAlias = tuple[int, float, dict[str, float]]
"""Step, progress and values of Metrics."""

TOYS = 40
"""Images of a short training."""

SHORT = {"epochs": 1, "least_steps": 6, "batch_size": 16}
LONG = {"epochs": 1, "least_steps": 300, "batch_size": 32}

OF_IMAGES: dict[str, Callable[[Any, Images], Any]] = {
    "encodes": lambda method, images: method.encode(images),
    "scores": lambda method, images: method.score(images),
    "localizes": lambda method, images: method.localize(images),
    "clusters": lambda method, images: method.cluster(images),
    "translates": lambda method, images: method.translate(images),
}
"""Capabilities that take nothing but images."""


class BrokenPromise(AssertionError):
    """A method does not do what every method does."""


def require(kept: object, sentence: str) -> None:
    """Raise BrokenPromise with a sentence unless something holds."""
    if not kept:
        raise BrokenPromise(sentence)


def toy_params(method: MethodType, wishes: Mapping[str, Any]) -> Params:
    """Return the method's defaults with those wishes that it has parameters for."""
    own: dict[str, Any] = dict(getattr(method, "toy_params", {}))
    known = method.params_type.model_fields
    return method.params_type.parse({name: wishes[name] for name in wishes if name in known} | own)


def tried(method: MethodType, *, seed: int = 0, wishes: Mapping[str, Any] = SHORT) -> Method[Any]:
    """Return an untrained method for toys."""
    return method(toy_params(method, wishes), seed=seed, device="cpu")


def suited(method: MethodType, data: Dataset) -> Dataset:
    """Return toys as the host would give them: with labels to a method that uses them alone.

    Where the toys have no labels of their own, they are "bright" and "dark".
    """
    if not method.uses_labels:
        return data.data if isinstance(data, LabelledDataset) else data
    if isinstance(data, Labelled):
        return data
    light = data.images(slice(0, len(data))).mean(axis=(1, 2, 3))
    labels = ["bright" if value > np.median(light) else "dark" for value in light]
    return LabelledDataset(data, labels)


def toys(method: MethodType) -> Dataset:
    """Return the images of a short training."""
    return suited(method, discs(TOYS, 0))


def trained(
    method: MethodType, data: Dataset, *, seed: int = 0, wishes: Mapping[str, Any] = SHORT
) -> Method[Any]:
    """Return a method that has been trained on toys."""
    subject = tried(method, seed=seed, wishes=wishes)
    for _ in subject.fit(suited(method, data)):
        pass
    return subject


@lru_cache(maxsize=1)
def trained_on_toys(method: MethodType) -> Method[Any]:
    """Return a method trained on toys; the checks that do nothing but ask it share it."""
    return trained(method, toys(method))


@lru_cache(maxsize=1)
def told_on_toys(method: MethodType) -> tuple[Told, ...]:
    """Return what a training on toys tells; the checks that compare with it share it."""
    return tuple(told(tried(method).fit(toys(method))))


def told(events: Iterator[Event]) -> list[Told]:
    """Return what the Metrics among the events say."""
    return [told_by(event) for event in events if isinstance(event, Metrics)]


def told_by(event: Metrics) -> Told:
    """Return what Metrics say, the images seen and the time waited left out."""
    return event.step, event.progress, dict(event.values)


def same(first: Sequence[Told], second: Sequence[Told]) -> bool:
    """Tell whether two trainings told the same, to the last bit."""
    return len(first) == len(second) and all(map(_same, first, second))


def through_disk(state: State) -> State:
    """Return a state after it has been arrays in a file and JSON, as in a run folder."""
    file = io.BytesIO()
    for name, array in state.arrays.items():
        require(
            array.dtype.kind in "biuf",
            f"State array '{name}' must hold numbers, got {array.dtype}.",
        )
    np.savez(file, **{f"{n}": array for n, array in enumerate(state.arrays.values())})  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        arrays = {name: loaded[f"{n}"] for n, name in enumerate(state.arrays)}
    return State(arrays, json.loads(json.dumps(dict(state.values))))


def outputs(method: Method[Any], images: Images) -> dict[str, Any]:
    """Return what the capabilities that take images say; those that are not ready are left out."""
    answers = {}
    for name, ask in OF_IMAGES.items():
        if isinstance(method, CAPABILITIES[name]):
            try:
                answers[name] = ask(method, images)
            except LoupeError:
                continue
    return answers


def _same(first: Told, second: Told) -> bool:
    return (
        first[:2] == second[:2]
        and first[2].keys() == second[2].keys()
        and all(
            value == second[2][name] or (math.isnan(value) and math.isnan(second[2][name]))
            for name, value in first[2].items()
        )
    )
