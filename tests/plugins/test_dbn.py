"""What only the deep belief network promises."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset, LabelledDataset, as_images
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.sdk.events import Event, Metrics, TrivialValue
from desktop_app.sdk.views import ImageGrid
from plugins.dbn.dbn import DBN, DBNParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digit_labels, digits, last_metrics, probe_accuracy, shaded

QUICK = {"epochs": 1, "least_steps": 4, "nodes": 20, "top": 12, "batch_size": 16}


def dbn(**values: object) -> DBN:
    return DBN(DBNParams.parse(QUICK | values))


def lit(count: int, seed: int = 0) -> LabelledDataset:
    """Return images lit from the left or from the right; every fifth has no label."""
    data = shaded(count, seed=seed)
    x = data.images(slice(None))
    left = x[..., :8].mean(axis=(1, 2, 3)) > x[..., 8:].mean(axis=(1, 2, 3))
    labels = ["left" if side else "right" for side in left]
    return LabelledDataset(data, ["" if n % 5 == 4 else label for n, label in enumerate(labels)])


def metrics(events: Iterator[Event]) -> list[Metrics]:
    return [event for event in events if isinstance(event, Metrics)]


def test_each_layer_is_frozen_while_the_next_one_learns() -> None:
    method = dbn(layers=3)
    weights: dict[str, list[torch.Tensor]] = {}
    for event in method.fit(shaded(40)):
        if not isinstance(event, Metrics):
            continue
        (name,) = (name for name in event.values if name.startswith("reconstruction"))
        weights.setdefault(name, []).append(
            torch.cat([method.machine(n).weights.flatten() for n in (1, 2, 3)])
        )

    assert list(weights) == ["reconstruction_1", "reconstruction_2", "reconstruction_3"]
    sizes = [method.machine(n).weights.numel() for n in (1, 2, 3)]
    for layer, seen in enumerate(weights.values()):
        moved = [bool(part.any()) for part in (seen[-1] - seen[0]).split(sizes)]
        assert moved == [number == layer for number in range(3)]


def test_features_are_probabilities_of_probabilities() -> None:
    deep, shallow = dbn(), dbn(depth=1)
    x = shaded(40)
    last_metrics(deep.fit(x))
    shallow.restore(deep.state())
    images = torch.from_numpy(x.images(slice(None)))

    first, second = deep.machine(1), deep.machine(2)
    units = ((images - deep.units.centre) / deep.units.scale).flatten(1)
    h1 = torch.sigmoid(units @ first.weights + first.hidden_bias)
    h2 = torch.sigmoid(h1 @ second.weights + second.hidden_bias)

    np.testing.assert_allclose(shallow.encode(images.numpy()), h1, atol=1e-5)
    np.testing.assert_allclose(deep.encode(images.numpy()), h2, atol=1e-5)


def test_upper_layers_begin_at_the_mean_of_the_layer_below() -> None:
    method = dbn(held_out=0)
    data = shaded(40)
    for event in method.fit(data):
        if isinstance(event, TrivialValue) and event.curve == "reconstruction_2":
            line = event
            break

    below = method.up(torch.from_numpy(data.images(slice(None))), 1)

    torch.testing.assert_close(
        method.machine(2).visible_bias.sigmoid(), below.mean(0).clamp(1e-3, 1 - 1e-3)
    )
    assert line.value == pytest.approx(float(below.var(dim=0, correction=0).mean()), rel=1e-3)


def test_every_layer_rebuilds_what_is_below_it_better_than_its_mean() -> None:
    events = list(dbn(least_steps=150).fit(shaded(128)))

    lines = {line.curve: line.value for line in events if isinstance(line, TrivialValue)}
    last = {name: value for event in metrics(iter(events)) for name, value in event.values.items()}
    assert set(lines) == {"reconstruction_1", "reconstruction_2"}
    for name, value in lines.items():
        assert last[name] < 0.5 * value


def test_labels_are_learned_where_they_are_wanted() -> None:
    method = dbn(least_steps=40, fine_tune_epochs=60, held_out=0.2)
    before: list[torch.Tensor] = []
    for event in method.fit(lit(100)):
        if isinstance(event, TrivialValue) and event.curve == "accuracy":
            before = [method.machine(1).weights.clone()]
        if isinstance(event, Metrics):
            last = event.values

    assert last["accuracy"] > 0.9
    assert last["accuracy_held_out"] > 0.8
    assert torch.equal(before[0], method.machine(1).weights)  # the way down is as it was


def test_fine_tuning_resumes_as_if_never_interrupted() -> None:
    data, values = lit(40), {"fine_tune_epochs": 3}
    whole = [event.values for event in metrics(dbn(**values).fit(data))]
    first, cut = dbn(**values), len(whole) - 4
    events = (event for event in first.fit(data) if isinstance(event, Metrics))
    told = [next(events).values for _ in range(cut)]
    second = dbn(**values)
    second.restore(first.state())

    told += [event.values for event in metrics(second.fit(data))]

    assert "cross_entropy" in whole[cut]
    assert told == whole


def test_fine_tuning_without_labels_is_refused_with_a_sentence() -> None:
    for data in (shaded(20), LabelledDataset(shaded(20), ["same"] * 20)):
        with pytest.raises(InvalidInput, match="fine_tune_epochs"):
            next(dbn(fine_tune_epochs=1).fit(data))


def test_labels_change_nothing_where_they_are_not_wanted() -> None:
    plain = [event.values for event in metrics(dbn().fit(lit(40).data))]

    assert [event.values for event in metrics(dbn().fit(lit(40)))] == plain


def test_a_depth_beyond_the_top_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="at most the number of layers, 2, got 3"):
        dbn(depth=3)


def test_filters_of_upper_layers_are_drawn_in_pixels() -> None:
    method = dbn()
    last_metrics(method.fit(shaded(40, 3)))
    views = {view.title: view for view in method.views()}

    upper = views["Strongest filters of layer 2"]

    assert isinstance(upper, ImageGrid)
    assert upper.images.shape == (12, 3, 16, 16)
    product = (method.machine(1).weights @ method.machine(2).weights).T
    longest = method.machine(2).weights.square().sum(0).argmax()
    np.testing.assert_allclose(upper.images[0].ravel(), product[longest], atol=1e-5)


@pytest.mark.slow
@pytest.mark.shared
def test_the_second_layer_says_what_the_first_says_of_digits(shared_data: Path, bar: Bar) -> None:
    values = {**DBN.presets[0].values, "epochs": 6}
    top = DBN(DBNParams.parse(values))
    train, test = digits(shared_data, "train")[::2], digits(shared_data, "t10k")
    last_metrics(top.fit(ArrayDataset(train)))
    first = DBN(DBNParams.parse(values | {"depth": 1}))
    first.restore(top.state())

    found = [
        probe_accuracy(
            method.encode(as_images(train)),
            digit_labels(shared_data, "train")[::2],
            method.encode(as_images(test)),
            digit_labels(shared_data, "t10k"),
        )
        for method in (first, top)
    ]
    bar("dbn", "MNIST linear probe of layer 2 (layer 1)", found[1], above=0.95, trivial=found[0])
    assert found[1] >= found[0] - 0.005
