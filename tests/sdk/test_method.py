import numpy as np
import pytest

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import MissingCapability, PluginProblem
from desktop_app.sdk.events import Events, Metrics
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param


class MeanParams(Params):
    weight: float = param(1.0, low=0, help="Factor of the score.")


class Mean(Method[MeanParams]):
    card = Card("mean", "Mean image", "Tests", "Compares every image with the mean.")

    def fit(self, data: Dataset) -> Events:
        self.mean = data.images(slice(0, len(data))).mean(axis=0)
        yield Metrics(1, 1.0, {})

    def score(self, images: Images) -> Array:
        return np.square(images - self.mean).mean(axis=(1, 2, 3)) * self.params.weight

    def state(self) -> State:
        return State({"mean": self.mean}, {})

    def restore(self, state: State) -> None:
        self.mean = state.arrays["mean"]


def test_the_parameters_of_a_method_are_those_in_its_brackets() -> None:
    assert Mean.params_type is MeanParams
    assert Mean().params == MeanParams()
    assert Mean(MeanParams(weight=2)).params.weight == 2


def test_a_method_derived_from_another_keeps_its_parameters() -> None:
    class Median(Mean):
        card = Card("median", "Median image", "Tests", "Compares with the median.")

    assert Median.params_type is MeanParams


def test_a_method_that_names_no_parameters_is_told_how_to() -> None:
    class Nameless(Method):  # type: ignore[type-arg]
        fit = state = restore = None  # type: ignore[assignment]

    with pytest.raises(PluginProblem, match=r"write Method\[YourParams\]"):
        Nameless()


def test_a_method_that_misses_a_part_of_the_contract_cannot_be_made() -> None:
    class Unfinished(Method[MeanParams]):
        pass

    with pytest.raises(TypeError, match="fit"):
        Unfinished()  # type: ignore[abstract]


def test_a_method_takes_no_run_and_draws_no_picture_unless_it_says_so() -> None:
    with pytest.raises(MissingCapability, match="'Mean image' takes no trained run as 'encoder'"):
        Mean().attach_run("encoder", Mean())
    assert Mean().views() == ()
