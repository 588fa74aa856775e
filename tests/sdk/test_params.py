import json
from typing import Any, Literal

import pytest

from desktop_app.sdk.errors import InvalidParameter
from desktop_app.sdk.params import Params, TrainingParams, param, parameter_schema


class Knobs(TrainingParams):
    depth: int = param(3, low=1, high=9, unit="layers", help="Layers.")
    beta: float = param(1.0, low=0, high=50, scale="log", advanced=True, help="Weight.")
    loss: Literal["mse", "bce"] = param("mse", help="Loss.")
    centred: bool = param(True, help="Subtract the mean.")
    weights: str = param("", kind="file", help="A file of weights.")
    encoder: str = param("", kind="run", help="A trained run.")
    words: str = param("", help="Some words.")


def _described(name: str) -> dict[str, Any]:
    return next(item for item in parameter_schema(Knobs) if item["name"] == name)


def test_the_schema_is_plain_data_with_everything_a_form_needs() -> None:
    schema = parameter_schema(Knobs)

    assert json.loads(json.dumps(schema)) == schema
    assert [item["name"] for item in schema] == list(Knobs.model_fields)
    assert _described("depth") == {
        "name": "depth",
        "kind": "int",
        "default": 3,
        "low": 1,
        "high": 9,
        "unit": "layers",
        "scale": "linear",
        "choices": [],
        "help": "Layers.",
        "advanced": False,
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("depth", "int"),
        ("beta", "float"),
        ("loss", "choice"),
        ("centred", "bool"),
        ("weights", "file"),
        ("encoder", "run"),
        ("words", "text"),
    ],
)
def test_every_kind_of_parameter_has_its_own_field(name: str, kind: str) -> None:
    assert _described(name)["kind"] == kind


def test_choices_scale_and_advanced_are_described() -> None:
    assert _described("loss")["choices"] == ["mse", "bce"]
    assert _described("beta")["scale"] == "log"
    assert _described("beta")["advanced"] is True
    assert _described("learning_rate")["scale"] == "log"


def test_values_are_read_from_their_text() -> None:
    words = {"depth": "5", "beta": "2.5", "loss": "bce", "centred": "false", "words": "乙"}
    params = Knobs.parse(words)

    assert isinstance(params, Knobs)
    assert (params.depth, params.beta, params.loss) == (5, 2.5, "bce")
    assert (params.centred, params.words) == (False, "乙")


def test_params_survive_json() -> None:
    params = Knobs.parse({"depth": 5, "beta": 0.1})

    assert Knobs.parse(json.loads(json.dumps(params.model_dump()))) == params


def test_params_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Knobs().depth = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"depht": 3}, "No parameter 'depht'. Known: epochs, least_steps, "),
        ({"depth": 0}, "depth must be at least 1, got 0."),
        ({"depth": "10"}, "depth must be at most 9, got '10'."),
        ({"depth": 2.5}, "depth must be a whole number, got 2.5."),
        ({"depth": "many"}, "depth must be a whole number, got 'many'."),
        ({"beta": "much"}, "beta must be a number, got 'much'."),
        ({"loss": "huber"}, "loss must be 'mse' or 'bce', got 'huber'."),
        ({"centred": "perhaps"}, "centred must be true or false, got 'perhaps'."),
    ],
)
def test_a_wrong_value_is_one_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidParameter) as problem:
        Knobs.parse(values)

    assert str(problem.value).startswith(sentence)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_values_that_are_no_number_are_refused(value: str) -> None:
    with pytest.raises(InvalidParameter, match="beta"):
        Knobs.parse({"beta": value})


def test_several_wrong_values_are_told_together() -> None:
    with pytest.raises(InvalidParameter) as problem:
        Knobs.parse({"depth": 0, "beta": -1})

    assert "depth must be at least 1" in str(problem.value)
    assert "beta must be at least 0" in str(problem.value)


def test_a_default_out_of_its_own_range_is_refused() -> None:
    class Wrong(Params):
        depth: int = param(0, low=1, help="Layers.")

    with pytest.raises(InvalidParameter, match="depth must be at least 1"):
        Wrong.parse({})
