import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.runs import Run
from desktop_app.sdk.capabilities import Encodes, Generates
from desktop_app.sdk.errors import MissingCapability, UnknownMethod, UnreadableRun
from desktop_app.worker.loading import (
    channels_of,
    keep_attached,
    new_method,
    require,
    trained_method,
)
from tests.runs import dense_spec

TAKING_A_RUN = """
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param

class TakingParams(Params):
    encoder: str = param("", kind="run", help="A trained run whose codes are used.")

class Taking(Method[TakingParams]):
    card = Card("taking", "Taking", "Tests", "Uses the codes of another run.")

    def attach_run(self, parameter, method):
        self.attached = (parameter, method)

    def fit(self, data):
        yield from ()

    def state(self):
        return State({}, {})

    def restore(self, state):
        pass

@hookimpl
def register_methods():
    return [Taking]
"""


def test_a_parameter_that_names_a_run_attaches_its_trained_method(
    write_plugin: Callable[[str, str], Path], trained_run: Run, image_folder: Path
) -> None:
    write_plugin("taking", TAKING_A_RUN)
    spec = dense_spec(image_folder, method="taking").model_copy(
        update={"params": {"encoder": str(trained_run.path)}}
    )

    method = new_method(spec, "cpu")

    parameter, attached = method.attached  # type: ignore[attr-defined]
    assert parameter == "encoder"
    assert attached.encode(np.zeros((2, 1, 16, 16), np.float32)).shape == (2, 4)


def test_an_attached_run_is_kept_and_needed_no_longer(
    write_plugin: Callable[[str, str], Path], trained_run: Run, image_folder: Path, tmp_path: Path
) -> None:
    write_plugin("taking", TAKING_A_RUN)
    spec = dense_spec(image_folder, method="taking").model_copy(
        update={"params": {"encoder": str(trained_run.path)}}
    )
    run = Run.create(tmp_path / "taker", spec)
    probes = np.random.default_rng(0).random((2, 1, 16, 16), np.float32)
    expected = trained_method(trained_run.path, "cpu").encode(probes)  # type: ignore[attr-defined]

    keep_attached(run)
    shutil.rmtree(trained_run.path)
    method = new_method(spec, "cpu", run.attached_path)

    np.testing.assert_array_equal(method.attached[1].encode(probes), expected)  # type: ignore[attr-defined]


def test_a_run_that_is_none_cannot_be_attached(
    write_plugin: Callable[[str, str], Path], image_folder: Path
) -> None:
    write_plugin("taking", TAKING_A_RUN)
    spec = dense_spec(image_folder, method="taking").model_copy(
        update={"params": {"encoder": str(image_folder)}}
    )

    with pytest.raises(UnreadableRun, match="is not a run folder"):
        new_method(spec, "cpu")


def test_a_trained_method_is_used_with_the_channels_of_its_training(trained_run: Run) -> None:
    assert channels_of(trained_run) == 1


def test_a_capability_that_is_missing_is_a_sentence(trained_run: Run) -> None:
    method = trained_method(trained_run.path, "cpu")

    require(method, Encodes, "encode images")
    with pytest.raises(MissingCapability, match="'Autoencoder' cannot generate images"):
        require(method, Generates, "generate images")


def test_an_unknown_method_names_the_known_ones(image_folder: Path) -> None:
    with pytest.raises(UnknownMethod, match=r"No method 'vea'\. Known: .*autoencoder"):
        new_method(dense_spec(image_folder, method="vea"), "cpu")
