"""A session whose folder, run and results are put in by hand: no worker, no indexing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.columns import ResultColumns
from desktop_app.core.images import ImageFolder
from desktop_app.core.latentmap import Axes, projected
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.table import ImageTable
from desktop_app.core.workspace import Workspace
from desktop_app.gui.session import Session

METHOD = "fake"
ALL = ("encodes", "decodes", "scores", "localizes")
SIDE, DIMENSIONS = 8, 4


class FakeInference(QObject):
    """Answers at once: decoded images are as bright as their first latent dimension."""

    ready_changed = Signal()
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.ready = True
        self.asked: list[tuple[str, dict[str, Any], Mapping[str, NDArray[Any]]]] = []
        self.held: list[Callable[[], None]] | None = None
        """While a list, answers wait here instead of being given."""
        self.refusal = ""
        """While a sentence, it is the answer to every question."""
        self.withdrawn: list[str] = []
        self.reason: dict[str, Any] = {}
        """What explains every image."""

    def use(self, run: Path | None, folder: Path | None) -> None:
        pass

    def close(self) -> None:
        pass

    def request(
        self,
        kind: str,
        header: dict[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        answer: Callable[[dict[str, Any], dict[str, NDArray[Any]]], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self.asked.append((kind, header, arrays))
        if self.refusal:
            (refused or self.failed.emit)(self.refusal)
            return
        made = getattr(self, f"_{kind}")(header, arrays)
        if self.held is None:
            answer(header, made)
        else:
            self.held.append(lambda: answer(header, made))

    def withdraw(self, kind: str) -> None:
        self.withdrawn.append(kind)

    def _explain(self, header: dict[str, Any], _arrays: Any) -> dict[str, Any]:
        header |= self.reason
        return {"picture": np.full((1, 4, 4), 0.5, np.float32)}

    def _decode(self, _header: Any, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        shade = np.clip(arrays["latents"][:, 0], 0, 1)
        return {"images": np.broadcast_to(shade[:, None, None, None], (len(shade), 1, SIDE, SIDE))}

    def _encode_file(self, _header: Any, _arrays: Any) -> dict[str, Any]:
        return {"latents": np.full((1, DIMENSIONS), 0.25, np.float32)}

    def _describe(self, header: dict[str, Any], _arrays: Any) -> dict[str, Any]:
        """Say that images are alike whose ids leave the same rest when divided by three."""
        ids = np.array(header["ids"], np.float32)
        rest = np.stack([ids % 3, (ids % 3) ** 2 + 1e-3 * ids], axis=1)
        return {"region": rest, "latents": np.stack([ids % 2, ids % 2], axis=1)}

    def _reconstruct(self, header: dict[str, Any], _arrays: Any) -> dict[str, Any]:
        shape = (len(header["ids"]), 1, SIDE, SIDE)
        return {
            "images": np.full(shape, 0.75, np.float32),
            "reconstructions": np.full(shape, 0.5, np.float32),
        }

    def _spoil(self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Make defects that score by 10 more than the images that they are in."""
        header["seed"] = 7
        normal = arrays["normal"].astype(np.float64)
        return {"normal": normal, "made": normal + 10}

    def _localize(self, header: dict[str, Any], _arrays: Any) -> dict[str, Any]:
        maps = np.ones((len(header["ids"]), SIDE, SIDE), np.float32)
        return {"maps": maps * np.array(header["ids"], np.float32)[:, None, None]}


class StillSession(Session):
    """The real session, fed by the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Workspace(folder / "workspace"), None)  # type: ignore[arg-type]
        self.inference = FakeInference()  # type: ignore[assignment]
        self.runs_folder = folder / "runs"

    def put_folder(self, root: Path, table: ImageTable | None = None) -> None:
        """Open a folder, with the table that is found in it or another one."""
        folder = ImageFolder(root)
        if table is None:
            folder.list_files()
            for _ in folder.probe(1):
                pass
            table = folder.table()
        self.folder = folder
        self._take_table(table, keep=False)
        self.folder_changed.emit()

    def put_run(self, *capabilities: str) -> Run:
        """Open a run of a method that can do these things."""
        number = len(list(self.runs_folder.glob("*"))) if self.runs_folder.exists() else 0
        spec = JobSpec(folder=str(self.folder.root if self.folder else ""), method=METHOD)
        self.run = Run.create(self.runs_folder / f"run-{number}", spec)
        self.catalog = [MethodInfo(METHOD, "Fake method", capabilities=capabilities or ALL)]
        self.run_changed.emit()
        return self.run

    def put_result(self, result: ResultColumns | None) -> None:
        self._take_result(result)


def result_for(
    session: StillSession,
    scores: NDArray[np.float32] | None = None,
    *,
    maps: bool = True,
    latents: bool = True,
) -> ResultColumns:
    """Return a result for every row: the scores rise with the row unless others are given."""
    assert session.run is not None
    count = len(session.table)
    random = np.random.default_rng(0)
    points = random.normal(size=(count, DIMENSIONS)).astype(np.float32)
    plane = projected(points, Axes())
    heat = np.linspace(0, 1, count, dtype=np.float32)[:, None, None]
    return ResultColumns(
        run=session.run,
        index=np.arange(count, dtype=np.int64),
        scores=np.arange(count, dtype=np.float32) if scores is None else scores,
        latents=points if latents else None,
        positions=plane.coordinates if latents else None,
        basis=(plane.mean, plane.axes) if latents else None,
        explained=plane.explained if latents else 0.0,
        clusters=None,
        maps=np.broadcast_to(heat, (count, SIDE, SIDE)).copy() if maps else None,
        map_range=(0.0, 1.0),
    )


def synthetic_table(
    count: int, labels: tuple[str, ...] = ("good", "hole", "scratch")
) -> ImageTable:
    """Return a table of images that are not on any disk: half of them normal."""
    words = [labels[0] if row % 2 == 0 else labels[1 + row // 2 % 2] for row in range(count)]
    sides = np.full(count, 64, np.int32)
    return ImageTable(
        ids=np.arange(1, count + 1),
        paths=[f"test/{word}/{row:07d}.png" for row, word in enumerate(words)],
        labels=words,
        splits=["test"] * count,
        masks=[""] * count,
        problems=[""] * count,
        remarks=[""] * count,
        widths=sides,
        heights=sides,
    )
