"""Probe: a classifier of the folder's labels on top of a trained encoder. Supervised.

Alain & Bengio, Understanding intermediate layers using linear classifier probes, 2016,
https://arxiv.org/abs/1610.01644 (linear); Yosinski et al., How transferable are features in deep
neural networks?, 2014, https://arxiv.org/abs/1411.1792 (fine-tuning).

    h = (f(x) - m) / s                     f the encoder, m and s mean and spread of its latents
    p(k | x) = softmax(W h + b)_k,         loss = -log p(y | x)
    linear: W, b learn;    finetune: the weights of f learn too, at a smaller rate
    score = 1 - max_k p(k | x)

Shapes: N images, C channels, H rows, W columns, D latent dimensions, K classes.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.capabilities import Encodes
from desktop_app.sdk.data import Array, ArrayDataset, Dataset, Images, Labelled, SomeRows, even_rows
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events, Note, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import HeatMap, Table, View
from desktop_app.toolbox.exporting import encoder_alone, encoder_module
from desktop_app.toolbox.inference import batch_size_for, evaluating, require_shape
from desktop_app.toolbox.representation import fitted_to
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend

_STANDARDISED_ON = 2048
"""Images, evenly chosen, that mean and spread of the latents are found on."""
_LEAST_SPREAD = 1e-3
"""Share of the mean spread: dimensions that hardly vary are not blown up."""


class ProbeParams(TrainingParams):
    """Which encoder, whether it learns too, and what is kept back to measure."""

    encoder: str = param(
        "", kind="run", help="Run whose encoder is used; empty: the pixels themselves."
    )
    mode: Literal["linear", "finetune"] = param(
        "linear", help="linear leaves the encoder as it is; finetune trains it too."
    )
    held_out: float = param(
        0.2,
        low=0.0,
        high=0.5,
        help="Share of each class that is not trained on but measured: the validation accuracy.",
    )
    encoder_rate: float = param(
        0.1,
        low=1e-4,
        high=1.0,
        scale="log",
        help="With finetune: learning rate of the encoder as a share of the head's.",
    )
    weight_decay: float = param(
        1e-3, low=0.0, high=1.0, scale="log", advanced=True, help="Decay of the weights (AdamW)."
    )


class Probe(TorchMethod[ProbeParams]):
    """Learns the labels of the folders from what an encoder sees."""

    card = Card(
        id="probe",
        title="Classifier on an encoder",
        family="Downstream",
        paper="1610.01644",
        summary="Learns the labels of a folder's classes from the latents of a trained run, "
        "or fine-tunes its encoder.",
        needs="Images sorted into one folder per class. Supervised: it is told the labels.",
        translations={
            "zh_CN": {
                "title": "编码器上的分类器",
                "family": "下游任务",
                "summary": "利用已训练运行的潜在向量学习文件夹的类别标签，或微调其编码器。",
                "needs": "每个类别一个文件夹的图像。有监督：会用到标签。",
            }
        },
    )
    uses_labels = True

    presets = (
        Preset("Linear probe", {"mode": "linear"}, "How much of the classes do the latents tell?"),
        Preset(
            "Fine-tuning",
            {"mode": "finetune", "epochs": 30, "batch_size": 64},
            "The best classifier from few labels: the encoder learns too.",
        ),
    )
    toy_params: ClassVar[dict[str, Any]] = {"learning_rate": 0.01}
    """What the conformance kit trains with on its small images."""

    shift: Tensor
    scale: Tensor
    confusion: Tensor

    def __init__(
        self, params: ProbeParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.classes: tuple[str, ...] = ()
        """(K,): names of the classes, known from the first fit on."""
        self._attached: list[Method[Any]] = []  # in a list, so that it is no part of this module
        self._frozen: Array | None = None

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Take the trained method whose encoder is used."""
        if parameter != "encoder" or not isinstance(method, Encodes):
            raise MissingCapability(
                f"'{method.card.title}' gives no latents: name the run of a method that encodes."
            )
        self._attached = [method]

    def fit(self, data: Dataset) -> Events:
        """Look at the labels, then learn as every torch method does."""
        if not self.classes:
            self.classes = _classes(data)
        self._frozen = None
        try:
            yield from super().fit(data)
        finally:
            self._frozen = None

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the head and, where it learns, a copy of the encoder."""
        self.encoder: nn.Module | None = None
        if self.params.mode == "finetune":
            self.encoder = self._trainable_encoder()
        size = self._latents(np.zeros((1, *sample_shape), np.float32)).shape[1]
        self.register_buffer("shift", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.head = nn.Linear(size, len(self.classes))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("confusion", torch.zeros(2 * (len(self.classes),), dtype=torch.int64))

    def learn(self, data: Dataset) -> Events:
        """Descend the cross-entropy; measure the images held out after every epoch."""
        codes = _codes(data, self.classes)
        known, asked = _halves(codes, self.params.held_out, self.seed)
        y = torch.from_numpy(codes).to(self.device)  # (N,), -1 without a label
        if self.clock.step == 0:
            yield from self._told(codes, known, asked)
            self._standardise(data, known)
        if self.encoder is None:
            self._frozen = self._gather(data, np.flatnonzero(codes >= 0))
        adam = self.keep("adam", torch.optim.AdamW(self._groups(), self.params.learning_rate))
        for step in self.steps(self._seen(data, known)):
            rows = known[step.rows]
            if self.encoder is not None:
                self.encoder.eval()  # statistics of normalisations stay those of the pretraining
            logits = self.head(self._features(data, rows, step.batch))  # (n, K)
            loss = F.cross_entropy(logits, y[rows])
            descend(loss, adam)
            values: dict[str, Tensor | float] = {
                "loss": loss,
                "accuracy": (logits.argmax(dim=1) == y[rows]).float().mean(),
            }
            if step.number % step.per_epoch == 0 and len(asked):
                values |= self._measured(data, asked, y)
            yield step.metrics(**values)

    def encode(self, images: Images) -> Array:
        """Return the standardised latents (N, D) of images."""
        self._require_fitting(images)
        parts = [self._standardised(self._latents(some)) for some in _pieces(images)]
        return np.concatenate([part.cpu().numpy() for part in parts])

    def classify(self, images: Images, texts: Sequence[str]) -> Array:
        """Return the probabilities (N, T) of classes by name; 0 for a name that is no class."""
        probabilities = self.probabilities(images)
        column = {name: number for number, name in enumerate(self.classes)}
        answer = np.zeros((len(images), len(texts)), np.float32)
        for place, text in enumerate(texts):
            if text in column:
                answer[:, place] = probabilities[:, column[text]]
        return answer

    def score(self, images: Images) -> Array:
        """Return how unsure the class of each image is (N,): 1 - the largest probability."""
        unsure: Array = 1 - self.probabilities(images).max(axis=1)
        return unsure

    @torch.inference_mode()
    def probabilities(self, images: Images) -> Array:
        """Return the probabilities (N, K) of all classes."""
        latents = torch.from_numpy(self.encode(images)).to(self.device)
        probabilities: Array = self.head(latents).softmax(dim=1).cpu().numpy()
        return probabilities

    def encoder_module(self) -> nn.Module:
        """Return the encoder with the standardisation of its latents as a torch module."""
        inner = self.encoder
        if inner is None:
            if not self._attached:
                raise MissingCapability(
                    "This classifier looks at pixels and has no encoder: name a run as encoder."
                )
            inner = encoder_module(self._attached[0])
            if self._encoder_shape() not in (None, self.sample_shape):
                raise MissingCapability(
                    "The encoder takes images of another size than this classifier was trained "
                    f"with, {self._encoder_shape()}: export the run of the encoder itself."
                )
        return _Standardised(inner, self.shift, self.scale)

    def views(self) -> Sequence[View]:
        """Return how images held out are confused, and each class in numbers."""
        if self.sample_shape is None or not self.confusion.any():
            return ()
        confusion: NDArray[np.int64] = self.confusion.cpu().numpy()
        shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        return (
            HeatMap(
                "Confusion of held-out images (share of each true class)",
                shares.astype(np.float32),
                row_label="true class",
                column_label="predicted class",
            ),
            Table(
                "Classes (held-out images)",
                ("class", "images", "found", "right when said", "most often taken for"),
                _class_rows(self.classes, confusion),
            ),
        )

    def extra_state(self) -> dict[str, Any]:
        """Return the names of the classes."""
        return {"classes": list(self.classes)}

    def restore_extra(self, values: dict[str, Any]) -> None:
        """Take back what `extra_state` returned."""
        self.classes = tuple(values["classes"])

    def _trainable_encoder(self) -> nn.Module:
        """Return a copy of the attached encoder whose weights can learn."""
        if not self._attached:
            raise InvalidInput(
                "Fine-tuning needs a trained encoder: name a run as encoder, or choose linear."
            )
        method, shape = self._attached[0], self._encoder_shape()
        module = encoder_module(method)
        if shape is None:
            raise MissingCapability(
                f"'{method.card.title}' does not say which images it takes: choose linear."
            )
        module = encoder_alone(module, shape)
        if not any(weight.requires_grad for weight in module.parameters()):
            raise MissingCapability(
                f"The encoder of '{method.card.title}' has no weights that gradients could train: "
                "choose linear, or an autoencoder."
            )
        return module

    def _encoder_shape(self) -> tuple[int, int, int] | None:
        return getattr(self._attached[0], "sample_shape", None) if self._attached else None

    def _groups(self) -> list[dict[str, Any]]:
        """Return what the optimiser trains: the head, and the encoder at a smaller rate."""
        decay = self.params.weight_decay
        groups: list[dict[str, Any]] = [{"params": self.head.parameters(), "weight_decay": decay}]
        if self.encoder is not None:
            rate = self.params.learning_rate * self.params.encoder_rate
            weights = [weight for weight in self.encoder.parameters() if weight.requires_grad]
            groups.append({"params": weights, "lr": rate, "weight_decay": decay})
        return groups

    def _seen(self, data: Dataset, rows: NDArray[np.int64]) -> Dataset:
        """Return what the batches are taken from: no pixels where latents are known already."""
        if self.encoder is None:
            return ArrayDataset(np.zeros((len(rows), 1, 1, 1), np.uint8), data.name)
        return SomeRows(data, rows)

    def _features(self, data: Dataset, rows: NDArray[np.int64], batch: Tensor) -> Tensor:
        """Return the standardised latents (n, D) of a batch, with gradients if it learns."""
        if self._frozen is not None:
            return torch.from_numpy(self._frozen[rows]).to(self.device)
        if self.encoder is None:
            raise InvalidInput(f"The latents of '{data.name}' are not gathered yet.")
        images = self._fitted_tensor(batch)
        latents: Tensor = self.encoder(images).flatten(1)
        return (latents - self.shift) / self.scale

    def _fitted_tensor(self, images: Tensor) -> Tensor:
        shape = self._encoder_shape()
        if shape is None or tuple(images.shape[1:]) == shape:
            return images
        return torch.from_numpy(fitted_to(images.cpu().numpy(), shape)).to(self.device)

    @torch.no_grad()
    def _latents(self, images: Images) -> Array:
        """Return the latents (N, D) as the encoder gives them; pixels without an encoder."""
        if self.encoder is not None:
            encoder = self.encoder.to(self.device)
            tensor = self._fitted_tensor(torch.tensor(images, device=self.device))
            with evaluating(encoder):
                tuned: Array = encoder(tensor).flatten(1).cpu().numpy()
            return tuned
        if not self._attached:
            return images.reshape(len(images), -1)
        method: Any = self._attached[0]
        latents: Array = method.encode(fitted_to(images, self._encoder_shape() or images.shape[1:]))
        return latents.reshape(len(images), -1)

    def _standardised(self, latents: Array) -> Tensor:
        return (torch.from_numpy(latents).to(self.device) - self.shift) / self.scale

    def _standardise(self, data: Dataset, known: NDArray[np.int64]) -> None:
        """Find mean and spread of the latents on an even sample of the training images."""
        places = even_rows(len(known), _STANDARDISED_ON)
        rows = known[np.unique(places)]
        sample = np.concatenate([self._latents(data.images(some)) for some in _blocks(data, rows)])
        spread = sample.std(axis=0)
        least = max(_LEAST_SPREAD * float(spread.mean()), 1e-12)
        self.shift.copy_(torch.from_numpy(sample.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(np.where(spread > least, spread, max(least, 1e-6))))

    def _gather(self, data: Dataset, rows: NDArray[np.int64]) -> Array:
        """Return the standardised latents (N, D) of all labelled images, zero for the others."""
        gathered = np.zeros((len(data), len(self.shift)), np.float32)
        for some in _blocks(data, rows):
            gathered[some] = self._standardised(self._latents(data.images(some))).cpu().numpy()
        return gathered

    @torch.no_grad()
    def _measured(self, data: Dataset, asked: NDArray[np.int64], y: Tensor) -> dict[str, Tensor]:
        """Return loss and accuracy of the images held out; remember how they are confused."""
        parts = []
        for rows in _blocks(data, asked):
            if self._frozen is not None:
                latents = torch.from_numpy(self._frozen[rows]).to(self.device)
            else:
                latents = self._standardised(self._latents(data.images(rows)))
            parts.append(self.head(latents))
        logits, truth = torch.cat(parts), y[asked]
        said, K = logits.argmax(dim=1), len(self.classes)
        self.confusion.copy_(torch.bincount(truth * K + said, minlength=K * K).view(K, K))
        return {
            "val_loss": F.cross_entropy(logits, truth),
            "val_accuracy": (said == truth).float().mean(),
        }

    def _told(
        self, codes: NDArray[np.int64], known: NDArray[np.int64], asked: NDArray[np.int64]
    ) -> Iterator[Note | TrivialValue]:
        """Tell what is learned from, and what the most frequent class alone reaches."""
        K = len(self.classes)
        unlabelled = int((codes < 0).sum())
        text = f"{K} classes; {len(known)} images are learned from, {len(asked)} are held out."
        if unlabelled:
            text += f" {unlabelled} images without a label are left aside."
        yield Note(text)
        for name, rows in (("", known), ("val_", asked)):
            if not len(rows):
                continue
            shares = np.bincount(codes[rows], minlength=K) / len(rows)
            entropy = -sum(share * math.log(share) for share in shares if share > 0)
            yield TrivialValue(
                f"{name}accuracy", float(shares.max()), "most frequent class", stays="below"
            )
            yield TrivialValue(f"{name}loss", entropy, "class frequencies", stays="above")

    def _require_fitting(self, images: Images) -> None:
        if self.sample_shape is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        require_shape(images, self.sample_shape)


class _Standardised(nn.Module):
    """An encoder whose latents have mean 0 and spread 1."""

    shift: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def forward(self, images: Tensor) -> Tensor:
        standardised: Tensor = (self.encoder(images).flatten(1) - self.shift) / self.scale
        return standardised


def _classes(data: Dataset) -> tuple[str, ...]:
    """Return the labels, by name. Raises InvalidInput when there are fewer than two."""
    labels = data.labels if isinstance(data, Labelled) else ()
    names = tuple(sorted(set(labels) - {""}))
    if len(data) and len(names) < 2:
        came = f"only '{names[0]}'" if names else "none"
        raise InvalidInput(
            f"A classifier needs images of at least two labels; among the training images of "
            f"'{data.name}' there is {came}. Sort the images into one folder per class."
        )
    return names


def _codes(data: Dataset, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the number of each image's class (N,), -1 for images without a label.

    Raises InvalidInput when a label is none of the classes that the training began with.
    """
    labels = data.labels if isinstance(data, Labelled) else ()
    number = {name: code for code, name in enumerate(classes)} | {"": -1}
    unknown = sorted(set(labels) - number.keys())
    if unknown or len(labels) != len(data):
        raise InvalidInput(
            f"The training began with the classes {', '.join(classes)}; '{data.name}' has "
            f"{', '.join(unknown) or 'no labels'}: start a new run."
        )
    return np.array([number[label] for label in labels], np.int64)


def _halves(
    codes: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that are learned from and those held out, the share from each class.

    Of every class at least one image is learned from.
    """
    random = np.random.default_rng([seed, 1])
    known, asked = [], []
    for code in range(int(codes.max()) + 1):
        rows = random.permutation(np.flatnonzero(codes == code))
        count = min(round(share * len(rows)), len(rows) - 1) if len(rows) else 0
        asked.append(rows[:count])
        known.append(rows[count:])
    return np.sort(np.concatenate(known)), np.sort(np.concatenate(asked))


def _class_rows(classes: tuple[str, ...], confusion: NDArray[np.int64]) -> list[list[str | int]]:
    rows: list[list[str | int]] = []
    for code, name in enumerate(classes):
        right, count = int(confusion[code, code]), int(confusion[code].sum())
        said = int(confusion[:, code].sum())
        others = confusion[code].copy()
        others[code] = 0
        wrong = classes[int(others.argmax())] if others.any() else ""
        rows.append([name, count, _percent(right, count), _percent(right, said), wrong])
    return rows


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _blocks(data: Dataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield rows in pieces whose images fit in memory; the same pieces every time."""
    size = batch_size_for(np.empty((0, *data.sample_shape), np.float32))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _pieces(images: Images) -> Iterator[Images]:
    size = batch_size_for(images)
    for start in range(0, max(len(images), 1), size):
        yield images[start : start + size]


@hookimpl
def register_methods() -> list[type[Probe]]:
    """Offer the classifier."""
    return [Probe]
