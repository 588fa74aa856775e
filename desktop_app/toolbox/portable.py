"""Part of a trained network as plain data: its computation as JSON, its tensors as arrays.

A method that builds upon the encoder of another method stores the encoder this way in its own
state. It then needs neither the other run nor the other plugin, and nothing is unpickled. Known are
the layers and functions in the tables below: those of convolutional networks.

Shapes: N images, C channels, H rows, W columns; a map has (N, C_l, H_l, W_l).
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from desktop_app.sdk.errors import InvalidInput

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
_POOLING = ("kernel_size", "stride", "padding")
_LAYERS: Mapping[type[nn.Module], tuple[str, ...]] = {
    nn.Conv2d: (*_CONVOLUTION, "groups", "padding_mode"),
    nn.BatchNorm2d: ("num_features", "eps", "affine"),
    nn.InstanceNorm2d: ("num_features", "eps", "affine"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.MaxPool2d: _POOLING,
    nn.AvgPool2d: _POOLING,
    nn.LeakyReLU: ("negative_slope",),
    nn.ELU: ("alpha",),
    nn.GELU: ("approximate",),
    nn.ReLU: (),
    nn.SELU: (),
    nn.SiLU: (),
    nn.Mish: (),
    nn.Tanh: (),
    nn.Sigmoid: (),
    nn.Hardswish: (),
    nn.Softplus: (),
    nn.Identity: (),
    nn.Dropout: ("p",),
    nn.Dropout2d: ("p",),
}
"""Layer -> what its constructor is told."""
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "cat": torch.cat,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "torch_relu": torch.relu,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "avg_pool2d": F.avg_pool2d,
    "max_pool2d": F.max_pool2d,
    "interpolate": F.interpolate,
    "pad": F.pad,
}
_METHODS = ("add", "sub", "mul", "div", "contiguous", "relu", "sigmoid", "tanh", "float")
_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

Step = Mapping[str, Any]
"""One computation: name, kind, target, arguments and options."""


class PortableNetwork(nn.Module):
    """Runs the steps of a network and returns some of their results as feature maps."""

    def __init__(self, steps: Sequence[Step], layers: Sequence[str]) -> None:
        """Lay out the network that `description` returned; its tensors are loaded afterwards.

        Raises InvalidInput when a step is not known.
        """
        super().__init__()
        self.steps = tuple(steps)
        self.layers = tuple(layers)
        self.parts = nn.ModuleDict(
            {step["name"]: _made(step["layer"]) for step in steps if step["kind"] == "layer"}
        )
        for step in steps:
            if step["kind"] == "tensor":
                self.register_buffer(_buffer(step["name"]), torch.zeros(step["shape"]))
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "PortableNetwork":  # noqa: ARG002
        """Stay in evaluation mode."""
        return super().train(False)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps (N, C_l, H_l, W_l), the finest first, of images (N, C, H, W)."""
        results: dict[str, Any] = {}
        for step in self.steps:
            results[step["name"]] = self._result(step, images, results)
        return [results[name] for name in self.layers]

    def description(self) -> dict[str, Any]:
        """Return the steps and the names of the layers looked at; they survive JSON."""
        return {"steps": list(self.steps), "layers": list(self.layers)}

    def _result(self, step: Step, images: Tensor, results: Mapping[str, Any]) -> Any:
        if step["kind"] == "input":
            return images
        if step["kind"] == "tensor":
            return self.get_buffer(_buffer(step["name"]))
        arguments = [_live(item, results) for item in step["arguments"]]
        options = {name: _live(item, results) for name, item in step["options"].items()}
        if step["kind"] == "layer":
            return self.parts[step["name"]](*arguments, **options)
        if step["kind"] == "function":
            return _FUNCTIONS[step["target"]](*arguments, **options)
        return getattr(arguments[0], step["target"])(*arguments[1:], **options)


def portable(
    network: nn.Module, sample_shape: tuple[int, int, int], strides: Sequence[int]
) -> PortableNetwork:
    """Return a copy of a network as far as its last map, for images of shape (C, H, W).

    Looked at are the deepest maps at the given strides, or all maps where none has such a stride.
    Raises InvalidInput when the network cannot be followed or has no maps.
    """
    graph = _followed(network)
    maps = _maps(graph, sample_shape)
    layers = _deepest(maps, sample_shape, strides)
    if not layers:
        raise InvalidInput(
            f"Expected a network with convolutions, got {type(network).__name__} without any map "
            "that is smaller than the image: choose a run with a convolutional encoder."
        )
    nodes = _needed(graph.graph, layers[-1])
    copy = PortableNetwork([_step(node, graph) for node in nodes], layers)
    with torch.no_grad():
        for node in nodes:
            if node.op == "call_module":
                copy.parts[node.name].load_state_dict(
                    graph.get_submodule(str(node.target)).state_dict()
                )
            elif node.op == "get_attr":
                copy.get_buffer(_buffer(node.name)).copy_(_attribute(graph, str(node.target)))
    return copy


def _followed(network: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(network)
    except Exception as problem:  # whatever a foreign forward does with a stand-in for its input
        raise InvalidInput(
            f"The computation of {type(network).__name__} cannot be followed ({problem}): choose a "
            "run with a plain convolutional encoder."
        ) from None


class _Shapes(fx.Interpreter):
    """Notes the shapes of all maps while a network runs."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.maps: dict[str, tuple[int, int]] = {}

    def run_node(self, node: fx.Node) -> Any:
        result = super().run_node(node)
        if isinstance(result, Tensor) and result.ndim == 4 and node.op.startswith("call"):
            self.maps[node.name] = (result.shape[2], result.shape[3])
        return result


def _maps(graph: fx.GraphModule, sample_shape: tuple[int, int, int]) -> dict[str, tuple[int, int]]:
    weight = next(graph.parameters(), torch.empty(0))
    shapes = _Shapes(graph)
    modes = [(part, part.training) for part in graph.modules()]
    graph.eval()
    try:
        with torch.inference_mode():
            shapes.run(torch.zeros(1, *sample_shape, device=weight.device))
    except (RuntimeError, TypeError, ValueError) as problem:
        raise InvalidInput(
            f"Expected a network for images of shape {sample_shape}, but it stops: {problem}."
        ) from None
    finally:
        for part, training in modes:
            part.training = training
    return shapes.maps


def _deepest(
    maps: Mapping[str, tuple[int, int]], sample_shape: tuple[int, int, int], strides: Sequence[int]
) -> tuple[str, ...]:
    deepest = {
        2 ** round(math.log2(sample_shape[1] / rows)): name
        for name, (rows, columns) in maps.items()
        if min(rows, columns) > 1 and rows < sample_shape[1]
    }
    wanted = [name for stride, name in deepest.items() if stride in strides]
    return tuple(wanted or deepest.values())


def _needed(graph: fx.Graph, last: str) -> list[fx.Node]:
    nodes = list(graph.nodes)
    end = next(place for place, node in enumerate(nodes) if node.name == last)
    return nodes[: end + 1]


def _step(node: fx.Node, graph: fx.GraphModule) -> Step:
    if node.op == "placeholder":
        return {"name": node.name, "kind": "input"}
    if node.op == "get_attr":
        shape = list(_attribute(graph, str(node.target)).shape)
        return {"name": node.name, "kind": "tensor", "shape": shape}
    call = {
        "arguments": [_plain(item) for item in node.args],
        "options": {name: _plain(item) for name, item in node.kwargs.items()},
    }
    if node.op == "call_module":
        layer = _described(graph.get_submodule(str(node.target)))
        return {"name": node.name, "kind": "layer", "layer": layer, **call}
    names = [name for name, function in _FUNCTIONS.items() if function is node.target]
    if node.op == "call_function" and names:
        return {"name": node.name, "kind": "function", "target": names[0], **call}
    if node.op == "call_method" and node.target in _METHODS:
        return {"name": node.name, "kind": "method", "target": node.target, **call}
    raise InvalidInput(
        f"The network computes '{node.target}', which cannot be stored. Known: "
        f"{', '.join((*_FUNCTIONS, *_METHODS))}."
    )


def _described(layer: nn.Module) -> dict[str, Any]:
    if type(layer) not in _LAYERS:
        raise InvalidInput(
            f"The network has a layer {type(layer).__name__}, which cannot be stored. Known: "
            f"{', '.join(kind.__name__ for kind in _LAYERS)}."
        )
    options = {name: getattr(layer, name) for name in _LAYERS[type(layer)]}
    if isinstance(layer, nn.Conv2d):
        options["bias"] = layer.bias is not None
    plain = {
        name: list(item) if isinstance(item, tuple) else item for name, item in options.items()
    }
    return {"type": type(layer).__name__, "options": plain}


def _made(description: Mapping[str, Any]) -> nn.Module:
    kinds = {kind.__name__: kind for kind in _LAYERS}
    if description["type"] not in kinds:
        raise InvalidInput(f"No layer '{description['type']}'. Known: {', '.join(kinds)}.")
    options = {
        name: tuple(item) if isinstance(item, list) else item
        for name, item in description["options"].items()
    }
    return kinds[description["type"]](**options)


def _plain(item: Any) -> Any:
    if isinstance(item, fx.Node):
        return {"result": item.name}
    if isinstance(item, torch.memory_format):
        names = [name for name, known in _FORMATS.items() if known is item]
        return {"format": names[0]} if names else None
    if isinstance(item, tuple | list):
        return [_plain(part) for part in item]
    if item is None or isinstance(item, bool | int | float | str):
        return item
    raise InvalidInput(f"The network is given '{item}', which cannot be stored.")


def _live(item: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(item, Mapping):
        return results[item["result"]] if "result" in item else _FORMATS[item["format"]]
    if isinstance(item, list):
        return [_live(part, results) for part in item]
    return item


def _attribute(graph: fx.GraphModule, path: str) -> Tensor:
    value: Any = graph
    for name in path.split("."):
        value = getattr(value, name)
    if not isinstance(value, Tensor):
        raise InvalidInput(f"The network uses '{path}', which is no tensor and cannot be stored.")
    return value


def _buffer(name: str) -> str:
    return f"tensor_{name}"
