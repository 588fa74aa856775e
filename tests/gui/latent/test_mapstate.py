"""What a map shows, asked without a widget."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.latentmap import rotated
from desktop_app.gui.latent.colouring import colour_choices, colouring
from desktop_app.gui.latent.history import Moment
from desktop_app.gui.latent.keeping import keep_layout, kept_layout
from desktop_app.gui.latent.mapstate import MapLayout, MapState
from desktop_app.gui.theme import current_theme
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    session.put_result(result_for(session))
    yield session
    session.close()


@pytest.fixture
def state(session: StillSession) -> MapState:
    state = MapState(session)
    state.take_result(session.result)
    return state


def two_numbers(session: StillSession) -> MapState:
    """Return the state of a run whose latents are two numbers behind which there are vectors."""
    result = session.result
    own = result.latents[:, :2].copy()
    basis = np.zeros(2, np.float32), np.eye(2, dtype=np.float32)
    session.put_result(
        replace(result, latents=own, positions=own, basis=basis, vectors=result.latents)
    )
    state = MapState(session)
    state.take_result(session.result)
    return state


def test_a_layout_survives_json_and_what_is_broken_in_it() -> None:
    layout = MapLayout(axes="space", colour="lost", camera=(0.0, 1.0, 2.0, 3.0), lines=False)
    assert MapLayout.read(layout.plain()) == layout
    broken = layout.plain() | {"camera": [1, 2], "across": "many", "rotation": None, "newer": 1}
    assert MapLayout.read(broken) == replace(layout, camera=None)
    assert MapLayout.read("nonsense") == MapLayout()


def test_the_first_map_is_the_plane_that_the_result_holds(
    state: MapState, session: StillSession
) -> None:
    assert state.kinds == ("plane", "dimensions", "space")
    assert state.coordinates is session.result.positions
    assert state.explained == pytest.approx(session.result.explained)


def test_latents_of_two_numbers_are_their_own_map(session: StillSession) -> None:
    state = two_numbers(session)
    assert state.kinds == ("own",)
    assert state.explained is None
    latent = np.array([[7.0, -2.0]], np.float32)
    assert np.array_equal(state.place(latent), latent)


def test_dimensions_are_seen_as_chosen(
    qtbot: QtBot, state: MapState, session: StillSession
) -> None:
    state.choose(axes="dimensions", across=3, up=1)
    qtbot.waitUntil(lambda: state.coordinates is not None)
    assert np.array_equal(state.coordinates, session.result.latents[:, [3, 1]])
    mean, axes = state.basis
    assert np.allclose(axes @ (session.result.latents - mean).T, state.positions.T, atol=1e-5)


def test_points_in_space_are_turned(qtbot: QtBot, state: MapState) -> None:
    state.choose(axes="space")
    qtbot.waitUntil(lambda: state.is_spatial)
    turn = rotated(np.eye(3), 0.5, 0.2)
    with qtbot.waitSignal(state.moved):
        state.choose(rotation=tuple(turn.ravel().tolist()))
    assert np.allclose(state.positions, state.coordinates @ turn[:2].T, atol=1e-5)
    latents = state.result.latents[:4]
    mean, axes = state.basis
    assert np.allclose((latents - mean) @ axes.T, state.positions[:4], atol=1e-4)


def test_images_without_a_place_have_none_along_other_axes(
    qtbot: QtBot, state: MapState, session: StillSession
) -> None:
    index = session.result.index.copy()
    index[3] = -1
    state.take_result(replace(session.result, index=index))
    state.choose(axes="dimensions")
    qtbot.waitUntil(lambda: state.coordinates is not None)
    assert np.isnan(state.coordinates[3]).all()
    assert np.isfinite(np.delete(state.coordinates, 3, axis=0)).all()


def test_what_the_map_hides_is_measured_behind(
    qtbot: QtBot, state: MapState, session: StillSession
) -> None:
    assert state.measure("distance") is None
    qtbot.waitUntil(lambda: state.measure("distance") is not None)
    mean, axes = session.result.basis
    rest = session.result.latents - (session.result.positions @ axes + mean)
    assert np.allclose(state.measure("distance"), np.linalg.norm(rest, axis=1), atol=1e-4)
    state.choose(axes="dimensions")
    qtbot.waitUntil(lambda: state.measure("distance") is not None)
    assert not np.allclose(state.measure("distance"), np.linalg.norm(rest, axis=1), atol=1e-2)


def test_an_own_layout_is_measured_by_the_vectors_behind_it(
    qtbot: QtBot, session: StillSession
) -> None:
    state = two_numbers(session)
    assert state.measures == ("lost",)
    qtbot.waitUntil(lambda: state.measure("lost") is not None)
    lost = state.measure("lost")
    assert ((lost >= 0) & (lost <= 1)).all()
    assert lost.max() > 0


@pytest.mark.parametrize(("count", "colour"), [(3, "cluster"), (40, "label")])
def test_a_map_of_few_clusters_is_coloured_by_them(
    state: MapState, session: StillSession, count: int, colour: str
) -> None:
    clusters = np.arange(len(session.table)) % 2
    clusters[-1] = count - 1
    state.take_result(replace(session.result, clusters=clusters))
    assert state.colour == colour
    state.choose(colour="split")
    assert state.colour == "split"


def test_a_moment_is_seen_instead_of_the_trained_method(
    state: MapState, session: StillSession
) -> None:
    places = np.zeros((len(session.table), 2), np.float32)
    state.take_moment(Moment(3, places, 0.25))
    assert state.positions is places
    assert state.explained == 0.25
    assert state.measures == ()
    assert state.trained is session.result.positions
    state.take_moment(None)
    assert state.positions is session.result.positions


def test_a_map_of_another_table_is_none(
    state: MapState, session: StillSession, image_folder: Path
) -> None:
    session.put_folder(image_folder)
    assert state.coordinates is None


def test_layouts_are_kept_for_each_run(session: StillSession) -> None:
    first = session.run
    keep_layout(session, first, MapLayout(colour="score"), at_once=True)
    second = session.put_run()
    assert kept_layout(session, first).colour == "score"
    assert kept_layout(session, second) == MapLayout()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", lambda session: session.table.widths),
        ("height", lambda session: session.table.heights),
        ("size", lambda session: session.table.sizes / 1000),
        ("dimension", lambda session: session.result.latents[:, 2]),
    ],
)
def test_numbers_of_images_colour_the_map(
    state: MapState, session: StillSession, key: str, value: object
) -> None:
    assert key in dict(colour_choices(session, state))
    state.choose(colour=key, dimension=2)
    colours = colouring(session, state, current_theme())
    numbers = np.asarray(value(session), np.float64)  # type: ignore[operator]
    low, high = np.percentile(numbers, (1, 99))
    assert colours.scale == pytest.approx((low, high), rel=1e-4)
    assert (np.diff(colours.index[np.argsort(numbers, kind="stable")].astype(int)) >= 0).all()


def test_a_layout_in_space_is_turned_and_tells_no_variance(
    qtbot: QtBot, session: StillSession
) -> None:
    result = session.result
    own = result.latents[:, :3].copy()
    session.put_result(replace(result, latents=own, vectors=result.latents))
    state = MapState(session)
    state.take_result(session.result)
    assert state.kinds == ("space", "dimensions")
    qtbot.waitUntil(lambda: state.is_spatial)
    assert state.explained is None
    assert state.measures == ("lost",)


def test_positions_without_latents_may_lie_in_space(session: StillSession) -> None:
    places = np.random.default_rng(0).normal(size=(len(session.table), 3)).astype(np.float32)
    session.put_result(
        replace(session.result, latents=None, basis=None, positions=places, index=np.full(22, -1))
    )
    state = MapState(session)
    state.take_result(session.result)
    assert state.is_spatial
    assert state.positions.shape == (22, 2)
    assert state.basis is None
    assert state.place(np.zeros((1, 4), np.float32)) is None
