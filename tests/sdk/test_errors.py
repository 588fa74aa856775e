import inspect

import pytest

from desktop_app.sdk import errors
from desktop_app.sdk.errors import LoupeError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS)
def test_all_errors_grow_on_one_tree_and_say_what_they_mean(kind: type[Exception]) -> None:
    assert issubclass(kind, LoupeError)
    assert kind.__doc__
