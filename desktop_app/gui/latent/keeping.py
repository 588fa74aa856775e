"""Layouts of maps in the workspace: one for each run."""

from functools import partial

from desktop_app.core.runs import Run
from desktop_app.gui.latent.mapstate import MapLayout
from desktop_app.gui.session import Session


def kept_layout(session: Session, run: Run) -> MapLayout:
    """Return the layout that was chosen last for a run; as it was made where none was."""
    return MapLayout.read(session.workspace.setting(_name(run)))


def keep_layout(session: Session, run: Run, layout: MapLayout, *, at_once: bool = False) -> None:
    """Keep a layout for a run: behind the window, or at once where the window closes."""
    work = partial(session.workspace.set_setting, _name(run), layout.plain())
    if at_once:
        work()
    else:
        session.background.run(f"layout of {run.path.name}", work, lambda _done: None)


def _name(run: Run) -> str:
    return f"map/{run.path.name}"
