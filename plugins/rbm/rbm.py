"""Restricted Boltzmann machine.

Smolensky, 1986; Hinton, Training products of experts by minimizing contrastive divergence, 2002;
Tieleman, Training restricted Boltzmann machines using approximations to the likelihood gradient,
2008; Salakhutdinov & Murray, On the quantitative analysis of deep belief networks, 2008

    dW ~ <x p(h|x)>_images - <x p(h|x)>_model - decay * W

    CD-k    the model's statistics after k Gibbs steps from the images of the batch
    PCD-k   those of chains that go on from batch to batch, k steps at a time

The formulas of energy, free energy and sampling stand in `desktop_app/toolbox/boltzmann.py`.

Shapes: N images, C channels, H rows, W columns, F = C*H*W visible units, D hidden units, M chains.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from desktop_app.sdk.data import Array, Dataset, Images, SomeRows, even_rows, held_out
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Event, Events, Note, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import HeatMap, ImageGrid, Table, View
from desktop_app.toolbox.baselines import mean_image_entropy
from desktop_app.toolbox.boltzmann import (
    BoltzmannMachine,
    ImageUnits,
    Kind,
    MachineParams,
    annealed_partition,
    dead_share,
    finite,
    tossed,
)
from desktop_app.toolbox.boltzmann_views import (
    as_pictures,
    filter_sheet,
    histogram,
    strongest_filters,
)
from desktop_app.toolbox.inference import completion, evaluating, inference
from desktop_app.toolbox.networks import image_statistics
from desktop_app.toolbox.reconstruction import CalibratedScores, UsualError
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import is_time, to_device

_MOST_COMPARED = 256
"""Images on either side of the free-energy gap."""
_MEASURES, _SHEETS = 100, 20
"""How often in a training what is costly is measured, and pictures are made."""
_SHEET_STEPS = 10
"""Gibbs steps of the chains before each picture of them."""
_SAMPLE_STEPS = 50
_FILL_STEPS = 50


class RBMParams(MachineParams):
    """The units, how they are trained, and what is measured."""

    hidden: int = param(512, low=1, high=16_384, scale="log", help="Hidden units D.")
    training: Literal["cd", "pcd"] = param(
        "cd",
        help="Gibbs chains begin at the images of each batch (cd: better features) or go on from "
        "batch to batch (pcd: better samples).",
    )
    ais_chains: int = param(
        0,
        low=0,
        high=10_000,
        unit="chains",
        help="Above 0, the log-likelihood of binary images is estimated at the end (100 is good).",
    )
    ais_steps: int = param(
        3000,
        low=10,
        high=1_000_000,
        scale="log",
        unit="steps",
        advanced=True,
        help="Temperatures of that estimate.",
    )


class RBM(CalibratedScores, TorchMethod[RBMParams]):
    """Learns which pixels go together, one probabilistic feature per hidden unit."""

    card = Card(
        id="rbm",
        title="Restricted Boltzmann machine",
        family="Boltzmann machines",
        paper="Hinton, 2002",
        summary="Learns features that switch on and off, and draws new images by letting them.",
        image_size=32,
        rank=10,
        translations={
            "zh_CN": {
                "title": "受限玻尔兹曼机",
                "family": "玻尔兹曼机",
                "summary": "学习会开启和关闭的特征，并让它们自行切换来绘制新图像。",
            }
        },
    )

    presets = (
        Preset(
            "28 px", {"visible": "binary"}, "Digits and other nearly black and white images.", 28
        ),
        Preset(
            "28 px, samples",
            {"visible": "binary", "training": "pcd", "learning_rate": 0.01, "epochs": 50},
            "Endless chains and a small step: slower, and its samples look like digits.",
            28,
        ),
        Preset("32 px", {"visible": "gaussian"}, "Small photographs.", 32),
        Preset(
            "64 px", {"visible": "gaussian", "learning_rate": 0.02}, "Photographs of one kind.", 64
        ),
        Preset(
            "128 px",
            {"visible": "gaussian", "learning_rate": 0.005, "hidden": 256},
            "Larger photographs: few, coarse features; slow.",
            128,
        ),
    )

    experiments = (
        Experiment(
            "Gibbs steps",
            "Contrastive divergence with 1 and 5 steps against endless chains: reconstructions get "
            "worse, samples better.",
            {
                "CD-1": {"training": "cd", "gibbs_steps": 1},
                "CD-5": {"training": "cd", "gibbs_steps": 5},
                "PCD-1": {"training": "pcd", "gibbs_steps": 1, "learning_rate": 0.01},
            },
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"hidden": 128}
    """What the conformance kit trains with on its small images."""

    particles: Tensor

    def __init__(
        self, params: RBMParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self._kind: Kind = "binary"
        self._likelihood: list[float] = []
        """log Z, its standard error, log-likelihood of training and of held-out images, nats."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the machine, its chains, and what is remembered about units and errors."""
        F, D = math.prod(sample_shape), self.params.hidden
        self.machine = BoltzmannMachine(F, D, self._kind)
        self.units = ImageUnits(sample_shape)
        self.usual = UsualError(sample_shape)
        self.activity = RunningMean(D)
        self.register_buffer("particles", torch.zeros(self.params.particles, F))

    def learn(self, data: Dataset) -> Events:
        """Bring the statistics of the model close to those of the images."""
        learned, apart = held_out(data, self.params.held_out, _MOST_COMPARED, self.seed)
        mean, spread = image_statistics(learned)
        if self.clock.step == 0:
            self._suit(learned)
            yield from self._trivial_values(mean, spread)
        compared = self._compared(learned, apart)
        machine = self.machine
        for step in self.steps(learned):
            x = self.units.of(step.batch)  # (N, F)
            h = machine.hidden(x)  # (N, D)
            rebuilt = machine.visible(h)  # (N, F)
            y = self._of_the_model(h)  # (N or M, F)
            machine.learn(
                (x, h),
                (y, machine.hidden(y)),
                self.params,
                step.progress,
            )
            values = self._observed(x, h, rebuilt)
            if is_time(step, _MEASURES):
                values |= self._measured(*compared)
            if is_time(step, _SHEETS):
                yield from self._sheets()
            if step.number == step.total and self.params.ais_chains:
                values |= yield from self._log_likelihood(mean, *compared)
            yield step.metrics(**values)

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return what the hidden probabilities draw (N, C, H, W)."""
        return self.units.images(self.machine.visible(self.machine.hidden(self.units.of(images))))

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the hidden probabilities (N, D)."""
        return self.machine.hidden(self.units.of(self._checked(images)))

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean images (N, C, H, W) of hidden units or probabilities (N, D)."""
        return self.units.images(self.machine.visible(latents))

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the free energy (N,) in nats: -log p(x) up to a constant."""
        return self.machine.free_energy(self.units.of(self._checked(images)))

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return free energies (N,) and maps of what is not rebuilt (N, H, W)."""
        return self.score(images), self.localize(images)

    @completion
    def complete(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of Gibbs chains whose visible units outside the mask are held.

        All images share the random numbers of their chains: none depends on its company.
        """
        hidden = mask.expand(-1, images.shape[1], -1, -1).flatten(1)
        x = self.units.of(self._checked(images))
        start = self.machine.visible(x.new_zeros(len(x), self.params.hidden))
        random = torch.Generator(x.device).manual_seed(self.seed)
        y, total = torch.where(hidden, start, x), torch.zeros_like(x)
        for number in range(_FILL_STEPS):
            chances = self.machine.hidden(y)
            draws = torch.rand(1, chances.shape[1], generator=random, device=x.device)
            mean = self.machine.visible((draws < chances).to(x.dtype))
            y = torch.where(hidden, mean, x)
            if 2 * number >= _FILL_STEPS:
                total += mean
        return self.units.images(total / (_FILL_STEPS - _FILL_STEPS // 2))

    def generate(self, count: int, seed: int) -> Images:
        """Return mean images (count, C, H, W) at the end of Gibbs chains from the particles."""
        if self.sample_shape is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        random = torch.Generator(self.particles.device).manual_seed(seed)
        with evaluating(self), torch.inference_mode():
            chosen = torch.randint(
                len(self.particles), (count,), generator=random, device=self.particles.device
            )
            mean = self.machine.gibbs(self.particles[chosen], _SAMPLE_STEPS, random)[1]
            images: Images = self.units.images(mean).cpu().numpy()
        return images

    def views(self) -> Sequence[View]:
        """Return filters, chains, how biases, activations and weights lie, and the likelihood."""
        if self.sample_shape is None:
            return ()
        machine = self.machine
        weights = even_sample(machine.weights.flatten())
        views: list[View] = [
            filter_sheet("Strongest filters", machine, self.sample_shape),
            ImageGrid("Fantasy particles", self.generate(min(32, len(self.particles)), seed=0)),
            histogram("Hidden biases", machine.hidden_bias.cpu().numpy(), "bias"),
            histogram(
                "Mean activation of hidden units",
                self.activity.value.cpu().numpy(),
                "share of images",
                limits=(0.0, 1.0),
            ),
            histogram("Weights", weights, "weight"),
            HeatMap("Usual error at each pixel", self.usual.error.value.cpu().numpy().copy()),
        ]
        if self._likelihood:
            views.append(self._likelihood_table())
        return views

    def extra_state(self) -> dict[str, Any]:
        """Return the kind of visible units and the likelihood, if it was estimated."""
        return {"kind": self.machine.kind, "likelihood": self._likelihood}

    def restore_extra(self, values: dict[str, Any]) -> None:
        """Take back what `extra_state` returned."""
        self._kind = "gaussian" if values["kind"] == "gaussian" else "binary"
        self._likelihood = [float(value) for value in values["likelihood"]]

    def _suit(self, data: Dataset) -> None:
        """Start at what each pixel does on its own, the chains too."""
        mean = self.units.fit(self.machine, data, self.params)
        self.usual.centre.copy_(torch.from_numpy(mean))
        self.particles.copy_(self.machine.alone(len(self.particles)))

    def _of_the_model(self, hidden: Tensor) -> Tensor:
        """Return visible units (N or M, F) that the model draws, given p(h|x) of the batch."""
        steps = self.params.gibbs_steps
        if self.params.training == "cd":
            return self.machine.after(hidden, steps)
        self.particles.copy_(self.machine.gibbs(self.particles, steps)[0])
        return self.particles

    def _observed(self, x: Tensor, h: Tensor, rebuilt: Tensor) -> dict[str, float]:
        """Remember a batch; return its error per value of the images, and how active units are."""
        error = finite(float((self.units.scale * (x - rebuilt)).square().mean()))
        self.activity.observe(h.mean(dim=0))
        self.usual.observe(self.units.images(x), self.units.images(rebuilt))
        return {
            "reconstruction": error,
            "mean_activation": float(h.mean()),
            "dead_units": dead_share(self.activity.value),
        }

    def _compared(self, learned: SomeRows, apart: SomeRows) -> tuple[Tensor, Tensor]:
        """Return visible units of as many images that are learned from as are held out, of both."""
        count = len(apart) or min(_MOST_COMPARED, len(learned))
        order = np.random.default_rng([self.seed, 1]).permutation(len(learned))[:count]
        seen = to_device(learned.pixels(np.sort(order)), self.device)
        unseen = to_device(apart.pixels(np.arange(len(apart))), self.device)
        return self.units.of(seen), self.units.of(unseen)

    def _measured(self, seen: Tensor, unseen: Tensor) -> dict[str, float]:
        """Return pseudo-likelihood in nats, and how much more energy images have that are new."""
        values = {}
        if self.machine.kind == "binary":
            pseudo = self.machine.pseudo_likelihood(tossed(unseen if len(unseen) else seen))
            values["pseudo_likelihood"] = float(pseudo.mean())
        if len(unseen):
            gap = self.machine.free_energy(unseen).mean() - self.machine.free_energy(seen).mean()
            values["free_energy_gap"] = float(gap)
        return values

    def _sheets(self) -> Iterator[Preview]:
        """Yield the filters and where the chains are."""
        if self.sample_shape is None:
            return
        state, mean = self.machine.gibbs(self.particles, _SHEET_STEPS)
        self.particles.copy_(state)
        yield Preview("Filters", as_pictures(strongest_filters(self.machine, self.sample_shape)))
        yield Preview("Fantasy particles", self.units.images(mean[:32]).cpu().numpy())

    def _log_likelihood(
        self, mean: Array, seen: Tensor, unseen: Tensor
    ) -> Generator[Event, None, dict[str, float]]:
        """Estimate the log-likelihood of black and white draws of the images, in nats."""
        if self.machine.kind == "gaussian":
            yield Note("Likelihoods are estimated for binary units alone.", level="warning")
            return {}
        base = torch.logit(torch.from_numpy(mean).flatten(), eps=1e-3).to(self.device)
        chains, steps = self.params.ais_chains, self.params.ais_steps
        estimate = annealed_partition(self.machine, base, chains=chains, steps=steps)
        while True:
            try:
                done = next(estimate)
            except StopIteration as end:
                partition = end.value
                break
            yield Note(f"Log-likelihood: {done} of {steps} temperatures.")
        values = {"log_likelihood": seen, "log_likelihood_held_out": unseen}
        found = {
            name: -float(self.machine.free_energy(tossed(units)).mean()) - partition.value
            for name, units in values.items()
            if len(units)
        }
        self._likelihood = [partition.value, partition.error, *found.values()]
        return found

    def _trivial_values(self, mean: Array, spread: float) -> Iterator[TrivialValue]:
        """Tell what the mean image and pixels on their own reach."""
        yield TrivialValue("reconstruction", spread**2, "mean image")
        if self.params.held_out:
            yield TrivialValue("free_energy_gap", 0.0, "no overfitting", stays=None)
        if self.machine.kind == "binary":
            nats = -mean.size * mean_image_entropy(mean)
            yield TrivialValue("pseudo_likelihood", nats, "independent pixels", stays="below")
            if self.params.ais_chains:
                yield TrivialValue("log_likelihood", nats, "independent pixels", stays=None)

    def _likelihood_table(self) -> Table:
        log_z, error, *found = self._likelihood
        names = ("training images", "held-out images")
        return Table(
            "Log-likelihood",
            ("", "nats", "standard error"),
            [
                ("log Z", round(log_z, 2), round(error, 2)),
                *(
                    (name, round(nats, 2), round(error, 2))
                    for name, nats in zip(names, found, strict=False)
                ),
            ],
        )


def even_sample(values: Tensor) -> Array:
    """Return at most 100,000 of the values (n,), evenly taken."""
    rows = torch.from_numpy(even_rows(len(values), 100_000)).to(values.device)
    sample: Array = values[rows].cpu().numpy()
    return sample


@hookimpl
def register_methods() -> list[type[RBM]]:
    """Offer the restricted Boltzmann machine."""
    return [RBM]
