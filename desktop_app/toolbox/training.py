"""The training loop's common parts; the loop itself stays visible in each method.

Shapes: N images of a batch, C channels, H rows, W columns.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.params import TrainingParams


@dataclass
class Clock:
    """Where a training is: the only state that the order of batches depends on."""

    step: int = 0
    """Optimiser steps that are complete."""


@dataclass(frozen=True)
class Step:
    """One batch and its place in the training."""

    batch: Tensor
    """float32 (N, C, H, W) in [0, 1], on the device."""
    rows: NDArray[np.int64]
    """(N,): rows of the data set."""
    epoch: int
    """Whole passes that are complete."""
    number: int
    """Number of this step, from 1."""
    total: int
    """Steps of the whole training."""
    per_epoch: int
    waited: float
    """Seconds spent on reading this batch."""
    clock: Clock = field(repr=False)

    @property
    def progress(self) -> float:
        """Share of the training that is done after this step, in (0, 1]."""
        return self.number / self.total

    def metrics(self, **values: Tensor | float) -> Metrics:
        """Complete the step and return its Metrics; call it last."""
        self.clock.step = self.number
        return Metrics(
            step=self.number,
            progress=self.progress,
            values={name: _number(value) for name, value in values.items()},
            epoch=self.number / self.per_epoch,
            images=len(self.rows),
            waited=self.waited,
        )


def training_steps(
    data: Dataset, params: TrainingParams, *, seed: int, device: str, clock: Clock
) -> Iterator[Step]:
    """Yield shuffled batches epoch by epoch, continuing after the steps the clock has counted.

    Every epoch is cut into batches of nearly equal size, at most `params.batch_size`. Small data
    sets are passed over more often, until `params.least_steps` steps are done.
    """
    per_epoch = math.ceil(len(data) / params.batch_size)
    epochs = max(params.epochs, math.ceil(params.least_steps / per_epoch))
    total = epochs * per_epoch
    while clock.step < total:
        epoch, index = divmod(clock.step, per_epoch)
        order = shuffled(len(data), seed, epoch)
        for rows in np.array_split(order, per_epoch)[index:]:
            began = time.perf_counter()
            batch = to_device(data.pixels(rows), device)
            yield Step(
                batch=batch,
                rows=rows,
                epoch=epoch,
                number=clock.step + 1,
                total=total,
                per_epoch=per_epoch,
                waited=time.perf_counter() - began,
                clock=clock,
            )


def is_time(step: Step, times: int) -> bool:
    """Tell whether a step is one of about `times` of the training, or its last."""
    return step.number % max(1, step.total // times) == 0 or step.number == step.total


def shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of `count` rows in an epoch; it depends on nothing but its arguments."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def _number(value: Tensor | float) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def to_device(pixels: NDArray[np.uint8], device: str) -> Tensor:
    """Return uint8 pixels as float32 in [0, 1] on the device; the bytes travel, not the floats."""
    writable = np.require(pixels, np.uint8, ["C", "W"])  # torch takes no read-only arrays
    return torch.from_numpy(writable).to(device).float().div_(255)


def let_rate_fall(
    optimiser: torch.optim.Optimizer, rate: float, progress: float, last: float = 0.05
) -> None:
    """Set the learning rate to where a cosine from `rate` to `last * rate` stands at a progress.

    It depends on nothing but its arguments: a resumed training goes on with the same rates
    (Loshchilov & Hutter, SGDR, 2017, https://arxiv.org/abs/1608.03983, without restarts).
    """
    share = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * progress))
    set_rate(optimiser, rate * share)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let an optimiser take steps of another size."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def descend(loss: Tensor, optimiser: torch.optim.Optimizer, clip: float | None = None) -> None:
    """Take one optimiser step down the gradient of a loss.

    `clip` bounds the norm of the gradient. Raises InvalidInput when the loss is not finite.
    """
    if not torch.isfinite(loss):
        raise InvalidInput(
            f"The loss became {loss.item()}: lower the learning rate, or check the images."
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        parameters = [weight for group in optimiser.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()
