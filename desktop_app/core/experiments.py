"""Experiments: several runs that differ in a few parameters and belong together afterwards."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from desktop_app.core.runs import JobSpec, Run
from desktop_app.sdk.errors import InvalidParameter, LoupeError

_MARK = " · "


def experiment_specs(
    base: JobSpec, name: str, variants: Mapping[str, Mapping[str, Any]]
) -> list[JobSpec]:
    """Return one spec for each variant: that of `base` with other values, its title and its name.

    All carry the same mark, by which `members` finds them again.
    """
    now = time.time()
    mark = f"{name}{_MARK}{int(now * 1000):x}"
    return [
        base.model_copy(
            update={
                "params": {**base.params, **values},
                "title": f"{base.title or base.method}{_MARK}{variant}",
                "experiment": mark,
                "created": now + place / 1000,
            }
        )
        for place, (variant, values) in enumerate(variants.items())
    ]


def experiment_name(mark: str) -> str:
    """Return the name of an experiment from the mark that its runs carry."""
    return mark.rpartition(_MARK)[0] or mark


def variant_name(spec: JobSpec) -> str:
    """Return the name of the variant that a run is, from its title."""
    return spec.title.rpartition(_MARK)[2]


def members(runs: Iterable[Run], mark: str) -> list[Run]:
    """Return the runs of an experiment in the order of its variants; unreadable ones are left out.

    An experiment of "" has none.
    """
    found: list[tuple[float, Run]] = []
    for run in runs:
        with suppress(LoupeError):
            spec = run.spec()
            if mark and spec.experiment == mark:
                found.append((spec.created, run))
    return [run for _created, run in sorted(found, key=lambda pair: pair[0])]


def chosen_by_name(what: str, name: str, known: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the preset or experiment of a name, upper or lower case.

    Raises InvalidParameter with the names that are known.
    """
    for item in known:
        if str(item["name"]).lower() == name.lower():
            return item
    names = ", ".join(f"'{item['name']}'" for item in known) or "none"
    raise InvalidParameter(f"No {what} '{name}'. Known: {names}.")
