"""Nested states of torch objects as flat named arrays and plain JSON values, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_ARRAY = "__array__"
_PAIRS = "__pairs__"


def flatten(tree: Any, prefix: str) -> tuple[dict[str, NDArray[Any]], Any]:
    """Return the arrays of a nested state by path, and the state with references in their place.

    Dictionaries may have keys that are not text, as those of optimisers have.
    """
    arrays: dict[str, NDArray[Any]] = {}
    plain = _plain(tree, prefix, arrays)
    return arrays, plain


def unflatten(plain: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the nested state that `flatten` took apart; arrays come back as tensors."""
    if isinstance(plain, list):
        return [unflatten(item, arrays) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if _ARRAY in plain:
        return torch.from_numpy(np.array(arrays[plain[_ARRAY]]))
    if _PAIRS in plain:
        return {key: unflatten(value, arrays) for key, value in plain[_PAIRS]}
    return {key: unflatten(value, arrays) for key, value in plain.items()}


def _plain(tree: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(tree, torch.Tensor):
        arrays[path] = tree.detach().cpu().numpy().copy()
        return {_ARRAY: path}
    if isinstance(tree, Mapping):
        items = [(key, _plain(value, f"{path}/{key}", arrays)) for key, value in tree.items()]
        if all(isinstance(key, str) for key, _ in items):
            return dict(items)
        return {_PAIRS: [list(item) for item in items]}
    if isinstance(tree, list | tuple):
        return [_plain(item, f"{path}/{number}", arrays) for number, item in enumerate(tree)]
    return tree
