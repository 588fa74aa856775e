"""Choosing a method and setting it up."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from desktop_app.core.catalog import MethodInfo
from desktop_app.core.regions import Region
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.gui.training.card import BrokenCard, MethodCard
from desktop_app.gui.training.data_form import suggested_size
from desktop_app.gui.training.experimentdialog import ExperimentDialog
from desktop_app.gui.training.gallery import MethodGallery
from desktop_app.gui.training.methods import MethodsPanel
from desktop_app.gui.training.setup import TrainPanel
from desktop_app.sdk.params import TrainingParams, param, parameter_schema
from tests.gui.fakes import FakeFolder, FakeSession, table_of


class Params(TrainingParams):
    beta: float = param(1.0, low=0, high=50, help="Weight.")


SCHEMA = parameter_schema(Params)
CATALOG = [
    MethodInfo(
        "vae",
        "Variational autoencoder",
        "Autoencoders",
        "Learns a smooth code.",
        capabilities=("encodes", "generates"),
        parameters=SCHEMA,
        help="# Idea",
        translations={"zh_CN": {"title": "变分自编码器", "summary": "学习平滑的编码。"}},
    ),
    MethodInfo("pca", "Principal components", "Dimension reduction", "Straight axes."),
    MethodInfo("ae", "Autoencoder", "Autoencoders", "A short code.", parameters=SCHEMA),
    MethodInfo("odd", "odd", problem="Plugin 'odd' cannot be imported.", traceback="Trace"),
]
PATHS = [f"train/good/{number}.png" for number in range(30)]
TEST_PATHS = [f"test/bad/{number}.png" for number in range(10)]


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> FakeSession:
    session = FakeSession(tmp_path)
    session.set_catalog(CATALOG)
    return session


@pytest.fixture
def panel(session: FakeSession, qtbot: QtBot) -> MethodsPanel:
    panel = MethodsPanel(session)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    panel.resize(340, 800)
    panel.show()
    return panel


def open_folder(session: FakeSession, edge: int = 256) -> None:
    table = table_of([*PATHS, *TEST_PATHS], ["train"] * 30 + ["test"] * 10, edge)
    session.open_folder(FakeFolder(Path("/images/饼干")), table)


def titles(gallery: MethodGallery) -> list[str]:
    return [card.info.title for card in gallery.cards()]


def test_cards_stand_by_family_and_broken_plugins_last(panel: MethodsPanel) -> None:
    assert titles(panel.gallery) == [
        "Principal components",
        "Autoencoder",
        "Variational autoencoder",
        "odd",
    ]
    assert isinstance(panel.gallery.cards()[-1], BrokenCard)


def test_the_search_looks_into_titles_summaries_and_abilities(panel: MethodsPanel) -> None:
    for words, found in {
        "smooth": ["Variational autoencoder"],
        "auto short": ["Autoencoder"],
        "SAMPLES": ["Variational autoencoder"],
        "imported": ["odd"],
        "nothing": [],
    }.items():
        panel.gallery.search.setText(words)
        panel.gallery.search.searched.emit(words)
        assert titles(panel.gallery) == found
    assert panel.gallery._stack.currentWidget() is panel.gallery._empty


def test_a_card_is_chosen_by_click_and_by_keyboard(panel: MethodsPanel, qtbot: QtBot) -> None:
    gallery = panel.gallery
    with qtbot.waitSignal(gallery.method_chosen) as chosen:
        qtbot.mouseClick(gallery.cards()[1], Qt.MouseButton.LeftButton)
    assert chosen.args == ["ae"]
    panel.show_gallery()
    gallery.cards()[1].setFocus()
    qtbot.keyClick(gallery.cards()[1], Qt.Key.Key_Down)
    assert gallery.cards()[2].hasFocus()
    with qtbot.waitSignal(gallery.method_chosen) as chosen:
        qtbot.keyClick(gallery.cards()[2], Qt.Key.Key_Return)
    assert chosen.args == ["vae"]


def test_a_card_speaks_the_language_of_the_window(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.gui.training.card.language", lambda: "zh_CN")
    card = MethodCard(CATALOG[0])
    qtbot.addWidget(card)
    assert card.accessibleName() == "变分自编码器"
    assert "学习平滑的编码" in card.words()
    assert "variational" in card.words()


def test_a_broken_plugin_shows_its_traceback(panel: MethodsPanel, qtbot: QtBot) -> None:
    card = panel.gallery.cards()[-1]
    assert isinstance(card, BrokenCard)
    card.button.click()
    window = panel.gallery.findChild(QDialog)
    assert isinstance(window, QDialog)
    assert window.isVisible()
    window.close()


def test_cards_stand_side_by_side_where_there_is_room(panel: MethodsPanel, qtbot: QtBot) -> None:
    first, second = panel.gallery.cards()[1:3]  # of one family
    assert second.y() > first.y()
    panel.resize(800, 600)
    qtbot.wait(10)
    assert second.y() == first.y()


def test_before_there_is_a_catalog_the_gallery_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    session = FakeSession(tmp_path)
    gallery = MethodGallery(session)  # type: ignore[arg-type]
    qtbot.addWidget(gallery)
    assert gallery._stack.currentWidget() is gallery._empty
    session.set_catalog(CATALOG)
    assert gallery._stack.currentWidget() is not gallery._empty


def test_start_is_refused_with_the_reason(panel: MethodsPanel, session: FakeSession) -> None:
    panel.choose("vae")
    setup = panel.setup
    reasons = [setup.problem()]
    open_folder(session)
    setup.data.set_values({"split": "validation"})
    setup.form.row("epochs").editor.set_value(-1)
    setup._judge()
    reasons.append(setup.problem())
    assert not setup.start_button.isEnabled()
    assert setup.start_button.toolTip() == setup.problem()
    assert [reason.split(" ")[0] for reason in reasons] == ["Open", "Correct"]


def test_start_asks_for_what_the_forms_say(panel: MethodsPanel, session: FakeSession) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.form.set_values({"beta": 4.0, "epochs": 3})
    panel.setup.data.set_values({"split": "train", "image_size": 96, "channels": 1, "seed": 7})
    panel.setup._judge()
    panel.setup.start_button.click()
    spec = session.jobs.jobs[0].run.spec()
    assert spec.method == "vae"
    assert spec.params == {**Params().model_dump(), "beta": 4.0, "epochs": 3}
    assert (spec.folder, spec.split, spec.image_size) == ("/images/饼干", "train", 96)
    assert (spec.channels, spec.seed, spec.device) == (1, 7, "auto")
    assert spec.apply_after
    assert spec.title == "Variational autoencoder · epochs 3 · beta 4 · 96 px"


def test_a_training_takes_the_region_of_the_folder_along(
    panel: MethodsPanel, session: FakeSession
) -> None:
    open_folder(session)
    panel.choose("vae")
    session.region = Region(np.eye(2, dtype=np.bool_))
    panel.setup._judge()

    panel.setup.start_button.click()

    assert panel.setup._region.text() == "50 % of every image counts."
    region = session.jobs.jobs[0].run.region()
    assert region is not None
    assert region.hash == session.region.hash


def test_images_are_held_out_and_folds_are_scored(
    panel: MethodsPanel, session: FakeSession
) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.data.set_values({"hold_out": 0.2, "folds": 3, "apply_after": False})

    panel.setup.start()

    spec = session.jobs.jobs[0].run.spec()
    assert (spec.hold_out, spec.folds) == (0.2, 3)
    assert spec.apply_after  # folds are for scores


def test_no_two_runs_get_the_same_title(panel: MethodsPanel, session: FakeSession) -> None:
    open_folder(session)
    panel.choose("vae")
    for _ in range(3):
        panel.setup.start()
    assert [job.run.spec().title for job in session.jobs.jobs] == [
        "Variational autoencoder",
        "Variational autoencoder (2)",
        "Variational autoencoder (3)",
    ]


def test_how_many_images_train_follows_the_split(panel: MethodsPanel, session: FakeSession) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup._judge()
    assert panel.setup._images.text() == "30 of 40 images train"
    panel.setup.data.set_values({"split": "test"})
    panel.setup._judge()
    assert panel.setup._images.text() == "10 of 40 images train"


def test_a_second_training_waits_in_the_queue(panel: MethodsPanel, session: FakeSession) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.start()
    panel.setup._judge()
    assert panel.setup.start_button.text() == "Add to queue"
    panel.setup.start()
    assert session.jobs.jobs[1].state is JobState.QUEUED
    panel.setup.data.set_values({"device": "cpu"})
    panel.setup._judge()
    assert panel.setup.start_button.text() == "Start training"


@pytest.mark.parametrize(("edge", "size"), [(1024, 64), (64, 64), (50, 48), (28, 28), (9, 28)])
def test_small_images_suggest_a_small_size(edge: int, size: int) -> None:
    assert suggested_size(64, table_of(PATHS, edge=edge)) == size


def test_what_was_set_stays_while_the_folder_is_looked_into(
    panel: MethodsPanel, session: FakeSession
) -> None:
    open_folder(session, edge=0)
    panel.choose("vae")
    panel.setup.data.set_values({"seed": 5, "split": "test"})
    open_folder(session, edge=32)
    values = panel.setup.data.values()
    assert (values["seed"], values["split"], values["image_size"]) == (5, "test", 32)


def test_a_run_is_duplicated_with_all_it_was_asked(
    panel: MethodsPanel, session: FakeSession
) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.form.set_values({"beta": 9.0})
    panel.setup.data.set_values({"image_size": 128, "seed": 3, "split": "test"})
    panel.setup.start()
    first = session.jobs.jobs[0].run
    panel.choose("ae")
    panel.duplicate(first)
    again = panel.setup.spec()
    assert again is not None
    ignored = {"created", "title"}
    assert again.model_dump(exclude=ignored) == first.spec().model_dump(exclude=ignored)


def test_a_run_of_a_missing_method_cannot_be_duplicated(
    panel: MethodsPanel, session: FakeSession, qtbot: QtBot
) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.start()
    session.set_catalog(CATALOG[1:])
    with qtbot.waitSignal(session.problem) as sentence:
        panel.duplicate(session.jobs.jobs[0].run)
    assert "'vae'" in sentence.args[0]


def test_another_method_begins_with_its_own_defaults(
    panel: MethodsPanel, session: FakeSession
) -> None:
    open_folder(session)
    panel.choose("vae")
    panel.setup.form.set_values({"beta": 9.0})
    panel.choose("ae")
    assert panel.setup.form.values() == Params().model_dump()
    panel.show_gallery()
    panel.choose("ae")
    assert panel._stack.currentWidget() is panel.setup


def test_help_opens_the_page_of_the_method(panel: MethodsPanel, qtbot: QtBot) -> None:
    panel.choose("vae")
    panel.setup._help.click()
    window = panel.setup.findChild(QDialog)
    assert isinstance(window, QDialog)
    window.close()
    panel.choose("ae")
    assert not panel.setup._help.isVisible()


PRESETS = [
    {"name": "28 px", "values": {"beta": 4.0}, "summary": "Digits.", "image_size": 28},
    {"name": "72 px", "values": {"epochs": 7}, "summary": "Photographs.", "image_size": 72},
]
EXPERIMENT = {
    "name": "Beta",
    "summary": "How much order does the code need?",
    "variants": {"beta 1": {"beta": 1.0}, "beta 9": {"beta": 9.0}},
}
LATENT_SCHEMA = [*SCHEMA, {**SCHEMA[0], "name": "encoder", "kind": "run", "default": ""}]
LADEN = MethodInfo(
    "laden",
    "Laden",
    parameters=LATENT_SCHEMA,
    presets=PRESETS,
    experiments=[EXPERIMENT],
    translations={"zh_CN": {"preset.28 px": "数字"}},
)


@pytest.fixture
def laden(panel: MethodsPanel, session: FakeSession) -> TrainPanel:
    """The form of a method with presets, an experiment and a parameter that names a run."""
    session.set_catalog([LADEN, CATALOG[2]])
    open_folder(session)
    panel.choose("laden")
    return panel.setup


def choose_preset(setup: TrainPanel, name: str) -> None:
    setup.preset.choices.choose(name)
    setup.preset.choices.chosen.emit(name)


def test_a_preset_fills_in_parameters_and_image_size(laden: TrainPanel) -> None:
    laden.form.set_values({"epochs": 3})
    choose_preset(laden, "28 px")

    assert laden.form.changed_values() == {"beta": 4.0}
    assert laden.data.values()["image_size"] == 28
    assert laden.preset._caption.text() == "Digits."
    assert not laden.preset._mark.isVisible()
    assert laden.name.placeholderText() == "Laden · 28 px"
    choose_preset(laden, "72 px")
    assert laden.data.values()["image_size"] == 72, "a size that is not among the usual ones"
    assert laden.form.changed_values() == {"epochs": 7}


def test_a_preset_that_was_edited_says_so_and_can_be_chosen_again(laden: TrainPanel) -> None:
    choose_preset(laden, "28 px")
    laden.form.set_values({"beta": 5.0})
    laden._judge()

    assert laden.preset._mark.isVisible()
    assert laden.name.placeholderText() == "Laden · 28 px · beta 5"
    choose_preset(laden, "28 px")
    assert not laden.preset._mark.isVisible()
    choose_preset(laden, "defaults")
    assert laden.form.changed_values() == {}
    assert laden.data.values()["image_size"] == 64


def test_a_method_without_presets_and_experiments_offers_none(
    panel: MethodsPanel, laden: TrainPanel
) -> None:
    assert laden.preset.isVisible()
    assert laden.compare_button.isVisible()
    panel.choose("ae")
    assert not laden.preset.isVisible()
    assert not laden.compare_button.isVisible()


def test_an_experiment_queues_a_run_for_every_variant(
    laden: TrainPanel, session: FakeSession
) -> None:
    assert laden.compare_button.text() == "Compare beta…"
    laden.compare_button.click()
    dialog = laden.findChild(ExperimentDialog)
    assert isinstance(dialog, ExperimentDialog)
    assert dialog.start_button.text() == "Queue 2 runs"
    dialog.start_button.click()

    specs = [job.run.spec() for job in session.jobs.jobs]
    assert [spec.title for spec in specs] == ["Laden · beta 1", "Laden · beta 9"]
    assert [spec.params["beta"] for spec in specs] == [1.0, 9.0]
    assert len({spec.experiment for spec in specs}) == 1
    assert specs[0].experiment.startswith("Beta")
    assert session.run is not None
    assert session.run.path == session.jobs.jobs[0].run.path


def test_a_run_that_is_named_gives_its_image_size(laden: TrainPanel, tmp_path: Path) -> None:
    spec = JobSpec(folder="/images", method="ae", image_size=40)
    run = Run.create(tmp_path / "encoder", spec)
    laden.form.row("encoder").editor.set_value(str(run.path))
    laden.form.row("encoder").editor.edited.emit()
    assert laden.data.values()["image_size"] == 40

    laden.data.set_values({"image_size": 96})
    laden.form.row("epochs").editor.edited.emit()
    assert laden.data.values()["image_size"] == 96, "what was chosen afterwards stays"


@pytest.fixture
def cutting(qtbot: QtBot, session: FakeSession) -> TrainPanel:
    """The form of a method that can be shown tiles."""
    info = MethodInfo("ad", "Detector", capabilities=("scores", "localizes"), parameters=SCHEMA)
    session.set_catalog([*CATALOG, info])
    panel = TrainPanel(session)  # type: ignore[arg-type]
    qtbot.addWidget(panel)
    open_folder(session, edge=1024)
    panel.choose("ad")
    return panel


def chosen(panel: TrainPanel, name: str, value: object) -> None:
    """Change a field as the analyst does."""
    panel.data.set_values({name: value})
    panel.data.changed.emit()
    panel._judge()


def test_whole_images_are_looked_at_unless_a_tile_is_chosen(cutting: TrainPanel) -> None:
    spec = cutting.spec()
    assert spec is not None
    assert (spec.tile, spec.overlap) == (0, 0)
    assert cutting.data.row("overlap").isHidden()


def test_a_chosen_tile_has_its_usual_overlap_and_its_number_is_told(cutting: TrainPanel) -> None:
    chosen(cutting, "image_size", 1024)
    chosen(cutting, "tile", 256)

    assert cutting._images.text() == "30 of 40 images train, 25 tiles of each"
    spec = cutting.spec()
    assert spec is not None
    assert (spec.image_size, spec.tile, spec.overlap) == (1024, 256, 32)
    assert spec.title == "Detector · 1024 px · tiles of 256 px"
    chosen(cutting, "overlap", 100)
    chosen(cutting, "seed", 3)
    assert cutting.data.values()["overlap"] == 100, "what was chosen afterwards stays"
    chosen(cutting, "tile", 128)
    assert cutting.data.values()["overlap"] == 16


@pytest.mark.parametrize(
    ("tile", "overlap", "said"),
    [
        (512, 64, "must not be larger than the image size of 256 pixels"),
        (64, 64, "must be less than a tile of 64 pixels"),
        (32, 31, "More than 1,024 tiles"),
    ],
)
def test_tiles_that_cannot_be_cut_are_said_and_not_started(
    cutting: TrainPanel, tile: int, overlap: int, said: str
) -> None:
    chosen(cutting, "image_size", 256)
    chosen(cutting, "tile", tile)
    chosen(cutting, "overlap", overlap)

    assert said in cutting.problem()
    assert cutting.spec() is None
    assert not cutting.start_button.isEnabled()


def test_a_method_of_whole_images_says_why_it_has_no_tiles(
    session: FakeSession, cutting: TrainPanel
) -> None:
    cutting.choose("vae")

    row = cutting.data.row("tile")
    assert "does not say how unusual an image is" in row.explanation
    assert "overlap" not in cutting.data.values()
    spec = cutting.spec()
    assert spec is not None
    assert spec.tile == 0


def test_a_run_on_tiles_is_duplicated_with_its_tiles(cutting: TrainPanel, tmp_path: Path) -> None:
    spec = JobSpec(folder="/images", method="ad", image_size=1000, tile=200, overlap=33)
    params = cutting.form.values()

    cutting.duplicate(Run.create(tmp_path / "run", spec.model_copy(update={"params": params})))

    again = cutting.spec()
    assert again is not None
    assert (again.image_size, again.tile, again.overlap) == (1000, 200, 33)
