"""Weight files: reading them safely, and saying which tensors fit a network.

A weight file is a state dict, names to tensors, written by `torch.save` or as safetensors. It is
read without running any code that it may hold.
"""

import hashlib
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.views import Table

Provenance = Literal["imported", "trained here", "learned from these images"]
Shapes = Mapping[str, tuple[int, ...]]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Keys under which training scripts put the state dict."""
_LISTED = 8
"""Names shown of a long list."""


@dataclass(frozen=True)
class WeightFile:
    """A state dict and where it came from."""

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]

    @property
    def shapes(self) -> Shapes:
        """The shape of every tensor by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


@dataclass(frozen=True)
class MatchReport:
    """How the tensors of a file fit those of an architecture."""

    architecture: str
    provenance: Provenance
    source: str
    """Name of the file or of the run."""
    sha256: str
    matched: int
    missing: tuple[str, ...] = ()
    """Tensors that the network has and the file lacks."""
    unexpected: tuple[str, ...] = ()
    """Tensors that the file has and the network lacks."""
    wrong_shape: tuple[str, ...] = ()
    """'name: network (..), file (..)'."""

    def sentence(self) -> str:
        """Return the report in one sentence."""
        text = f"{self.architecture}, {self.provenance} from '{self.source}'"
        if self.sha256:
            text += f" (SHA-256 {self.sha256[:12]}…)"
        return (
            f"{text}: {self.matched} tensors matched, {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected, {len(self.wrong_shape)} of another shape."
        )

    def table(self) -> Table:
        """Return the report as rows of name and value."""
        rows: list[tuple[str, str | int]] = [
            ("architecture", self.architecture),
            ("provenance", self.provenance),
            ("source", self.source),
            ("SHA-256", self.sha256 or "-"),
            ("tensors matched", self.matched),
            ("missing in the file", _listed(self.missing)),
            ("unexpected in the file", _listed(self.unexpected)),
            ("of another shape", _listed(self.wrong_shape)),
        ]
        return Table("Where the features come from", ("what", "value"), rows)

    def values(self) -> dict[str, Any]:
        """Return plain values that survive JSON."""
        return asdict(self)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> "MatchReport":
        """Return the report of plain values."""
        plain: dict[str, Any] = {
            key: tuple(item) if isinstance(item, list) else item for key, item in values.items()
        }
        return cls(**plain)


def read_weights(path: Path) -> WeightFile:
    """Return the state dict of a file.

    Wrappers such as {"state_dict": ...} and a prefix that all names share, such as "module.", are
    taken off. Raises InvalidInput when the file is missing or holds no state dict.
    """
    if not path.is_file():
        raise InvalidInput(
            f"Expected a weight file, but there is no file '{path}': check the path."
        )
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    tensors = _tensors(content)
    if not tensors:
        raise InvalidInput(
            f"Expected a state dict (names to tensors) in '{path.name}', got "
            f"{_described(content)}: save it with torch.save(network.state_dict(), file)."
        )
    return WeightFile(path, _sha256(path), _without_common_prefix(tensors))


def match(expected: Shapes, file: WeightFile, architecture: str) -> MatchReport:
    """Compare the tensors that an architecture expects with those of a file."""
    came = file.shapes
    missing = [name for name in expected if name not in came]
    wrong = [name for name in expected if name in came and came[name] != expected[name]]
    return MatchReport(
        architecture=architecture,
        provenance="imported",
        source=file.path.name,
        sha256=file.sha256,
        matched=len(expected) - len(missing) - len(wrong),
        missing=tuple(name for name in missing if not _is_counter(name)),
        unexpected=tuple(name for name in came if name not in expected),
        wrong_shape=tuple(f"{name}: network {expected[name]}, file {came[name]}" for name in wrong),
    )


def _safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as problem:
        raise InvalidInput(f"'{path.name}' is no readable safetensors file: {problem}.") from None


def _torch_file(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InvalidInput(
            f"Expected a state dict in '{path.name}', got a file that holds more than tensors (a "
            "whole network, or no torch file at all); such files can run code and are not opened. "
            "Save it with torch.save(network.state_dict(), file) or as safetensors."
        ) from None
    except Exception as problem:  # a damaged file fails in as many ways as there are formats
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else "it is damaged"
        raise InvalidInput(
            f"Expected a state dict in '{path.name}', but the file cannot be read: {reason}."
        ) from None


def _tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            return _tensors(content[wrapper])
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _without_common_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for prefix in ("module.", "backbone.", "model.", "encoder."):
        if all(name.startswith(prefix) for name in tensors):
            shorter = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
            return _without_common_prefix(shorter)
    return dict(tensors)


def _is_counter(name: str) -> bool:
    """Tell whether a tensor only counts batches: old files lack it and nothing needs it."""
    return name.endswith("num_batches_tracked")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary with {', '.join(repr(key) for key in list(content)[:4]) or 'nothing'}"
    return f"a {type(content).__name__}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    if not names:
        return "none"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{len(names)}: {', '.join(names[:_LISTED])}{more}"
