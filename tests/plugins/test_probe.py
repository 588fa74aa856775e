"""A head on frozen or fine-tuned latents, and what is held out from it."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, LabelledDataset
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Metrics, Note, TrivialValue
from desktop_app.sdk.testing.toys import groups
from desktop_app.sdk.testing.trial import through_disk, told, told_by
from desktop_app.sdk.views import HeatMap, Table
from plugins.autoencoder.autoencoder import Autoencoder, AutoencoderParams
from plugins.kmeans.kmeans import KMeans
from plugins.probe.probe import Probe, ProbeParams

NAMES = ("列", "行", "圆")
SHORT = {"epochs": 3, "least_steps": 0, "batch_size": 16}


def labelled(count: int = 20, seed: int = 0) -> LabelledDataset:
    data, kinds = groups(count, seed)
    return LabelledDataset(data, [NAMES[kind] for kind in kinds])


@pytest.fixture(scope="module")
def encoder() -> Autoencoder:
    params = AutoencoderParams(
        code_size=8, nodes=8, layers=2, epochs=1, least_steps=20, batch_size=32
    )
    method = Autoencoder(params)
    for _ in method.fit(labelled().data):
        pass
    return method


def probe(encoder: Any = None, **values: Any) -> Probe:
    method = Probe(ProbeParams.parse(SHORT | values), seed=5)
    if encoder is not None:
        method.attach_run("encoder", encoder)
    return method


def fitted(method: Probe, data: Any = None) -> list[Any]:
    return list(method.fit(data or labelled()))


def weights(method: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in method.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_before_it_learns_every_class_is_as_likely(encoder: Autoencoder) -> None:
    events = fitted(probe(encoder))

    first = next(event for event in events if isinstance(event, Metrics))
    assert first.values["loss"] == pytest.approx(math.log(3), rel=1e-6)


@pytest.mark.parametrize("mode", ["linear", "finetune"])
def test_the_classes_of_new_images_are_recognised(encoder: Autoencoder, mode: str) -> None:
    method = probe(encoder, mode=mode, epochs=15, learning_rate=0.01)
    events = fitted(method)

    last = [event for event in events if isinstance(event, Metrics)][-1]
    assert last.values["val_accuracy"] >= 0.9
    others, kinds = groups(10, 9)
    images = others.images(slice(None))
    chances = method.classify(images, NAMES)
    assert (chances.argmax(axis=1) == kinds).mean() >= 0.9
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(method.score(images), 1 - chances.max(axis=1), rtol=1e-6)
    assert (method.classify(images, ["no class"]) == 0).all()


def test_the_encoder_that_is_looked_at_is_never_changed(encoder: Autoencoder) -> None:
    before = weights(encoder)

    for mode in ("linear", "finetune"):
        fitted(probe(encoder, mode=mode))

    assert same(before, weights(encoder))


def test_fine_tuning_changes_the_encoder_and_keeps_no_decoder(encoder: Autoencoder) -> None:
    method = probe(encoder, mode="finetune")
    fitted(method)

    names = {name for name, _ in method.named_parameters()}
    assert not any("decoder" in name for name in names)
    first = "method.encoder." + next(name for name, _ in encoder.encoder.named_parameters())
    assert method.encoder is not None
    tuned = method.encoder.state_dict()[first]
    assert not torch.equal(tuned, encoder.state_dict()[first.removeprefix("method.")])


@pytest.mark.parametrize("mode", ["linear", "finetune"])
def test_a_resumed_training_equals_an_uninterrupted_one(encoder: Autoencoder, mode: str) -> None:
    whole = told(probe(encoder, mode=mode).fit(labelled()))
    subject = probe(encoder, mode=mode)
    training, before = subject.fit(labelled()), []
    while len(before) < 4:
        event = next(training)
        if isinstance(event, Metrics):
            before.append(told_by(event))
    state = through_disk(subject.state())
    other = probe(copy.deepcopy(encoder), mode=mode)
    other.restore(state)

    assert [*before, *told(other.fit(labelled()))] == whole


def test_of_every_class_the_same_share_is_held_out_and_measured(encoder: Autoencoder) -> None:
    method = probe(encoder, held_out=0.25)
    events = fitted(method)

    heat = next(view for view in method.views() if isinstance(view, HeatMap))
    table = next(view for view in method.views() if isinstance(view, Table))
    assert heat.matrix.shape == (3, 3)
    np.testing.assert_allclose(heat.matrix.sum(axis=1), 1, rtol=1e-6)
    assert [row[:2] for row in table.rows] == [[name, 5] for name in sorted(NAMES)]
    note = next(event.text for event in events if isinstance(event, Note))
    assert note == "3 classes; 45 images are learned from, 15 are held out."


def test_lines_are_what_the_most_frequent_class_reaches() -> None:
    data = labelled()
    rows = np.flatnonzero(np.array(data.labels) != "圆")[:30]
    rows = np.concatenate([rows, np.flatnonzero(np.array(data.labels) == "圆")[:10]])
    some = LabelledDataset(
        ArrayDataset(data.pixels(rows)), [data.labels[row] for row in rows.tolist()]
    )
    share = max(some.labels.count(name) for name in NAMES) / 40

    lines = [event for event in fitted(probe(held_out=0), some) if isinstance(event, TrivialValue)]

    assert {line.curve for line in lines} == {"accuracy", "loss"}
    accuracy = next(line for line in lines if line.curve == "accuracy")
    assert accuracy.value == pytest.approx(share)


def test_images_without_a_label_are_left_aside(encoder: Autoencoder) -> None:
    data = labelled()
    labels = ["" if row % 4 == 0 else label for row, label in enumerate(data.labels)]

    events = fitted(probe(encoder), LabelledDataset(data.data, labels))

    note = next(event.text for event in events if isinstance(event, Note))
    assert note.endswith("15 images without a label are left aside.")


@pytest.mark.parametrize("labels", [None, ["good"] * 60, [""] * 60])
def test_too_few_labels_are_a_sentence(labels: list[str] | None) -> None:
    data: Any = labelled().data
    data = data if labels is None else LabelledDataset(data, labels)

    with pytest.raises(InvalidInput, match="Sort the images into one folder per class"):
        fitted(probe(), data)


def test_what_cannot_be_fine_tuned_is_a_sentence(encoder: Autoencoder) -> None:
    with pytest.raises(InvalidInput, match="Fine-tuning needs a trained encoder"):
        fitted(probe(mode="finetune"))
    clusters = KMeans(KMeans.params_type.parse({"most_clusters": 3, "starts": 1}))
    for _ in clusters.fit(labelled().data):
        pass
    with pytest.raises(MissingCapability, match="not computed by one torch module"):
        fitted(probe(clusters, mode="finetune"))


def test_images_reach_an_encoder_of_another_size(encoder: Autoencoder) -> None:
    data = labelled()
    colour = np.repeat(np.kron(data.pixels(slice(0, 60)), np.ones((1, 1, 2, 2), np.uint8)), 3, 1)
    larger = LabelledDataset(ArrayDataset(colour), data.labels)
    for mode in ("linear", "finetune"):
        method = probe(encoder, mode=mode)
        fitted(method, larger)
        assert method.encode(larger.images(slice(0, 4))).shape == (4, 8)


@pytest.mark.parametrize("mode", ["linear", "finetune"])
def test_its_encoder_can_be_exported(encoder: Autoencoder, mode: str) -> None:
    method = probe(encoder, mode=mode)
    fitted(method)
    images = labelled(3, 4).images(slice(None))

    with torch.no_grad():
        latents = method.encoder_module().eval()(torch.from_numpy(images)).numpy()

    np.testing.assert_allclose(latents, method.encode(images), rtol=1e-3, atol=1e-4)
