"""The same network before it has learned anything: the baseline that a training must beat.

A fresh method with the parameters and the seed of the run starts its `fit` and is left after the
first event. Where that is a TrivialValue or a Note its weights are random; where it is the Metrics
of the first step, one optimiser step was taken, which moves features by far less than training
does. Only methods made of networks have an untrained state: those of closed form do not.

Batch normalisation has seen no image, or one batch of them: in a fresh network it would pass values
on unscaled, and features would be worse than random ones need to be. Its statistics are therefore
set to those of the images that are encoded, layer by layer, as they pass through.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from desktop_app.core.runs import JobSpec
from desktop_app.sdk.capabilities import Embeds, Encodes
from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.worker.loading import new_method
from desktop_app.worker.tiling import InTiles

_STATISTICS_IMAGES = 256


def has_untrained(method: Any) -> bool:
    """Tell whether a method is a network whose random weights encode images, or tiles of them."""
    if isinstance(method, InTiles):
        return has_untrained(method.method)
    return (
        isinstance(method, TorchMethod)
        and isinstance(method, Encodes)
        and not isinstance(method, Embeds)
    )


def untrained_latents(
    spec: JobSpec, attached: Path, device: str, data: Dataset, images: Images
) -> Array:
    """Return the latents (N, D) of images (N, C, H, W) in the network with random weights.

    `data` is what the training learns from. Raises LoupeError when the method cannot encode yet.
    """
    method: Any = new_method(spec, device, attached)
    events: Any = method.fit(data)
    with closing(events):
        next(events, None)
    with _measured(method.method if isinstance(method, InTiles) else method):
        method.encode(images[:_STATISTICS_IMAGES])
    return np.asarray(method.encode(images))


@contextmanager
def _measured(network: nn.Module) -> Iterator[None]:
    """Let every batch normalisation take the statistics of what it is given next."""

    def measure(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        others = [axis for axis in range(x.dim()) if axis != 1]
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            layer.running_mean.copy_(x.mean(dim=others))
            if layer.running_var is not None:
                layer.running_var.copy_(x.var(dim=others, unbiased=False))

    with torch.no_grad():
        hooks = [
            part.register_forward_pre_hook(measure)
            for part in network.modules()
            if isinstance(part, _BatchNorm)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
