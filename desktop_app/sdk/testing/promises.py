"""What every method promises, whatever it learns."""

import ast
import json
import math
import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from desktop_app.sdk.capabilities import CAPABILITIES, Inspects, capabilities_of
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import LoupeError
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.explanation import Explanation
from desktop_app.sdk.params import parameter_schema
from desktop_app.sdk.testing.toys import SIDE, discs
from desktop_app.sdk.testing.trial import (
    OF_IMAGES,
    TOYS,
    Check,
    MethodType,
    Told,
    outputs,
    require,
    same,
    through_disk,
    told,
    told_by,
    told_on_toys,
    toy_params,
    toys,
    trained_on_toys,
    tried,
)
from desktop_app.sdk.views import HeatMap, ImageGrid, Scatter, Table, View

_OTHERS = 5
_TEXTS = ("a disc", "a square")
_WINDOW_PACKAGES = {"PySide6", "PySide2", "PyQt6", "PyQt5", "shiboken6", "qtpy", "pyqtgraph"}


def the_card_is_complete(method: MethodType) -> None:
    """Id, title, family and summary are there; the id is lower-case with underscores."""
    card = method.card
    require(
        re.fullmatch(r"[a-z][a-z0-9_]*", card.id),
        f"Card.id must be lower-case letters, digits and underscores, got '{card.id}'.",
    )
    for name in ("title", "family", "summary"):
        require(getattr(card, name).strip(), f"Card.{name} must not be empty.")
    require(method.__doc__, f"{method.__name__} must have a docstring.")
    require(capabilities_of(method), f"{method.__name__} has no capability: write score, encode …")


def every_parameter_explains_itself(method: MethodType) -> None:
    """Every parameter has help, and every number a range that holds its default."""
    for field in parameter_schema(method.params_type):
        name = field["name"]
        require(field["help"].strip(), f"Parameter '{name}' has no help.")
        require(field["default"] is not None, f"Parameter '{name}' has no default.")
        if field["kind"] in ("int", "float"):
            low, high, default = field["low"], field["high"], field["default"]
            require(
                low is not None and high is not None, f"Parameter '{name}' must have low and high."
            )
            require(
                low <= default <= high,
                f"Parameter '{name}' must begin between {low} and {high}, got {default}.",
            )


def parameters_survive_json(method: MethodType) -> None:
    """Parameters equal themselves after a journey through JSON."""
    params = method.params_type()
    again = method.params_type.parse(json.loads(json.dumps(params.model_dump())))
    require(again == params, f"Parameters changed in JSON: {params!r} became {again!r}.")


def metrics_are_finite_and_progress_reaches_one(method: MethodType) -> None:
    """Steps increase, progress never falls and ends at 1, values are finite."""
    metrics = told_on_toys(method)
    require(metrics, "fit must yield Metrics.")
    steps, progress = [step for step, _, _ in metrics], [share for _, share, _ in metrics]
    require(steps == sorted(set(steps)), f"Steps must increase, got {steps[:10]}.")
    require(progress == sorted(progress), f"Progress must not fall, got {progress[:10]}.")
    require(progress[0] >= 0, f"Progress must not be negative, got {progress[0]}.")
    require(abs(progress[-1] - 1) < 1e-9, f"Progress must end at 1, got {progress[-1]}.")
    for step, _, values in metrics:
        for name, value in values.items():
            require(isinstance(value, float | int), f"Metric '{name}' must be a number.")
            require(math.isfinite(value), f"Metric '{name}' is {value} at step {step}.")


def the_same_seed_gives_the_same_training(method: MethodType) -> None:
    """Two trainings with one seed tell the same and end with the same answers."""
    data, probes = toys(method), discs(_OTHERS, 1).images(slice(None))
    first, second = tried(method, seed=3), tried(method, seed=3)
    require(
        same(told(first.fit(data)), told(second.fit(data))),
        "Two trainings with the same seed told different metrics.",
    )
    _require_equal(outputs(first, probes), outputs(second, probes), "two trainings with one seed")


def it_can_be_closed_after_any_event(method: MethodType) -> None:
    """A training that is closed early leaves a state that can be restored."""
    for events in (1, 2, 4):
        subject = tried(method)
        training = subject.fit(toys(method))
        for _ in range(events):
            next(training, None)
        try:
            training.close()  # type: ignore[attr-defined]
        except Exception as problem:
            require(False, f"fit must end when it is closed, after {events} events: {problem}.")
        tried(method).restore(through_disk(subject.state()))


def its_state_restores(method: MethodType) -> None:
    """A restored method answers as the trained one does, bit by bit."""
    probes = discs(_OTHERS, 1).images(slice(None))
    subject = trained_on_toys(method)
    other = tried(method, seed=99)
    other.restore(through_disk(subject.state()))
    _require_equal(outputs(subject, probes), outputs(other, probes), "after it was restored")


def a_resumed_training_equals_an_uninterrupted_one(method: MethodType) -> None:
    """From a state at any Metrics on, a new object tells what the first one would have told."""
    data = toys(method)
    whole = told_on_toys(method)
    for cut in sorted({1, len(whole) // 2, len(whole) - 1} - {0}):
        subject = tried(method)
        before: list[Told] = []
        training = subject.fit(data)
        while len(before) < cut:
            event = next(training)
            if isinstance(event, Metrics):
                before.append(told_by(event))
        state = through_disk(subject.state())
        training.close()  # type: ignore[attr-defined]
        other = tried(method, seed=0)
        other.restore(state)
        rest = told(other.fit(data))
        require(
            same([*before, *rest], whole),
            f"Resumed after Metrics {cut} of {len(whole)}, the training went on differently: "
            f"expected {whole[cut : cut + 2]}, got {rest[:2]}.",
        )


def questions_during_training_change_nothing(method: MethodType) -> None:
    """Capabilities may be asked after every event without changing what is learned."""
    data, probes = toys(method), discs(_OTHERS, 1).images(slice(None))
    alone = told_on_toys(method)
    subject, asked = tried(method), []
    for event in subject.fit(data):
        outputs(subject, probes)
        if isinstance(event, Metrics):
            asked.append(told_by(event))
    require(same(alone, asked), "Questions asked during the training changed its metrics.")


def capabilities_keep_their_shapes(method: MethodType) -> None:
    """Answers are finite arrays of the promised shapes and types."""
    subject = trained_on_toys(method)
    probes = discs(_OTHERS, 1).images(slice(None))
    for name, ask in OF_IMAGES.items():
        if isinstance(subject, CAPABILITIES[name]):
            _require_shape(name, ask(subject, probes), probes.shape)
    if isinstance(subject, CAPABILITIES["decodes"]) and isinstance(
        subject, CAPABILITIES["encodes"]
    ):
        _require_images("decode", subject.decode(subject.encode(probes)), probes.shape)
    if isinstance(subject, CAPABILITIES["generates"]):
        images = subject.generate(3, seed=1)
        _require_images("generate", images, (3, *probes.shape[1:]))
        require(
            np.array_equal(images, subject.generate(3, seed=1)),
            "generate must give the same images for the same seed.",
        )


def other_capabilities_keep_their_shapes(method: MethodType) -> None:
    """What takes texts, masks or nothing answers with finite arrays of the promised shapes."""
    subject: Any = trained_on_toys(method)
    probes = discs(_OTHERS, 1).images(slice(None))
    if isinstance(subject, CAPABILITIES["embeds"]):
        _require_rows("embed", subject.embed(), TOYS)
    if isinstance(subject, CAPABILITIES["explains"]):
        _require_reasons(subject.explain(probes))
    if isinstance(subject, CAPABILITIES["completes"]):
        mask = np.zeros((_OTHERS, SIDE, SIDE), np.bool_)
        mask[:, :8] = True
        _require_images("complete", subject.complete(probes, mask), probes.shape)
    if isinstance(subject, CAPABILITIES["classifies"]):
        answer = subject.classify(probes, _TEXTS)
        _require_rows("classify", answer, _OTHERS)
        require(answer.shape[1] == len(_TEXTS), f"classify gave {answer.shape}.")
    if isinstance(subject, CAPABILITIES["encodes_text"]):
        _require_rows("encode_text", subject.encode_text(_TEXTS), len(_TEXTS))


def one_pass_says_what_two_say(method: MethodType) -> None:
    """Inspects: scores and maps in one pass are those of score and localize."""
    if not issubclass(method, Inspects):
        return
    subject: Any = trained_on_toys(method)
    probes = discs(_OTHERS, 1).images(slice(None))
    scores, maps = subject.inspect(probes)
    require(np.array_equal(scores, subject.score(probes)), "inspect and score differ.")
    require(np.array_equal(maps, subject.localize(probes)), "inspect and localize differ.")


def events_are_plain_data(method: MethodType) -> None:
    """Events can be pickled, which tensors on a device or open files cannot."""
    for event in tried(method).fit(toys(method)):
        try:
            pickle.loads(pickle.dumps(event))
        except Exception as problem:
            require(False, f"Events must be plain data that can be pickled, got {problem!r}.")
        require(
            type(event).__module__.startswith("desktop_app.sdk"),
            f"fit must yield events of the sdk, got {type(event)}.",
        )


def views_can_be_drawn(method: MethodType) -> None:
    """Views are those of the sdk, before the training too, and their arrays are finite."""
    for view in (*tried(method).views(), *trained_on_toys(method).views()):
        require(isinstance(view, get_args(View)), f"views must return views, got {type(view)}.")
        require(view.title.strip(), "A view has no title.")
        for array in _arrays_in(vars(view)):
            require(np.isfinite(array).all(), f"View '{view.title}' holds numbers not finite.")
        _require_drawable(view)


def answers_do_not_depend_on_the_company(method: MethodType) -> None:
    """An image gets the answer that it gets alone, and is itself left as it was."""
    subject = trained_on_toys(method)
    probes = discs(_OTHERS, 1).images(slice(None))
    before = probes.copy()
    together = outputs(subject, probes)
    require(np.array_equal(before, probes), "A capability changed the images that it was given.")
    alone = outputs(subject, probes[1:2])
    for name, answer in together.items():
        require(
            np.allclose(answer[1:2], alone[name], rtol=1e-3, atol=1e-4),
            f"'{name}' answers differently for an image alone and among others.",
        )


def it_says_when_it_is_not_trained(method: MethodType) -> None:
    """Questions before the training are refused with a sentence."""
    probes = discs(_OTHERS, 1).images(slice(None))
    for name, ask in OF_IMAGES.items():
        if issubclass(method, CAPABILITIES[name]):
            _require_refused(
                lambda ask=ask: ask(tried(method), probes), f"{name}: a method without training"
            )


def it_never_imports_qt(method: MethodType) -> None:
    """Its module, and those beside it that are loaded, name no Qt: it runs without a window."""
    package = method.__module__.rpartition(".")[0]
    if package not in sys.modules:  # a single file: what is loaded beside it is not its own
        package = method.__module__
    for name, module in sorted(sys.modules.items()):
        beside = name == method.__module__ or name.startswith(f"{package}.")
        if not beside or getattr(module, "__file__", None) is None:
            continue
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        found = _imported(tree) & _WINDOW_PACKAGES
        require(not found, f"Module '{name}' imports {', '.join(sorted(found))}.")


def it_refuses_what_does_not_fit(method: MethodType) -> None:
    """Images of another size, and no images at all, are refused with a sentence."""
    subject = trained_on_toys(method)
    larger = np.zeros((2, 1, SIDE + 8, SIDE + 8), np.float32)
    for name, ask in OF_IMAGES.items():
        if isinstance(subject, CAPABILITIES[name]):
            _require_refused(lambda ask=ask: ask(subject, larger), f"{name}: images of other size")
    empty = ArrayDataset(np.zeros((0, 1, SIDE, SIDE), np.uint8), "empty")
    _require_refused(lambda: list(tried(method).fit(empty)), "fit: a data set without images")


def parameters_have_no_surprises(method: MethodType) -> None:
    """Unknown names and values out of range are refused, and what the kit asks for can be set."""
    toy_params(method, {})
    wrong: dict[str, Any] = {"no_such_parameter": 1}
    for field in parameter_schema(method.params_type):
        if field["kind"] in ("int", "float") and field["high"] is not None:
            wrong[field["name"]] = field["high"] + 1
    for name, value in wrong.items():
        _require_refused(
            lambda name=name, value=value: method.params_type.parse({name: value}),
            f"parameters: {name} = {value}",
        )


PROMISES: tuple[Check, ...] = (
    the_card_is_complete,
    every_parameter_explains_itself,
    parameters_survive_json,
    parameters_have_no_surprises,
    metrics_are_finite_and_progress_reaches_one,
    the_same_seed_gives_the_same_training,
    it_can_be_closed_after_any_event,
    its_state_restores,
    a_resumed_training_equals_an_uninterrupted_one,
    questions_during_training_change_nothing,
    capabilities_keep_their_shapes,
    other_capabilities_keep_their_shapes,
    answers_do_not_depend_on_the_company,
    one_pass_says_what_two_say,
    events_are_plain_data,
    views_can_be_drawn,
    it_refuses_what_does_not_fit,
    it_says_when_it_is_not_trained,
    it_never_imports_qt,
)


def _arrays_in(fields: Mapping[str, Any]) -> Iterator[Any]:
    for value in fields.values():
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, Mapping):  # the lines of a curve: name -> (x, y)
            yield from (np.asarray(line, dtype=np.float64) for line in value.values())


def _require_drawable(view: View) -> None:
    dimensions = {ImageGrid: ("images", 4), HeatMap: ("matrix", 2), Scatter: ("points", 2)}
    for kind, (name, expected) in dimensions.items():
        if isinstance(view, kind):
            shape = getattr(view, name).shape
            require(
                len(shape) == expected,
                f"View '{view.title}' needs {name} of {expected} dimensions, got shape {shape}.",
            )
    if isinstance(view, Table):
        widths = {len(row) for row in view.rows} | {len(view.columns)}
        require(len(widths) == 1, f"Rows and columns of view '{view.title}' differ in number.")


def _imported(tree: ast.AST) -> set[str]:
    """Return the top-level packages that are imported anywhere in a syntax tree."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


def _require_equal(first: dict[str, Any], second: dict[str, Any], when: str) -> None:
    require(first.keys() == second.keys(), f"Capabilities answer differently {when}.")
    for name, answer in first.items():
        require(np.array_equal(answer, second[name]), f"'{name}' answers differently {when}.")


def _require_shape(name: str, answer: Any, shape: tuple[int, ...]) -> None:
    count, _, height, width = shape
    expected = {"scores": (count,), "localizes": (count, height, width), "clusters": (count,)}
    if name == "translates":
        require(answer.ndim == 4 and len(answer) == count, f"translate gave {answer.shape}.")
    elif name == "encodes":
        require(answer.ndim == 2 and len(answer) == count, f"encode gave {answer.shape}.")
    else:
        require(
            answer.shape == expected[name],
            f"'{name}' must give shape {expected[name]}, got {answer.shape}.",
        )
    wanted = np.integer if name == "clusters" else np.float32
    require(
        np.issubdtype(answer.dtype, wanted),
        f"'{name}' must give {wanted.__name__}, got {answer.dtype}.",
    )
    require(np.isfinite(answer).all(), f"'{name}' gave numbers that are not finite.")


def _require_reasons(reasons: Any) -> None:
    require(len(reasons) == _OTHERS, f"explain gave {len(reasons)} reasons for {_OTHERS} images.")
    for reason in reasons:
        require(isinstance(reason, Explanation), f"explain must give Explanation, got {reason!r}.")
        picture = reason.picture
        require(picture.ndim == 3, f"explain must give pictures (C, h, w), got {picture.shape}.")
        _require_images("explain", picture, picture.shape)
        require(0 <= reason.row < TOYS, f"explain names row {reason.row} of {TOYS} images.")
        for top, left, bottom, right in (reason.box, reason.source_box):
            require(
                0 <= top < bottom <= SIDE and 0 <= left < right <= SIDE,
                f"explain gave the box {(top, left, bottom, right)} in images of {SIDE} pixels.",
            )


def _require_rows(name: str, answer: Any, count: int) -> None:
    require(
        answer.ndim == 2 and len(answer) == count and answer.dtype == np.float32,
        f"{name} must give float32 of shape ({count}, D), got {answer.dtype} of {answer.shape}.",
    )
    require(np.isfinite(answer).all(), f"{name} gave numbers that are not finite.")


def _require_images(name: str, images: Any, shape: tuple[int, ...]) -> None:
    require(images.shape == shape, f"{name} must give shape {shape}, got {images.shape}.")
    require(images.dtype == np.float32, f"{name} must give float32, got {images.dtype}.")
    require(
        images.min() >= -1e-6 and images.max() <= 1 + 1e-6,
        f"{name} must give images in [0, 1], got {images.min():.3g} to {images.max():.3g}.",
    )


def _require_refused(act: Any, what: str) -> None:
    try:
        act()
    except LoupeError:
        return
    except Exception as problem:
        require(False, f"{what} must be refused with a LoupeError, got {problem!r}.")
    require(False, f"{what} must be refused.")
