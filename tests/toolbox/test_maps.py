"""What all maps share, shown on the quickest of them that iterates."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Latents, Metrics, Note, TrivialValue
from desktop_app.sdk.method import Card
from desktop_app.sdk.testing.trial import through_disk
from desktop_app.toolbox.maps import MapMethod, MapParams, principal_positions, rotation
from tests.plugins.pictures import shaded


class Stretch(MapMethod[MapParams]):
    """A map that turns and grows with every iteration."""

    card = Card("stretch", "Stretch", "Tests", "Turns and grows.")
    iterations = 40

    def optimise(self) -> Any:
        yield from self.find_neighbours(3)
        if self.iteration == 0:
            self.positions = self.anchor.astype(np.float64)
        turn = np.linalg.qr(np.random.default_rng(0).standard_normal(self.positions.shape[1:] * 2))
        while self.iteration < self.iterations:
            self.iteration += 1
            self.positions = 1.01 * self.positions @ turn[0]
            if self.iteration % self.told_every == 0:
                yield from self.tell({"size": float(self.positions.std())})

    def place(self, vectors: Any) -> Any:
        return np.full((len(vectors), self.params.dimensions), 100.0)


class Turned(Stretch):
    """A map of square turns, whatever its dimensions."""

    def optimise(self) -> Any:
        self.positions = self.anchor[:, ::-1] * np.float32(-2)
        self.iteration = self.iterations
        yield from self.tell({"size": 1.0})


def test_a_map_is_turned_like_its_start_and_new_images_with_it() -> None:
    data = shaded(30)
    method = Turned(MapParams(components=3))

    list(method.fit(data))

    np.testing.assert_allclose(method.embed(), 2 * method.anchor, atol=1e-4)
    other = shaded(2, seed=5).images(slice(None))
    expected = (100 - method.positions.mean(axis=0)) @ rotation(method.positions, method.anchor)
    np.testing.assert_allclose(method.encode(other), np.tile(expected, (2, 1)), atol=1e-3)


def test_an_image_that_was_fitted_gets_its_own_place() -> None:
    data = shaded(30)
    method = Turned(MapParams(components=3))
    list(method.fit(data))

    images = np.concatenate([data.images(slice(4, 8)), shaded(1, seed=5).images(slice(None))])
    found = method.encode(images)

    np.testing.assert_array_equal(found[:4], method.embed()[4:8])
    assert not (method.embed() == found[4]).all(axis=1).any()


def test_the_start_is_that_of_principal_components() -> None:
    vectors = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    wide = np.random.default_rng(1).standard_normal((6, 50)).astype(np.float32)

    for points in (vectors, wide):
        expected = PCA(3).fit_transform(points)
        found = principal_positions(points, 3)
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    assert principal_positions(vectors[:, :1], 2)[:, 1].tolist() == [0] * 50


def test_the_map_is_told_live_and_judged_at_the_end() -> None:
    method = Stretch(MapParams(components=3))

    events = list(method.fit(shaded(30)))

    maps = [event for event in events if isinstance(event, Latents)]
    assert len(maps) == 5  # the start, then every tenth iteration
    assert all(event.latents.shape == (30, 2) for event in maps)
    assert maps[0].rows.tolist() == list(range(30))
    lines = {event.curve: event.value for event in events if isinstance(event, TrivialValue)}
    last = [event for event in events if isinstance(event, Metrics)][-1]
    assert last.values["trustworthiness"] == pytest.approx(lines["trustworthiness"])
    assert last.values["neighbours kept"] == pytest.approx(lines["neighbours kept"])
    assert method.kept == {}


def test_a_search_that_was_interrupted_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("desktop_app.toolbox.maps.BLOCK", 8)
    data, whole = shaded(30), Stretch(MapParams(components=3))
    expected = [event for event in whole.fit(data) if isinstance(event, Metrics)]
    method = Stretch(MapParams(components=3))
    events = method.fit(data)
    told = []
    while len(told) < 3:  # the vectors, and two blocks of eight images
        event = next(events)
        told += [event] if isinstance(event, Metrics) else []

    other = Stretch(MapParams(components=3))
    other.restore(through_disk(method.state()))
    told += [event for event in other.fit(data) if isinstance(event, Metrics)]

    assert told == expected


def test_a_former_map_of_the_same_images_is_the_start() -> None:
    data = shaded(30)
    former = Turned(MapParams(components=3))
    list(former.fit(data))
    method = Turned(MapParams(components=3))
    method.attach_run("start", former)

    list(method.fit(data))

    np.testing.assert_allclose(method.anchor, former.embed(), atol=1e-5)


@pytest.mark.parametrize(("count", "dimensions"), [(20, 2), (30, 3)])
def test_a_former_map_that_does_not_fit_is_told_and_left(count: int, dimensions: int) -> None:
    former = Turned(MapParams(components=3))
    list(former.fit(shaded(count)))
    method = Turned(MapParams(components=3, dimensions=dimensions))
    method.attach_run("start", former)

    events = list(method.fit(shaded(30)))

    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(f"has {count} images in 2 dimensions" in text for text in notes)
    assert not method.starts_from_former


def test_what_lays_out_no_map_is_no_start() -> None:
    class Other:
        card = Card("other", "Other", "Tests", "Lays out nothing.")

    nothing: Any = Other()

    with pytest.raises(MissingCapability, match="lays out no map"):
        Stretch().attach_run("start", nothing)


def test_there_is_no_map_before_the_training() -> None:
    with pytest.raises(InvalidInput, match="no map yet"):
        Stretch().embed()
