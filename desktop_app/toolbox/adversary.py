"""An adversary who tells made images from real ones: it teaches another network by being deceived.

Goodfellow et al., Generative adversarial nets, 2014, https://arxiv.org/abs/1406.2661; least squares
of Mao et al., 2017, https://arxiv.org/abs/1611.04076. With y the opinion, t the truth, 1 for real:

    entropy   -t log s(y) - (1 - t) log(1 - s(y))        squares   (y - t)^2

Shapes: N images, C channels, H rows, W columns, K features.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.events import TrivialValue
from desktop_app.toolbox.networks import SampleShape, conv_channels, conv_sizes

Adversary = Literal["squares", "entropy"]

LOSS = "discriminator"
"""The curve of the adversary's loss."""
_SLOPE = 0.2
_WON = 0.02
"""Loss of an adversary that is sure and right of every image: it teaches nothing any more."""
_CANNOT_TELL = {"squares": 0.25, "entropy": math.log(2)}


class Judge(nn.Sequential):
    """Gives each image a number: high for real ones, low for made ones."""

    def __init__(self, sample_shape: SampleShape, nodes: int) -> None:
        """Lay out convolutions that halve the image, the last of them with `nodes` channels."""
        sizes = conv_sizes(sample_shape, 0)
        channels = [sample_shape[0], *conv_channels(len(sizes) - 1, nodes)]
        layers: list[nn.Module] = []
        for pair in pairwise(channels):
            layer = nn.Conv2d(*pair, 3, stride=2, padding=1)
            nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
            nn.init.zeros_(layer.get_parameter("bias"))
            layers += [layer, nn.LeakyReLU(_SLOPE)]
        inside = channels[-1] * math.prod(sizes[-1])
        super().__init__(*layers, nn.Flatten(), nn.Linear(inside, 1))

    def features(self, images: Tensor) -> Tensor:
        """Return what the opinion is made of, (N, K)."""
        for layer in list(self)[:-1]:
            images = layer(images)
        return images


def unlike(opinion: Tensor, truth: float, adversary: Adversary) -> Tensor:
    """Return how far opinions (N, 1) are from a truth: 1 for real, 0 for made."""
    target = torch.full_like(opinion, truth)
    if adversary == "squares":
        return F.mse_loss(opinion, target)
    return F.binary_cross_entropy_with_logits(opinion, target)


def unmasking(of_real: Tensor, of_made: Tensor, adversary: Adversary) -> Tensor:
    """Return the adversary's loss: the mean of what it says of real and of made images."""
    return (unlike(of_real, 1.0, adversary) + unlike(of_made, 0.0, adversary)) / 2


def adversary_lines(adversary: Adversary) -> Iterator[TrivialValue]:
    """Tell where the adversary's loss stands when it cannot tell, and when it has won."""
    yield TrivialValue(LOSS, _CANNOT_TELL[adversary], "cannot tell", stays=None)
    yield TrivialValue(LOSS, _WON, "the discriminator has won", stays="below")
