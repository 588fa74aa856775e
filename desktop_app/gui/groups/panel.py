"""Similar anomalies together: the flagged or most unusual images in groups, the worst one first."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSlider,
    QStackedLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.anomalies import MOST_GROUPED, Grouping, grouping
from desktop_app.core.clusters import Cluster, write_clusters
from desktop_app.core.columns import ResultColumns
from desktop_app.core.ensembles import is_ensemble
from desktop_app.gui.categories import labels_of
from desktop_app.gui.clusters.list import ClusterList
from desktop_app.gui.clusters.rows import ClusterModel, ClusterRow
from desktop_app.gui.groups.describing import Descriptors
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.tasks import Steps, run_with_progress
from desktop_app.gui.theme import (
    SPACE,
    Theme,
    current_theme,
    follow_theme,
    set_role,
    set_surface,
)
from desktop_app.gui.widgets import (
    ChoiceField,
    ElidedLabel,
    EmptyState,
    Segment,
    Segmented,
    WholeNumberField,
    named,
)

Rows = NDArray[np.int64]

_MEGABYTES = 64  # of thumbnails
_MOST_GROUPS = 40
_FEWEST = 3  # images that are worth grouping
_TOP = 100  # images that are grouped where no threshold says which


class GroupsPanel(QWidget):
    """The most unusual images of the open run, grouped by what is unusual about them."""

    def __init__(
        self, session: Session, go: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._go = go
        self._rows: Rows = np.zeros(0, np.int64)  # that are grouped, the most unusual first
        self._grouping: Grouping | None = None
        self._groups: list[Cluster] = []
        self._ranked: tuple[ResultColumns | None, Rows, NDArray[np.float32]] | None = None
        self._folder = session.folder
        self._descriptors = Descriptors(session, self)
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        self.destroyed.connect(self._thumbnails.close)
        self.model = ClusterModel()
        self.list = ClusterList(session, self.model, self._thumbnails, self.menu)
        self.list.setAccessibleName(tr("Groups of similar anomalies"))
        self._actions = ImageActions(session, self, go, "groups")
        self._empty = EmptyState("layers", "")
        self._before = EmptyState("layers", "")
        self._before.acted.connect(self.group)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        self.list.cluster_opened.connect(self.show_only)
        self._descriptors.progressed.connect(self._show_progress)
        self._descriptors.ready.connect(self._build)
        session.result_changed.connect(self._renew)
        session.table_changed.connect(self._renew)
        session.threshold_changed.connect(self._show_what)
        session.current_changed.connect(self.list.viewport().update)
        shared_tags(session).changed.connect(self._fill)
        follow_theme(self._themed)
        self._renew()

    def close_threads(self) -> None:
        """End the fetching of thumbnails."""
        self._thumbnails.close()

    def groups(self) -> list[Cluster]:
        """Return the groups on show, the worst one first."""
        return self._groups

    def wanted(self) -> Rows:
        """Return the rows to group: the flagged ones, or so many of the most unusual ones."""
        order, scores = self._ranking()
        if self._which.choice() == "top":
            return order[: self._top.value()]
        threshold = self._session.threshold
        flagged = 0 if threshold is None else np.searchsorted(-scores, -threshold, side="right")
        return order[: min(int(flagged), MOST_GROUPED)]

    def group(self) -> None:
        """Describe the wanted images, then group them; stop doing so where that goes on."""
        if self._descriptors.is_busy:
            self._descriptors.stop()
            return
        rows = self.wanted()
        if len(rows) < _FEWEST:
            return
        self._rows, self._grouping = rows, None
        self._stack.setCurrentIndex(1)
        self._descriptors.want(self._session.table.ids[rows])

    def show_only(self, group: Cluster) -> None:
        """Show nothing but this group, in the gallery and everywhere."""
        self._actions.filter_to(group.rows)
        self._go("gallery")

    def name(self, group: Cluster, name: str | None = None) -> None:
        """Give a group a name, which its images get as a tag; asks for it when not told."""
        self._actions.name_group(group.rows, name)

    def menu(self, group: Cluster) -> QMenu:
        """Return what can be done with a group."""
        menu = QMenu(self)
        for text, icon, act in (
            (tr("Show only this group"), "filter", partial(self.show_only, group)),
            (tr("Name as a group…"), "tag", partial(self.name, group)),
        ):
            action = menu.addAction(text)
            set_icon(action, icon)
            action.triggered.connect(lambda _on=False, act=act: act())
        menu.addSeparator()
        self._actions.add_exports(menu, group.rows)
        return menu

    def export_list(self) -> None:
        """Ask for a file and write the group of each image."""
        folder = self._session.folder
        name = f"{folder.name if folder is not None else 'loupe'}-anomalies.csv"
        path, _kind = QFileDialog.getSaveFileName(self, tr("Export groups"), name, "CSV (*.csv)")
        if path:
            run_with_progress(self, tr("Exporting groups"), self.listing(Path(path)), self._tell)

    def listing(self, path: Path) -> Steps:
        """Return the steps that write the group and its name beside each grouped image."""
        table = self._session.table
        pairs = [(row, group.number) for group in self._groups for row in group.rows.tolist()]
        return write_clusters(
            path,
            [table.paths[row] for row, _number in pairs],
            [table.labels[row] for row, _number in pairs],
            [number for _row, number in pairs],
            {group.number: self._name_of(group) for group in self._groups},
        )

    # building

    def _page(self) -> QWidget:
        page = QWidget()
        set_surface(page, "surface")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, SPACE.s, 0, 0)
        column.setSpacing(SPACE.s)
        column.addLayout(self._tools())
        self._cuts = self._cut_row()
        column.addWidget(self._cuts)
        self._inside = QStackedWidget()
        self._inside.addWidget(self._before)
        self._inside.addWidget(self.list)
        column.addWidget(self._inside, 1)
        return page

    def _tools(self) -> QHBoxLayout:
        self._which = Segmented(
            tr("Which images are grouped"),
            [
                Segment("flagged", tr("Flagged"), tip=tr("At or above the threshold")),
                Segment("top", tr("Most unusual"), tip=tr("So many of the most unusual images")),
            ],
        )
        self._which.chosen.connect(lambda _key: self._show_what())
        self._top = WholeNumberField(
            tr("How many of the most unusual images"), _FEWEST, MOST_GROUPED, _TOP
        )
        self._top.valueChanged.connect(lambda _value: self._show_what())
        self._again = named(QPushButton(tr("Group")), tr("Group"))
        self._again.clicked.connect(self.group)
        self._about = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._about, "secondary")
        self._progress = named(QProgressBar(), tr("Images that are described"))
        self._progress.setTextVisible(False)
        self._progress.setMaximumWidth(200)
        self._progress.hide()
        self._export = named(
            QPushButton(tr("Export list…")), tr("Export list…"), tr("The group of each image, CSV")
        )
        set_icon(self._export, "export")
        self._export.clicked.connect(self.export_list)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(self._which)
        row.addWidget(self._top)
        row.addWidget(self._again)
        row.addWidget(self._about, 1)
        row.addWidget(self._progress)
        row.addWidget(self._export)
        return row

    def _cut_row(self) -> QWidget:
        self._count = WholeNumberField(
            tr("Number of groups"), 1, _MOST_GROUPS, 1, tr("Few large groups, or many small ones")
        )
        self._count.setKeyboardTracking(True)
        self._count.valueChanged.connect(lambda _value: self._cut())
        self._slider = named(QSlider(Qt.Orientation.Horizontal), tr("Number of groups"))
        self._slider.setRange(1, _MOST_GROUPS)
        self._slider.setMaximumWidth(260)
        self._slider.valueChanged.connect(self._count.setValue)
        self._count.valueChanged.connect(self._slider.setValue)
        self._suggest = named(
            QPushButton(), tr("Suggested number"), tr("The number with the clearest groups")
        )
        self._suggest.clicked.connect(self._take_suggestion)
        self._by = ChoiceField(tr("Grouped by"), tip=tr("What counts as similar"))
        self._by.chosen.connect(lambda _key: self._build())
        self._by.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToContents)
        cuts = QWidget()
        row = QHBoxLayout(cuts)
        row.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        row.setSpacing(SPACE.s)
        for widget in (_caption(tr("Groups")), self._slider, self._count, self._suggest):
            row.addWidget(widget)
        row.addSpacing(SPACE.m)
        row.addWidget(_caption(tr("by")))
        row.addWidget(self._by)
        row.addStretch(1)
        return cuts

    # following the session

    def showEvent(self, event: QShowEvent) -> None:
        """Count what would be grouped once somebody looks."""
        super().showEvent(event)
        self._show_what()

    def _renew(self) -> None:
        """Begin anew where the run or the folder is another one."""
        session = self._session
        if session.folder is not self._folder:
            self._folder = session.folder
            self._thumbnails.clear()
        self._rows, self._grouping, self._groups = np.zeros(0, np.int64), None, []
        self.model.set_rows([])
        self._progress.hide()
        self._describe_empty()
        self._show_what()

    def _describe_empty(self) -> None:
        result = self._session.result
        title = tr("Group similar anomalies")
        if result is None or result.scores is None:
            text = tr("Open a run that has scored this folder.")
            self._empty.describe("layers", title, text)
            self._stack.setCurrentIndex(0)
        elif is_ensemble(result.run):
            text = tr("A mean of ranks has no heat maps: open one of the runs it is made of.")
            self._empty.describe("layers", title, text)
            self._stack.setCurrentIndex(0)
        else:
            self._stack.setCurrentIndex(1)

    def _show_what(self) -> None:
        """Say how many images would be grouped, and whether that is what is on show."""
        if not self.isVisible():
            return
        rows = self.wanted()
        self._top.setVisible(self._which.choice() == "top")
        is_shown = self._grouping is not None and np.array_equal(np.sort(rows), np.sort(self._rows))
        busy = self._descriptors.is_busy
        self._again.setText(tr("Stop") if busy else tr("Group"))
        self._again.setEnabled(busy or (len(rows) >= _FEWEST and not is_shown))
        count = f"{len(rows):,}"
        if len(rows) < _FEWEST:
            words = tr("{n} images reach the threshold: too few to group", n=count)
        elif is_shown:
            words = tr("{n} images in {k} groups", n=count, k=len(self._groups))
        elif len(rows) == MOST_GROUPED:
            words = tr("the {n} most unusual images", n=count)
        else:
            words = tr("{n} images", n=count)
        self._about.setText(words)
        has_groups = bool(self._groups)
        self._cuts.setVisible(has_groups)
        self._export.setEnabled(has_groups)
        self._inside.setCurrentIndex(1 if has_groups else 0)
        self._describe_before(len(rows))

    def _describe_before(self, count: int) -> None:
        """Say in the place of the groups what they will be, or what is going on."""
        title = tr("Which anomalies are alike?")
        text = tr(
            "Each image is described by what its heat map marks - colour, edges, size and shape - "
            "and similar ones are put together. A name makes a group a tag."
        )
        if self._descriptors.is_busy:
            self._before.describe("layers", tr("Looking at what is unusual"), text)
        elif count < _FEWEST:
            text = tr("Lower the threshold, or choose the most unusual images.")
            self._before.describe("layers", tr("Too few images are flagged"), text)
        else:
            action = tr("Group {n} images", n=f"{count:,}")
            self._before.describe("layers", title, text, action)

    def _show_progress(self, done: int, total: int) -> None:
        self._progress.setVisible(done < total)
        self._progress.setRange(0, max(1, total))
        self._progress.setValue(done)
        self._show_what()

    # grouping

    def _ranking(self) -> tuple[Rows, NDArray[np.float32]]:
        """Return the scored rows (n,), the most unusual first, and their scores; sorted once."""
        result = self._session.result
        if self._ranked is None or self._ranked[0] is not result:
            order, ranked = np.zeros(0, np.int64), np.zeros(0, np.float32)
            if result is not None and result.scores is not None:
                scored = np.flatnonzero(np.isfinite(result.scores))
                order = scored[np.argsort(-result.scores[scored], kind="stable")]
                ranked = result.scores[order]
            self._ranked = (result, order, ranked)
        return self._ranked[1:]

    def _build(self) -> None:
        """Build the tree of groups behind the window."""
        if self._descriptors.is_busy or not len(self._rows):
            return
        rows, blocks = self._rows, self._descriptors.blocks(self._session.table.ids[self._rows])
        self._offer_kinds(sorted(blocks, reverse=True))
        kinds = list(blocks) if self._by.choice() == "both" else [self._by.choice()]
        chosen = {kind: blocks[kind] for kind in kinds}

        def take(found: Grouping) -> None:
            if rows is self._rows:
                self._grouping = found
                self._count.setMaximum(min(_MOST_GROUPS, len(rows)))
                self._slider.setMaximum(min(_MOST_GROUPS, len(rows)))
                self._suggest.setText(tr("Suggested: {n}", n=found.suggested))
                self._take_suggestion()

        self._session.background.run("groups", lambda: grouping(chosen), take)

    def _offer_kinds(self, kinds: list[str]) -> None:
        names = {"region": tr("Colour, edges, shape"), "latents": tr("Latents")}
        choices = [(kind, names[kind]) for kind in kinds]
        if len(kinds) > 1:
            choices.append(("both", tr("Both")))
        self._by.set_choices(choices)
        self._by.setEnabled(len(choices) > 1)

    def _take_suggestion(self) -> None:
        if self._grouping is None:
            return
        if self._count.value() == self._grouping.suggested:
            self._cut()
        else:
            self._count.setValue(self._grouping.suggested)

    def _cut(self) -> None:
        """Cut the tree at the chosen number of groups."""
        found, result = self._grouping, self._session.result
        if found is None or result is None or result.scores is None:
            return
        rows, count = self._rows, self._count.value()
        scores = result.scores[rows]

        def take(groups: list[Rows]) -> None:
            if found is self._grouping:
                self._groups = [Cluster(n, rows[places]) for n, places in enumerate(groups, 1)]
                self._fill()
                self._show_what()

        self._session.background.run("cut of groups", lambda: found.groups(count, scores), take)

    def _fill(self) -> None:
        theme, labels = current_theme(), labels_of(self._session)
        total = max(1, sum(map(len, self._groups)))
        rows = []
        for group in self._groups:
            share = f"{100 * len(group) / total:.0f}"
            size = tr("{n} images, {share} %", n=f"{len(group):,}", share=share)
            counts = np.bincount(labels.codes[group.rows], minlength=len(labels))
            most = int(counts.argmax())
            remark = ""
            if labels.keys[most] and counts[most] * 2 >= len(group):
                part = f"{100 * counts[most] / len(group):.0f}"
                remark = tr("{share} % {label}", share=part, label=labels.names[most])
            colour = theme.category(group.number - 1)
            name = self._name_of(group) or tr("Group {n}", n=group.number)
            rows.append(ClusterRow(group, name, size, remark, colour))
        self.model.set_rows(rows)

    def _name_of(self, group: Cluster) -> str:
        """Return the tag that all images of a group have, "" without one."""
        tags = shared_tags(self._session)
        names = (name for name in tags.names() if np.isin(group.rows, tags.rows(name)).all())
        return next(names, "")

    # acting

    def _tell(self, problem: str, _stopped: bool) -> None:
        if problem:
            self._session.problem.emit(problem)

    def _themed(self, _theme: Theme) -> None:
        if self._groups:
            self._fill()


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    set_role(label, "caption")
    return label
