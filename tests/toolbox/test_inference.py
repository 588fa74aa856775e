"""The border between numpy and tensors."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from desktop_app.sdk.errors import InvalidInput
from desktop_app.toolbox.inference import batch_size_for, evaluating, inference, require_shape


class Doubler(nn.Module):
    device = "cpu"
    sizes: list[int]

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.frozen, self.sizes = nn.Dropout(0.5), nn.Dropout(0.5).eval(), []

    @inference
    def double(self, values: Tensor) -> Tensor:
        self.sizes.append(len(values))
        return self.dropout(values) * 2


def test_arrays_go_in_and_come_out_without_dropout() -> None:
    values = np.ones((3, 4), np.float64)

    np.testing.assert_array_equal(Doubler().double(values), values * 2)


def test_large_arrays_are_computed_in_batches() -> None:
    module = Doubler()

    doubled = module.double(np.ones((600, 2), np.float32))

    assert doubled.shape == (600, 2)
    assert module.sizes == [256, 256, 88]


def test_read_only_arrays_are_taken() -> None:
    values = np.ones((2, 2), np.float32)
    values.flags.writeable = False

    assert Doubler().double(values).sum() == 8


def test_every_part_returns_to_the_mode_it_had() -> None:
    module = Doubler().train()
    module.frozen.eval()

    with evaluating(module):
        assert not module.dropout.training

    assert module.dropout.training
    assert not module.frozen.training


def test_no_gradient_is_recorded() -> None:
    module = Doubler()
    module.weight = nn.Parameter(torch.ones(1))

    assert isinstance(module.double(np.ones((1, 1))), np.ndarray)
    assert module.weight.grad is None


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"trained on images of shape \(1, 8, 8\)"):
        require_shape(np.zeros((2, 1, 9, 9)), (1, 8, 8))


def test_larger_images_come_in_smaller_batches() -> None:
    assert batch_size_for(np.zeros((1, 3, 224, 224))) == 26
    assert batch_size_for(np.zeros((1, 2000, 2000, 3))) == 1
