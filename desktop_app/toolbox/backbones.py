"""Networks that turn images into maps of features: torchvision architectures with imported weights.

The architecture of a weight file is recognised by the names and shapes of its tensors. Networks are
laid out without memory for this, so that comparing a file with all of torchvision takes seconds,
and with the likely ones less than one.

Shapes: N images, C channels, H rows, W columns; a map has (N, C_l, H_l, W_l).
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.toolbox.weights import MatchReport, Shapes, WeightFile, match

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

_STRIDES = (4, 8, 16)
"""Input pixels per map pixel of the layers taken by default: the deepest block of each."""
_DEPTH = 2
"""Dots and names, as in `features.13`, down to which parts of a network are blocks."""
_BATCH = 16
"""Images per pass when a network is only looked at."""

_STEMS: Mapping[str, tuple[str, ...]] = {
    "features.0.0.weight": ("mobilenet", "efficientnet", "convnext"),
    "features.0.weight": ("squeezenet", "vgg", "alexnet"),
    "features.conv0.weight": ("densenet",),
    "conv1.weight": ("resnet", "wide_resnet", "resnext"),
    "conv1.0.weight": ("shufflenet",),
    "conv1.conv.weight": ("googlenet",),
    "Conv2d_1a_3x3.conv.weight": ("inception",),
    "layers.0.weight": ("mnasnet",),
    "stem.0.weight": ("regnet",),
}
"""First tensor of a convolutional family -> how the names of its architectures begin."""


@runtime_checkable
class SpatialFeatures(Protocol):
    """A network that tells what is where in an image; what patch methods build upon."""

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return maps (N, C_l, H_l, W_l), the finest first, of images (N, C, H, W) in [0, 1]."""


class Backbone(nn.Module):
    """A frozen torchvision network, cut off after the last layer that is looked at."""

    def __init__(self, network: nn.Module, architecture: str, layers: Sequence[str]) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = tuple(layers)
        self.network = network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(1, 3, 1, 1), False)

    def train(self, mode: bool = True) -> "Backbone":  # noqa: ARG002
        """Stay in evaluation mode: batch norms may be folded."""
        return super().train(False)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps (N, C_l, H_l, W_l) of images (N, 1 or 3, H, W) in [0, 1]."""
        colours = images.expand(-1, 3, -1, -1)
        inputs = ((colours - self.mean) / self.deviation).contiguous(
            memory_format=torch.channels_last
        )
        return outputs_of(self.network, self.layers, inputs)


def architectures() -> tuple[str, ...]:
    """Return the names of torchvision's convolutional classification networks."""
    beginnings = tuple(start for family in _STEMS.values() for start in family)
    return tuple(name for name in _torchvision_names() if name.startswith(beginnings))


def recognised(file: WeightFile) -> MatchReport:
    """Return the report of the architecture whose tensors a file holds.

    Raises InvalidInput when no architecture fits, naming the nearest.
    """
    best = _best_match(file, _likely(file))
    if best is None or not _fits(best):
        best = _best_match(file, architectures())
    if best is None or not _fits(best):
        raise InvalidInput(_no_fit(file, best))
    return best


def loaded_backbone(
    file: WeightFile, architecture: str, layers: str, sample_shape: tuple[int, int, int]
) -> tuple[Backbone, MatchReport]:
    """Return the network of a weight file, and how the file fits.

    `architecture` "" recognises it; `layers` "" takes the deepest block at each of the strides
    4, 8 and 16. Raises InvalidInput when the file does not fit.
    """
    report = recognised(file)  if not architecture else match(
        signature(architecture), file, architecture
    )
    if not _fits(report):
        raise InvalidInput(_no_fit(file, report))
    return _assembled(report.architecture, file.tensors, layers, sample_shape), report


def rebuilt_backbone(architecture: str, layers: Sequence[str], tensors: Mapping[str, Tensor]) -> Backbone:
    """Return the network that `Backbone.network.state_dict()` belongs to."""
    network = _laid_out(architecture)
    _assign(network, tensors)
    _cut(network, layers)
    return Backbone(network, architecture, layers)
