"""Restricted Boltzmann machines: energy, Gibbs sampling, contrastive divergence, likelihood.

Hinton, Training products of experts by minimizing contrastive divergence, 2002; Tieleman, Training
restricted Boltzmann machines using approximations to the likelihood gradient, 2008; Salakhutdinov &
Murray, On the quantitative analysis of deep belief networks, 2008; Hinton, A practical guide to
training restricted Boltzmann machines, 2010.

    E(x, h) = -b'x - c'h - x'W h                binary x;   |x - b|^2 / 2 - c'h - x'W h   Gaussian x
    p(h | x) = sigmoid(c + W'x)
    p(x | h) = sigmoid(b + W h)                 binary x;   N(b + W h, I)                 Gaussian x
    F(x) = -log sum_h exp(-E(x, h)) = -b'x  - sum softplus(c + W'x)      (Gaussian: |x - b|^2 / 2)
    dW ~ <x p(h|x)>_images - <x p(h|x)>_after k Gibbs steps

No gradients by torch: the update is matrix algebra. Hidden units are always sampled on the way and
enter the statistics as probabilities.

Shapes: N images, C channels, H rows, W columns, F = C*H*W visible units, D hidden units, M chains.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from desktop_app.sdk.data import Array, Dataset, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.toolbox.networks import image_statistics

Kind = Literal["binary", "gaussian"]

_FIRST_WEIGHTS = 0.01
"""Standard deviation of the initial weights (Hinton, 2010, section 8)."""
_MARGIN = 1e-3
"""Distance that mean values keep from 0 and 1, where the logit is infinite."""
_KNOWN_ROWS = 512
"""Images that are enough to tell which kind of units suits them."""
_EXTREME = 0.1
"""Distance from black or white, and ..."""
_EXTREME_SHARE = 0.7
"""... the share of values within it, from which on images count as binary."""
_LEAST_SCALE = 0.5 / 255
_FIRST_MOMENTUM, _FIRST_SHARE = 0.5, 0.2
"""Momentum, and the share of the training in which it is used (Hinton, 2010, section 9)."""
_FULL_RATE_SHARE = 0.6
"""Share of the training with the full learning rate."""
_GAUSSIAN_RATE = 0.2
"""Part of the learning rate that Gaussian units bear: nothing bounds what they draw."""
_DEAD = 0.01
"""Mean activation below which, or above 1 minus which, a hidden unit says nothing."""
_TEMPERATURES = ((0.0, 0.04, 0.32, 1.0), (0.0, 0.5, 0.9, 1.0))
"""Share of the steps, and the inverse temperature there (Salakhutdinov & Murray, section 5)."""
_BETWEEN = 250
"""Annealing steps from one sign of life to the next."""


class MachineParams(TrainingParams):
    """How machines are trained."""

    batch_size: int = param(
        100, low=1, high=65_536, unit="images", scale="log", help="Images per update."
    )
    learning_rate: float = param(
        0.05,
        low=1e-8,
        high=10.0,
        scale="log",
        help="Step size for binary units; Gaussian ones take a fifth of it.",
    )
    visible: Literal["auto", "binary", "gaussian"] = param(
        "auto",
        help="Binary for nearly black and white images, Gaussian for photographs; auto looks.",
    )
    gibbs_steps: int = param(1, low=1, high=100, scale="log", help="Gibbs steps k per update.")
    momentum: float = param(
        0.9, low=0.0, high=0.999, help="Momentum of the updates, after a first fifth with 0.5."
    )
    final_rate: float = param(
        0.2, low=0.0, high=1.0, help="Factor on the learning rate in the last two fifths."
    )
    weight_decay: float = param(
        1e-5, low=0.0, high=0.1, advanced=True, help="l2 penalty on the weights."
    )
    noise: float = param(
        1.0,
        low=0.05,
        high=2.0,
        unit="spreads",
        advanced=True,
        help="Standard deviation that Gaussian units assume, as a share of that of the images.",
    )
    particles: int = param(
        64, low=1, high=4096, scale="log", advanced=True, help="Gibbs chains that never end."
    )
    held_out: float = param(
        0.05,
        low=0.0,
        high=0.5,
        unit="of the images",
        help="Share that is not learned from, to compare with; at most 256 images.",
    )


class BoltzmannMachine(nn.Module):
    """F visible and D hidden units, every visible one connected with every hidden one."""

    weights: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    weights_speed: Tensor
    visible_bias_speed: Tensor
    hidden_bias_speed: Tensor

    def __init__(self, visible: int, hidden: int, kind: Kind = "binary") -> None:
        super().__init__()
        self.kind: Kind = kind
        self.register_buffer("weights", _FIRST_WEIGHTS * torch.randn(visible, hidden))
        self.register_buffer("visible_bias", torch.zeros(visible))
        self.register_buffer("hidden_bias", torch.zeros(hidden))
        for name in ("weights", "visible_bias", "hidden_bias"):
            self.register_buffer(f"{name}_speed", torch.zeros_like(getattr(self, name)))

    def hidden(self, visible: Tensor) -> Tensor:
        """Return p(h = 1 | x), (N, D), of visible units (N, F)."""
        return self.drive(visible).sigmoid_()

    def drive(self, visible: Tensor) -> Tensor:
        """Return c + W'x, (N, D)."""
        return torch.addmm(self.hidden_bias, visible, self.weights)

    def visible(self, hidden: Tensor) -> Tensor:
        """Return the mean of p(x | h), (N, F), of hidden units (N, D)."""
        mean = torch.addmm(self.visible_bias, hidden, self.weights.T)
        return mean if self.kind == "gaussian" else mean.sigmoid_()

    def drawn(self, mean: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Return a draw of the visible units whose mean (N, F) is given."""
        if self.kind == "gaussian":
            return mean + torch.randn(mean.shape, generator=random, device=mean.device)
        return tossed(mean, random)

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(x) in nats (N,), -log of the unnormalised probability."""
        rewards = functional.softplus(self.drive(visible)).sum(dim=1)
        if self.kind == "gaussian":
            return 0.5 * (visible - self.visible_bias).square().sum(dim=1) - rewards
        return -(visible @ self.visible_bias) - rewards

    def gibbs(
        self, visible: Tensor, steps: int, random: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run Gibbs sampling; return the visible units (N, F) at its end, and their last mean."""
        mean = visible
        for _ in range(steps):
            mean = self.visible(tossed(self.hidden(visible), random))
            visible = self.drawn(mean, random)
        return visible, mean

    def after(self, hidden: Tensor, steps: int) -> Tensor:
        """Return the visible units (N, F) of CD-k, k = `steps`, from p(h | x) of images (N, D).

        Visible units are probabilities all the way (Hinton, 2010, section 3.2).
        """
        visible = self.visible(tossed(hidden))
        for _ in range(steps - 1):
            visible = self.visible(tossed(self.hidden(visible)))
        return visible

    def learn(
        self,
        images: tuple[Tensor, Tensor],
        model: tuple[Tensor, Tensor],
        params: MachineParams,
        progress: float,
    ) -> None:
        """Move towards the statistics of images and away from the model's own.

        Each is a pair of visible units (N, F) and hidden probabilities (N, D); the numbers N may
        differ. `progress` is the share of the machine's training that is done.
        """
        (x, h), (y, g) = images, model
        rate = params.learning_rate * (_GAUSSIAN_RATE if self.kind == "gaussian" else 1.0)
        rate *= 1.0 if progress <= _FULL_RATE_SHARE else params.final_rate
        momentum = params.momentum
        if progress <= _FIRST_SHARE:
            momentum = min(_FIRST_MOMENTUM, momentum)
        self.weights_speed.mul_(momentum).addmm_(x.T, h, alpha=rate / len(x))
        self.weights_speed.addmm_(y.T, g, alpha=-rate / len(y)).add_(
            self.weights, alpha=-rate * params.weight_decay
        )
        self.visible_bias_speed.mul_(momentum).add_(x.mean(0) - y.mean(0), alpha=rate)
        self.hidden_bias_speed.mul_(momentum).add_(h.mean(0) - g.mean(0), alpha=rate)
        self.weights.add_(self.weights_speed)
        self.visible_bias.add_(self.visible_bias_speed)
        self.hidden_bias.add_(self.hidden_bias_speed)

    def start_at(self, mean: Tensor) -> None:
        """Give binary visible units the biases that make them, alone, have this mean (F,)."""
        self.visible_bias.copy_(torch.logit(mean, eps=_MARGIN))

    def alone(self, count: int) -> Tensor:
        """Return draws (count, F) of the visible units while all hidden ones are off."""
        off = self.hidden_bias.new_zeros(count, len(self.hidden_bias))
        return self.drawn(self.visible(off))

    def pseudo_likelihood(self, visible: Tensor, draws: int = 16) -> Tensor:
        """Return log pseudo-likelihoods in nats (N,) of binary units (N, F).

        A few units of each image, chosen at random, stand for all F of them.
        """
        N, F = visible.shape
        places = torch.randint(F, (N, draws), device=visible.device)
        change = 1 - 2 * visible.gather(1, places)  # (N, draws): what a flip adds to the unit
        drive = self.drive(visible)  # (N, D)
        rewards = functional.softplus(drive).sum(dim=1)
        total = torch.zeros_like(rewards)
        for place, moved in zip(places.T, change.T, strict=True):
            flipped = functional.softplus(drive + moved[:, None] * self.weights[place]).sum(dim=1)
            gain = rewards - flipped - moved * self.visible_bias[place]  # F(flipped) - F(x)
            total += functional.logsigmoid(gain)
        return F / draws * total


def tossed(chances: Tensor, random: torch.Generator | None = None) -> Tensor:
    """Return zeros and ones with these chances of a one."""
    draws = torch.rand(chances.shape, generator=random, device=chances.device)
    return (draws < chances).to(chances.dtype)


def dead_share(activity: Tensor) -> float:
    """Return the share of hidden units that are nearly always off, or on, by mean activation."""
    return float(((activity < _DEAD) | (activity > 1 - _DEAD)).float().mean())


class ImageUnits(nn.Module):
    """What visible units see of images: intensities as chances, or deviations from the mean image.

    Deviations are measured in units of one standard deviation for all values, that of the noise
    that the machine assumes around what its hidden units draw.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, sample_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(sample_shape))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, machine: BoltzmannMachine, data: Dataset, params: MachineParams) -> Array:
        """Suit images and a machine, which has learned nothing, to each other; return their mean.

        The machine gets units of a kind, and starts at what each pixel does on its own.
        """
        machine.kind = suiting(data) if params.visible == "auto" else params.visible
        mean, spread = image_statistics(data)
        if machine.kind == "gaussian":
            self.centre.copy_(torch.from_numpy(mean))
            self.scale.fill_(max(params.noise * spread, _LEAST_SCALE))
        else:
            machine.start_at(torch.from_numpy(mean).flatten())
        return mean

    def of(self, images: Tensor) -> Tensor:
        """Return visible units (N, F) of images (N, C, H, W)."""
        return ((images - self.centre) / self.scale).flatten(1)

    def images(self, units: Tensor) -> Tensor:
        """Return images (N, C, H, W) of visible units (N, F)."""
        shape = (len(units), *self.centre.shape)
        return (units.view(shape) * self.scale + self.centre).clamp(0, 1)


def suiting(data: Dataset) -> Kind:
    """Return the kind of units that suits images: binary where nearly all is black or white."""
    values = data.images(even_rows(len(data), _KNOWN_ROWS))
    extreme = np.minimum(values, 1 - values) < _EXTREME
    return "binary" if float(extreme.mean()) >= _EXTREME_SHARE else "gaussian"


def finite(error: float) -> float:
    """Return a reconstruction error. Raises InvalidInput when it is not finite."""
    if not math.isfinite(error):
        raise InvalidInput(
            f"The reconstruction error became {error}: lower the learning rate, "
            "or check the images."
        )
    return error


@dataclass(frozen=True)
class LogPartition:
    """The logarithm of the normalising constant of a machine, as annealing estimates it."""

    value: float
    error: float
    """One standard error, from the scatter of the chains."""


def annealed_partition(
    machine: BoltzmannMachine,
    base: Tensor,
    *,
    chains: int,
    steps: int,
    random: torch.Generator | None = None,
) -> Generator[int, None, LogPartition]:
    """Estimate log Z of a machine of binary units by annealed importance sampling.

    From a machine of biases `base` (F,) and no weights, whose constant is known, `steps` inverse
    temperatures lead to `machine`. Yield the steps that are done, now and then; return log Z.
    """
    betas = np.interp(np.linspace(0, 1, steps + 1), *_TEMPERATURES)
    v = tossed(base.sigmoid().expand(chains, -1), random)  # (M, F)
    log_weights = torch.zeros(chains, dtype=torch.float64, device=v.device)
    drive = machine.drive(v)  # (M, D)
    for number, (before, beta) in enumerate(pairwise(betas), start=1):
        log_weights += (beta - before) * (v @ (machine.visible_bias - base)).double()
        rewards = functional.softplus(beta * drive) - functional.softplus(before * drive)
        log_weights += rewards.sum(dim=1).double()
        h = tossed((beta * drive).sigmoid_(), random)  # (M, D)
        bias = (1 - beta) * base + beta * machine.visible_bias
        v = tossed(torch.addmm(bias, h, machine.weights.T, alpha=beta).sigmoid_(), random)
        drive = machine.drive(v)
        if number % _BETWEEN == 0 and number < steps:
            yield number
    known = float(functional.softplus(base.double()).sum()) + drive.shape[1] * math.log(2)
    weights = (log_weights - log_weights.max()).exp()
    scatter = float(weights.std(correction=0) / weights.mean()) / math.sqrt(chains)
    estimate = float(torch.logsumexp(log_weights, 0)) - math.log(chains)
    return LogPartition(known + estimate, scatter)
