"""Stacked denoising autoencoder, with clusters by deep embedding if wanted.

Vincent et al., Stacked denoising autoencoders, JMLR 11, 2010, https://jmlr.org/papers/v11/vincent10a.html;
Xie et al., Unsupervised deep embedding for clustering analysis (DEC), 2016,
https://arxiv.org/abs/1511.06335

Layer l = 1 .. L, one after the other, on the outputs h_(l-1) of those below (h_0 = the image):

    loss_l = |h_(l-1) - g_l(f_l(h_(l-1) with some values 0))|^2

then all layers together, |x - g(f(x with some values 0))|^2, and, if wanted, clusters m_k:

    q_ik = (1 + |z_i - m_k|^2)^-1 / sum_k' ..                                        (DEC, eq. 1)
    p_ik = q_ik^2 / f_k / sum_k' ..,   f_k = sum_i q_ik                              (DEC, eq. 3)
    loss = KL(P || Q)                                                                (DEC, eq. 2)

P is computed from all images every 140 steps; the training ends when fewer than .1 % of the images
have changed their cluster. Errors are in units of the variance of what is rebuilt.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D numbers of the code,
K clusters, L layers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import field_validator
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import ImageGrid, View
from desktop_app.toolbox.autoencoding import AutoencodingMethod
from desktop_app.toolbox.corruption import masked
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.networks import DenseDecoder, DenseEncoder
from desktop_app.toolbox.training import descend, set_rate, to_device

_SLOWER = 0.1
"""Factor on the learning rate in the last part of the tuning."""
_SLOWER_FROM = 0.7
"""Share of the tuning after which it is slower."""
_TARGET_EVERY = 140
"""Steps between two computations of P, as in DEC."""
_SETTLED = 0.001
"""Share of images that change their cluster, below which the training ends."""
_SAMPLE = 10_000
"""Codes that k-means is fitted on."""
_RESTARTS = 4
_BATCH = 512
"""Images encoded at once."""
_LEAST_VARIANCE = 1e-6
"""Of a layer's inputs, where all images are alike."""
_LEAST_RATIO = 1e-12
Values = dict[str, Tensor | float]
"""What is told of a step."""
_WIDEST = 8192
"""Nodes of a layer at most."""


class StackedParams(TrainingParams):
    """The layers, how their training is divided, and the clusters."""

    epochs: int = param(
        30, low=1, high=100_000, scale="log", help="Passes over the images, all phases together."
    )
    batch_size: int = param(
        256, low=1, high=65_536, scale="log", unit="images", help="Images per optimiser step."
    )
    widths: str = param(
        "256-256-512",
        help="Nodes of the hidden layers, from the image to the code, such as 500-500-2000.",
    )
    code_size: int = param(
        10, low=1, high=1024, scale="log", help="Numbers D in the code; about one per cluster."
    )
    corruption: float = param(
        0.2, low=0.0, high=0.9, help="Share of the values that each layer has to do without."
    )
    pretraining: float = param(
        0.15,
        low=0.0,
        high=0.9,
        unit="of the training",
        help="Share of the training in which the layers learn one after the other.",
    )
    clusters: int = param(
        10, low=1, high=1000, scale="log", help="Clusters K that the code is divided into."
    )
    embedding: float = param(
        0.0,
        low=0.0,
        high=0.9,
        unit="of the training",
        help="Share of the training that sharpens the clusters (DEC); 0: k-means on the code.",
    )
    rebuilding: float = param(
        1.0,
        low=0.0,
        high=100.0,
        advanced=True,
        help="Weight of the error while clusters are sharpened, so that codes can still be "
        "decoded; 0 as in the paper.",
    )

    @field_validator("widths")
    @classmethod
    def _widths_are_numbers(cls, widths: str) -> str:
        parts = widths.split("-")
        if not all(part.isdecimal() and 1 <= int(part) <= _WIDEST for part in parts):
            raise ValueError(
                f"expected widths of 1 to {_WIDEST} joined by '-', such as 256-256-512, "
                f"got '{widths}'"
            )
        return widths


class StackedDenoisingAutoencoder(AutoencodingMethod[StackedParams]):
    """Learns a short code layer by layer, in which kinds of images lie apart."""

    card = Card(
        id="stacked_denoising_ae",
        title="Stacked denoising autoencoder",
        family="Autoencoders",
        paper="https://jmlr.org/papers/v11/vincent10a.html",
        summary="Learns a very short code, layer by layer, and sorts the images into clusters.",
        needs="Tiny, centred images of things that differ as a whole; a few thousand of them.",
        image_size=28,
        translations={
            "zh_CN": {
                "title": "堆叠去噪自编码器",
                "family": "自编码器",
                "summary": "逐层学习极短的编码，并将图像划分为若干簇。",
                "needs": "几千张尺寸小、主体居中、整体形态各异的图像。",
            }
        },
    )

    presets = (
        Preset("28 px", {}, "Digits and clothes: k-means on a code of ten numbers.", 28),
        Preset(
            "28 px, deep embedding",
            {"embedding": 0.25, "epochs": 40},
            "The same, then clusters are pulled apart.",
            28,
        ),
        Preset(
            "28 px, as published",
            {"widths": "500-500-2000", "epochs": 300, "embedding": 0.1, "rebuilding": 0.0},
            "The long recipe of the paper on deep embedding; hours without a graphics card.",
            28,
        ),
        Preset("32 px", {"widths": "512-512-1024", "code_size": 16}, "Small colour images.", 32),
        Preset(
            "64 px",
            {"widths": "1024-512-1024", "code_size": 16},
            "Larger images of centred things; dense layers see little in textures.",
            64,
        ),
    )
    experiments = (
        Experiment(
            "Layer by layer",
            "Does learning one layer after the other still help?",
            {"all at once": {"pretraining": 0.0}, "layer by layer": {"pretraining": 0.3}},
        ),
        Experiment(
            "Corruption",
            "How much must be missing for kinds of images to lie apart?",
            {f"{share:.0%}": {"corruption": share} for share in (0.0, 0.2, 0.4)},
        ),
    )

    toy_params: ClassVar[dict[str, Any]] = {"widths": "64-64-128", "clusters": 3}
    """What the conformance kit trains with on its small images."""

    encoder: DenseEncoder
    decoder: DenseDecoder
    are_clustered: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder, clusters and what is remembered about codes and errors."""
        widths = [int(width) for width in self.params.widths.split("-")]
        D = self.params.code_size
        self.encoder = DenseEncoder(sample_shape, D, widths=widths)
        self.decoder = DenseDecoder(D, sample_shape, widths=widths)
        self.centres = nn.Parameter(torch.zeros(self.params.clusters, D))
        self.register_buffer("are_clustered", torch.zeros((), dtype=torch.bool))
        self.remember_codes(sample_shape, D)

    def learn(self, data: Dataset) -> Events:
        """Train layer after layer, then all together, then the clusters."""
        self._require_enough(data)
        if self.clock.step == 0:
            self.prepare(data)
            yield from self._trivial_values()
        targets = self.keep("targets", Targets())
        adam: torch.optim.Adam | None = None
        for step in self.steps(data):
            phase = phase_at(step.number, self.phases(step.total))
            if step.number == phase.first:
                self.forget("adam")  # that of the phase before
                yield Note(phase.told)
            if adam is None or step.number == phase.first:
                adam = self._optimiser(phase)
            set_rate(adam, self.params.learning_rate * phase.speed(step.number))
            x = step.batch  # (N, C, H, W)
            values: Values
            match phase.task:
                case "layer":
                    loss = self.layer_loss(x, phase.layer)
                    values = {f"layer_{phase.layer + 1}": loss}
                case "tuning":
                    loss, values = self._rebuilding_loss(x, self.params.corruption)
                case "clusters":
                    if (step.number - phase.first) % _TARGET_EVERY == 0:
                        self._renew(targets, data)
                    loss, values = self._cluster_loss(x, targets.p[torch.from_numpy(step.rows)])
                    values["changed"] = targets.changed
            descend(loss, adam)
            if step.number == step.total and not self.are_clustered:
                self._find_clusters(self._codes(data, even_rows(len(data), _SAMPLE)))
            told = step.metrics(**values)
            if phase.task == "clusters" and targets.changed < _SETTLED:
                yield Note(f"Fewer than {_SETTLED:.1%} of the images change their cluster: done.")
                self.clock.step = step.total
                yield replace(told, progress=1.0)
                return
            yield told

    def layers(self) -> list[tuple[nn.Module, nn.Module]]:
        """Return each layer of the encoder, from the image on, and the one that mirrors it."""
        encoders = [*self.encoder.hidden, self.encoder.head]
        decoders = [self.decoder.last, *reversed([*self.decoder.hidden])]
        return list(zip(encoders, decoders, strict=True))

    def layer_loss(self, images: Tensor, layer: int) -> Tensor:
        """Return the share of the variance of a layer's inputs that the layer does not rebuild.

        Its inputs are the outputs of the layers below, or the images; `layer` counts from 0.
        """
        layers = self.layers()
        with torch.no_grad():
            h = self.encoder.deviation(images)  # (N, F), of the layers below
            for below, _ in layers[:layer]:
                h = below(h)
        up, down = layers[layer]
        drawn = down(up(masked(h, self.params.corruption)))
        if layer == 0:
            rebuilt = self.decoder.logits(drawn).sigmoid()
            return F.mse_loss(rebuilt, images) / self.encoder.spread**2
        return F.mse_loss(drawn, h) / h.var(dim=0, correction=0).mean().clamp(min=_LEAST_VARIANCE)

    @inference
    def cluster(self, images: Tensor) -> Tensor:
        """Return the nearest cluster (N,) of images. Raises InvalidInput before there are any."""
        if not self.are_clustered:
            raise InvalidInput("The clusters are found in the last part of the training: wait.")
        return torch.cdist(self.code(self._checked(images)), self.centres).argmin(dim=1)

    def views(self) -> Sequence[View]:
        """Return what lies in the middle of each cluster, besides the common views."""
        if self.sample_shape is None or not self.are_clustered:
            return super().views()
        centres = self.decode(self.centres.detach().cpu().numpy())
        numbers = [str(number) for number in range(len(centres))]
        return (ImageGrid("Middle of each cluster", centres, captions=numbers), *super().views())

    def phases(self, total: int) -> list["Phase"]:
        """Return the phases of a training of so many steps, in their order."""
        layers = len(self.layers())
        sharpening = round(self.params.embedding * total)
        together = total - sharpening
        ends = [
            round(self.params.pretraining * together * number / layers)
            for number in range(1, layers + 1)
        ]
        return [
            *(
                Phase("layer", end, last, f"Layer {layer + 1} of {layers} learns alone.", layer)
                for layer, (end, last) in enumerate(pairwise([0, *ends]))
            ),
            Phase("tuning", ends[-1], together, "All layers learn together."),
            Phase("clusters", together, total, "The clusters are sharpened."),
        ]

    def _optimiser(self, phase: "Phase") -> torch.optim.Adam:
        """Return the optimiser of a phase: that of an interrupted one where there is one."""
        networks: list[nn.Module] = [self.encoder, self.decoder]
        parts: list[nn.Parameter] = []
        if phase.task == "layer":
            networks = [*self.layers()[phase.layer]]
        elif phase.task == "clusters":
            parts = [self.centres]
        parts += [weight for network in networks for weight in network.parameters()]
        return self.keep("adam", torch.optim.Adam(parts))

    def _rebuilding_loss(self, x: Tensor, corruption: float) -> tuple[Tensor, Values]:
        """Return the error in units of the mean image's, and what is told of it."""
        d = masked(self.encoder.deviation(x), corruption)  # (N, F)
        z = self.encoder.head(self.encoder.hidden(d))  # (N, D)
        rebuilt = self.decoder(z).sigmoid()
        mse = F.mse_loss(rebuilt, x)
        self.observe(x, z, rebuilt)
        explained = self.explained(x, mse)
        return mse / self.encoder.spread**2, {"mse": mse, "explained_variance": explained}

    def _cluster_loss(self, x: Tensor, p: Tensor) -> tuple[Tensor, Values]:
        """Return KL(P || Q) of a batch with targets p (N, K), and the weighed error of it."""
        q = soft_assignment(self.code(x), self.centres)  # (N, K)
        kl = divergence(p.to(q.device), q)
        error, told = self._rebuilding_loss(x, 0.0)
        return kl + self.params.rebuilding * error, told | {"cluster_kl": kl}

    @torch.no_grad()
    def _renew(self, targets: "Targets", data: Dataset) -> None:
        """Compute P of all images; the first time, find the clusters that it sharpens."""
        codes = self._codes(data, np.arange(len(data)))
        if not self.are_clustered:
            self._find_clusters(codes[even_rows(len(data), _SAMPLE)])
        q = soft_assignment(codes.to(self.device), self.centres).cpu()
        targets.renew(q)

    @torch.no_grad()
    def _codes(self, data: Dataset, rows: NDArray[np.int64]) -> Tensor:
        """Return the codes (n, D) of rows of the data, on the processor."""
        parts = np.array_split(rows, -(-len(rows) // _BATCH))
        return torch.cat([self.code(to_device(data.pixels(p), self.device)).cpu() for p in parts])

    @torch.no_grad()
    def _find_clusters(self, codes: Tensor) -> None:
        """Place the centres by k-means on codes (n, D)."""
        means = KMeans(self.params.clusters, n_init=_RESTARTS, random_state=self.seed)
        self.centres.copy_(torch.from_numpy(means.fit(codes.numpy()).cluster_centers_))
        self.are_clustered.fill_(True)

    def _require_enough(self, data: Dataset) -> None:
        if len(data) < self.params.clusters:
            raise InvalidInput(
                f"'{data.name}' holds {len(data)} usable images, fewer than the "
                f"{self.params.clusters} clusters: ask for fewer clusters, or add images."
            )

    def _trivial_values(self) -> Iterator[TrivialValue]:
        """Tell what the mean reaches, in every phase."""
        for layer in range(len(self.layers())):
            yield TrivialValue(f"layer_{layer + 1}", 1.0, "mean of its inputs")
        yield TrivialValue("mse", float(self.encoder.spread) ** 2, "mean image")


@dataclass(frozen=True)
class Phase:
    """A part of the training: steps after `before` up to `last`."""

    task: Literal["layer", "tuning", "clusters"]
    before: int
    last: int
    told: str
    layer: int = 0
    """Which layer learns alone, from 0."""

    @property
    def first(self) -> int:
        """The first step of it."""
        return self.before + 1

    def speed(self, step: int) -> float:
        """Return the factor on the learning rate: lower at the end of the tuning and after it."""
        if self.task == "layer":
            return 1.0
        late = step - self.before > _SLOWER_FROM * (self.last - self.before)
        return _SLOWER if late or self.task == "clusters" else 1.0


def phase_at(step: int, phases: Sequence[Phase]) -> Phase:
    """Return the phase that a step belongs to."""
    return next(phase for phase in phases if step <= phase.last)


class Targets:
    """P of all images, and which of them changed their cluster when it was last computed."""

    def __init__(self) -> None:
        self.p = torch.zeros(0, 0)
        """(N, K)."""
        self.assigned = torch.zeros(0, dtype=torch.int64)
        """(N,)."""
        self.changed = 1.0
        """Share of images."""

    def renew(self, q: Tensor) -> None:
        """Sharpen the assignments q (N, K) of all images."""
        assigned = q.argmax(dim=1)
        if len(self.assigned) == len(assigned):
            self.changed = float((assigned != self.assigned).float().mean())
        self.p, self.assigned = sharpened(q), assigned

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {"p": self.p, "assigned": self.assigned, "changed": self.changed}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.p, self.assigned = saved["p"], saved["assigned"]
        self.changed = saved["changed"]


def soft_assignment(codes: Tensor, centres: Tensor) -> Tensor:
    """Return Q (N, K), the share of each cluster in each code by a Student t kernel."""
    near = 1 / (1 + torch.cdist(codes, centres).square())
    return near / near.sum(dim=1, keepdim=True)


def sharpened(q: Tensor) -> Tensor:
    """Return P (N, K): squares of Q, weighed against large clusters."""
    weight = q.square() / q.sum(dim=0)
    return weight / weight.sum(dim=1, keepdim=True)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(P || Q) in nats, the mean over images."""
    return (p * (p / q).clamp(min=_LEAST_RATIO).log()).sum(dim=1).mean()


@hookimpl
def register_methods() -> list[type[StackedDenoisingAutoencoder]]:
    """Offer the stacked denoising autoencoder."""
    return [StackedDenoisingAutoencoder]
