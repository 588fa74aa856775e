"""Set up a training: the chosen method, the images, the parameters, and Start."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import count as count_from
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.ensembles import ENSEMBLE
from desktop_app.core.experiments import experiment_specs
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.tiles import MOST_TILES, TileGrid, usual_overlap
from desktop_app.gui.form import ParameterForm
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.jobs import Job
from desktop_app.gui.regions.dialog import RegionDialog, region_words
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_kind, set_role, set_surface, set_tone
from desktop_app.gui.training.data_form import (
    data_schema,
    run_title,
    suggested_size,
    why_whole_words,
)
from desktop_app.gui.training.experimentdialog import (
    ExperimentDialog,
    experiment_summary,
    experiment_words,
)
from desktop_app.gui.training.presets import PresetField
from desktop_app.gui.training.texts import help_window
from desktop_app.gui.widgets import ElidedLabel, EmptyState, named
from desktop_app.gui.wording import count
from desktop_app.sdk.errors import LoupeError

_FEW = 10  # training images below which the analyst is warned


class TrainPanel(QWidget):
    """The form of one method and the button that starts it."""

    gallery_wanted = Signal()
    """The analyst wants to choose another method."""
    started = Signal(object)
    """Carries the `Job` that was started or queued."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._info: MethodInfo | None = None
        self._data_state: tuple[Any, ...] | None = None
        self._other_sizes: set[int] = set()
        self._other_tiles: set[int] = set()
        self._tile = 0
        self._named_runs: dict[str, str] = {}
        self._empty = EmptyState(
            "sparkle",
            tr("Choose a method"),
            tr("Each method has a card that says what it finds and what it needs."),
            tr("Show methods"),
        )
        self._empty.acted.connect(self.gallery_wanted)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._judge)
        session.folder_changed.connect(self._take_folder)
        session.table_changed.connect(self._take_folder)
        session.left_out_changed.connect(self._soon.start)
        session.region_changed.connect(self._soon.start)
        session.catalog_changed.connect(self._take_catalog)
        session.runs_changed.connect(self.form.refresh_runs)
        session.jobs.jobs_changed.connect(self._soon.start)
        self.data.changed.connect(self._fit_overlap)
        self.data.changed.connect(self._soon.start)
        self.form.changed.connect(self._take_named_runs)
        self.form.changed.connect(self._soon.start)
        self.preset.chosen.connect(self._fill_in)
        self._judge()

    @property
    def method_id(self) -> str:
        """The method that is being set up, "" for none."""
        return self._info.id if self._info is not None else ""

    def choose(self, method_id: str) -> None:
        """Set up a method with its defaults; an unknown id is told to the analyst."""
        info = self._find(method_id)
        if info is None:
            self._session.problem.emit(
                tr("The method '{name}' is not there: is its plugin missing?", name=method_id)
            )
            return
        self._info = info
        self._title.setText(info.text("title", language()))
        self._summary.setText(info.text("summary", language()))
        self._help.setVisible(bool(info.help))
        self.name.clear()
        texts = dict(info.translations.get(language(), {}))
        self.form.set_schema(info.parameters, texts)
        self.preset.set_presets(info.presets, texts)
        self._other_sizes = set(self.preset.sizes())
        self._other_tiles, self._tile = set(), 0
        self._named_runs = {}
        self._offer_experiments()
        self._data_state = None
        self._take_folder()
        self._stack.setCurrentIndex(1)
        self._scroll.verticalScrollBar().setValue(0)

    def duplicate(self, run: Run) -> None:
        """Set up the method of a run with the parameters of that run, to change some."""
        try:
            spec = run.spec()
        except LoupeError as problem:
            self._session.problem.emit(str(problem))
            return
        if spec.method == ENSEMBLE:
            text = tr("An ensemble is not trained: keep another one where runs are compared.")
            self._session.problem.emit(text)
            return
        self.choose(spec.method)
        if self.method_id != spec.method:
            return
        self.form.set_values(spec.params)
        self._named_runs = self._runs_of_form()
        self._set_image_size(spec.image_size)
        self._set_tiles(spec.tile, spec.overlap)
        self.data.set_values(
            {
                "split": spec.split or "",
                "channels": spec.channels,
                "device": spec.device,
                "seed": spec.seed,
                "apply_after": spec.apply_after,
                "hold_out": spec.hold_out,
                "folds": spec.folds,
            }
        )
        self._judge()

    def spec(self) -> JobSpec | None:
        """Return what would be started; None while something is missing or wrong."""
        folder = self._session.folder
        if self._info is None or folder is None or self.problem():
            return None
        data = self.data.values()
        data["apply_after"] = data["apply_after"] or bool(data["folds"])
        if not data["tile"]:
            data["overlap"] = 0
        return JobSpec(
            folder=str(folder.root),
            split=data.pop("split", "") or None,
            method=self._info.id,
            params=self.form.values(),
            leave_out=self._session.left_out_paths,
            title=self.name.text().strip() or self._usual_title(),
            **data,
        )

    def problem(self) -> str:
        """Return why nothing can be started, as a sentence; empty when it can."""
        if self._info is None:
            return tr("Choose a method first.")
        if self._session.folder is None:
            return tr("Open a folder of images first.")
        if not len(self._session.table):
            return tr("The folder holds no images.")
        if not self._training_count():
            return tr("No image of this split is left to train on: choose another one.")
        wrong = len(self.form.problems()) + len(self.data.problems())
        if wrong:
            return tr("Correct the marked fields first ({n}).", n=wrong)
        return self._tile_problem()

    def _tile_problem(self) -> str:
        """Return why images cannot be cut as the form says; empty where they can."""
        data = self.data.values()
        side, tile, overlap = data["image_size"], data["tile"], data.get("overlap", 0)
        if not tile:
            return ""
        if tile > side:
            return tr("A tile must not be larger than the image size of {n} pixels.", n=side)
        if overlap >= tile:
            return tr("The overlap must be less than a tile of {n} pixels.", n=tile)
        try:
            TileGrid(side, tile, overlap)
        except LoupeError:
            words = tr("More than {n} tiles for each image: choose larger ones, or less overlap.")
            return words.format(n=f"{MOST_TILES:,}")
        return ""

    def start(self) -> None:
        """Start the training, or queue it behind the one that runs."""
        spec = self.spec()
        if spec is None:
            self.form.focus_problem()
            return
        spec = spec.model_copy(update={"title": self._unused_title(spec.title)})
        try:
            job = self._session.jobs.start(spec, spec.title, self._session.region)
        except LoupeError as problem:
            self._session.problem.emit(str(problem))
            return
        self.started.emit(job)

    def start_experiment(self, experiment: Mapping[str, Any]) -> list[Job]:
        """Queue a run for every variant of an experiment, and show the first of them."""
        spec = self.spec()
        if spec is None:
            self.form.focus_problem()
            return []
        jobs: list[Job] = []
        try:
            for variant in experiment_specs(spec, str(experiment["name"]), experiment["variants"]):
                title = self._unused_title(variant.title)
                variant = variant.model_copy(update={"title": title})
                jobs.append(self._session.jobs.start(variant, title, self._session.region))
        except LoupeError as problem:
            self._session.problem.emit(str(problem))
        for job in jobs:
            self.started.emit(job)
        if jobs:
            self._session.open_run(jobs[0].run)
        return jobs

    def _page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head())
        column.addWidget(self._body(), 1)
        column.addWidget(self._foot())
        return page

    def _head(self) -> QWidget:
        self._back = named(QToolButton(), tr("All methods"), tr("Back to the gallery of methods"))
        set_icon(self._back, "arrow-left", "text_secondary")
        self._back.clicked.connect(self.gallery_wanted)
        self._title = QLabel(wordWrap=True)
        set_role(self._title, "title")
        self._help = named(
            QToolButton(), tr("Help"), tr("Idea, formula and parameters of this method")
        )
        set_icon(self._help, "help")
        self._help.clicked.connect(self._show_help)
        self._summary = QLabel(wordWrap=True)
        set_role(self._summary, "secondary")
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(self._back, alignment=Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._title, 1)
        top.addWidget(self._help, alignment=Qt.AlignmentFlag.AlignTop)
        head = QWidget()
        column = QVBoxLayout(head)
        column.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.s)
        column.setSpacing(SPACE.xs)
        column.addLayout(top)
        column.addWidget(self._summary)
        return head

    def _body(self) -> QWidget:
        self._folder = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self._images = QLabel(wordWrap=True)
        set_role(self._images, "caption")
        self.data = ParameterForm(title=tr("Data"))
        self.data.set_help_visible(False)
        self.preset = PresetField()
        self.form = ParameterForm(runs=self._trained_runs)
        self.name = named(
            QLineEdit(), tr("Name of the run"), tr("What the run is called in the list of runs")
        )
        where = QFrame()
        set_surface(where, "card")
        inside = QVBoxLayout(where)
        inside.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        inside.setSpacing(2)
        inside.addWidget(self._folder)
        inside.addWidget(self._images)
        inside.addLayout(self._region_row())
        caption = QLabel(tr("Name of the run"))
        set_role(caption, "caption")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(SPACE.m, SPACE.xs, SPACE.m, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addWidget(where)
        column.addWidget(self.preset)
        column.addWidget(self.data)
        column.addSpacing(SPACE.s)
        column.addWidget(self.form)
        column.addSpacing(SPACE.s)
        column.addWidget(caption)
        column.addWidget(self.name)
        column.addStretch()
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        return self._scroll

    def _region_row(self) -> QHBoxLayout:
        self._region = QLabel(wordWrap=True)
        set_role(self._region, "caption")
        words = tr("Region of interest…")
        tip = tr("Mark which part of every image counts, or is ignored")
        self.region_button = named(QToolButton(), words, tip)
        self.region_button.setText(words)
        self.region_button.clicked.connect(self._mark_region)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self._region, 1)
        row.addWidget(self.region_button)
        return row

    def _mark_region(self) -> None:
        """Show the region of the open folder, to be painted anew."""
        RegionDialog(self._session, self).open()

    def _foot(self) -> QWidget:
        self._reason = QLabel(wordWrap=True)
        set_role(self._reason, "caption")
        self.start_button = QPushButton()
        set_kind(self.start_button, "primary")
        self.start_button.clicked.connect(self.start)
        self.compare_button = QPushButton()
        set_icon(self.compare_button, "compare", "text")
        self.compare_button.clicked.connect(self._choose_experiment)
        self._experiments = QMenu(self.compare_button)
        foot = QWidget()
        set_surface(foot, "surface")
        column = QVBoxLayout(foot)
        column.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.xs)
        column.addWidget(self._reason)
        column.addWidget(self.start_button)
        column.addWidget(self.compare_button)
        return foot

    def _offer_experiments(self) -> None:
        """Offer the experiments of the method: one by its name, several in a menu."""
        info = self._info
        experiments = info.experiments if info is not None else []
        self._experiments.clear()
        for experiment in experiments:
            words = experiment_words(str(experiment["name"]), self._method_texts())
            action = self._experiments.addAction(f"{words}…")
            action.setToolTip(experiment_summary(experiment, self._method_texts()))
            ask = partial(self._ask_experiment, experiment)
            action.triggered.connect(lambda _on, ask=ask: ask())
        actions = self._experiments.actions()
        words = actions[0].text() if len(actions) == 1 else tr("Compare variants…")
        self.compare_button.setText(words)
        tip = tr("Train several runs that differ in one thing, and compare them")
        named(self.compare_button, words, tip)
        self.compare_button.setVisible(bool(actions))

    def _choose_experiment(self) -> None:
        """Ask about the only experiment, or which of several."""
        actions = self._experiments.actions()
        if len(actions) == 1:
            actions[0].trigger()
        else:
            above = self.compare_button.mapToGlobal(QPoint(0, 0))
            self._experiments.popup(above - QPoint(0, self._experiments.sizeHint().height()))

    def _ask_experiment(self, experiment: Mapping[str, Any]) -> None:
        """Show what an experiment would train; queue it when the analyst agrees."""
        dialog = ExperimentDialog(experiment, self._method_texts(), self)
        dialog.accepted.connect(lambda: self.start_experiment(experiment))
        dialog.open()

    def _method_texts(self) -> dict[str, str]:
        info = self._info
        return dict(info.translations.get(language(), {})) if info is not None else {}

    def _fill_in(self) -> None:
        """Fill in the values of the preset that was chosen, and the defaults of all others."""
        defaults = {name: self.form.row(name).default for name in self.form.values()}
        self.form.set_values({**defaults, **self.preset.values()})
        usual = self.data.row("image_size").default
        self._set_image_size(int(self.preset.image_size() or usual or 0))
        self._judge()

    def _is_changed(self) -> bool:
        """Tell whether something differs from the preset that was chosen."""
        size = self.preset.image_size()
        other = size is not None and self.data.values().get("image_size") != size
        return other or bool(self._changes())

    def _changes(self) -> dict[str, Any]:
        """Return the parameters that differ from the preset, or from the defaults without one."""
        if not self.form.is_valid():
            return {}
        wanted = self.preset.values()
        return {
            name: value
            for name, value in self.form.values().items()
            if value != wanted.get(name, self.form.row(name).default)
        }

    def _runs_of_form(self) -> dict[str, str]:
        """Return the runs that parameters name."""
        fields = self._info.parameters if self._info is not None else []
        values = self.form.values()
        return {
            field["name"]: str(values[field["name"]] or "")
            for field in fields
            if field["kind"] == "run"
        }

    def _take_named_runs(self) -> None:
        """Take the image size of a run that was just named: it sees images of that size alone."""
        former, self._named_runs = self._named_runs, self._runs_of_form()
        for name, path in self._named_runs.items():
            if path and path != former.get(name):
                with suppress(LoupeError):
                    self._set_image_size(Run(Path(path)).spec().image_size)

    def _set_image_size(self, size: int) -> None:
        """Choose an image size, which is offered from now on."""
        if self._data_state is not None and size not in self._other_sizes:
            self._other_sizes.add(size)
            self._take_folder()
        self.data.set_values({"image_size": size})

    def _set_tiles(self, tile: int, overlap: int) -> None:
        """Choose tiles, whose side is offered from now on; 0 for whole images."""
        if tile and self._data_state is not None and tile not in self._other_tiles:
            self._other_tiles.add(tile)
            self._take_folder()
        self._tile = tile
        if tile:
            self.data.set_values({"tile": tile, "overlap": overlap})
        else:
            self.data.row("tile").set_value(0)

    def _fit_overlap(self) -> None:
        """Follow a tile that was chosen with the overlap that is usual for it."""
        tile = self.data.values()["tile"]
        if tile and tile != self._tile:
            self.data.set_values({"overlap": usual_overlap(tile)})
        self._tile = tile

    def _take_folder(self) -> None:
        """Offer the splits of the folder and the size that suits its images."""
        if self._info is None:
            return
        table, info = self._session.table, self._info
        suggested = suggested_size(info.image_size, table)
        sizes, tiles = tuple(sorted(self._other_sizes)), tuple(sorted(self._other_tiles))
        whole = why_whole_words(info.capabilities, uses_labels=info.uses_labels)
        state = (tuple(sorted(set(table.splits))), suggested, sizes, tiles, whole)
        if state != self._data_state:
            kept = self.data.changed_values() if self._data_state is not None else {}
            self._data_state = state
            self.data.set_schema(data_schema(table, suggested, sizes, tiles, whole))
            self.data.set_values(kept)
        self._soon.start()

    def _take_catalog(self) -> None:
        """Follow a plugin that was changed, added or taken away."""
        fresh = self._find(self.method_id)
        if fresh is None:
            self._info = None
            self._stack.setCurrentIndex(0)
        elif self._info is not None and fresh != self._info:
            values, preset = self.form.changed_values(), self.preset.choices.choice()
            self.choose(fresh.id)
            self.preset.choices.choose(preset)
            self.form.set_values(values)

    def _judge(self) -> None:
        """Say what will be trained on, and whether it can start."""
        problem = self.problem()
        folder = self._session.folder
        self._folder.setText(folder.root.name if folder is not None else tr("No folder is open"))
        self._folder.setToolTip(str(folder.root) if folder is not None else "")
        if "overlap" in self.data.values():
            self.data.row("overlap").setVisible(bool(self.data.values()["tile"]))
        remark, warns = self._remark()
        self._images.setText(remark)
        region = self._session.region
        self._region.setText(region_words(region.share if region is not None else 1.0))
        self.region_button.setEnabled(folder is not None)
        set_tone(self._images, "warning" if warns else "")
        self.name.setPlaceholderText(self._usual_title())
        self.preset.show_changed(self._info is not None and self._is_changed())
        self.compare_button.setEnabled(not problem)
        queued = not problem and self._must_wait()
        words = tr("Add to queue") if queued else tr("Start training")
        self.start_button.setText(words)
        self.start_button.setEnabled(not problem)
        tip = tr("Another training runs on this device; this one follows it") if queued else words
        named(self.start_button, words, problem or tip)
        set_icon(self.start_button, "queue" if queued else "play", "on_accent")
        self._reason.setText(problem or (tip if queued else ""))
        self._reason.setVisible(bool(self._reason.text()))

    def _remark(self) -> tuple[str, bool]:
        """Return how many images are trained on, and whether they are few."""
        if self._session.folder is None:
            return tr("Open a folder, or drop one on the window."), False
        training, total = self._training_count(), len(self._session.table)
        if training == total:
            words = tr("All {n} images train", n=count(total))
        else:
            words = tr("{n} of {total} images train", n=count(training), total=count(total))
        grid = self._grid()
        if grid is not None:
            words = tr("{words}, {n} tiles of each", words=words, n=f"{len(grid):,}")
        if 0 < training < _FEW:
            return tr("{words}: few for anything reliable", words=words), True
        return words, False

    def _grid(self) -> TileGrid | None:
        """Return the tiles of each image, None for whole images and where they cannot be cut."""
        if self._data_state is None or not self.data.is_valid() or self._tile_problem():
            return None
        data, region = self.data.values(), self._session.region
        side, tile = data["image_size"], data["tile"]
        if not tile:
            return None
        inside = None if region is None else region.at(side, side)
        return TileGrid(side, tile, data["overlap"], inside)

    def _training_count(self) -> int:
        session = self._session
        if session.folder is None or self._data_state is None:
            return 0
        split = self.data.values().get("split") or None
        rows = session.folder.training_rows(session.table, split)
        return int((~session.left_out[rows]).sum())

    def _must_wait(self) -> bool:
        wish = _device(self.data.values().get("device", "auto"))
        return any(_device(job.run.spec().device) == wish for job in self._session.jobs.active())

    def _unused_title(self, title: str) -> str:
        """Return the title, with a number where a run has it already."""
        used = {_title_of(run) for run in self._session.runs}
        used |= {job.title for job in self._session.jobs.jobs}
        numbered = (f"{title} ({number})" for number in count_from(2))
        return title if title not in used else next(name for name in numbered if name not in used)

    def _usual_title(self) -> str:
        if self._info is None:
            return ""
        changed = list(self._changes().items())
        size = self.data.changed_values().get("image_size")
        own = size is not None and size == self.preset.image_size()
        title = self._info.text("title", language())
        tile = self.data.values().get("tile", 0)
        return run_title(title, changed, None if own else size, self.preset.words, tile)

    def _trained_runs(self) -> list[tuple[str, str]]:
        return [(str(run.path), _title_of(run)) for run in self._session.runs if run.is_trained]

    def _find(self, method_id: str) -> MethodInfo | None:
        usable = (info for info in self._session.catalog if not info.problem)
        return next((info for info in usable if info.id == method_id), None)

    def _show_help(self) -> None:
        if self._info is not None:
            help_window(self._info.text("title", language()), self._info.help, self).show()


def _device(wish: Any) -> str:
    """Return the device that a wish will most likely get: the queue goes by it."""
    return "cuda" if wish == "auto" else str(wish)


def _title_of(run: Run) -> str:
    try:
        return run.spec().title or run.path.name
    except LoupeError:
        return Path(run.path).name
