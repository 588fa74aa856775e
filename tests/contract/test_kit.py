"""Every check of the conformance kit passes an honest method and catches a broken one."""

import dataclasses
import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ConfigDict

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.explanation import Explanation
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param
from desktop_app.sdk.testing import CHECKS, BrokenPromise, check_method
from desktop_app.sdk.testing.__main__ import main
from desktop_app.sdk.views import Curve, View
from tests.contract.honest import Honest, HonestParams

CHECK = {check.__name__: check for check in CHECKS}
BROKEN: dict[str, list[type[Method[Any]]]] = {}


def breaks(name: str) -> Callable[[type[Method[Any]]], type[Method[Any]]]:
    """Say which check must catch a method."""

    def remember(method: type[Method[Any]]) -> type[Method[Any]]:
        BROKEN.setdefault(name, []).append(method)
        return method

    return remember


@breaks("the_card_is_complete")
class CapitalId(Honest):
    """Has an id with a capital."""

    card = dataclasses.replace(Honest.card, id="Honest")


@breaks("the_card_is_complete")
class Speechless(Honest):
    """Has no summary."""

    card = Card("speechless", "Speechless", "Tests", " ")


class Unexplained(HonestParams):
    rate: float = param(0.5, low=0, high=1, help="")


@breaks("every_parameter_explains_itself")
class WithoutHelp(Honest):
    """Has a parameter without help."""

    params_type = Unexplained


class Unbounded(HonestParams):
    rate: float = param(0.5, help="No range.")


@breaks("every_parameter_explains_itself")
class WithoutRange(Honest):
    """Has a number without a range."""

    params_type = Unbounded


class Listed(HonestParams):
    sizes: Any = param((1, 2), help="A tuple, which JSON does not know.")


@breaks("parameters_survive_json")
class Forgetful(Honest):
    """Has a parameter that is another one after JSON."""

    params_type = Listed


class Permissive(Params):
    model_config = ConfigDict(extra="allow", frozen=True)
    components: int = param(24, low=1, high=100, help="Directions.")
    rate: float = 0.5

    @classmethod
    def parse(cls, values: Any) -> "Permissive":
        return cls.model_validate(dict(values))


@breaks("parameters_have_no_surprises")
class TakesAnything(Honest):
    """Takes parameters that nobody knows."""

    params_type = Permissive


class Changed(Honest):
    """Changes the Metrics of a training."""

    def metrics(self, codes: Array) -> Metrics:
        return self.changed(super().metrics(codes))

    def changed(self, event: Metrics) -> Metrics:
        raise NotImplementedError


@breaks("metrics_are_finite_and_progress_reaches_one")
class Unfinished(Changed):
    """Stops at nine tenths."""

    def changed(self, event: Metrics) -> Metrics:
        return dataclasses.replace(event, progress=0.9 * event.progress)


@breaks("metrics_are_finite_and_progress_reaches_one")
class Infinite(Changed):
    """Tells an infinite loss."""

    def changed(self, event: Metrics) -> Metrics:
        return dataclasses.replace(event, values={"error": float("inf")})


@breaks("metrics_are_finite_and_progress_reaches_one")
class Standing(Changed):
    """Counts no steps."""

    def changed(self, event: Metrics) -> Metrics:
        return dataclasses.replace(event, step=1)


COUNTER = itertools.count()


@breaks("the_same_seed_gives_the_same_training")
class Moody(Changed):
    """Depends on when it is called."""

    def changed(self, event: Metrics) -> Metrics:
        return dataclasses.replace(event, values={"error": float(next(COUNTER))})


@breaks("it_can_be_closed_after_any_event")
class Clinging(Honest):
    """Goes on when it is told to end."""

    def fit(self, data: Dataset) -> Events:
        for event in super().fit(data):
            try:
                yield event
            except GeneratorExit:
                yield event


@breaks("it_can_be_closed_after_any_event")
class Unsaveable(Honest):
    """Keeps text in an array."""

    def state(self) -> State:
        return State({"words": np.array(["a", None], dtype=object)}, {"step": self.step})


@breaks("its_state_restores")
class Losing(Honest):
    """Forgets its mean image."""

    def restore(self, state: State) -> None:
        super().restore(state)
        self.mean = np.zeros_like(self.mean)


@breaks("a_resumed_training_equals_an_uninterrupted_one")
class BeginningAgain(Honest):
    """Forgets how far its groups had moved."""

    def restore(self, state: State) -> None:
        super().restore(state)
        self.centres = np.zeros_like(self.centres)


@breaks("questions_during_training_change_nothing")
class Distracted(Honest):
    """Learns from the images that it is asked about."""

    def encode(self, images: Images) -> Array:
        codes = super().encode(images)
        self.centres = self.centres + 0.01
        return codes


@breaks("capabilities_keep_their_shapes")
class ColumnOfScores(Honest):
    """Scores as a column."""

    def score(self, images: Images) -> Array:
        return super().score(images)[:, None]


@breaks("capabilities_keep_their_shapes")
class Precise(Honest):
    """Encodes in double precision."""

    def encode(self, images: Images) -> Array:
        return super().encode(images).astype(np.float64)  # type: ignore[return-value]


@breaks("capabilities_keep_their_shapes")
class Glaring(Honest):
    """Decodes to images brighter than white."""

    def decode(self, latents: Array) -> Images:
        return super().decode(latents) * 2


@breaks("other_capabilities_keep_their_shapes")
class FlatFilling(Honest):
    """Fills in images without channels."""

    def complete(self, images: Images, mask: Any) -> Images:
        return super().complete(images, mask)[:, 0]


@breaks("other_capabilities_keep_their_shapes")
class Misplacing(Honest):
    """Gives as a reason a place outside of the image."""

    def explain(self, images: Images) -> list[Explanation]:
        outside = (0, 0, 4, images.shape[3] + 1)
        picture = images[0, :, :4, :4]
        return [Explanation(outside, 1.0, picture, 0, (0, 0, 4, 4), "discs") for _ in images]


@breaks("answers_do_not_depend_on_the_company")
class Comparing(Honest):
    """Scores in comparison with the other images of the call."""

    def score(self, images: Images) -> Array:
        scores = super().score(images)
        return scores / scores.sum()


@breaks("answers_do_not_depend_on_the_company")
class Meddling(Honest):
    """Changes the images that it is given."""

    def score(self, images: Images) -> Array:
        images *= 0.5
        return super().score(images)


@breaks("one_pass_says_what_two_say")
class TwoFaced(Honest):
    """Says another score in one pass."""

    def inspect(self, images: Images) -> tuple[Array, Array]:
        return self.score(images) + 1, self.localize(images)


@breaks("events_are_plain_data")
class Opaque(Honest):
    """Puts a function in an event."""

    def fit(self, data: Dataset) -> Events:
        yield Note(lambda: "text")  # type: ignore[arg-type]
        yield from super().fit(data)


@breaks("views_can_be_drawn")
class Undrawable(Honest):
    """Shows a line with a hole."""

    def views(self) -> list[View]:
        line = np.array([1, np.nan], np.float32)
        return [Curve("Line", {"line": (line, line)})]


@breaks("views_can_be_drawn")
class Homemade(Honest):
    """Shows something that no window knows."""

    def views(self) -> list[View]:
        return [np.zeros(3)]  # type: ignore[list-item]


@breaks("it_refuses_what_does_not_fit")
class Cropping(Honest):
    """Takes images of any size."""

    def _flat(self, images: Images) -> Array:
        return super()._flat(images[:, :, : self.shape[1], : self.shape[2]])


@breaks("it_refuses_what_does_not_fit")
class Content(Honest):
    """Learns from nothing."""

    def fit(self, data: Dataset) -> Events:
        return super().fit(data) if len(data) else iter(())


@breaks("it_says_when_it_is_not_trained")
class Guessing(Honest):
    """Answers before it is trained."""

    def encode(self, images: Images) -> Array:
        if not self.step:
            return np.zeros((len(images), 3), np.float32)
        return super().encode(images)


@breaks("what_it_rebuilds_is_better_than_the_mean_image")
class Averaging(Honest):
    """Rebuilds the mean image."""

    def decode(self, latents: Array) -> Images:
        return super().decode(latents * 0)


@breaks("planted_defects_score_higher")
class Dicing(Honest):
    """Scores by throwing dice."""

    def score(self, images: Images) -> Array:
        return np.random.default_rng(0).random(len(images)).astype(np.float32)


@breaks("planted_defects_are_marked")
class Pointing(Honest):
    """Marks the same corner in every image."""

    def localize(self, images: Images) -> Array:
        maps = np.zeros_like(images[:, 0])
        maps[:, :4, :4] = 1
        return maps


@breaks("samples_look_like_the_images")
class Noisy(Honest):
    """Draws noise."""

    def generate(self, count: int, seed: int) -> Images:
        noise = np.random.default_rng(seed).random((count, *self.shape))
        return noise.astype(np.float32)


@breaks("samples_look_like_the_images")
class Collapsed(Honest):
    """Draws one image again and again."""

    def generate(self, count: int, seed: int) -> Images:
        return np.repeat(super().generate(1, seed), count, axis=0)


@breaks("separate_groups_are_found")
class Undecided(Honest):
    """Puts everything in one group."""

    def cluster(self, images: Images) -> Any:
        return super().cluster(images) * 0


@breaks("neighbours_in_the_latent_space_are_alike")
class Scattering(Honest):
    """Encodes to noise."""

    def encode(self, images: Images) -> Array:
        codes = super().encode(images)
        return np.random.default_rng(0).normal(size=codes.shape).astype(np.float32)


@breaks("neighbours_in_the_embedding_are_alike")
class Strewn(Honest):
    """Embeds to noise."""

    def embed(self) -> Array:
        return np.random.default_rng(0).normal(size=(len(self.first), 2)).astype(np.float32)


@breaks("what_it_fills_in_is_better_than_the_mean_image")
class Patching(Honest):
    """Fills in grey."""

    def complete(self, images: Images, mask: Any) -> Images:
        return np.where(mask[:, None], np.float32(0.5), images)


@breaks("the_labels_it_was_given_are_recognised")
class Stubborn(Honest):
    """Says the first class of every image."""

    uses_labels = True

    def classify(self, images: Images, texts: Sequence[str]) -> Array:
        return np.eye(len(texts), dtype=np.float32)[np.zeros(len(images), np.int64)]


@pytest.mark.parametrize("name", CHECK)
def test_an_honest_method_passes(name: str) -> None:
    CHECK[name](Honest)


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name, methods in BROKEN.items() for method in methods],
    ids=lambda item: getattr(item, "__name__", item),
)
def test_a_broken_promise_is_caught(name: str, method: type[Method[Any]]) -> None:
    with pytest.raises(BrokenPromise, match=r"[.…]$"):
        CHECK[name](method)


def written(folder: Path, text: str) -> type[Method[Any]]:
    file = folder / "windowed_method.py"
    file.write_text(f"from tests.contract.honest import Honest\n{text}", encoding="utf-8")
    found = importlib.util.spec_from_file_location("windowed_method", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["windowed_method"] = module
    found.loader.exec_module(module)
    method: type[Method[Any]] = module.Windowed
    return method


def test_qt_is_found_inside_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "windowed_method", None)
    text = "class Windowed(Honest):\n    def show(self):\n        import PySide6.QtGui\n"

    with pytest.raises(BrokenPromise, match=r"'windowed_method' imports PySide6"):
        CHECK["it_never_imports_qt"](written(tmp_path, text))


def test_no_check_is_without_a_broken_method() -> None:
    assert set(BROKEN) | {"it_never_imports_qt"} == set(CHECK)


def test_a_whole_method_is_checked_in_one_call() -> None:
    check_method(Honest)

    with pytest.raises(BrokenPromise):
        check_method(Averaging)


def test_every_check_says_what_it_promises() -> None:
    assert all(check.__doc__ for check in CHECKS)


def test_a_plugin_file_is_checked_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "honest_plugin", None)
    file = tmp_path / "honest_plugin.py"
    file.write_text(
        "from tests.contract.test_kit import Collapsed\n"
        "def register_methods():\n    return [Collapsed]\n",
        encoding="utf-8",
    )

    assert main([str(file)]) == 1

    told = capsys.readouterr().out
    assert "BROKEN samples look like the images" in told
    assert f"{len(CHECKS) - 1} of {len(CHECKS)} promises kept" in told


def test_the_kit_needs_neither_torch_nor_qt() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['PySide6'] = None;"
        "import desktop_app.sdk.testing.__main__"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
