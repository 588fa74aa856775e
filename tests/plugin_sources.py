"""Source texts of single-file plugins: one that works, and every way to be broken."""

WORKING = '''
"""A method that learns the mean image."""

import numpy as np

from desktop_app.sdk.events import Metrics
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param


class MeanParams(Params):
    weight: float = param(1.0, low=0, high=2, help="Factor of the score.")


class Mean(Method[MeanParams]):
    card = Card("mean", "Mean image", "Tests", "Compares every image with the mean.")

    def fit(self, data):
        self.mean = data.images(slice(0, len(data))).mean(axis=0)
        yield Metrics(1, 1.0, {"loss": 0.0}, images=len(data))

    def score(self, images):
        return self.params.weight * np.square(images - self.mean).mean(axis=(1, 2, 3))

    def state(self):
        return State({"mean": self.mean}, {})

    def restore(self, state):
        self.mean = state.arrays["mean"]


@hookimpl
def register_methods():
    return [Mean]
'''

IMPORTS = """
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params


class Empty(Method[Params]):
    def fit(self, data):
        yield from ()

    def state(self):
        return State({}, {})

    def restore(self, state):
        pass


"""

BROKEN = {
    "import_error": ("import no_such_module", "ModuleNotFoundError: No module named"),
    "syntax_error": ("def register_methods(:", "SyntaxError"),
    "misspelt_hook": (
        IMPORTS + "@hookimpl\ndef register_metods():\n    return []\n",
        "unknown hook 'register_metods'",
    ),
    "leaves": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raising_hook": (
        IMPORTS + "@hookimpl\ndef register_methods():\n    raise ValueError('no weights')\n",
        "ValueError: no weights",
    ),
    "no_card": (
        IMPORTS + "@hookimpl\ndef register_methods():\n    return [Empty]\n",
        "Empty has no card: write card = Card(...).",
    ),
    "no_method": (
        IMPORTS + "@hookimpl\ndef register_methods():\n    return ['vae']\n",
        "register_methods must return Method classes, got 'vae'.",
    ),
    "crash": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "ended the process with code -11 while it was loaded.",
    ),
    "exits": ("import os; os._exit(0)", "ended the process with code 0 while it was loaded."),
}
"""Name -> source text and a part of the sentence that the catalog shows."""

IN_PROCESS = {name: BROKEN[name] for name in BROKEN if name not in ("crash", "exits")}
"""Those that can be loaded without ending the process."""
