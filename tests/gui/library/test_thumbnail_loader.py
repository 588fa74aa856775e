"""Thumbnails in the background."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from desktop_app.gui.library.thumbnails import Provider, Thumbnail, ThumbnailLoader

MakeLoader = Callable[..., ThumbnailLoader]


@pytest.fixture
def make_loader(qtbot: QtBot) -> Iterator[MakeLoader]:
    made: list[ThumbnailLoader] = []

    def make(provider: Provider, **options: int) -> ThumbnailLoader:
        made.append(ThumbnailLoader(provider, **options))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


def pixels(edge: int = 8) -> np.ndarray:  # type: ignore[type-arg]
    return np.full((edge, edge, 3), 120, np.uint8)


def encoded() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "thumbnail", [pixels(), encoded(), QImage(8, 8, QImage.Format.Format_RGB888)]
)
def test_bytes_images_and_pixels_are_all_shown(
    qtbot: QtBot, make_loader: MakeLoader, thumbnail: Thumbnail
) -> None:
    loader = make_loader(lambda ids: [thumbnail] * len(ids))
    with qtbot.waitSignal(loader.loaded):
        loader.want([7])
    image = loader.image(7)
    assert image is not None
    assert not image.isNull()


def test_large_photographs_are_reduced_to_the_edge(qtbot: QtBot, make_loader: MakeLoader) -> None:
    loader = make_loader(lambda ids: [pixels(200)] * len(ids), edge=64)
    with qtbot.waitSignal(loader.loaded):
        loader.want([1])
    image = loader.image(1)
    assert image is not None
    assert image.width() == 64


def test_one_bad_file_spoils_no_others(qtbot: QtBot, make_loader: MakeLoader) -> None:
    def provider(ids: Sequence[int]) -> list[Thumbnail]:
        if 2 in ids:
            raise OSError("broken")
        return [pixels() if image_id != 3 else b"not an image" for image_id in ids]

    loader = make_loader(provider)
    loader.want([1, 2, 3, 4])
    qtbot.waitUntil(lambda: loader.image(4) is not None)
    assert [loader.failed(image_id) for image_id in (1, 2, 3, 4)] == [False, True, True, False]


def test_wishes_that_are_not_repeated_are_dropped(qtbot: QtBot, make_loader: MakeLoader) -> None:
    gate, asked = threading.Event(), []

    def provider(ids: Sequence[int]) -> list[Thumbnail]:
        asked.extend(ids)
        gate.wait(5)
        return [pixels()] * len(ids)

    loader = make_loader(provider, threads=1)
    loader.want(range(100))
    qtbot.waitUntil(lambda: bool(asked))
    loader.want([900, 901])
    gate.set()
    qtbot.waitUntil(lambda: loader.image(901) is not None)
    assert asked[-2:] == [900, 901]
    assert len(asked) < 20


def test_at_most_two_threads_ask(qtbot: QtBot, make_loader: MakeLoader) -> None:
    seen: set[str] = set()
    most = 0

    def provider(ids: Sequence[int]) -> list[Thumbnail]:
        nonlocal most
        seen.add(threading.current_thread().name)
        most = max(most, sum(thread.name == "thumbnails" for thread in threading.enumerate()))
        return [pixels()] * len(ids)

    loader = make_loader(provider)
    loader.want(range(60))
    qtbot.waitUntil(lambda: all(loader.image(image_id) is not None for image_id in range(60)))
    assert 1 <= most <= 2


def test_the_memory_is_bounded_and_the_latest_are_kept(
    qtbot: QtBot, make_loader: MakeLoader
) -> None:
    loader = make_loader(lambda ids: [pixels(256)] * len(ids), megabytes=1)
    for image_id in range(12):
        with qtbot.waitSignal(loader.loaded):
            loader.want([image_id])
    kept = [image_id for image_id in range(12) if loader.image(image_id) is not None]
    assert kept == [8, 9, 10, 11]


def test_sharper_thumbnails_are_fetched_for_larger_tiles(
    qtbot: QtBot, make_loader: MakeLoader
) -> None:
    loader = make_loader(lambda ids: [pixels(300)] * len(ids), edge=64)
    for edge in (64, 256):
        loader.set_edge(edge)
        with qtbot.waitSignal(loader.loaded):
            loader.want([1])
        image = loader.image(1)
        assert image is not None
        assert image.width() == edge


def test_another_provider_starts_from_nothing(qtbot: QtBot, make_loader: MakeLoader) -> None:
    loader = make_loader(lambda ids: [None] * len(ids))
    with qtbot.waitSignal(loader.loaded):
        loader.want([1])
    assert loader.failed(1)
    loader.set_provider(lambda ids: [pixels()] * len(ids))
    with qtbot.waitSignal(loader.loaded):
        loader.want([1])
    assert loader.image(1) is not None


def test_a_closed_loader_leaves_no_thread(qtbot: QtBot, make_loader: MakeLoader) -> None:
    loader = make_loader(lambda ids: [pixels()] * len(ids))
    loader.want(range(50))
    loader.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "thumbnails"]
    loader.want([51])
    assert loader.image(51) is None
