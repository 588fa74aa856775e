"""States within states: each part under a name of its own."""

from typing import Any

from numpy.typing import NDArray

from desktop_app.sdk.method import State


def united(own: State, **parts: State | None) -> State:
    """Return a state that holds others; parts that are None are left out."""
    arrays: dict[str, NDArray[Any]] = dict(own.arrays)
    values: dict[str, Any] = dict(own.values)
    for name, inner in parts.items():
        if inner is not None:
            arrays |= {f"{name}/{key}": array for key, array in inner.arrays.items()}
            values[name] = dict(inner.values)
    return State(arrays, values)


def part(state: State, name: str) -> State | None:
    """Return a part that `united` put there, or None."""
    if name not in state.values:
        return None
    prefix = f"{name}/"
    arrays = {
        key.removeprefix(prefix): array
        for key, array in state.arrays.items()
        if key.startswith(prefix)
    }
    return State(arrays, state.values[name])
