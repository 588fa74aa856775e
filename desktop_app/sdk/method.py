"""The contract between a method and its host.

A method is one Qt-free file: a card, parameters, a `fit` generator and the capabilities it has.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import MissingCapability, PluginProblem
from desktop_app.sdk.events import Events
from desktop_app.sdk.params import Params
from desktop_app.sdk.views import View

P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Card:
    """What a method is called and what it is for."""

    id: str
    """Equal to the plugin's folder name: lower-case letters, digits and underscores."""
    title: str
    family: str
    """Autoencoders, Dimension reduction, Anomaly detection ..."""
    summary: str
    """One sentence: what an analyst gets from it."""
    paper: str = ""
    """arXiv number, DOI or citation."""
    needs: str = ""
    """What data it needs, where that is special."""
    image_size: int = 64
    """Side S in pixels that suits the method."""
    rank: int = 50
    """Place within the family: smaller ones stand first, equal ones by their titles."""
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> field -> text, such as {"zh_CN": {"title": "...", "summary": "..."}}."""


@dataclass(frozen=True)
class Preset:
    """Parameters that suit a kind of images, to choose by name."""

    name: str
    """Short, such as "28 px" or "Few images"."""
    values: Mapping[str, Any]
    """Parameter -> value; all others keep their defaults."""
    summary: str = ""
    """One sentence: for which images it is."""
    image_size: int | None = None
    """Side S in pixels that belongs to it."""


@dataclass(frozen=True)
class Experiment:
    """Several runs that differ in a few parameters, to be compared side by side."""

    name: str
    """Short, such as "Depth"."""
    summary: str
    """One sentence: what the comparison shows."""
    variants: Mapping[str, Mapping[str, Any]]
    """Name of each run -> parameter -> value."""


@dataclass(frozen=True)
class State:
    """Everything a method needs to go on where it was: never pickled."""

    arrays: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]
    """Plain values that survive JSON."""


class Method(ABC, Generic[P]):
    """An unsupervised method: parameters in, events out, capabilities afterwards.

    The constructor is cheap; `fit` does the work. `restore` before `fit` continues an interrupted
    training: the events that follow equal those of a training that was never interrupted.
    """

    card: ClassVar[Card]
    params_type: ClassVar[type[Params]]
    presets: ClassVar[Sequence[Preset]] = ()
    experiments: ClassVar[Sequence[Experiment]] = ()
    uses_labels: ClassVar[bool] = False
    """Whether `fit` is given the labels of the folder, as a Labelled data set."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Note the parameter class that was given in brackets, `Method[ThisParams]`."""
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            for argument in get_args(base):
                kind = get_origin(argument) or argument
                if isinstance(kind, type) and issubclass(kind, Params):
                    cls.params_type = kind

    def __init__(self, params: P | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__()
        if not hasattr(type(self), "params_type"):
            raise PluginProblem(
                f"{type(self).__name__} does not name its parameters: write Method[YourParams]."
            )
        self.params: P = params if params is not None else self.params_type()  # type: ignore[assignment]
        self.seed = seed
        self.device = device
        self.region: NDArray[np.bool_] | None = None
        """(H, W): where images count; None: everywhere.

        The host sets it before `fit` and before `restore`, hands over images whose other pixels
        hold one colour, and takes no notice of maps there. A method that draws its score from a
        map leaves out what lies outside. A method that is shown tiles learns without it, and it is
        set for each tile that is asked about.
        """

    @abstractmethod
    def fit(self, data: Dataset) -> Events:
        """Learn from the images, yielding events; every yield is a point to pause or stop at."""

    @abstractmethod
    def state(self) -> State:
        """Return what `restore` needs, as it was at the last Metrics that were yielded."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Continue from a state of a method with the same parameters.

        Raises InvalidInput when the state does not fit.
        """

    def attach_run(self, parameter: str, method: "Method[Any]") -> None:
        """Take the trained method that a parameter of kind "run" names.

        Called before `fit`, and before `restore`: the host keeps a copy of the other run inside the
        run of this method, which therefore needs nothing outside its folder.
        Raises MissingCapability when the method cannot be used for that.
        """
        raise MissingCapability(
            f"'{self.card.title}' takes no trained run as '{parameter}'; got '{method.card.title}'."
        )

    def views(self) -> Sequence[View]:
        """Return pictures that only this method can draw."""
        return ()
