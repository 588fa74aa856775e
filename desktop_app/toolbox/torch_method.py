"""The base of methods trained with torch: seeds, device, checkpoints.

A method writes `build`, which makes its networks, and `learn`, which is its training loop. What
must survive an interruption besides the networks is handed to `keep`.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Event, Events
from desktop_app.sdk.method import Method, State
from desktop_app.sdk.params import TrainingParams
from desktop_app.toolbox.training import Clock, Step, training_steps
from desktop_app.toolbox.tree import flatten, unflatten

P = TypeVar("P", bound=TrainingParams)
Kept = TypeVar("Kept", bound=Any)


class TorchMethod(Method[P], nn.Module):
    """A method whose state is that of its networks, its optimisers and its random numbers.

    Torch's random numbers are the method's own while it learns: nothing that the host computes
    between two events changes them.
    """

    sample_shape: tuple[int, int, int] | None
    """(C, H, W), known from the first fit on."""

    def __init__(self, params: P | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(params, seed=seed, device=device)
        self.sample_shape = None
        self.clock = Clock()
        self._kept: dict[str, Any] = {}
        self._pending: dict[str, Any] = {}
        self._randomness: list[Tensor] = []

    @abstractmethod
    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the networks for images of shape (C, H, W)."""

    @abstractmethod
    def learn(self, data: Dataset) -> Events:
        """Train the networks; continue where `self.clock` stands."""

    def fit(self, data: Dataset) -> Events:
        """Build what is not yet built and learn, with random numbers of its own."""
        if len(data) == 0:
            raise InvalidInput(f"'{data.name}' holds no usable image to train on.")
        if self.sample_shape is None:
            with self._own_randomness():
                self._build(data.sample_shape)
        if data.sample_shape != self.sample_shape:
            raise InvalidInput(
                f"The training began with images of shape {self.sample_shape}, "
                f"'{data.name}' has {data.sample_shape}: start a new run for that size."
            )
        self.to(self.device)
        self.train()
        events = self.learn(data)
        while True:
            with self._own_randomness():
                event: Event | None = next(events, None)
            if event is None:
                return
            yield event

    def steps(self, data: Dataset) -> Iterator[Step]:
        """Yield the batches that are still to come."""
        return training_steps(
            data, self.params, seed=self.seed, device=self.device, clock=self.clock
        )

    def keep(self, name: str, part: Kept) -> Kept:
        """Let an optimiser, schedule or scaler, anything with `state_dict`, survive a stop."""
        if name in self._pending:
            part.load_state_dict(self._pending.pop(name))
        self._kept[name] = part
        return part

    def forget(self, name: str) -> None:
        """Let a part that `keep` was given, and that is used no more, go."""
        self._kept.pop(name, None)
        self._pending.pop(name, None)

    def state(self) -> State:
        """Return networks, kept parts, clock and random state as arrays and plain values."""
        if self.sample_shape is None:
            return State({}, {"step": 0})
        parts = {name: part.state_dict() for name, part in self._kept.items()} | self._pending
        tree = {"networks": self.state_dict(), "kept": parts, "randomness": self._randomness}
        arrays, plain = flatten(tree, "state")
        values = {
            "sample_shape": list(self.sample_shape),
            "step": self.clock.step,
            "extra": self.extra_state(),
            "tree": plain,
        }
        return State(arrays, values)

    def restore(self, state: State) -> None:
        """Build the networks for the shape in the state and load what `state` returned."""
        if "tree" not in state.values:
            return
        channels, height, width = state.values["sample_shape"]
        tree = unflatten(state.values["tree"], state.arrays)
        self.restore_extra(state.values["extra"])
        self._build((channels, height, width))
        try:
            self.load_state_dict(tree["networks"])
        except RuntimeError as problem:
            reason = str(problem).strip().splitlines()[-1].strip()  # torch names one per line
            raise InvalidInput(
                f"The saved networks do not fit these parameters ({reason}): "
                "use those that the training began with."
            ) from None
        self.to(self.device)
        self.clock.step = state.values["step"]
        self._pending = dict(tree["kept"])
        self._randomness = tree["randomness"]

    def extra_state(self) -> dict[str, Any]:
        """Return plain values that a method keeps besides its networks."""
        return {}

    def restore_extra(self, values: dict[str, Any]) -> None:
        """Take back what `extra_state` returned; called before `build`."""

    def _build(self, sample_shape: tuple[int, int, int]) -> None:
        self.build(sample_shape)
        self.sample_shape = sample_shape

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        outside = _random_state(self.device)
        if self._randomness:
            _set_random_state(self._randomness)
        else:
            torch.manual_seed(self.seed)
        try:
            yield
        finally:
            self._randomness = _random_state(self.device)
            _set_random_state(outside)


def _random_state(device: str) -> list[Tensor]:
    states = [torch.get_rng_state()]
    if device.startswith("cuda"):
        states.append(torch.cuda.get_rng_state(device))
    return states


def _set_random_state(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1 and torch.cuda.is_available():
        torch.cuda.set_rng_state(states[1])
