"""Deep belief network: a stack of restricted Boltzmann machines.

Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets, 2006; Bengio et al., Greedy
layer-wise training of deep networks, 2007

    layer l      learns by CD-k from f_(l-1), f_0 the image, after all layers below it
    way up       f_l = sigmoid(c_l + W_l' f_(l-1))                      probabilities, not draws
    way down     g_(l-1) = sigmoid(b_l + W_l g_l)
    new images   Gibbs steps of the top machine, then the way down
    fine-tuning  cross-entropy of softmax(V f_L + a) with labels, by Adam, of a copy of the way up

Shapes: N images, C channels, H rows, W columns, D_l units of layer l, L layers, K classes.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from desktop_app.sdk.data import Dataset, Images, Labelled, even_rows, held_out
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.sdk.events import Event, Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import HeatMap, ImageGrid, View
from desktop_app.toolbox.boltzmann import (
    BoltzmannMachine,
    ImageUnits,
    Kind,
    MachineParams,
    dead_share,
    finite,
)
from desktop_app.toolbox.boltzmann_views import SHOWN, as_pictures, histogram
from desktop_app.toolbox.inference import evaluating, inference
from desktop_app.toolbox.reconstruction import CalibratedScores, UsualError
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import Step, descend, is_time, to_device, training_steps

_MEAN_ROWS = 1024
"""Images from which the mean of a layer's input is taken."""
_MOST_COMPARED = 256
_SHEETS = 20
"""Pictures of each layer in its training."""
_SHEET_STEPS = 10
"""Gibbs steps of the chains before each picture of them."""
_SAMPLE_STEPS = 100
_FINE_RATE = 1e-3
"""Learning rate of Adam."""


class DBNParams(MachineParams):
    """The stack, how its machines are trained, and what labels may add."""

    epochs: int = param(
        15, low=1, high=100_000, scale="log", help="Passes over the images for each layer."
    )
    layers: int = param(2, low=1, high=6, unit="layers", help="Machines in the stack L.")
    nodes: int = param(
        512, low=1, high=16_384, scale="log", help="Units of each layer below the top."
    )
    top: int = param(512, low=1, high=16_384, scale="log", help="Units of the top layer.")
    depth: int = param(
        0,
        low=0,
        high=6,
        unit="layers",
        help="Layer whose probabilities are the features of an image; 0 for the top.",
    )
    fine_tune_epochs: int = param(
        0,
        low=0,
        high=100_000,
        help="Passes in which labels of the folder then shape the features; 0 leaves them unused.",
    )


class DBN(CalibratedScores, TorchMethod[DBNParams]):
    """Learns features of features, layer by layer, and draws new images from the top."""

    card = Card(
        id="dbn",
        title="Deep belief network",
        family="Boltzmann machines",
        paper="Hinton, Osindero & Teh, 2006",
        summary="Stacks Boltzmann machines: features of features, learned one layer at a time.",
        needs="Labels only for the optional fine-tuning.",
        image_size=32,
        translations={
            "zh_CN": {
                "title": "深度置信网络",
                "family": "玻尔兹曼机",
                "summary": "堆叠玻尔兹曼机：逐层学习特征的特征。",
                "needs": "只有可选的微调才需要标签。",
            }
        },
    )

    presets = (
        Preset("28 px", {"visible": "binary"}, "Digits and the like: black and white.", 28),
        Preset(
            "28 px, large",
            {"visible": "binary", "layers": 3, "nodes": 500, "top": 2000},
            "The network of the paper: 500, 500 and 2000 units; slow.",
            28,
        ),
        Preset("32 px", {"visible": "gaussian"}, "Small photographs.", 32),
        Preset("64 px", {"visible": "gaussian", "learning_rate": 0.02}, "Photographs.", 64),
        Preset(
            "128 px",
            {"visible": "gaussian", "learning_rate": 0.005, "nodes": 256, "top": 256},
            "Larger photographs: few, coarse features; slow.",
            128,
        ),
    )

    experiments = (
        Experiment(
            "Layers",
            "What one, two and three layers keep of an image, and how neighbours change.",
            {f"{count} layers": {"layers": count} for count in (1, 2, 3)},
        ),
    )

    uses_labels = True

    toy_params: ClassVar[dict[str, int]] = {"nodes": 96, "top": 64}
    """What the conformance kit trains with on its small images."""

    machines: nn.ModuleList
    particles: Tensor

    def __init__(
        self, params: DBNParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        if self.params.depth > self.params.layers:
            raise InvalidParameter(
                f"depth must be at most the number of layers, {self.params.layers}, "
                f"got {self.params.depth}."
            )
        self._kind: Kind = "binary"
        self._classes: list[str] = []
        self._fine_tuned = False

    @property
    def depth(self) -> int:
        """The layer whose probabilities are the features, 1 to L."""
        return self.params.depth or self.params.layers

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the machines, the chains, and what is remembered about units and errors."""
        below, L = math.prod(sample_shape), self.params.layers
        widths = [below, *[self.params.nodes] * (L - 1), self.params.top]
        self.machines = nn.ModuleList(BoltzmannMachine(*pair) for pair in pairwise(widths))
        self.machine(1).kind = self._kind
        self.units = ImageUnits(sample_shape)
        self.usual = UsualError(sample_shape)
        self.activities = nn.ModuleList(RunningMean(width) for width in widths[1:])
        self.register_buffer("particles", torch.zeros(self.params.particles, widths[-2]))
        if self._classes:
            self.way_up = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
            self.classifier = nn.Linear(widths[-1], len(self._classes))

    def fit(self, data: Dataset) -> Events:
        """Look at the labels where they are wanted, then learn as every torch method does."""
        if self.params.fine_tune_epochs and not self._classes:
            self._classes = _classes(data)
        yield from super().fit(data)

    def learn(self, data: Dataset) -> Events:
        """Train one machine after another, then, where it is wanted, all weights with labels."""
        learned, apart = held_out(data, self.params.held_out, _MOST_COMPARED, self.seed)
        if self.clock.step == 0:
            mean = self.units.fit(self.machine(1), learned, self.params)
            self.usual.centre.copy_(torch.from_numpy(mean))
        L, per_layer = self.params.layers, self._epochs_per_layer(learned)
        plan = {"epochs": per_layer * L + self.params.fine_tune_epochs, "least_steps": 0}
        steps = training_steps(
            learned,
            self.params.model_copy(update=plan),
            seed=self.seed,
            device=self.device,
            clock=self.clock,
        )
        codes = _codes(data, self._classes)
        for step in steps:
            layer = min(step.epoch // per_layer, L) + 1
            done = step.number / (per_layer * step.per_epoch) - (layer - 1)  # of this layer
            if layer <= L:
                if step.epoch % per_layer == 0 and (step.number - 1) % step.per_epoch == 0:
                    yield self._begun(layer, learned)
                yield from self._greedy(step, layer, done)
            else:
                known = codes[learned.rows[step.rows]]
                yield from self._supervised(step, known, apart, codes[apart.rows])

    def up(self, images: Tensor, layer: int) -> Tensor:
        """Return the probabilities (N, D_l) of a layer; of layer 0, the visible units."""
        features = self.units.of(images)
        for number in range(layer):
            if self._fine_tuned:
                features = self.way_up[number](features).sigmoid()
            else:
                features = self.machine(number + 1).hidden(features)
        return features

    def down(self, features: Tensor, layer: int) -> Tensor:
        """Return the images (N, C, H, W) that units (N, D_l) of a layer draw."""
        for number in range(layer, 0, -1):
            features = self.machine(number).visible(features)
        return self.units.images(features)

    def machine(self, layer: int) -> BoltzmannMachine:
        """Return the machine whose hidden units are this layer, from 1."""
        return cast(BoltzmannMachine, self.machines[layer - 1])

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return what the features draw (N, C, H, W)."""
        return self.down(self.up(images, self.depth), self.depth)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the probabilities of the chosen layer (N, D)."""
        return self.up(self._checked(images), self.depth)

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (N, C, H, W) that units of the chosen layer (N, D) draw."""
        return self.down(latents, self.depth)

    def generate(self, count: int, seed: int) -> Images:
        """Return mean images (count, C, H, W) of Gibbs chains of the top machine."""
        if self.sample_shape is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        random = torch.Generator(self.particles.device).manual_seed(seed)
        with evaluating(self), torch.inference_mode():
            chosen = torch.randint(
                len(self.particles), (count,), generator=random, device=self.particles.device
            )
            top = self.machine(self.params.layers)
            mean = top.gibbs(self.particles[chosen], _SAMPLE_STEPS, random)[1]
            images: Images = self.down(mean, self.params.layers - 1).cpu().numpy()
        return images

    def views(self) -> Sequence[View]:
        """Return what units of each layer look for, how active they are, and samples."""
        if self.sample_shape is None:
            return ()
        views: list[View] = []
        for layer in range(1, self.params.layers + 1):
            title = f"Strongest filters of layer {layer}"
            views.append(ImageGrid(title, self._filters(layer), signed=True))
            activity = self._activity(layer).value.cpu().numpy()
            title = f"Mean activation in layer {layer}"
            views.append(histogram(title, activity, "share of images", limits=(0.0, 1.0)))
        views.append(ImageGrid("Fantasy particles", self.generate(32, seed=0)))
        views.append(HeatMap("Usual error at each pixel", self.usual.error.value.cpu().numpy()))
        return views

    def extra_state(self) -> dict[str, Any]:
        """Return the kind of visible units, the classes, and whether they have been learned."""
        kind = self.machine(1).kind
        return {"kind": kind, "classes": self._classes, "fine_tuned": self._fine_tuned}

    def restore_extra(self, values: dict[str, Any]) -> None:
        """Take back what `extra_state` returned."""
        self._kind = "gaussian" if values["kind"] == "gaussian" else "binary"
        self._classes = [str(name) for name in values["classes"]]
        self._fine_tuned = bool(values["fine_tuned"])

    def _greedy(self, step: Step, layer: int, done: float) -> Events:
        """Update one machine, from the probabilities of the layer below."""
        machine = self.machine(layer)
        x = self.up(step.batch, layer - 1)  # (N, D_(l-1))
        h = machine.hidden(x)  # (N, D_l)
        rebuilt = machine.visible(h)
        y = machine.after(h, self.params.gibbs_steps)
        machine.learn((x, h), (y, machine.hidden(y)), self.params, done)
        self._activity(layer).observe(h.mean(dim=0))
        if layer <= self.depth:
            self.usual.observe(step.batch, self.down(h, layer))
        scale = float(self.units.scale) if layer == 1 else 1.0
        if is_time(step, _SHEETS * self.params.layers):
            yield from self._sheets(layer)
        yield step.metrics(
            **{
                f"reconstruction_{layer}": finite(float((scale * (x - rebuilt)).square().mean())),
                f"mean_activation_{layer}": float(h.mean()),
                f"dead_units_{layer}": dead_share(self._activity(layer).value),
            }
        )

    def _begun(self, layer: int, data: Dataset) -> TrivialValue:
        """Suit a machine to what it will learn from; return the error of its mean."""
        rows = even_rows(len(data), _MEAN_ROWS)
        below = torch.cat(
            [
                self.up(to_device(data.pixels(part), self.device), layer - 1)
                for part in np.array_split(rows, math.ceil(len(rows) / 64))
            ]
        )
        machine, scale = self.machine(layer), float(self.units.scale) if layer == 1 else 1.0
        if layer > 1:
            machine.start_at(below.mean(dim=0))
        if layer == self.params.layers:
            self.particles.copy_(machine.alone(len(self.particles)))
        error = float((scale * (below - below.mean(dim=0))).square().mean())
        meaning = "mean image" if layer == 1 else "mean of the layer below"
        return TrivialValue(f"reconstruction_{layer}", error, meaning)

    def _supervised(
        self,
        step: Step,
        codes: NDArray[np.int64],
        apart: Dataset,
        apart_codes: NDArray[np.int64],
    ) -> Events:
        """Descend the cross-entropy of those images of the batch that have a label."""
        if not self._fine_tuned:
            self._start_fine_tuning()
            yield _most_frequent(codes, apart_codes)
        tuned = [*self.way_up.parameters(), *self.classifier.parameters()]
        adam = self._kept.get("adam") or self.keep("adam", torch.optim.Adam(tuned, _FINE_RATE))
        truth = torch.from_numpy(codes).to(self.device)  # (N,), -1 without a label
        logits = self.classifier(self.up(step.batch, self.params.layers))  # (N, K)
        loss = functional.cross_entropy(logits, truth, ignore_index=-1, reduction="sum")
        loss = loss / max(1, int((truth >= 0).sum()))
        descend(loss, adam)
        values = {"cross_entropy": loss.item(), "accuracy": _accuracy(logits, truth)}
        if len(apart) and is_time(step, 100):
            with torch.no_grad():
                images = to_device(apart.pixels(np.arange(len(apart))), self.device)
                logits = self.classifier(self.up(images, self.params.layers))
            found = _accuracy(logits, torch.from_numpy(apart_codes).to(self.device))
            values["accuracy_held_out"] = found
        yield step.metrics(**values)

    @torch.no_grad()
    def _start_fine_tuning(self) -> None:
        """Copy the weights of the way up, which the labels will change; those down stay."""
        for layer, linear in enumerate(self.way_up, start=1):
            mapping = cast(nn.Linear, linear)
            mapping.weight.copy_(self.machine(layer).weights.T)
            mapping.bias.copy_(self.machine(layer).hidden_bias)
        self._fine_tuned = True

    def _epochs_per_layer(self, data: Dataset) -> int:
        per_epoch = math.ceil(len(data) / self.params.batch_size)
        return max(self.params.epochs, math.ceil(self.params.least_steps / per_epoch))

    def _sheets(self, layer: int) -> Iterator[Event]:
        """Yield the filters of a layer and, at the top, where the chains are."""
        yield Preview(f"Filters of layer {layer}", as_pictures(self._filters(layer)))
        if layer == self.params.layers:
            state, mean = self.machine(layer).gibbs(self.particles, _SHEET_STEPS)
            self.particles.copy_(state)
            images = self.down(mean[:32], layer - 1).cpu().numpy()
            yield Preview("Fantasy particles", images)

    def _filters(self, layer: int) -> Images:
        """Return what the strongest units of a layer add to an image, to first order."""
        weights = self.machine(layer).weights
        strongest = weights.square().sum(dim=0).argsort(descending=True, stable=True)[:SHOWN]
        filters = weights[:, strongest]
        for below in range(layer - 1, 0, -1):
            filters = self.machine(below).weights @ filters
        images: Images = filters.T.cpu().numpy().reshape(-1, *self.units.centre.shape)
        return images

    def _activity(self, layer: int) -> RunningMean:
        return cast(RunningMean, self.activities[layer - 1])


def _classes(data: Dataset) -> list[str]:
    """Return the names of the classes. Raises InvalidInput where there are not two."""
    names = sorted({label for label in data.labels if label}) if isinstance(data, Labelled) else []
    if len(names) < 2:
        raise InvalidInput(
            f"Fine-tuning learns labels, and '{data.name}' has {len(names)} of them: sort its "
            "images into one folder per class, or set fine_tune_epochs to 0."
        )
    return names


def _codes(data: Dataset, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each image's class (N,), -1 for none."""
    numbers = {name: number for number, name in enumerate(classes)}
    labels = data.labels if isinstance(data, Labelled) else [""] * len(data)
    return np.array([numbers.get(label, -1) for label in labels], np.int64)


def _accuracy(logits: Tensor, truth: Tensor) -> float:
    """Return the share of labelled images whose class has the largest logit; 0 of none."""
    right = (logits.argmax(dim=1) == truth)[truth >= 0]
    return float(right.float().mean()) if len(right) else 0.0


def _most_frequent(codes: NDArray[np.int64], apart: NDArray[np.int64]) -> TrivialValue:
    """Return the accuracy of always saying the most frequent class."""
    of_both = [code for code in [*codes.tolist(), *apart.tolist()] if code >= 0]
    most = max(Counter(of_both).values(), default=0) / max(1, len(of_both))
    return TrivialValue("accuracy", most, "most frequent class", stays="below")


@hookimpl
def register_methods() -> list[type[DBN]]:
    """Offer the deep belief network."""
    return [DBN]
