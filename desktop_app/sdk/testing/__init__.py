"""The promises that every method makes, bundled or third-party, and checks that hold it to them.

In a test of a plugin:

    import pytest
    from desktop_app.sdk.testing import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_method_keeps_its_promises(check):
        check(MyMethod)

or, without pytest, `check_method(MyMethod)`, or for a whole plugin

    python -m desktop_app.sdk.testing my_plugin.py

A broken promise is a BrokenPromise whose message is
one sentence. Methods are tried on small generated images (32 px); one that needs other parameters
for so little data names them in a class attribute, `toy_params = {"components": 8}`.
"""

from desktop_app.sdk.testing.learning import LEARNING_CHECKS
from desktop_app.sdk.testing.promises import PROMISES
from desktop_app.sdk.testing.trial import BrokenPromise, Check, MethodType

__all__ = ["CHECKS", "BrokenPromise", "check_method"]

CHECKS: tuple[Check, ...] = (*PROMISES, *LEARNING_CHECKS)


def check_method(method: MethodType) -> None:
    """Hold a method to all its promises. Raises BrokenPromise at the first that is broken."""
    for check in CHECKS:
        check(method)
