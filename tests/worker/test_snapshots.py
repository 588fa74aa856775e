from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.core.runs import Run
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Latents
from desktop_app.worker.loading import trained_method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.snapshots import Snapshots


@pytest.fixture
def data() -> ArrayDataset:
    random = np.random.default_rng(0)
    return ArrayDataset(random.integers(0, 256, (20, 1, 16, 16), np.uint8))


def test_pictures_and_positions_are_written_where_the_events_say(
    trained_run: Run, data: ArrayDataset
) -> None:
    ids = np.arange(100, 120)
    snapshots = Snapshots(trained_run, data, ids, seconds=5)
    with Narrator(trained_run) as narrator:
        snapshots.take(trained_method(trained_run.path, "cpu"), 7, narrator)

    told = [event for event in trained_run.events() if event.get("step") == 7 and "file" in event]
    names = {event.get("name", event["type"]): trained_run.path / event["file"] for event in told}
    assert set(names) == {"reconstructions", "heat maps", "latents"}
    with np.load(names["reconstructions"], allow_pickle=False) as arrays:
        assert (arrays["images"].shape, arrays["images"].dtype) == ((16, 1, 16, 16), np.uint8)
    with np.load(names["latents"], allow_pickle=False) as arrays:
        assert arrays["latents"].shape == (20, 4)
        assert arrays["ids"].tolist() == ids.tolist()


def test_pictures_leave_the_random_numbers_and_modes_of_a_training_alone(
    trained_run: Run, data: ArrayDataset, tmp_path: Path
) -> None:
    method = trained_method(trained_run.path, "cpu")
    assert isinstance(method, torch.nn.Module)
    method.train()
    before = torch.get_rng_state()
    snapshots = Snapshots(trained_run, data, np.arange(20), seconds=5)

    with Narrator(trained_run) as narrator:
        snapshots.take(method, 1, narrator)

    assert torch.equal(torch.get_rng_state(), before)
    assert all(part.training for part in method.modules())


def test_pictures_are_taken_at_intervals_that_grow_with_the_training(
    trained_run: Run, data: ArrayDataset
) -> None:
    snapshots = Snapshots(trained_run, data, np.arange(20), seconds=5)
    assert snapshots.is_due(0.0)

    with Narrator(trained_run, elapsed=1000.0) as narrator:
        snapshots.take(trained_method(trained_run.path, "cpu"), 1, narrator)

    assert not snapshots.is_due(1019.0)
    assert snapshots.is_due(1021.0)


def test_a_method_that_tells_its_map_is_not_asked_for_it_as_well(
    trained_run: Run, data: ArrayDataset
) -> None:
    snapshots = Snapshots(trained_run, data, np.arange(20), seconds=5)
    told = Latents(np.zeros((20, 2), np.float32), np.arange(20))

    with Narrator(trained_run) as narrator:
        snapshots.told_latents(told, 1001, narrator)
        snapshots.take(trained_method(trained_run.path, "cpu"), 1002, narrator)

    events = [event for event in trained_run.events() if event.get("step") in (1001, 1002)]
    assert [event["step"] for event in events if event["type"] == "latents"] == [1001]
    assert {event["name"] for event in events if event["type"] == "preview"} == {
        "reconstructions",
        "heat maps",
    }
