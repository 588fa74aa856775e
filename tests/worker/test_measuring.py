"""What the host tells of a training besides what the method tells."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from desktop_app.core import baselines
from desktop_app.core.health import health
from desktop_app.core.runs import JobState, Run
from desktop_app.core.settings import cache_dir
from desktop_app.core.viewfiles import read_views
from desktop_app.sdk.data import ArrayDataset
from desktop_app.worker.training import train
from desktop_app.worker.untrained import untrained_latents
from tests.runs import STEPS, At, dense_spec


def told(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in run.events() if event["type"] == kind]


@pytest.fixture
def run(tmp_path: Path, image_folder: Path) -> Run:
    return Run.create(tmp_path / "run", dense_spec(image_folder))


def test_the_health_of_an_encoder_is_told_at_every_snapshot(run: Run) -> None:
    train(run)

    first, last = told(run, "health")[0], told(run, "health")[-1]
    with np.load(run.path / f"latents/{STEPS:09d}.npz") as arrays:
        found = health(arrays["latents"])
    assert found is not None
    assert (first["step"], last["step"], last["epoch"]) == (1, STEPS, 10)
    assert last["values"]["effective_rank"] == pytest.approx(found.effective_rank, rel=1e-5)
    assert last["healthy"] == {"spread": 0.5, "effective_rank": 4}


def test_labelled_images_are_probed_against_three_baselines(run: Run) -> None:
    assert train(run) is JobState.FINISHED

    probes = told(run, "probe")
    assert probes[0]["baselines"] == {}
    both = {"knn", "linear"}
    assert set(probes[0]["values"]) == set(probes[-1]["values"]) == both  # a curve of two points
    assert set(probes[-1]["baselines"]) == {"pixels", "pca", "untrained"}
    assert (probes[-1]["images"], probes[-1]["classes"]) == (24, 2)
    numbers = [probes[-1]["values"], *probes[-1]["baselines"].values()]
    assert all(0 <= number <= 1 for part in numbers for number in part.values())
    assert probes[-1]["baselines"]["pca"]["linear"] > 0.5


def test_baselines_are_measured_once_per_data_set(
    run: Run, tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run)
    monkeypatch.setattr(baselines, "_pixels", lambda *_args: pytest.fail("measured again"))
    other = Run.create(tmp_path / "other", dense_spec(image_folder, seed=5))

    assert train(other) is JobState.FINISHED

    first, second = told(run, "probe")[-1], told(other, "probe")[-1]
    assert first["baselines"]["pixels"] == second["baselines"]["pixels"]
    kept = list((cache_dir() / "probes").rglob("*.json"))
    assert len(kept) == 3  # the pixels, and two networks with other seeds
    larger = Run.create(tmp_path / "larger", dense_spec(image_folder, image_size=24))
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        train(larger)


def test_images_of_one_class_are_not_probed(tmp_path: Path, mvtec_folder: Path) -> None:
    run = Run.create(tmp_path / "run", dense_spec(mvtec_folder))

    train(run)

    assert told(run, "probe") == []
    assert told(run, "health")


NORMALISED = """
import torch
from torch import nn
from desktop_app.sdk.events import TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card
from desktop_app.sdk.params import TrainingParams
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.torch_method import TorchMethod

class Normalised(TorchMethod[TrainingParams]):
    card = Card("normalised", "Normalised", "Tests", "Ends in a batch normalisation.")

    def build(self, sample_shape):
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(256, 4), nn.BatchNorm1d(4))

    def learn(self, data):
        yield TrivialValue("loss", 1.0, "chance")
        raise RuntimeError("nothing may be learned")

    @inference
    def encode(self, images):
        return self.net(images)

@hookimpl
def register_methods():
    return [Normalised]
"""


def test_an_untrained_network_takes_its_batch_statistics_from_the_images(
    write_plugin: Callable[[str, str], Path], tmp_path: Path, image_folder: Path
) -> None:
    write_plugin("normalised", NORMALISED)
    spec = dense_spec(image_folder, method="normalised").model_copy(update={"params": {}})
    images = np.random.default_rng(0).random((40, 1, 16, 16)).astype(np.float32)
    data = ArrayDataset((images * 255).astype(np.uint8))
    before = torch.get_rng_state()

    latents = untrained_latents(spec, tmp_path, "cpu", data, images)
    again = untrained_latents(spec, tmp_path, "cpu", data, images)

    np.testing.assert_allclose(latents.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(latents.std(axis=0), 1, atol=1e-3)
    assert np.array_equal(latents, again)
    assert torch.equal(torch.get_rng_state(), before)


STUCK = """
import numpy as np
from desktop_app.sdk.events import Metrics, Picture, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params
from desktop_app.sdk.views import HeatMap

class Stuck(Method[Params]):
    card = Card("stuck", "Stuck", "Tests", "Never learns.")
    step = 0

    def fit(self, data):
        yield TrivialValue("loss", 0.5, "chance")
        while self.step < 40:
            yield Picture(HeatMap("Confusion", np.full((2, 2), self.step, np.float32)))
            self.step += 1
            yield Metrics(self.step, self.step / 40, {"loss": 0.5}, epoch=self.step / 5)

    def encode(self, images):
        return np.ones((len(images), 8), np.float32)

    def state(self):
        return State({}, {"step": self.step})

    def restore(self, state):
        self.step = state.values["step"]

@hookimpl
def register_methods():
    return [Stuck]
"""


@pytest.fixture
def stuck(write_plugin: Callable[[str, str], Path], tmp_path: Path, image_folder: Path) -> Run:
    write_plugin("stuck", STUCK)
    spec = dense_spec(image_folder, method="stuck", preview_seconds=0.0)
    return Run.create(tmp_path / "stuck", spec.model_copy(update={"params": {}}))


def test_a_stuck_method_is_told_of_in_the_log_and_on_its_curve(stuck: Run) -> None:
    train(stuck)

    lines = told(stuck, "trivial_value")
    alarms = {alarm["curve"]: alarm for alarm in told(stuck, "alarm")}
    notes = [note["text"] for note in told(stuck, "note") if note["level"] == "warning"]
    assert [(line["curve"], line["value"], line["meaning"]) for line in lines] == [
        ("loss", 0.5, "chance")
    ]
    assert alarms["loss"]["step"] == 16  # the first step after three passes of five
    assert alarms["health/spread"]["stays"] == "collapse"
    assert len(notes) == 2


@pytest.mark.usefixtures("every_step_is_told_at_once")
def test_an_alarm_is_not_repeated_after_an_interruption(stuck: Run) -> None:
    stop = At(20, "stop")
    assert train(stuck, stop.commands, stop) is JobState.STOPPED
    assert "loss" in [alarm["curve"] for alarm in told(stuck, "alarm")]

    assert train(stuck) is JobState.FINISHED

    assert sorted(alarm["curve"] for alarm in told(stuck, "alarm")) == ["health/spread", "loss"]


def test_pictures_are_written_while_a_method_trains_and_the_newest_is_kept(stuck: Run) -> None:
    train(stuck)

    views = told(stuck, "view")
    assert {view["title"] for view in views} == {"Confusion"}
    (view,) = read_views(stuck.path / views[-1]["file"])
    assert view.matrix[0, 0] == 39  # type: ignore[union-attr]
    assert len(list((stuck.path / "pictures").iterdir())) <= 2
    assert len(views) < 20  # forty came within a moment
    assert json.dumps(views)
