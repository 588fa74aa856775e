"""Networks that turn images into maps of features: torchvision architectures with imported weights.

The architecture of a weight file is recognised by the names and shapes of its tensors. Networks are
laid out without memory for this, so that comparing a file with all of torchvision takes seconds,
and with the likely ones less than one.

On a processor images go through a network a few at a time, with the batch norms folded into the
convolutions before them: what is computed then stays in its caches, which takes a third of the
time.

Shapes: N images, C channels, H rows, W columns; a map has (N, C_l, H_l, W_l).
"""

import contextlib
import copy
import difflib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.toolbox.weights import MatchReport, Shapes, WeightFile, match

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

_STRIDES = (4, 8, 16)
"""Input pixels per map pixel of the layers taken by default: the deepest block of each."""
_SIZE = 224
"""Pixels of the images at which strides are measured."""
_PIXELS_AT_ONCE = 4 * _SIZE**2
"""Pixels of the images that go through a network at once on a processor."""
_LAYER_NAMES = ("{}", "features.{}", "layer{}", "layers.{}", "stage{}", "trunk_output.block{}")
"""What a number may stand for in the names of layers."""
_TRUNKS = ("features", "layers", "trunk_output")
"""Parts that only hold blocks."""
_HEADS = ("classifier", "fc.", "head", "avgpool", "dropout", "AuxLogits", "aux1", "aux2")
"""How the names of what follows the maps begin: it is not used, so its tensors need not fit."""

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

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, architecture: str, layers: Sequence[str]) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = tuple(layers)
        self.network = network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)
        self._folded = folded(self.network, architecture, layers)
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(1, 3, 1, 1), False)

    def train(self, mode: bool = True) -> "Backbone":  # noqa: ARG002
        """Stay in evaluation mode: batch norms are folded."""
        return super().train(False)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps (N, C_l, H_l, W_l) of images (N, 1 or 3, H, W) in [0, 1]."""
        colours = images.expand(-1, 3, -1, -1)
        inputs = ((colours - self.mean) / self.deviation).contiguous(
            memory_format=torch.channels_last
        )
        if inputs.device.type != "cpu":
            return outputs_of(self._folded, self.layers, inputs)
        few = max(1, _PIXELS_AT_ONCE // (inputs.shape[2] * inputs.shape[3]))
        found = [outputs_of(self._folded, self.layers, some) for some in torch.split(inputs, few)]
        return [torch.cat(maps) for maps in zip(*found, strict=True)]


def architectures() -> tuple[str, ...]:
    """Return the names of torchvision's convolutional classification networks."""
    beginnings = tuple(start for family in _STEMS.values() for start in family)
    return tuple(name for name in _torchvision_names() if name.startswith(beginnings))


def loaded_backbone(
    file: WeightFile, architecture: str, layers: str, sample_shape: tuple[int, int, int]
) -> tuple[Backbone, MatchReport]:
    """Return the network of a weight file for images of (C, H, W), and how the file fits.

    `architecture` "" recognises it; `layers` is read by `chosen_layers`.
    Raises InvalidInput when the file does not fit, naming what fits best.
    """
    if architecture:
        report = match(signature(architecture), file, architecture)
    else:
        report = recognised(file)
    if not _fits(report):
        raise InvalidInput(_no_fit(file, report))
    chosen = chosen_layers(report.architecture, layers)
    _require_size(report.architecture, chosen, sample_shape)
    needed = _tensors_needed(report.architecture, chosen)
    tensors = {name: tensor for name, tensor in file.tensors.items() if name in needed}
    return rebuilt_backbone(report.architecture, chosen, tensors), report


def rebuilt_backbone(
    architecture: str, layers: Sequence[str], tensors: Mapping[str, Tensor]
) -> Backbone:
    """Return the network with these tensors; its parts that have none are left out."""
    network = _laid_out(architecture)
    floats = network.state_dict()  # keeps the versions of the parts, which loading asks for
    floats.clear()
    floats.update(
        (name, tensor.float() if tensor.is_floating_point() else tensor)
        for name, tensor in tensors.items()
    )
    network.load_state_dict(floats, strict=False, assign=True)
    _leave_out_what_is_empty(network)
    return Backbone(network, architecture, layers)


def recognised(file: WeightFile) -> MatchReport:
    """Return the report of the architecture that a file fits best, the likely ones first."""
    report = _best_match(file, _likely(file))
    if report is None or not _fits(report):
        report = _best_match(file, architectures())
    if report is None:
        raise InvalidInput("torchvision offers no architectures: reinstall torchvision.")
    return report


@functools.cache
def signature(architecture: str) -> Shapes:
    """Return the names and shapes of the tensors of an architecture.

    Raises InvalidParameter when torchvision has no convolutional network of that name.
    """
    return {name: tuple(part.shape) for name, part in _laid_out(architecture).state_dict().items()}


@functools.cache
def map_shapes(architecture: str, size: int = _SIZE) -> Mapping[str, tuple[int, int, int]]:
    """Return the shape (C_l, H_l, W_l) of the map that each part gives, in order of computation.

    `size` is that of the images in pixels; small ones do not reach the end.
    """
    shapes: dict[str, tuple[int, int, int]] = {}

    def note(name: str, _part: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            shapes.pop(name, None)
            shapes[name] = (output.shape[1], output.shape[2], output.shape[3])

    _walk(architecture, size, lambda _: None, note)
    return shapes


def chosen_layers(architecture: str, wish: str = "") -> tuple[str, ...]:
    """Return the names of the layers to look at.

    `wish` holds names or numbers of layers, such as "features.3, features.6" or "3,6"; "" takes the
    deepest block at each of the strides 4, 8 and 16.
    Raises InvalidParameter when there is no such layer.
    """
    shapes = map_shapes(architecture)
    if wish.strip():
        names = {_layer_named(word.strip(), architecture) for word in wish.split(",")}
        return tuple(name for name in shapes if name in names)
    blocks = _blocks(architecture)
    deepest = {2 ** round(math.log2(_SIZE / shapes[name][1])): name for name in blocks}
    return tuple(deepest[stride] for stride in _STRIDES if stride in deepest)


def outputs_of(network: nn.Module, layers: Sequence[str], inputs: Tensor) -> list[Tensor]:
    """Return the outputs of the named parts of a network, which runs no further than needed."""
    found: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            found[name] = output
            if len(found) == len(layers):
                raise _Enough

        return keep

    handles = [network.get_submodule(name).register_forward_hook(keeper(name)) for name in layers]
    try:
        network(inputs)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return [found[name] for name in layers]


def folded(network: nn.Module, architecture: str, layers: Sequence[str]) -> nn.Module:
    """Return a copy of a network whose batch norms are part of the convolutions before them.

    The named layers give what they gave, up to rounding.
    """
    outputs: dict[int, str] = {}
    pairs: dict[str, str] = {}
    kept: list[Tensor] = []  # as long as a tensor lives no other has its id

    def note(name: str, part: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(part, nn.BatchNorm2d) and id(inputs[0]) in outputs:
            pairs[outputs.pop(id(inputs[0]))] = name
        elif isinstance(part, nn.Conv2d):
            outputs[id(output)] = name
            kept.append(output)

    _walk(architecture, _SIZE, lambda _: None, note)
    copied = copy.deepcopy(network)
    for convolution, norm in pairs.items():
        if convolution in layers or not _holds(copied, convolution, norm):
            continue
        before, after = copied.get_submodule(convolution), copied.get_submodule(norm)
        if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            _replace(copied, convolution, fuse_conv_bn_eval(before, after))
            _replace(copied, norm, nn.Identity())
    return copied


def _holds(network: nn.Module, *names: str) -> bool:
    """Tell whether parts of these names are there and have their tensors."""
    known = dict(network.named_modules())
    return all(name in known and not isinstance(known[name], nn.Identity) for name in names)


def _replace(network: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, part)


class _Enough(Exception):
    """Ends a pass through a network early."""


class _WithoutMemory(TorchFunctionMode):
    """Lays out parameters without memory; all else, such as block sizes, is computed as usual."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        if function is torch.empty:
            options["device"] = "meta"
        return function(*args, **options)


def _laid_out(architecture: str) -> nn.Module:
    if architecture not in architectures():
        near = difflib.get_close_matches(architecture, architectures(), n=3)
        known = near or architectures()
        raise InvalidParameter(
            f"No backbone '{architecture}' in torchvision. {'Near' if near else 'Known'}: "
            f"{', '.join(known)}."
        )
    from torchvision import models

    options: dict[str, Any] = {"weights": None}
    if architecture.startswith(("googlenet", "inception")):
        options |= {"init_weights": False, "transform_input": True}
    with _WithoutMemory():
        network: nn.Module = models.get_model(architecture, **options)
    return network.eval()


@functools.cache
def _torchvision_names() -> tuple[str, ...]:
    from torchvision import models

    return tuple(models.list_models(module=models))


def _walk(
    architecture: str,
    size: int,
    begun: Callable[[str], None],
    done: Callable[[str, nn.Module, Any, Any], None],
) -> None:
    """Call back for every part that is begun and done, as far as images of that size get."""
    network = _laid_out(architecture).to("meta")
    for name, part in network.named_modules():
        part.register_forward_pre_hook(lambda _part, _inputs, name=name: begun(name))
        part.register_forward_hook(lambda *seen, name=name: done(name, *seen))
    images = torch.empty(1, 3, size, size, device="meta")
    with contextlib.suppress(RuntimeError, ValueError, _Enough):
        network(images)


def _tensors_needed(architecture: str, layers: Sequence[str]) -> set[str]:
    """Return the names of the tensors that the layers depend on."""
    begun: set[str] = set()
    done: set[str] = set()

    def note(name: str, *_seen: Any) -> None:
        done.add(name)
        if done.issuperset(layers):
            raise _Enough

    _walk(architecture, _SIZE, begun.add, note)
    return {name for name in signature(architecture) if name.rpartition(".")[0] in begun}


def _blocks(architecture: str) -> tuple[str, ...]:
    """Return the parts of the trunk, one after the other, whose outputs are maps."""
    return tuple(
        name
        for name in map_shapes(architecture)
        if name.rpartition(".")[0] in ("", *_TRUNKS)
        and name not in ("", *_TRUNKS)
        and not name.startswith(_HEADS)
    )


def _require_size(
    architecture: str, layers: Sequence[str], sample_shape: tuple[int, int, int]
) -> None:
    size = min(sample_shape[1:])
    reached = map_shapes(architecture, size)
    if not all(name in reached for name in layers):
        raise InvalidInput(
            f"Images of {size} pixels are too small for the layers {', '.join(layers)} of "
            f"{architecture}: read the folder at a larger size."
        )


def _leave_out_what_is_empty(network: nn.Module) -> None:
    for name, part in list(network.named_modules()):
        if any(tensor.is_meta for tensor in part.parameters(recurse=False)):
            _replace(network, name, nn.Identity())


def _likely(file: WeightFile) -> tuple[str, ...]:
    beginnings = tuple(
        start for stem, family in _STEMS.items() if stem in file.tensors for start in family
    )
    return tuple(name for name in architectures() if name.startswith(beginnings))


def _best_match(file: WeightFile, names: Sequence[str]) -> MatchReport | None:
    best: MatchReport | None = None
    for name in sorted(names, reverse=True):  # small networks tend to stand late in the alphabet
        report = match(signature(name), file, name)
        if best is None or _quality(report) > _quality(best):
            best = report
        if not (report.missing or report.unexpected or report.wrong_shape):
            break
    return best


def _quality(report: MatchReport) -> tuple[bool, int]:
    troubles = len(report.missing) + len(report.unexpected) + len(report.wrong_shape)
    return _fits(report), report.matched - troubles


def _fits(report: MatchReport) -> bool:
    """Tell whether all tensors outside the classifier, which is not used, are there."""
    troubles = (*report.missing, *report.wrong_shape)
    return report.matched > 0 and all(name.startswith(_HEADS) for name in troubles)


def _no_fit(file: WeightFile, nearest: MatchReport) -> str:
    first = next(iter(file.shapes.items()))
    return (
        f"Expected the weights of a convolutional torchvision network, got '{file.path.name}' with "
        f"{len(file.tensors)} tensors beginning with '{first[0]}' {first[1]}. "
        f"Nearest is {nearest.architecture}: {nearest.matched} of its "
        f"{len(signature(nearest.architecture))} tensors match, {len(nearest.missing)} are "
        f"missing, {len(nearest.wrong_shape)} have another shape. Choose another file, or name its "
        "architecture with backbone=NAME."
    )


def _layer_named(word: str, architecture: str) -> str:
    shapes = map_shapes(architecture)
    for pattern in _LAYER_NAMES:
        if pattern.format(word) in shapes:
            return pattern.format(word)
    raise InvalidParameter(
        f"No layer '{word}' in {architecture}. Its blocks: {', '.join(_blocks(architecture))}."
    )
