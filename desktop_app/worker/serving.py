"""A persistent worker that holds one trained method and answers the window's questions.

Only the newest question of a kind is answered: a pointer that is dragged asks faster than a network
decodes. Questions that were overtaken are answered with "superseded".
"""

import queue
import threading
import time
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.channel import Address, Arrays, Message, receive, send
from desktop_app.core.images import ImageFolder, decode
from desktop_app.core.pixels import PixelCache
from desktop_app.core.runs import Run
from desktop_app.core.sight import counted, seen_by
from desktop_app.core.synthetic import write_synthetic
from desktop_app.core.tiles import grid_of
from desktop_app.sdk.capabilities import (
    Decodes,
    Embeds,
    Encodes,
    Explains,
    Generates,
    Localizes,
    Represents,
    Scores,
)
from desktop_app.sdk.data import ArrayDataset, Dataset, Images
from desktop_app.sdk.errors import InvalidInput, LoupeError, UnreadableImage, WorkerLost
from desktop_app.sdk.explanation import Box, Explanation
from desktop_app.worker.describing import described
from desktop_app.worker.devices import use_threads
from desktop_app.worker.loading import channels_of, require, trained_method
from desktop_app.worker.synthetic import score_synthetic
from desktop_app.worker.tiling import rebuilt, source_in_image

_WINDOW_SECONDS = 300.0
"""How long to wait for the window that started this worker; it may have crashed meanwhile."""

Answer = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def serve(run_dir: Path, folder: str, address: Address, device: str, threads: int) -> None:
    """Answer questions about a run at an address until the window goes away.

    Raises WorkerLost when no window comes.
    """
    with address.listen() as listener, _window(listener, address) as connection:
        use_threads(threads)
        try:
            desk = _Desk(run_dir, folder, device)
        except LoupeError as problem:
            send(connection, {"kind": "failed", "problem": str(problem)})
            return
        send(connection, {"kind": "ready"})
        waiting: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(target=_gather, args=(connection, waiting), daemon=True).start()
        while (batch := _newest(waiting)) is not None:
            for message, is_newest in batch:
                _reply(desk, connection, message, is_newest)


def _window(listener: Listener, address: Address) -> Connection:
    """Return the connection of the first window with the right key."""
    deadline = time.monotonic() + _WINDOW_SECONDS
    alarm = threading.Timer(_WINDOW_SECONDS, address.knock)
    alarm.daemon = True
    alarm.start()
    try:
        while True:
            try:
                return listener.accept()
            except (OSError, EOFError, AuthenticationError):  # a stranger, or the alarm
                if time.monotonic() >= deadline:
                    raise WorkerLost("No window came to ask anything.") from None
    finally:
        alarm.cancel()


def _gather(connection: Connection, waiting: "queue.Queue[Message | None]") -> None:
    try:
        while True:
            waiting.put(receive(connection))
    except WorkerLost:
        waiting.put(None)


def _newest(waiting: "queue.Queue[Message | None]") -> list[tuple[Message, bool]] | None:
    """Wait for questions; return all that came and whether each is the newest of its kind."""
    messages = [waiting.get()]
    while not waiting.empty():
        messages.append(waiting.get())
    came = [message for message in messages if message is not None]
    if len(came) < len(messages):
        return None
    newest = {message.header["kind"]: message.header["number"] for message in came}
    return [(m, newest[m.header["kind"]] == m.header["number"]) for m in came]


def _reply(desk: "_Desk", connection: Connection, message: Message, is_newest: bool) -> None:
    about = {"kind": message.header["kind"], "number": message.header["number"]}
    if not is_newest:
        send(connection, about | {"superseded": True})
        return
    try:
        header, arrays = desk.answer(message)
    except LoupeError as problem:
        send(connection, about | {"problem": str(problem)})
        return
    except Exception as problem:  # a method of anybody: its failure is told, and the desk stays
        send(connection, about | {"problem": f"{type(problem).__name__}: {problem}"})
        return
    send(connection, about | header, arrays)


class _Desk:
    """A trained method, the folder it looks at, and an answer per kind of question."""

    def __init__(self, run_dir: Path, folder: str, device: str) -> None:
        self._run = Run.open(run_dir)
        self._method = trained_method(run_dir, device)
        self._folder = ImageFolder(Path(folder))
        spec = self._run.spec()
        self._cache = PixelCache(self._folder, spec.image_size, channels_of(self._run))
        self._answers: dict[str, Callable[[dict[str, Any], Arrays], Answer]] = {
            "decode": self._decode,
            "reconstruct": self._reconstruct,
            "localize": self._localize,
            "generate": self._generate,
            "encode": self._encode,
            "encode_file": self._encode_file,
            "neighbours": self._neighbours,
            "explain": self._explain,
            "describe": self._describe,
            "spoil": self._spoil,
        }

    def answer(self, message: Message) -> Answer:
        """Return header and arrays that answer a question. Raises LoupeError when it cannot."""
        kind = message.header["kind"]
        if kind not in self._answers:
            raise InvalidInput(f"No question '{kind}'. Known: {', '.join(self._answers)}.")
        return self._answers[kind](message.header, message.arrays)

    def _images(self, ids: list[int]) -> Images:
        return self._data(ids).images(slice(0, len(ids)))

    def _data(self, ids: list[int]) -> Dataset:
        table = self._folder.table()
        row_of = {image_id: row for row, image_id in enumerate(table.ids.tolist())}
        if not all(image_id in row_of for image_id in ids):
            raise InvalidInput("One of these images is no longer in the folder.")
        table = table.where(np.array([row_of[image_id] for image_id in ids], dtype=np.int64))
        for _ in self._cache.fill(table):
            pass
        return seen_by(self._run, self._cache.dataset(table))

    def _decode(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        require(self._method, Decodes, "make images of latent positions")
        return {}, {"images": self._method.decode(arrays["latents"])}  # type: ignore[attr-defined]

    def _reconstruct(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        images = self._images(header["ids"])
        answer = {"images": images, "reconstructions": rebuilt(self._method, images)}
        return {"ids": header["ids"]}, answer

    def _localize(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        require(self._method, Localizes, "mark what is unusual")
        images = self._images(header["ids"])
        maps = self._method.localize(images)  # type: ignore[attr-defined]
        answer = {"images": images, "maps": counted(self._run.region(), maps)}
        if isinstance(self._method, Scores):
            answer["scores"] = self._method.score(images)
        return {"ids": header["ids"]}, answer

    def _describe(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        """Describe what is unusual about images."""
        images = self._images(header["ids"])
        return {"ids": header["ids"]}, described(self._method, images, self._run.region())

    def _spoil(self, header: dict[str, Any], arrays: Arrays) -> Answer:
        """Score defects made from normal images, and keep that beside the scores of the folder."""
        found = score_synthetic(
            self._method,
            self._data(header["ids"]),
            self._run.region(),
            self._run.spec().seed,
            header["images"],
            normal=arrays["normal"],
        )
        result = self._run.result(self._folder.key)
        if result.is_complete:
            write_synthetic(result, found)
        about = {"images": found.images, "seed": found.seed}
        return about, {"normal": found.normal, "made": found.made}

    def _generate(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        require(self._method, Generates, "generate images")
        images = self._method.generate(header["count"], header["seed"])  # type: ignore[attr-defined]
        return {}, {"images": images}

    def _encode(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        require(self._method, Encodes, "encode images")
        latents = self._method.encode(self._images(header["ids"]))  # type: ignore[attr-defined]
        return {"ids": header["ids"]}, {"latents": latents}

    def _encode_file(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        """Look at an image file that need not be in the folder."""
        require(self._method, Encodes, "encode images")
        size, channels = self._run.spec().image_size, channels_of(self._run)
        path = Path(header["path"])
        try:
            pixels = decode(path, size, channels)  # (S, S, C)
        except UnreadableImage as problem:
            raise InvalidInput(f"'{path.name}' cannot be shown on the map. {problem}") from None
        alone = ArrayDataset(pixels.transpose(2, 0, 1)[None])
        images = seen_by(self._run, alone).images(slice(0, 1))
        answer = {"latents": self._method.encode(images)}  # type: ignore[attr-defined]
        if isinstance(self._method, Embeds) and isinstance(self._method, Represents):
            answer["vectors"] = self._method.represent(images)
        return {"path": header["path"]}, answer

    def _neighbours(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        latents, ids, place = self._looked_at(int(header["id"]))
        distances = np.linalg.norm(latents - latents[place[0]], axis=1)
        nearest = np.argsort(distances, kind="stable")
        nearest = nearest[nearest != place[0]][: int(header["k"])]
        return {"id": header["id"]}, {"ids": ids[nearest], "distances": distances[nearest]}

    def _explain(self, header: dict[str, Any], arrays: Arrays) -> Answer:  # noqa: ARG002
        """Say to which normal image an image comes nearest: at its worst place, or as a whole."""
        image_id = int(header["id"])
        if not isinstance(self._method, Explains):
            return self._nearest_trained(image_id)
        images = self._images([image_id])
        found = self._method.explain(images)[0]
        answer = {
            "id": image_id,
            "distance": found.distance,
            "box": _shares(found.box, images.shape[-1]),
            **self._source(found, images.shape[-1]),
        }
        return answer, {"picture": found.picture}

    def _source(self, found: Explanation, side: int) -> dict[str, Any]:
        """Return where the image of an explanation lies, as far as its run can still be read.

        Rows of former runs that were shown tiles are those of tiles.
        """
        run = self._run
        row, box = found.row, found.source_box
        try:
            for _ in range(found.generation):
                run = Run.open(Path(run.spec().params["start"]))
            data = run.data()
            grid = grid_of(run.spec(), run.region()) if found.generation else None
            if grid is not None:
                (row, box), side = source_in_image(found, grid), grid.side
        except (LoupeError, KeyError):
            data = None
        place = {"source_box": _shares(box, side)}
        if data is None or not 0 <= row < len(data["paths"]):
            return {"folder": found.folder, "path": "", "source": -1, **place}
        path = data["paths"][row]
        return {
            "folder": run.spec().folder,
            "path": path,
            "source": self._id_of(path, run),
            **place,
        }

    def _id_of(self, path: str, run: Run) -> int:
        """Return the id of an image that a run learned from, -1 where it is not in this folder."""
        table = self._folder.table()
        if not self._is_of_this_folder(run) or path not in table.paths:
            return -1
        return int(table.ids[table.paths.index(path)])

    def _is_of_this_folder(self, run: Run) -> bool:
        data = run.data() or {}
        is_same = data.get("folder_key") == self._folder.key
        return is_same or Path(run.spec().folder) == self._folder.root

    def _nearest_trained(self, image_id: int) -> Answer:
        require(self._method, Encodes, "say which normal image comes nearest")
        latents, ids, places = self._looked_at(image_id)
        data, table = self._run.data(), self._folder.table()
        if data is None or not self._is_of_this_folder(self._run):
            raise InvalidInput("The run was trained on another folder: its images are not at hand.")
        trained = set(data["paths"])
        known = [i for i, path in zip(table.ids, table.paths, strict=True) if path in trained]
        others = np.flatnonzero(np.isin(ids, known) & (ids != image_id))
        if not len(others):
            raise InvalidInput("No image of the training has been looked at: score this folder.")
        flat = latents.reshape(len(latents), -1)
        distances = np.linalg.norm(flat[others] - flat[places[0]], axis=1)
        nearest = int(ids[others[np.argmin(distances)]])
        return {
            "id": image_id,
            "distance": float(distances.min()),
            "folder": str(self._folder.root),
            "path": table.paths[int(np.flatnonzero(table.ids == nearest)[0])],
            "source": nearest,
        }, {}

    def _looked_at(
        self, image_id: int
    ) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        """Return the latents of this folder, their ids, and the place of an image among them.

        Raises InvalidInput where the folder or the image has not been looked at.
        """
        result = self._run.result(self._folder.key)
        latents, ids = result.array("latents"), result.array("ids")
        if latents is None or ids is None:
            raise InvalidInput("This folder has not been looked at with this run yet: score it.")
        places = np.flatnonzero(ids == image_id)
        if len(places) == 0:
            raise InvalidInput("This image has not been looked at with this run yet: score it.")
        return latents, ids, places


def _shares(box: Box, side: int) -> list[float]:
    """Return top, left, bottom and right as shares of an image's side."""
    return [end / side for end in box]
