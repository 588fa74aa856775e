import inspect
import re
from typing import Any

import pytest

from desktop_app.sdk import capabilities
from desktop_app.sdk.capabilities import CAPABILITIES, capabilities_of


def test_the_table_names_every_protocol_of_the_module() -> None:
    protocols = {
        kind
        for _, kind in inspect.getmembers(capabilities, inspect.isclass)
        if kind.__module__ == capabilities.__name__
    }

    # Inspects is a faster way to two capabilities, Represents what lies behind Embeds.
    beside = {capabilities.Inspects, capabilities.Represents}
    assert set(CAPABILITIES.values()) == protocols - beside
    for name, kind in CAPABILITIES.items():
        assert name == re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


@pytest.mark.parametrize("name", list(CAPABILITIES))
def test_every_capability_says_what_it_becomes_and_what_it_returns(name: str) -> None:
    kind = CAPABILITIES[name]
    (function,) = [
        part for part in vars(kind).values() if inspect.isfunction(part) and part.__name__[0] != "_"
    ]

    assert kind.__doc__
    assert function.__doc__
    assert function.__doc__.startswith("Return ")


class Both:
    def encode(self, images: Any) -> Any: ...

    def score(self, images: Any) -> Any: ...


def test_capabilities_are_told_of_a_class_and_of_an_object_alike() -> None:
    assert capabilities_of(Both) == ("encodes", "scores")
    assert capabilities_of(Both()) == ("encodes", "scores")
    assert capabilities_of(object) == ()
