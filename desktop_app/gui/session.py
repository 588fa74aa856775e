"""What is open, shown and selected: one state that every view follows.

Everything is in rows of one table: row i is image i of the open folder. Views change the state
through its functions and follow its signals; none of them knows another.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.core.catalog import MethodInfo, cached_catalog, current_catalog
from desktop_app.core.columns import ResultColumns, result_columns
from desktop_app.core.decoding import make_thumbnail
from desktop_app.core.images import ImageFolder
from desktop_app.core.jobs import Runner
from desktop_app.core.regions import Region
from desktop_app.core.runs import Run
from desktop_app.core.scoring import truth_codes
from desktop_app.core.table import ImageTable
from desktop_app.core.workspace import Workspace
from desktop_app.core.zones import Thresholds, first_thresholds
from desktop_app.gui.background import Background
from desktop_app.gui.i18n import tr
from desktop_app.gui.indexing import Indexing
from desktop_app.gui.inference import Inference
from desktop_app.gui.jobs import Job, JobQueue
from desktop_app.gui.leftout import LeftOut
from desktop_app.gui.thresholds import Cuts, KeptThreshold, ThresholdMoves
from desktop_app.gui.undo import History, Undoable
from desktop_app.gui.verdicts import Verdicts
from desktop_app.sdk.errors import LoupeError

Mode = Literal["replace", "add", "subtract", "toggle"]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

_COMBINED: dict[Mode, Callable[[Mask, Mask], Mask]] = {
    "replace": lambda before, mask: mask,  # noqa: ARG005
    "add": lambda before, mask: before | mask,
    "subtract": lambda before, mask: before & ~mask,
    "toggle": lambda before, mask: before ^ mask,
}
"""Without known anomalies, the threshold leaves one in a hundred images above it."""


class Session(QObject):
    """The state of one window."""

    folder_changed = Signal()
    table_changed = Signal()
    indexing_changed = Signal()
    run_changed = Signal()
    result_changed = Signal()
    selection_changed = Signal()
    filter_changed = Signal()
    current_changed = Signal()
    verdicts_changed = Signal()
    left_out_changed = Signal()
    region_changed = Signal()
    threshold_changed = Signal()
    contour_changed = Signal()
    runs_changed = Signal()
    catalog_changed = Signal()
    closing = Signal()
    """Whoever works for this session ends now."""
    problem = Signal(str)
    """A sentence for the analyst."""

    def __init__(self, workspace: Workspace, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.background = Background(parent=self)
        self.background.failed.connect(self.problem)
        self.jobs = JobQueue(workspace, runner, self)
        self.jobs.job_ended.connect(self._take_job_end)
        self.inference = Inference(self)
        self.folder: ImageFolder | None = None
        self.table = _no_table()
        self.run: Run | None = None
        self.runs: list[Run] = []
        self.result: ResultColumns | None = None
        self.thresholds: Thresholds | None = None
        self._contour: float | None = None
        self._kept = KeptThreshold(workspace, self)
        self._moves = ThresholdMoves(self._put_cuts)
        self.indexing: Indexing | None = None
        self._verdicts = Verdicts(workspace, "", self.table)
        self._left_out = LeftOut(workspace, "", self.table, self._aside)
        self.region: Region | None = None
        self._history = History()
        self.selected: Mask = np.zeros(0, np.bool_)
        self.visible: Mask = np.zeros(0, np.bool_)
        self.current = -1
        self._truth = truth_codes(self.table.labels)
        catalog = cached_catalog()
        self.catalog: list[MethodInfo] = catalog.methods if catalog is not None else []

    def start(self) -> None:
        """Find the runs of the workspace, running workers, and changed plugins."""
        self.refresh_runs()
        self.jobs.attach()
        self.background.run("catalog", lambda: current_catalog().methods, self._take_catalog)

    def close(self) -> None:
        """Let go of everything; workers go on."""
        self.closing.emit()
        self._kept.write()
        if self.indexing is not None:
            self.indexing.close()
        self.jobs.close()
        self.inference.close()
        self.background.close()

    # -- The folder --------------------------------------------------------------------------

    def open_folder(self, root: Path) -> None:
        """Show another folder: its list at once, what is inside its files little by little."""

        def listed() -> tuple[ImageFolder, ImageTable]:
            folder = ImageFolder(root)
            self.workspace.add_folder(folder.root)
            return folder, folder.list_files()

        self.background.run("folder", listed, lambda found: self._take_folder(*found))

    def image_path(self, row: int) -> Path:
        """Return the file of an image."""
        return self._require_folder().absolute(self.table.paths[row])

    def mask_path(self, row: int) -> Path | None:
        """Return the file of an image's ground-truth mask; None when there is none."""
        mask = self.table.masks[row]
        return self._require_folder().absolute(mask) if mask else None

    def thumbnails(self, ids: Sequence[int]) -> list[bytes | None]:
        """Return encoded thumbnails by image id; called on the threads of a loader."""
        folder, table = self.folder, self.table
        if folder is None:
            return [None] * len(ids)
        kept = folder.thumbnails.get_many(list(ids))
        return [kept.get(image_id) or _made(folder, table, image_id) for image_id in ids]

    @property
    def truth(self) -> NDArray[np.int8]:
        """-1 unknown, 0 normal, 1 anomalous for every row (N,), from the labels."""
        return self._truth

    # -- Selection and filter ----------------------------------------------------------------

    def select(self, rows: Mask | Rows, mode: Mode = "replace") -> None:
        """Change the selection that all views share, by a mask (N,) or by row numbers."""
        mask = self._mask(rows)
        changed: Mask = _COMBINED[mode](self.selected, mask)
        if not np.array_equal(changed, self.selected):
            self.selected = changed
            self.selection_changed.emit()

    def set_current(self, row: int) -> None:
        """Show one image; -1 for none."""
        if row != self.current and -1 <= row < len(self.table):
            self.current = row
            self.current_changed.emit()

    def set_filter(self, mask: Mask | None) -> None:
        """Show only these images in every view; None for all."""
        self.visible = np.ones(len(self.table), np.bool_) if mask is None else mask.copy()
        self.filter_changed.emit()

    # -- Runs and results --------------------------------------------------------------------

    def refresh_runs(self) -> None:
        """Look which runs the workspace holds."""
        self.background.run("runs", lambda: _runs(self.workspace), self._take_runs)

    def open_run(self, run: Run | None) -> None:
        """Show another run and, if it is not open yet, the folder it was trained on."""
        self.run = run
        self.result = None
        self.run_changed.emit()
        self.result_changed.emit()
        if run is None:
            return
        root = Path(run.spec().folder)
        if self.folder is None and root.is_dir():
            self.open_folder(root)
        self._hold_method()
        self.refresh_result()

    def refresh_result(self) -> None:
        """Read what the open run says of the open folder."""
        run, folder, table = self.run, self.folder, self.table
        if run is None or folder is None:
            return
        result = run.result(folder.key)
        if not result.is_complete:
            self._take_result(None)
            return
        self.background.run("result", lambda: result_columns(run, result, table), self._take_result)

    def score_folder(self) -> Job | None:
        """Look at all images of the open folder with the open run."""
        if self.run is None or self.folder is None:
            return None
        return self.jobs.apply(self.run, str(self.folder.root), self.folder.key)

    @property
    def threshold(self) -> float | None:
        """Images with this score or a higher one fail; None while there are no scores."""
        return None if self.thresholds is None else self.thresholds.fail

    @property
    def review(self) -> float | None:
        """Where the review zone begins; None where there is none."""
        return None if self.thresholds is None else self.thresholds.review

    def set_threshold(self, value: float | None) -> None:
        """Call images with this score or a higher one anomalous; kept for this run and folder."""
        if value is None:
            self.set_thresholds(None)
        else:
            self.set_thresholds((self.thresholds or Thresholds(value)).with_fail(value))

    def set_review(self, value: float | None) -> None:
        """Begin the review zone at this score, or take the zone away."""
        if self.thresholds is not None:
            self.set_thresholds(self.thresholds.with_review(value))

    def set_thresholds(self, thresholds: Thresholds | None) -> None:
        """Take other thresholds; kept for this run and folder, and can be undone."""
        self._cut(Cuts(thresholds, self._contour))

    @property
    def contour(self) -> float | None:
        """The value of heat maps at which contours are drawn; None: they follow the thresholds."""
        return self._contour

    def set_contour(self, value: float | None) -> None:
        """Draw contours at another value; kept for this run and folder, and can be undone."""
        self._cut(Cuts(self.thresholds, value))

    def _cut(self, after: Cuts) -> None:
        before = Cuts(self.thresholds, self._contour)
        if after != before:
            follows = self._history.is_last(self._moves)
            if self._moves.add(before, after, follows=follows):
                self._history.note(self._moves)
            self._put_cuts(after)

    def _put_cuts(self, cuts: Cuts) -> None:
        moved, drawn = cuts.thresholds != self.thresholds, cuts.contour != self._contour
        self.thresholds, self._contour = cuts.thresholds, cuts.contour
        self._kept.keep(cuts)
        if moved:
            self.threshold_changed.emit()
        if drawn:
            self.contour_changed.emit()

    # -- Verdicts ----------------------------------------------------------------------------

    @property
    def verdicts(self) -> NDArray[np.uint8]:
        """0 none, 1 normal, 2 anomalous, 3 unsure for every row (N,)."""
        return self._verdicts.codes

    @property
    def can_undo(self) -> bool:
        """Tell whether a verdict, leaving images out or a threshold can be taken back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Tell whether what was taken back can be done again."""
        return self._history.can_redo

    def set_verdict(self, rows: Rows, code: int) -> None:
        """Judge images; kept in the workspace at once."""
        self._verdicts.set(np.asarray(rows, dtype=np.int64), code)
        self._history.note(self._verdicts)
        self.verdicts_changed.emit()

    def undo(self) -> None:
        """Take the last verdict, leaving out or threshold back and show its image."""
        self._show_change(self._history.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._show_change(self._history.redo())

    # -- Images left out of training ---------------------------------------------------------

    @property
    def left_out(self) -> Mask:
        """True for every row (N,) that is not trained on."""
        return self._left_out.mask

    @property
    def left_out_paths(self) -> list[str]:
        """The images that are not trained on, for the spec of a training."""
        return self._left_out.paths

    def leave_out(self, rows: Rows, out: bool = True) -> None:
        """Leave images out of training, or take them back; kept in the workspace."""
        if self._left_out.set(np.asarray(rows, dtype=np.int64), out):
            self._history.note(self._left_out)
            self.left_out_changed.emit()

    def set_region(self, region: Region | None) -> None:
        """Let this part of every image of the folder count in trainings from now on; None: all."""
        workspace, key = self.workspace, self._require_folder().key
        self.region = region
        self._aside("region kept", lambda: workspace.set_region(key, region))
        self.region_changed.emit()

    # -- Inside ------------------------------------------------------------------------------

    def _take_folder(self, folder: ImageFolder, table: ImageTable) -> None:
        if self.indexing is not None:
            self.indexing.close()
        self.folder = folder
        self._take_table(table, keep=False)
        self.folder_changed.emit()
        self.indexing = Indexing(folder.root, self)
        self.indexing.advanced.connect(self._reload_table)
        self.indexing.ended.connect(self._take_index_end)
        self.indexing_changed.emit()
        self._hold_method()
        self.refresh_result()

    def _take_index_end(self, complete: bool) -> None:
        self._reload_table()
        self.indexing_changed.emit()
        if not complete and self.folder is not None:
            self.problem.emit(
                tr(
                    "Looking into '{name}' broke off: open the folder again to go on.",
                    name=self.folder.name,
                )
            )

    def _reload_table(self) -> None:
        if self.folder is not None:
            self.background.run("table", self.folder.table, self._take_newer_table)

    def _take_newer_table(self, table: ImageTable) -> None:
        same = np.array_equal(table.ids, self.table.ids)
        self._take_table(table, keep=same)
        if not same:
            self.refresh_result()

    def _take_table(self, table: ImageTable, *, keep: bool) -> None:
        """Take a table; with `keep`, its rows are the same images as before."""
        self.table = table
        if not keep:
            key = self.folder.key if self.folder is not None else ""
            self._verdicts = Verdicts(self.workspace, key, table)
            self._left_out = LeftOut(self.workspace, key, table, self._aside)
            self.region = self.workspace.region(key) if key else None
            self._history = History()
            self._reset_rows()
            self.result = None
        self.table_changed.emit()
        if not keep:
            self.verdicts_changed.emit()
            self.left_out_changed.emit()
            self.region_changed.emit()
            self.selection_changed.emit()
            self.filter_changed.emit()
            self.current_changed.emit()

    def _reset_rows(self) -> None:
        count = len(self.table)
        self.selected = np.zeros(count, np.bool_)
        self.visible = np.ones(count, np.bool_)
        self.current = -1
        self._truth = truth_codes(self.table.labels)

    def _take_catalog(self, methods: list[MethodInfo]) -> None:
        self.catalog = methods
        self.catalog_changed.emit()

    def _take_runs(self, runs: list[Run]) -> None:
        self.runs = runs
        self.runs_changed.emit()

    def _take_job_end(self, job: Job) -> None:
        self.refresh_runs()
        if self.run is not None and job.run.path == self.run.path:
            self.inference.close()
            self.refresh_result()
            self.run_changed.emit()

    def _take_result(self, result: ResultColumns | None) -> None:
        self.result = result
        self._moves.clear()
        self._history.forget(self._moves)
        cuts = self._kept_cuts(result) or Cuts(_first_thresholds(result, self.truth, self.table))
        self.thresholds, self._contour = cuts.thresholds, cuts.contour
        self.result_changed.emit()
        self.threshold_changed.emit()
        self.contour_changed.emit()

    def _kept_cuts(self, result: ResultColumns | None) -> Cuts | None:
        """Return what the analyst chose for these scores before."""
        if result is None or result.scores is None or self.folder is None:
            self._kept.forget()
            return None
        return self._kept.find(result.run.path.name, self.folder.key, result.scores)

    def _hold_method(self) -> None:
        run = self.run.path if self.run is not None else None
        self.inference.use(run, self.folder.root if self.folder is not None else None)

    def _show_change(self, change: tuple[Undoable, Rows] | None) -> None:
        if change is None or not len(change[1]):
            return
        self.set_current(int(change[1][0]))
        is_verdict = change[0] is self._verdicts
        (self.verdicts_changed if is_verdict else self.left_out_changed).emit()

    def _aside(self, name: str, work: Callable[[], None]) -> None:
        self.background.run(name, work, lambda _done: None)

    def _mask(self, rows: Mask | Rows) -> Mask:
        mask = np.zeros(len(self.table), np.bool_)
        mask[rows] = True
        return mask

    def _require_folder(self) -> ImageFolder:
        if self.folder is None:
            raise LoupeError(tr("Open a folder of images first."))
        return self.folder


def _no_table() -> ImageTable:
    none = np.zeros(0, np.int64)
    sides = np.zeros(0, np.int32)
    return ImageTable(none, [], [], [], [], [], [], sides, sides)


def _first_thresholds(
    result: ResultColumns | None, truth: NDArray[np.int8], table: ImageTable
) -> Thresholds | None:
    if result is None or result.scores is None or len(result.scores) != len(truth):
        return None
    if not np.isfinite(result.scores).any():
        return None
    tested = np.array(table.splits, dtype=np.str_) == "test"
    return first_thresholds(result.scores, truth, result.unseen, tested)


def _runs(workspace: Workspace) -> list[Run]:
    return [Run(path) for path in workspace.runs() if (path / "spec.json").exists()]


def _made(folder: ImageFolder, table: ImageTable, image_id: int) -> bytes | None:
    rows = np.flatnonzero(table.ids == image_id)
    if not len(rows) or table.problems[rows[0]]:
        return None
    try:
        return make_thumbnail(folder.absolute(table.paths[rows[0]]))
    except LoupeError:
        return None
