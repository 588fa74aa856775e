import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.core.channel import Address, Arrays, Message, receive, send
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Run
from desktop_app.sdk.data import Images
from desktop_app.sdk.errors import WorkerLost
from desktop_app.sdk.explanation import Explanation
from desktop_app.worker import serving
from desktop_app.worker.applying import apply, apply_spec
from desktop_app.worker.serving import serve

SIDE = 16


def connected(address: Address) -> Connection:
    """Return a connection as soon as the worker listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return address.connect()
        except WorkerLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Window:
    """Asks a worker that serves on a thread."""

    def __init__(self, run: Run, folder: Path) -> None:
        address = Address.new()
        self._thread = threading.Thread(
            target=serve, args=(run.path, str(folder), address, "cpu", 1), name="serving"
        )
        self._thread.start()
        self.connection: Connection = connected(address)
        self.greeting = receive(self.connection).header
        self._number = 0

    def send(self, kind: str, arrays: Arrays | None = None, **header: Any) -> int:
        self._number += 1
        send(self.connection, {"kind": kind, "number": self._number, **header}, arrays)
        return self._number

    def ask(self, kind: str, arrays: Arrays | None = None, **header: Any) -> Message:
        number = self.send(kind, arrays, **header)
        answer = receive(self.connection)
        assert (answer.header["kind"], answer.header["number"]) == (kind, number)
        return answer

    def close(self) -> None:
        self.connection.close()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


@pytest.fixture
def ids(mvtec_folder: Path) -> list[int]:
    ids: list[int] = ImageFolder(mvtec_folder).list_files().ids.tolist()
    return ids


@pytest.fixture
def window(trained_run: Run, mvtec_folder: Path) -> Iterator[Window]:
    window = Window(trained_run, mvtec_folder)
    yield window
    window.close()


def test_a_worker_is_ready_before_it_is_asked_anything(window: Window) -> None:
    assert window.greeting == {"kind": "ready"}


def test_decode_returns_images_of_latent_positions(window: Window) -> None:
    answer = window.ask("decode", {"latents": np.zeros((3, 4), np.float32)})
    assert "problem" not in answer.header, answer.header

    images = answer.arrays["images"]
    assert images.shape == (3, 1, SIDE, SIDE)
    assert (images.min() >= 0, images.max() <= 1) == (True, True)


def test_reconstruct_returns_images_beside_what_is_made_of_them(
    window: Window, ids: list[int]
) -> None:
    answer = window.ask("reconstruct", ids=[ids[3], ids[0]])

    assert answer.header["ids"] == [ids[3], ids[0]]
    assert answer.arrays["images"].shape == answer.arrays["reconstructions"].shape
    first = window.ask("reconstruct", ids=[ids[0]]).arrays["images"][0]
    assert np.array_equal(answer.arrays["images"][1], first)


def test_localize_returns_maps_and_scores(window: Window, ids: list[int]) -> None:
    answer = window.ask("localize", ids=ids[:2])

    assert answer.arrays["maps"].shape == (2, SIDE, SIDE)
    assert answer.arrays["scores"].shape == (2,)


def test_neighbours_are_the_nearest_in_the_latent_space(
    trained_run: Run, mvtec_folder: Path, window: Window, ids: list[int]
) -> None:
    result = trained_run.result(ImageFolder(mvtec_folder).key)
    result.write_spec(apply_spec(trained_run, str(mvtec_folder), "cpu", 1))
    apply(result, trained_run)
    latents = result.array("latents")
    assert latents is not None
    expected = np.argsort(np.linalg.norm(latents - latents[5], axis=1), kind="stable")[1:4]

    answer = window.ask("neighbours", id=ids[5], k=3)

    assert answer.arrays["ids"].tolist() == [ids[row] for row in expected]
    assert (np.diff(answer.arrays["distances"]) >= 0).all()


def test_neighbours_in_a_folder_that_was_not_looked_at_is_a_problem(
    window: Window, ids: list[int]
) -> None:
    assert "score it" in window.ask("neighbours", id=ids[0], k=3).header["problem"]


class Explaining:
    """Finds the lower right quarter of every image like the upper left one of training image 2."""

    def __init__(self, generation: int = 0) -> None:
        self._generation = generation

    def explain(self, images: Images) -> list[Explanation]:
        half, picture = SIDE // 2, np.full((1, 4, 4), 0.5, np.float32)
        box, source = (half, half, SIDE, SIDE), (0, 0, half, half)
        return [Explanation(box, 1.5, picture, 2, source, "cookies", self._generation)] * len(
            images
        )


def explained(run: Run, folder: Path, ids: list[int], method: Explaining) -> Message:
    desk = serving._Desk(run.path, str(folder), "cpu")
    desk._method = method  # type: ignore[assignment]
    header, arrays = desk.answer(Message({"kind": "explain", "number": 1, "id": ids[0]}, {}))
    return Message(header, arrays)


def test_an_explanation_names_both_places_and_the_image_that_it_comes_from(
    trained_run: Run, mvtec_folder: Path, ids: list[int]
) -> None:
    answer = explained(trained_run, mvtec_folder, ids, Explaining())

    header, data = answer.header, trained_run.data()
    assert data is not None
    assert (header["box"], header["source_box"]) == ([0.5, 0.5, 1, 1], [0, 0, 0.5, 0.5])
    assert header["path"] == data["paths"][2]
    assert ImageFolder(mvtec_folder).table().paths[ids.index(header["source"])] == header["path"]
    assert answer.arrays["picture"].shape == (1, 4, 4)


def test_an_explanation_from_a_run_that_is_gone_keeps_its_name(
    trained_run: Run, mvtec_folder: Path, ids: list[int]
) -> None:
    header = explained(trained_run, mvtec_folder, ids, Explaining(generation=1)).header
    assert (header["folder"], header["path"], header["source"]) == ("cookies", "", -1)


def test_without_explanations_the_nearest_image_of_the_training_is_told(
    trained_run: Run, mvtec_folder: Path, window: Window, ids: list[int]
) -> None:
    result = trained_run.result(ImageFolder(mvtec_folder).key)
    result.write_spec(apply_spec(trained_run, str(mvtec_folder), "cpu", 1))
    apply(result, trained_run)
    latents, data = result.array("latents"), trained_run.data()
    assert latents is not None
    assert data is not None
    paths = ImageFolder(mvtec_folder).table().paths
    trained = [row for row, path in enumerate(paths) if path in data["paths"] and row != 0]
    distances = np.linalg.norm(latents[trained] - latents[0], axis=1)

    header = window.ask("explain", id=ids[0]).header
    assert "problem" not in header, header

    assert header["source"] == ids[trained[int(np.argmin(distances))]]
    assert header["distance"] == pytest.approx(distances.min(), rel=1e-5)
    assert "box" not in header


@pytest.mark.parametrize(
    ("kind", "header", "problem"),
    [
        ("explain", {"id": 999}, "score it"),
        ("explode", {}, "No question 'explode'. Known: decode,"),
        ("generate", {"count": 4, "seed": 1}, "'Autoencoder' cannot generate images"),
        ("localize", {"ids": [999]}, "no longer in the folder"),
        ("decode", {}, "KeyError"),
    ],
)
def test_a_question_that_cannot_be_answered_is_a_problem_and_the_worker_stays(
    window: Window, kind: str, header: dict[str, Any], problem: str
) -> None:
    assert problem in window.ask(kind, **header).header["problem"]

    assert "images" in window.ask("decode", {"latents": np.zeros((1, 4), np.float32)}).arrays


def test_only_the_newest_question_of_a_kind_is_answered(
    trained_run: Run, mvtec_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, busy = threading.Event(), threading.Event()
    usual, received = serving._Desk._decode, []

    def slow(desk: Any, header: dict[str, Any], arrays: Arrays) -> Any:
        busy.set()
        go_on.wait(10)
        return usual(desk, header, arrays)

    def counted(connection: Connection) -> Message:
        message = receive(connection)
        received.append(message)
        if len(received) == 7:  # the six before it wait at the desk
            go_on.set()
        return message

    monkeypatch.setattr(serving._Desk, "_decode", slow)
    monkeypatch.setattr(serving, "receive", counted)
    window, latents = Window(trained_run, mvtec_folder), np.zeros((1, 4), np.float32)
    window.send("decode", {"latents": latents})
    busy.wait(10)
    for _ in range(5):
        window.send("decode", {"latents": latents})
    window.send("explode")
    answers = [receive(window.connection).header for _ in range(7)]
    window.close()

    assert [answer["number"] for answer in answers] == [1, 2, 3, 4, 5, 6, 7]
    assert [answer.get("superseded", False) for answer in answers] == [
        *(False, True, True, True, True, False),
        False,
    ]


def test_a_run_that_is_not_trained_is_refused_with_a_sentence(
    trained_run: Run, mvtec_folder: Path
) -> None:
    for name in ("method", "checkpoints"):
        (trained_run.path / name).rename(trained_run.path / f"no {name}")

    window = Window(trained_run, mvtec_folder)

    assert window.greeting["kind"] == "failed"
    assert "holds nothing trained yet" in window.greeting["problem"]
    window.close()


def test_a_worker_whose_window_never_comes_ends(
    trained_run: Run, mvtec_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_WINDOW_SECONDS", 0.1)

    with pytest.raises(WorkerLost, match="No window came"):
        serve(trained_run.path, str(mvtec_folder), Address.new(), "cpu", 1)


def test_an_image_file_is_encoded_like_one_of_the_folder(
    window: Window, mvtec_folder: Path, ids: list[int]
) -> None:
    path = mvtec_folder / ImageFolder(mvtec_folder).table().paths[4]
    own = window.ask("encode", ids=[ids[4]]).arrays["latents"]
    answer = window.ask("encode_file", path=str(path))
    assert "problem" not in answer.header, answer.header
    assert np.allclose(answer.arrays["latents"], own, atol=1e-5)


def test_a_file_that_is_no_image_is_told(window: Window, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert (
        "broken.png"
        in window.ask("encode_file", path=str(tmp_path / "broken.png")).header["problem"]
    )
