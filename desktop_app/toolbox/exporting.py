"""A method's encoder as one torch module, and as a file that runs without Loupe.

    .pt2         torch.export, for any torch of this version or newer
    .ts, .pt     TorchScript, for C++ and older programs
    .onnx        ONNX, for other runtimes; needs the optional packages onnx and onnxscript

The module takes float32 images (N, C, H, W) in [0, 1], N being free, and returns latents (N, D). A
method whose `encode` is a function of tensors (made by `inference`) has one already; any other may
offer one, see `OffersEncoder`.

Shapes: N images, C channels, H rows, W columns, D latent dimensions.
"""

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from desktop_app.sdk.capabilities import Encodes
from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.method import Method
from desktop_app.toolbox.inference import batch_size_for, evaluating, function_of_tensors

TOLERANCE = 1e-4
"""Largest difference, as a share of the largest latent, that an exported encoder may have."""
_PROBES = 2
"""Images that a trace is made with: one would be taken for a fixed number."""


@runtime_checkable
class OffersEncoder(Protocol):
    """A method whose `encode` is not a function of tensors, but can be written as a module."""

    def encoder_module(self) -> nn.Module:
        """Return a module of images (N, C, H, W) in [0, 1] that returns what `encode` returns.

        Raises MissingCapability when these parameters make that impossible.
        """


class LinearEncoder(nn.Module):
    """Coordinates along directions: (x - mean) W."""

    mean: Tensor
    axes: Tensor

    def __init__(self, mean: Array, axes: Array) -> None:
        """Take the mean image (F,) and directions (F, D)."""
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(np.array(mean, np.float32)))
        self.register_buffer("axes", torch.from_numpy(np.array(axes, np.float32)))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, H, W)."""
        return (images.flatten(1) - self.mean) @ self.axes


class _Encoding(nn.Module):
    """What a TorchMethod's `encode` computes, without its way from and to numpy."""

    def __init__(self, method: nn.Module, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.method = method
        self._function = function

    def forward(self, images: Tensor) -> Tensor:
        return self._function(self.method, images)


def encoder_module(method: Method[Any]) -> nn.Module:
    """Return a method's encoder: images (N, C, H, W) in [0, 1] to latents (N, D).

    Its weights are those of the method, not copies. Raises MissingCapability when the method has
    no encoder, or one that is no torch module.
    """
    if isinstance(method, OffersEncoder):
        return method.encoder_module()
    function = function_of_tensors(method, "encode")
    if isinstance(method, nn.Module) and function is not None:
        return _Encoding(method, function)
    if not isinstance(method, Encodes):
        raise MissingCapability(
            f"'{method.card.title}' gives no latents: choose the run of a method that encodes."
        )
    raise MissingCapability(
        f"The latents of '{method.card.title}' are not computed by one torch module, which is what "
        "can be exported or fine-tuned: choose an autoencoder, or export the features instead."
    )


def encoder_alone(module: nn.Module, sample_shape: tuple[int, int, int]) -> nn.Module:
    """Return a copy of an encoder without the parts that it does not use, such as decoders.

    What is used is seen from the gradients of the latents; where there are none the copy is whole.
    """
    alone = copy.deepcopy(module)
    for weight in alone.parameters():
        weight.requires_grad_(weight.is_floating_point())
        weight.grad = None
    example = next(chain(alone.parameters(), alone.buffers()), torch.zeros(()))
    with evaluating(alone), torch.enable_grad():
        latents = alone(_probes(sample_shape).to(example.device))
        if latents.requires_grad:
            latents.sum().backward()
            _discard_unused(alone)
    alone.zero_grad(set_to_none=True)
    return alone


def _probes(sample_shape: tuple[int, int, int]) -> Tensor:
    return torch.rand(_PROBES, *sample_shape, generator=torch.Generator().manual_seed(0))


def _discard_unused(module: nn.Module) -> None:
    """Take parts with weights off a module none of which got a gradient."""
    for name, part in list(module.named_children()):
        weights = list(part.parameters())
        if weights and all(weight.grad is None for weight in weights):
            delattr(module, name)
        else:
            _discard_unused(part)


def require_file_type(path: Path) -> None:
    """Raise InvalidInput unless an encoder can be written to a file of this name."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise InvalidInput(
            f"Expected a file ending in {', '.join(_WRITERS)}, got '{path.name}': the suffix says "
            "in which form the encoder is written."
        )
    if suffix == ".onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            _optional(package)


def write_module(module: nn.Module, path: Path, sample_shape: tuple[int, int, int]) -> None:
    """Write an encoder for images of shape (C, H, W); the suffix says how.

    Raises InvalidInput as `require_file_type`, and MissingCapability when the module cannot be
    written in that form.
    """
    require_file_type(path)
    alone = encoder_alone(module, sample_shape).cpu().requires_grad_(False)
    probes = _probes(sample_shape)
    try:
        with evaluating(alone), torch.no_grad(), _quiet():
            _WRITERS[path.suffix.lower()](alone, path, probes)
    except OSError:
        raise
    except Exception as problem:  # each exporter has errors of its own for what it cannot write
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise MissingCapability(
            f"This encoder cannot be written as {path.suffix}: {reason} Try another form: "
            f"{', '.join(suffix for suffix in _WRITERS if suffix != path.suffix.lower())}."
        ) from problem


def run_module(path: Path, images: Images) -> Array:
    """Return the latents (N, D) that the file of an encoder gives for images (N, C, H, W)."""
    encode = _READERS[path.suffix.lower()](path)
    size = batch_size_for(images)
    parts = [encode(images[start : start + size]) for start in range(0, len(images), size)]
    return np.concatenate(parts)


def largest_difference(latents: Array, expected: Array) -> float:
    """Return the largest difference of two arrays as a share of the largest number expected.

    Raises InvalidInput when their shapes differ.
    """
    if latents.shape != expected.shape:
        raise InvalidInput(
            f"The exported encoder gave latents of shape {latents.shape}, the trained method "
            f"{expected.shape}: it is not the same encoder."
        )
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
    return float(np.abs(latents - expected).max(initial=0.0)) / scale


def _any_number() -> dict[int, Any]:
    return {0: torch.export.Dim("images", min=1)}


def _write_export(module: nn.Module, path: Path, probes: Tensor) -> None:
    program = torch.export.export(module, (probes,), dynamic_shapes=(_any_number(),))
    with path.open("wb") as file:
        torch.export.save(program, file)


def _read_export(path: Path) -> Callable[[Images], Array]:
    with path.open("rb") as file:
        module = torch.export.load(file).module()
    return lambda images: _asked(module, images)


def _write_script(module: nn.Module, path: Path, probes: Tensor) -> None:
    traced = torch.jit.trace(module, probes)  # type: ignore[no-untyped-call]
    with path.open("wb") as file:
        torch.jit.save(traced, file)


def _read_script(path: Path) -> Callable[[Images], Array]:
    with path.open("rb") as file, _quiet():
        module = torch.jit.load(file)  # type: ignore[no-untyped-call]
    return lambda images: _asked(module, images)


def _write_onnx(module: nn.Module, path: Path, probes: Tensor) -> None:
    torch.onnx.export(
        module,
        (probes,),
        str(path),
        input_names=["images"],
        output_names=["latents"],
        dynamic_shapes=(_any_number(),),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def _read_onnx(path: Path) -> Callable[[Images], Array]:
    session: Any = _optional("onnxruntime").InferenceSession(
        path.read_bytes(), providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run(None, {"images": images})[0]


def _asked(module: Any, images: Images) -> Array:
    with torch.inference_mode(), _quiet():
        latents: Array = module(torch.tensor(images)).numpy()
    return latents


_WRITERS: dict[str, Callable[[nn.Module, Path, Tensor], None]] = {
    ".pt2": _write_export,
    ".onnx": _write_onnx,
    ".ts": _write_script,
    ".pt": _write_script,
}
_READERS: dict[str, Callable[[Path], Callable[[Images], Array]]] = {
    ".pt2": _read_export,
    ".onnx": _read_onnx,
    ".ts": _read_script,
    ".pt": _read_script,
}


def _optional(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise InvalidInput(
            f"ONNX files need the package {package}, which is not installed: "
            "`pip install loupe-workbench[export]`, or write a .pt2 or .ts file."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back warnings: torch deprecates TorchScript, and the exporters warn of one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
