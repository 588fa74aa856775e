"""The experiment that the open run is a part of: how far it is, and the comparison at its end."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from desktop_app.core.experiments import experiment_name, members, variant_name
from desktop_app.core.runs import Run
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session
from desktop_app.gui.training.notice import Act, NoticeCard

_LEAST = 2  # runs that can be compared
_PAUSE_MILLISECONDS = 300


class ExperimentCard(NoticeCard):
    """Shown with every run of an experiment, until the analyst puts it aside."""

    curves_wanted = Signal(object)
    """Carries the runs (list) whose curves are to be laid over each other."""
    maps_wanted = Signal(object)
    """Carries the runs (list) whose latent maps are wanted side by side."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("compare", "accent", parent)
        self._session = session
        self._mark = ""
        self._aside: set[str] = set()
        self._soon = QTimer(self, singleShot=True, interval=_PAUSE_MILLISECONDS)
        self._soon.timeout.connect(self._look)
        session.runs_changed.connect(self._soon.start)
        session.jobs.job_ended.connect(lambda _job: self._soon.start())

    def show_experiment(self, mark: str) -> None:
        """Show the experiment that has this mark, or nothing for ""."""
        self._mark = mark
        self.hide()
        self._look()

    def _look(self) -> None:
        """Find the runs of the experiment behind."""
        mark, runs = self._mark, list(self._session.runs)
        if not mark or mark in self._aside:
            return

        def found() -> list[tuple[Run, str, bool]]:
            return [
                (run, variant_name(run.spec()), run.method_path.exists())
                for run in members(runs, mark)
            ]

        self._session.background.run("experiment", found, lambda known: self._take(mark, known))

    def _take(self, mark: str, known: list[tuple[Run, str, bool]]) -> None:
        if mark != self._mark or not known:
            return
        done = [run for run, _name, is_done in known if is_done]
        names = ", ".join(f"{name} ✓" if is_done else name for _run, name, is_done in known)
        text = tr(
            "{done} of {total} runs are done: {names}",
            done=len(done),
            total=len(known),
            names=names,
        )
        enough = len(done) >= _LEAST
        wait = tr("Two runs must be done first")
        self.say(
            tr("Experiment: {name}", name=experiment_name(mark)),
            text,
            [
                Act(
                    tr("Maps side by side"),
                    tr("Compare the latent maps of these runs") if enough else wait,
                    lambda: self.maps_wanted.emit(done),
                    primary=len(done) == len(known) and enough,
                    enabled=enough,
                ),
                Act(
                    tr("Compare curves"),
                    tr("Lay the curves of these runs over each other") if enough else wait,
                    lambda: self.curves_wanted.emit(done),
                    enabled=enough,
                ),
                Act(tr("Hide"), tr("Put this card aside"), self._put_aside),
            ],
        )

    def _put_aside(self) -> None:
        self._aside.add(self._mark)
        self.hide()
