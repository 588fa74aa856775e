"""Where patch features come from: imported weights, an encoder trained here, or a filter bank.

Methods that look at patches share the parameters, the choice and the storage of their network:
whatever was chosen is kept in the method's own state, so that its run needs no other file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidInput, InvalidParameter, MissingCapability
from desktop_app.sdk.method import Method, State
from desktop_app.sdk.params import Params, param
from desktop_app.sdk.views import ImageGrid, View
from desktop_app.toolbox.backbones import Backbone, loaded_backbone, rebuilt_backbone
from desktop_app.toolbox.filters import STATISTICS, FilterBank, learned_filters
from desktop_app.toolbox.portable import PortableNetwork, portable
from desktop_app.toolbox.weights import MatchReport, read_weights

FeatureNetwork = Backbone | PortableNetwork | FilterBank
"""The networks that offer SpatialFeatures and can be stored."""

_ENCODER_STRIDES = (2, 4, 8)
"""Input pixels per map pixel of the layers of an encoder that are looked at."""


class FeatureParams(Params):
    """Where features come from: weights, else an encoder, else filters learned from the images."""

    weights: str = param(
        "",
        kind="file",
        help="File of network weights, such as mobilenet_v2.pth; its architecture is recognised.",
    )
    backbone: str = param(
        "", help="Name of the torchvision architecture of the weights, if it is not recognised."
    )
    encoder: str = param(
        "", kind="run", help="Run folder of a method with a convolutional encoder, trained here."
    )
    layers: str = param(
        "",
        help="Layers of the backbone to look at, such as 3,6,13; empty takes strides 4, 8 and 16.",
        advanced=True,
    )
    filters: int = param(
        100,
        low=4,
        high=1024,
        scale="log",
        unit="filters",
        help="Filters learned per scale from these images, without weights or an encoder.",
    )


@dataclass(frozen=True)
class Features:
    """A frozen network that gives feature maps, and the report of where it comes from."""

    network: FeatureNetwork
    report: MatchReport

    @property
    def plain_channels(self) -> int:
        """Channels at the end of each map that are measures of their own, not directions."""
        return STATISTICS if isinstance(self.network, FilterBank) else 0

    def maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps (N, C_l, H_l, W_l), the finest first, of images (N, C, H, W)."""
        return self.network.feature_maps(images)

    def views(self, channels: int) -> Sequence[View]:
        """Return where the features come from, and filters learned from images of C channels."""
        if not isinstance(self.network, FilterBank):
            return (self.report.table(),)
        pictures = self.network.pictures(channels).cpu().numpy()
        filters = ImageGrid("Filters learned from the images", pictures, signed=True)
        return (self.report.table(), filters)

    def state(self) -> State:
        """Return the network and its report; tensors in float16 where that loses nothing."""
        arrays = {name: _stored(tensor) for name, tensor in _tensors(self.network).items()}
        return State(arrays, {"report": self.report.values(), **_described(self.network)})


P = TypeVar("P", bound=FeatureParams)


class ChoosesFeatures(Method[P]):
    """A method whose parameters name where its features come from."""

    _source: tuple[PortableNetwork, str] | None = None
    """The encoder of a run and the title of its method. Being in a pair, it is no part of a method
    that is itself a torch module."""

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Copy the encoder of a trained method."""
        if parameter != "encoder":
            raise MissingCapability(f"'{self.card.title}' takes a run as 'encoder' alone.")
        self._source = (encoder_of(method), method.card.title)

    def features(self, data: Dataset) -> Features:
        """Return the features that the parameters name."""
        encoder, title = self._source or (None, "")
        return chosen_features(
            self.params,
            data,
            encoder=encoder,
            encoder_title=title,
            seed=self.seed,
            device=self.device,
        )


def chosen_features(
    params: FeatureParams,
    data: Dataset,
    *,
    encoder: PortableNetwork | None,
    encoder_title: str,
    seed: int,
    device: str,
) -> Features:
    """Return the features that the parameters name, for the images of a data set.

    Raises InvalidInput when a weight file does not fit, or an encoder the size of the images.
    """
    if params.weights:
        file = read_weights(Path(params.weights).expanduser())
        backbone, report = loaded_backbone(file, params.backbone, params.layers, data.sample_shape)
        return Features(backbone.to(device), report)
    if params.backbone:
        raise InvalidParameter(
            f"backbone names the architecture of a weight file, got '{params.backbone}' without "
            "one: set weights to the file as well."
        )
    if encoder is not None:
        encoder = encoder.to(device)
        _require_fit(encoder, encoder_title, data, device)
        return Features(encoder, _report(encoder, encoder_title))
    bank = learned_filters(data, params.filters, seed=seed, device=device)
    return Features(bank, _report(bank, data.name))


def _require_fit(encoder: PortableNetwork, title: str, data: Dataset, device: str) -> None:
    """Raise InvalidInput where an encoder cannot look at images of this shape."""
    try:
        with torch.inference_mode():
            encoder.feature_maps(torch.zeros(1, *data.sample_shape, device=device))
    except RuntimeError as problem:
        reason = str(problem).strip().splitlines()[0]
        raise InvalidInput(
            f"The encoder of '{title}' cannot look at images of shape {data.sample_shape} "
            f"({reason}): read them, or cut them into tiles, at the size that it was trained on."
        ) from None


def restored_features(state: State, device: str) -> Features:
    """Return the features of a state. Raises InvalidInput when they cannot be made."""
    values = state.values
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.arrays.items()}
    network: FeatureNetwork
    if values["kind"] == "backbone":
        network = rebuilt_backbone(values["architecture"], values["layers"], tensors)
    elif values["kind"] == "portable":
        network = PortableNetwork(values["steps"], values["layers"])
        _load(network, tensors)
    else:
        network = FilterBank({name: tensor.float() for name, tensor in tensors.items()})
    return Features(network.to(device), MatchReport.of_values(values["report"]))


def encoder_of(method: Method[Any]) -> PortableNetwork:
    """Return a copy of the convolutional encoder of a trained method.

    Raises MissingCapability when it has none.
    """
    shape = getattr(method, "sample_shape", None)
    if not isinstance(method, nn.Module) or shape is None:
        raise MissingCapability(
            f"Expected a trained method with a convolutional encoder, got '{method.card.title}'."
        )
    problems = []
    for candidate in _candidates(method):
        try:
            return portable(candidate, shape, _ENCODER_STRIDES).cpu()
        except InvalidInput as problem:
            problems.append(str(problem))
    reason = problems[0] if problems else "It has no convolutions."
    raise MissingCapability(f"'{method.card.title}' has no encoder to build upon. {reason}")


def _candidates(method: nn.Module) -> list[nn.Module]:
    """Return the parts of a method that may be its encoder: the one called so, then the others."""
    parts = dict(method.named_children())
    first = [parts.pop("encoder")] if "encoder" in parts else []
    return [
        part
        for part in [*first, *parts.values()]
        if any(isinstance(layer, nn.Conv2d) for layer in part.modules())
    ]


def _report(network: PortableNetwork | FilterBank, source: str) -> MatchReport:
    trained = isinstance(network, PortableNetwork)
    return MatchReport(
        architecture="encoder" if trained else "filter bank",
        provenance="trained here" if trained else "learned from these images",
        source=source,
        sha256="",
        matched=len(network.state_dict()),
    )


def _tensors(network: FeatureNetwork) -> dict[str, Tensor]:
    return dict(
        network.network.state_dict() if isinstance(network, Backbone) else network.state_dict()
    )


def _described(network: FeatureNetwork) -> dict[str, Any]:
    if isinstance(network, Backbone):
        layers = list(network.layers)
        return {"kind": "backbone", "architecture": network.architecture, "layers": layers}
    if isinstance(network, PortableNetwork):
        return {"kind": "portable", **network.description()}
    return {"kind": "filters"}


def _stored(tensor: Tensor) -> NDArray[Any]:
    plain = tensor.detach().cpu()
    if plain.dtype == torch.float32 and torch.equal(plain.half().float(), plain):
        plain = plain.half()
    array: NDArray[Any] = plain.contiguous().numpy().copy()
    return array


def _load(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as problem:
        raise InvalidInput(f"The stored encoder does not fit its description: {problem}") from None
