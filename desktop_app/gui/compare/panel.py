"""Compare the open run with others: rank against rank, what they disagree on, their mean."""

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import cast

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.ensembles import ENSEMBLE, is_ensemble, write_ensemble
from desktop_app.core.runs import Run
from desktop_app.gui.categories import category_name, labels_of
from desktop_app.gui.compare.comparison import (
    Candidate,
    Pair,
    Way,
    candidates,
    paired,
    title_of,
)
from desktop_app.gui.compare.gallery import DisagreementGallery, signed
from desktop_app.gui.compare.runs import CandidateList
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.latent.mapbox import Tool
from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, Theme, current_theme, follow_theme, set_role, set_surface
from desktop_app.gui.widgets import (
    ElidedLabel,
    EmptyState,
    Readout,
    ReadoutRow,
    Segment,
    Segmented,
    named,
)

_RUNS, _GALLERY = 270, 300  # widths, logical pixels
_LONGEST, _BRIEF = 34, 20  # letters of a title on an axis, and in a sentence


class ComparePanel(QWidget):
    """The images of the open folder as two runs see them."""

    kept = Signal()
    """An ensemble was kept and is the open run now."""

    def __init__(
        self, session: Session, go: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._pair: Pair | None = None
        self._is_old = True
        self.runs = CandidateList()
        self.canvas = _RankCanvas()
        self.gallery = DisagreementGallery(session)
        self._actions = ImageActions(session, self, go, "compare")
        self._empty = EmptyState("compare", "")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self.runs.chosen.connect(self._compare)
        self.runs.ticked.connect(self._show_ensemble)
        self.canvas.lassoed.connect(lambda rows, mode: session.select(rows, mode))
        self.canvas.clicked.connect(lambda _x, _y, row: self._choose(row))
        self.canvas.activated.connect(partial(self._open, go))
        self.canvas.menu_requested.connect(self._actions.show_menu)
        self.gallery.activated.connect(partial(self._open, go))
        self.gallery.menu_requested.connect(self._actions.show_menu)
        for signal in (session.result_changed, session.runs_changed, session.table_changed):
            signal.connect(self._renew)
        session.selection_changed.connect(self._show_selection)
        session.filter_changed.connect(self._show_filter)
        session.current_changed.connect(self._show_current)
        session.threshold_changed.connect(self._show_threshold)
        follow_theme(self._recolour)

    def close_threads(self) -> None:
        """End the fetching of thumbnails."""
        self.gallery.close_threads()

    def showEvent(self, event: QShowEvent) -> None:
        """Read the runs once somebody looks."""
        super().showEvent(event)
        if self._is_old:
            self._renew()

    def keep_ensemble(self) -> None:
        """Keep the mean rank of the open run and the ticked ones as a run, and open it."""
        session, result = self._session, self._session.result
        if result is None or result.scores is None or session.folder is None:
            return
        chosen = self.runs.averaged()
        runs = [result.run, *(one.run for one in chosen)]
        scores = [result.scores, *(one.scores for one in chosen if one.scores is not None)]
        title = tr("Mean rank: {names}", names=" + ".join(map(title_of, runs)))
        folder, table = session.folder, session.table

        def write() -> Run:
            path = session.workspace.new_run_dir(ENSEMBLE)
            return write_ensemble(path, folder, table, runs, scores, title)

        session.background.run("ensemble", write, self._take_ensemble)

    # building

    def _page(self) -> QWidget:
        whole = QSplitter(Qt.Orientation.Horizontal)
        for part in (self._left(), self._centre(), self._right()):
            set_surface(part, "surface")
            whole.addWidget(part)
        whole.setStretchFactor(1, 1)
        whole.setSizes([_RUNS, 600, _GALLERY])
        whole.setChildrenCollapsible(False)
        return whole

    def _left(self) -> QWidget:
        self._correlation = Readout(
            tr("Rank correlation"),
            tip=tr("Spearman's: 1 where both runs rank all images alike, 0 without agreement"),
        )
        self._interval = Readout(
            tr("95 % interval"), tip=tr("Where the correlation of many more such images lies")
        )
        self._count = Readout(tr("Images"), tip=tr("Images that both runs have scored"))
        self._score = named(
            QPushButton(tr("Score this folder")),
            tr("Score this folder"),
            tr("Let the chosen run look at all images of this folder"),
        )
        set_icon(self._score, "target")
        self._score.clicked.connect(self._score_with_chosen)
        self._keep = named(QPushButton(tr("Keep the mean rank")), tr("Keep the mean rank"))
        set_icon(self._keep, "save")
        self._keep.clicked.connect(self.keep_ensemble)
        self._averaged = QLabel()
        self._averaged.setWordWrap(True)
        set_role(self._averaged, "caption")
        heading = QLabel(tr("Compared with"))
        set_role(heading, "heading")
        self._opened = ElidedLabel()
        set_role(self._opened, "secondary")
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.s)
        column.addWidget(self._opened)
        column.addWidget(heading)
        column.addWidget(self.runs, 1)
        column.addWidget(self._score)
        column.addWidget(ReadoutRow([self._correlation, self._interval, self._count], columns=2))
        column.addWidget(self._averaged)
        column.addWidget(self._keep)
        return left

    def _centre(self) -> QWidget:
        tools = Segmented(
            tr("Tools of the map"),
            [
                Segment("cursor", tr("Move and click"), "cursor"),
                Segment("lasso", tr("Lasso"), "lasso"),
                Segment("rectangle", tr("Rectangle"), "rectangle"),
            ],
        )
        tools.chosen.connect(lambda key: self.canvas.set_tool(cast("Tool", key)))
        self.canvas.tool_changed.connect(tools.choose)
        fit = named(QPushButton(), tr("Show everything"))
        set_icon(fit, "zoom-fit")
        fit.clicked.connect(self.canvas.show_all)
        hint = ElidedLabel(
            tr("Each point is an image: how many images the runs find less unusual"),
            Qt.TextElideMode.ElideRight,
        )
        set_role(hint, "caption")
        bar = QHBoxLayout()
        bar.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        bar.setSpacing(SPACE.s)
        bar.addWidget(tools)
        bar.addWidget(fit)
        bar.addWidget(hint, 1)
        self._about = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._about, "secondary")
        below = QHBoxLayout()
        below.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        below.addWidget(self._about)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.canvas, 1)
        column.addLayout(below)
        return centre

    def _right(self) -> QWidget:
        heading = QLabel(tr("Disagreement"))
        set_role(heading, "heading")
        self._way = Segmented(
            tr("Which disagreements"),
            [
                Segment("both", tr("All")),
                Segment("other", "▲", tip=tr("More unusual to the other run")),
                Segment("open", "▼", tip=tr("More unusual to the open run")),
            ],
        )
        self._way.chosen.connect(lambda _key: self._show_gallery())
        bar = QHBoxLayout()
        bar.setContentsMargins(SPACE.m, SPACE.xs, SPACE.s, SPACE.xs)
        bar.addWidget(heading, 1)
        bar.addWidget(self._way)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.gallery, 1)
        return right

    # following the session

    def _renew(self) -> None:
        """Read which runs there are and how far they agree, if anybody looks."""
        session, result = self._session, self._session.result
        self._is_old = not self.isVisible()
        scores = result.scores if result is not None else None
        if session.folder is None or result is None or scores is None:
            self._describe_empty()
            return
        if self._is_old or len(scores) != len(session.table):
            return
        runs, key, table = list(session.runs), session.folder.key, session.table
        opened, column = result.run, scores
        self._opened.setText(tr("Open: {title}", title=title_of(opened)))
        session.background.run(
            "compared runs",
            lambda: candidates(runs, opened, column, key, table),
            self._take_candidates,
        )

    def _describe_empty(self) -> None:
        self._pair = None
        self._empty.describe(
            "compare",
            tr("Nothing to compare"),
            tr("Open a run that has scored this folder: then other runs can be put beside it."),
        )
        self._stack.setCurrentIndex(0)

    def _take_candidates(self, found: list[Candidate]) -> None:
        if not found:
            self._empty.describe(
                "compare",
                tr("There is no other run"),
                tr("Train another method on this folder; the two are compared here."),
            )
            self._stack.setCurrentIndex(0)
            return
        self._stack.setCurrentIndex(1)
        self.runs.set_candidates(found)

    def _compare(self) -> None:
        """Put the chosen run beside the open one."""
        candidate, result = self.runs.candidate(), self._session.result
        scores = result.scores if result is not None else None
        agreed = candidate.agreed if candidate is not None else None
        self._correlation.set_value(f"{agreed.correlation:.3f}" if agreed else "")
        low_high = f"{agreed.interval.low:.3f} – {agreed.interval.high:.3f}" if agreed else ""
        self._interval.set_value(low_high)
        self._count.set_value(f"{agreed.count:,}" if agreed else "")
        self._score.setVisible(candidate is not None and candidate.scores is None)
        if candidate is None or candidate.scores is None or scores is None:
            self._take_pair("", None)
            return
        title, other = candidate.title, candidate.scores
        self._session.background.run(
            "pair of runs", lambda: paired(scores, other), partial(self._take_pair, title)
        )

    def _take_pair(self, title: str, pair: Pair | None) -> None:
        if pair is not None and len(pair.up) != len(self._session.table):
            return
        self._pair = pair
        result = self._session.result
        if pair is not None and result is not None:
            self.canvas.set_pair(pair, _short(title_of(result.run)), _short(title))
            self.canvas.set_visible(self._session.visible)
            self.canvas.set_selection(self._session.selected)
        else:
            self.canvas.set_points(np.zeros(0), np.zeros(0))
        self._recolour(current_theme())
        self._show_threshold()
        self._show_gallery()
        self._show_current()

    def _show_gallery(self) -> None:
        self.gallery.show_pair(self._pair, cast("Way", self._way.choice()))

    def _show_selection(self) -> None:
        if self._is_shown(self._session.selected):
            self.canvas.set_selection(self._session.selected)

    def _show_filter(self) -> None:
        if self._is_shown(self._session.visible):
            self.canvas.set_visible(self._session.visible)

    def _show_current(self) -> None:
        session, pair, row = self._session, self._pair, self._session.current
        known = pair is not None and 0 <= row < len(pair.up)
        self.canvas.set_current(row if known else -1)
        self._about.setText(self._sentence(pair, row) if known and pair is not None else "")
        if session.result is None:
            self._about.setText("")

    def _sentence(self, pair: Pair, row: int) -> str:
        """Say what both runs think of an image: its scores and where they stand."""
        session, candidate = self._session, self.runs.candidate()
        result = session.result
        if result is None or result.scores is None or candidate is None:
            return ""
        parts = [PurePosixPath(session.table.paths[row]).name]
        parts += [category_name("label", session.table.labels[row])]
        if candidate.scores is not None and np.isfinite(pair.differences[row]):
            for title, scores, shares in (
                (title_of(result.run), result.scores, pair.across),
                (candidate.title, candidate.scores, pair.up),
            ):
                place = f"{100 * float(shares[row]):.1f} %"
                parts.append(f"{_short(title, _BRIEF)}: {float(scores[row]):.4g} ({place})")
            parts.append(tr("difference {n}", n=signed(pair, row)))
        return "  ·  ".join(parts)

    def _show_threshold(self) -> None:
        """Mark where the threshold of the open run lies among its ranks."""
        session, result = self._session, self._session.result
        share = None
        if self._pair is not None and result is not None and result.scores is not None:
            share = share_at(result.scores, self._pair, session.threshold)
        self.canvas.show_threshold(share)

    def _show_ensemble(self) -> None:
        result = self._session.result
        count = 1 + len(self.runs.averaged())
        together = result is not None and is_ensemble(result.run)
        self._keep.setEnabled(count > 1 and not together)
        if together:
            words = tr("The open run is a mean of ranks itself.")
        elif count > 1:
            words = tr("Mean rank of {n} runs: a run of its own, to inspect and export", n=count)
        else:
            words = tr("Tick runs to average their ranks with those of the open run.")
        self._averaged.setText(words)
        self._keep.setToolTip(words)

    # acting

    def _choose(self, row: int) -> None:
        if row >= 0:
            self._session.set_current(row)
            self._session.select(np.array([row], np.int64))

    def _open(self, go: Callable[[str], object], row: int) -> None:
        self._choose(row)
        go("inspector")

    def _score_with_chosen(self) -> None:
        session, candidate = self._session, self.runs.candidate()
        if candidate is not None and session.folder is not None:
            folder = session.folder
            session.jobs.apply(candidate.run, str(folder.root), folder.key)
            self._score.setVisible(False)

    def _take_ensemble(self, run: Run) -> None:
        self._session.refresh_runs()
        self._session.open_run(run)
        self.kept.emit()

    # colours

    def _recolour(self, theme: Theme) -> None:
        labels = labels_of(self._session)
        if self._pair is not None and len(labels.codes) == len(self._pair.up):
            self.canvas.set_colours(labels.codes.astype(np.uint16), labels.lut(theme))

    def _is_shown(self, mask: NDArray[np.bool_]) -> bool:
        return self._pair is not None and len(mask) == len(self._pair.up)


class _RankCanvas(PointCanvas):
    """Shares of two runs in a unit square, with its diagonal."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Ranks by two runs"))
        self.setAspectLocked(False)
        self._diagonal = pg.PlotCurveItem([0, 100], [0, 100])
        self._threshold = pg.InfiniteLine(angle=90)
        for item in (self._diagonal, self._threshold):
            item.setZValue(20)
            self.addItem(item, ignoreBounds=True)
        self._threshold.hide()
        follow_theme(self._draw_lines)

    def set_pair(self, pair: Pair, across: str, up: str) -> None:
        """Show two runs by the shares of images that they find less unusual, in percent."""
        self.set_points(100 * pair.across, 100 * pair.up)
        self.show_axes(f"{across} (%)", f"{up} (%)")
        self.show_all()

    def show_all(self) -> None:
        """Show the whole square, however few images are visible."""
        self._box.setRange(xRange=(0, 100), yRange=(0, 100), padding=0.03)
        self._fitted = False

    def show_threshold(self, share: float | None) -> None:
        """Mark a share of the run across, or none."""
        self._threshold.setVisible(share is not None)
        if share is not None:
            self._threshold.setValue(100 * share)

    def sizeHint(self) -> QSize:
        """Return a size at which the square can be read."""
        return QSize(420, 420)

    def _draw_lines(self, theme: Theme) -> None:
        dashed = Qt.PenStyle.DashLine
        self._diagonal.setPen(pg.mkPen(theme.colours.border_strong, width=1, style=dashed))
        self._threshold.setPen(pg.mkPen(theme.colours.bad, width=1.5))


def share_at(scores: NDArray[np.float32], pair: Pair, threshold: float | None) -> float | None:
    """Return where a threshold lies among the shares of the open run; None without one."""
    known = np.isfinite(pair.across)
    if threshold is None or not known.any():
        return None
    return float(np.mean(scores[known] < threshold))


def _short(title: str, letters: int = _LONGEST) -> str:
    return title if len(title) <= letters else f"{title[: letters - 1]}…"
