from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from desktop_app.sdk.data import ArrayDataset, Dataset
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, TrainingParams
from desktop_app.toolbox.exporting import (
    LinearEncoder,
    encoder_module,
    largest_difference,
    run_module,
    write_module,
)
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.torch_method import TorchMethod

SHAPE = (3, 8, 8)


class Small(TorchMethod[TrainingParams]):
    """An encoder with a normalisation that depends on the mode, and a large decoder."""

    card = Card("small", "Small", "Tests", "Encodes.")

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
        )
        self.decoder = nn.Linear(2, 100_000)

    def learn(self, data: Dataset) -> Events:
        for step in self.steps(data):
            self.encoder(step.batch)
            yield step.metrics(loss=0.0)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        latents: Tensor = self.encoder(images)
        return latents


class Silent(Method[Params]):
    """Encodes with numpy alone."""

    card = Card("silent", "Silent", "Tests", "Encodes.")
    params_type = Params

    def fit(self, data: Dataset) -> Events:
        yield from ()

    def state(self) -> State:
        return State({}, {})

    def restore(self, state: State) -> None:
        pass

    def encode(self, images: Any) -> Any:
        return images.reshape(len(images), -1)


@pytest.fixture(scope="module")
def small() -> Small:
    pixels = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), np.uint8)
    method = Small(TrainingParams(epochs=1, least_steps=3, batch_size=8))
    for _ in method.fit(ArrayDataset(pixels)):
        pass
    return method


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(1).random((5, *SHAPE), np.float32)


def test_the_module_computes_what_encode_does(small: Small, images: Any) -> None:
    module = encoder_module(small).eval()

    with torch.no_grad():
        latents = module(torch.from_numpy(images)).numpy()

    np.testing.assert_allclose(latents, small.encode(images), rtol=1e-6)
    small.train()


@pytest.mark.parametrize("suffix", [".pt2", ".ts", ".onnx"])
def test_a_file_gives_the_same_latents_for_any_number_of_images(
    small: Small, images: Any, suffix: str, tmp_path: Path
) -> None:
    if suffix == ".onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
    path = tmp_path / f"编码器{suffix}"

    write_module(encoder_module(small), path, SHAPE)

    for count in (1, 2, 5):
        expected = small.encode(images[:count])
        assert largest_difference(run_module(path, images[:count]), expected) < 1e-4
    assert path.stat().st_size < 100_000, "the decoder of 1.2 MB must not be in it"


def test_writing_leaves_the_training_as_it_was(small: Small, tmp_path: Path) -> None:
    small.train()
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}

    write_module(encoder_module(small), tmp_path / "encoder.ts", SHAPE)

    assert small.training
    assert small.encoder[1].training
    assert all(weight.requires_grad for weight in small.parameters())
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_a_method_may_offer_a_module_of_its_own(images: Any, tmp_path: Path) -> None:
    class Linear(Silent):
        """The sum of all values, as a matrix."""

        def encoder_module(self) -> LinearEncoder:
            return LinearEncoder(np.full(192, 0.5, np.float32), np.ones((192, 1), np.float32))

    write_module(encoder_module(Linear()), tmp_path / "sum.pt2", SHAPE)

    expected = images.reshape(5, -1).sum(axis=1, keepdims=True) - 96
    np.testing.assert_allclose(run_module(tmp_path / "sum.pt2", images), expected, rtol=1e-3)


def test_a_method_without_a_module_is_a_sentence() -> None:
    with pytest.raises(MissingCapability, match="'Silent' are not computed by one torch module"):
        encoder_module(Silent())


def test_an_encoder_that_a_form_cannot_hold_names_the_others(tmp_path: Path) -> None:
    class Fickle(nn.Module):
        """Branches on its values, which no trace can follow."""

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) if bool(images.sum() > 0) else images.flatten(1) * 2

    with pytest.raises(MissingCapability, match=r"cannot be written as \.pt2.*\.ts"):
        write_module(Fickle(), tmp_path / "fickle.pt2", SHAPE)


def test_the_difference_is_a_share_of_the_largest_latent() -> None:
    expected = np.array([[10.0, 0.0]], np.float32)

    assert largest_difference(expected + np.float32(0.1), expected) == pytest.approx(0.01, rel=1e-4)
    with pytest.raises(InvalidInput, match="not the same encoder"):
        largest_difference(expected, expected[:, :1])
