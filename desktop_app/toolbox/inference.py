"""The border between numpy outside and tensors inside a method.

A capability takes numpy arrays, runs in evaluation mode without gradients, in batches that fit the
device, and leaves the training as it found it.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.sdk.errors import InvalidInput

_VALUES_PER_BATCH = 4_000_000
"""Input numbers per batch: 83 RGB images of 128 px, 26 of 224 px."""
_LARGEST_BATCH = 256


def inference(function: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, NDArray[Any]], Any]:
    """Turn a method of tensors into a capability of numpy arrays (N, ...) -> (N, ...)."""

    @functools.wraps(function)
    def capability(self: Any, inputs: NDArray[Any]) -> NDArray[Any]:
        if getattr(self, "sample_shape", ()) is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        array = np.require(inputs, np.float32, ["C", "W"])  # torch takes no read-only arrays
        size = batch_size_for(array)
        with evaluating(self), torch.inference_mode():
            outputs = [
                function(self, torch.from_numpy(array[start : start + size]).to(self.device))
                .cpu()
                .numpy()
                for start in range(0, max(len(array), 1), size)
            ]
        return np.concatenate(outputs)

    return capability


def function_of_tensors(method: Any, name: str) -> Callable[[Any, Tensor], Tensor] | None:
    """Return what `inference` made a capability of; None for a capability made otherwise."""
    function: Callable[[Any, Tensor], Tensor] | None
    function = getattr(getattr(type(method), name, None), "__wrapped__", None)
    return function


def completion(
    function: Callable[[Any, Tensor, Tensor], Tensor],
) -> Callable[[Any, NDArray[Any], NDArray[np.bool_]], Any]:
    """Turn a method of images (N, C, H, W) and masks (N, 1, H, W) into the capability Completes.

    What is not under the mask stays as it was. Raises InvalidInput for masks of another shape.
    """

    @inference
    def filled(self: Any, stacked: Tensor) -> Tensor:
        images, hidden = stacked[:, :-1], stacked[:, -1:] > 0.5
        return torch.where(hidden, function(self, images, hidden).clamp(0, 1), images)

    @functools.wraps(function)
    def capability(self: Any, images: NDArray[Any], mask: NDArray[np.bool_]) -> Any:
        expected = (len(images), *images.shape[2:])
        if mask.shape != expected:
            raise InvalidInput(
                f"A mask for these images has the shape {expected} (images, rows, columns), "
                f"got {mask.shape}."
            )
        hidden = np.asarray(mask, np.float32)[:, None]
        return filled(self, np.concatenate([np.asarray(images, np.float32), hidden], axis=1))

    return capability


def batch_size_for(array: NDArray[Any]) -> int:
    """Return how many rows of an array are computed at once."""
    per_row = max(1, int(np.prod(array.shape[1:])))
    return max(1, min(_LARGEST_BATCH, _VALUES_PER_BATCH // per_row))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put every part of a module in evaluation mode, and each back in the mode it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def require_shape(images: NDArray[Any] | Tensor, sample_shape: tuple[int, ...]) -> None:
    """Raise InvalidInput unless images are (N, C, H, W) with the given (C, H, W)."""
    if tuple(images.shape[1:]) != tuple(sample_shape):
        raise InvalidInput(
            f"This method was trained on images of shape {tuple(sample_shape)} (channels, rows, "
            f"columns), got {tuple(images.shape[1:])}: read the folder at that size."
        )
