from pathlib import Path

import pytest

from desktop_app.core.experiments import (
    chosen_by_name,
    experiment_name,
    experiment_specs,
    members,
    variant_name,
)
from desktop_app.core.runs import JobSpec, Run
from desktop_app.sdk.errors import InvalidParameter

BASE = JobSpec(folder="/images", method="ae", title="Autoencoder", params={"layers": 3, "nodes": 8})
VARIANTS = {"1 layer": {"layers": 1}, "2 layers": {"layers": 2}}


def test_every_variant_differs_in_its_values_and_bears_its_name() -> None:
    specs = experiment_specs(BASE, "Depth", VARIANTS)

    assert [spec.params for spec in specs] == [
        {"layers": 1, "nodes": 8},
        {"layers": 2, "nodes": 8},
    ]
    assert [spec.title for spec in specs] == ["Autoencoder · 1 layer", "Autoencoder · 2 layers"]
    assert [variant_name(spec) for spec in specs] == list(VARIANTS)
    assert {experiment_name(spec.experiment) for spec in specs} == {"Depth"}


def test_the_runs_of_an_experiment_are_found_again_in_their_order(tmp_path: Path) -> None:
    specs = experiment_specs(BASE, "Depth", VARIANTS)
    runs = [Run.create(tmp_path / str(place), spec) for place, spec in enumerate([*specs, BASE])]
    (tmp_path / "broken").mkdir()

    found = members([Run(tmp_path / "broken"), *reversed(runs)], specs[0].experiment)

    assert [run.path for run in found] == [run.path for run in runs[:2]]
    assert members(runs, "") == []


def test_presets_and_experiments_are_found_by_name_or_the_known_ones_are_told() -> None:
    known = [{"name": "Depth"}, {"name": "Code size"}]

    assert chosen_by_name("experiment", "code SIZE", known) == {"name": "Code size"}
    with pytest.raises(InvalidParameter, match="No preset 'x'\\. Known: 'Depth', 'Code size'"):
        chosen_by_name("preset", "x", known)
    with pytest.raises(InvalidParameter, match="Known: none"):
        chosen_by_name("preset", "x", [])
