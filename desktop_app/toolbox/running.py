"""Averages that follow a training and are saved with it."""

import torch
from torch import Tensor, nn

_MEMORY = 0.98
"""Share of the average that one observation leaves unchanged, once there are fifty."""


class RunningMean(nn.Module):
    """The mean of the first observations, then an average that slowly forgets."""

    value: Tensor
    count: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def observe(self, sample: Tensor) -> None:
        """Take a sample of the shape of `value` into the average."""
        self.count += 1
        self.value.lerp_(sample, max(1 / int(self.count), 1 - _MEMORY))
