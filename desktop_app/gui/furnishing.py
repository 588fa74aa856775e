"""What the inspector has besides its ranked images: a room for each question about many of them."""

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from desktop_app.gui.compare.panel import ComparePanel
from desktop_app.gui.groups.panel import GroupsPanel
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.panel import InspectorPanel
from desktop_app.gui.inspector.rooms import IMAGES
from desktop_app.gui.session import Session
from desktop_app.gui.watch.panel import WatchPanel
from desktop_app.gui.widgets import Segment


def add_rooms(inspector: InspectorPanel, session: Session) -> None:
    """Give an inspector its further rooms."""
    rooms = inspector.rooms

    def leave(place: str) -> None:
        """Go to another view, or to the images where the inspector itself is wanted."""
        if place == "inspector":
            rooms.enter(IMAGES)
        else:
            inspector.place_wanted.emit(place)

    offers: list[tuple[Segment, Callable[[], QWidget]]] = [
        (
            Segment("compare", tr("Compare runs"), tip=tr("What several runs disagree on")),
            lambda: _compare(session, leave),
        ),
        (
            Segment("groups", tr("Group similar"), tip=tr("Which anomalies are alike")),
            lambda: GroupsPanel(session, leave),
        ),
        (
            Segment("watch", tr("Watch folder"), tip=tr("Score images as they arrive")),
            lambda: WatchPanel(session, leave),
        ),
    ]
    for door, make in offers:
        rooms.add(door, make)


def _compare(session: Session, leave: Callable[[str], None]) -> QWidget:
    panel = ComparePanel(session, leave)
    panel.kept.connect(lambda: leave("inspector"))
    return panel
