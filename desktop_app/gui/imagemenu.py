"""What can be done with chosen images, wherever they were chosen: menu and exports."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QWidget

from desktop_app.core.runreport import ReportRequest, report_steps
from desktop_app.gui.exports import copy_images, snapshot, write_list, write_table
from desktop_app.gui.filtering import shared_filter, these
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.methods import method_title
from desktop_app.gui.scorescale import reference_of
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.tasks import Steps, run_with_progress

Rows = NDArray[np.int64]

_MOST_COPIED = 10_000  # paths on the clipboard


class ImageActions:
    """Acts on images of a session on behalf of a panel."""

    def __init__(
        self,
        session: Session,
        owner: QWidget,
        go: Callable[[str], object],
        here: str,
        places: Callable[[], NDArray[np.float32] | None] = lambda: None,
    ) -> None:
        """`go` is told "gallery", "map" or "inspector"; `here` is which of them the panel is.

        `places` returns the coordinates (N, k) of a map that belong into an exported table.
        """
        self._session = session
        self._owner = owner
        self._go = go
        self._here = here
        self._places = places

    def chosen(self, row: int) -> Rows:
        """Return the selection if it holds the row, else the row alone."""
        if row >= 0 and not self._session.selected[row]:
            return np.array([row], np.int64)
        return np.flatnonzero(self._session.selected).astype(np.int64)

    def show_menu(self, row: int, place: QPoint) -> None:
        """Offer what can be done with the selection, or with the row below the pointer."""
        menu = self.menu(self.chosen(row), row)
        menu.exec(place)
        menu.deleteLater()

    def menu(self, rows: Rows, row: int) -> QMenu:
        """Return the menu for these rows, of which `row` is below the pointer."""
        menu = QMenu(self._owner)
        one = len(rows) == 1
        if row >= 0:
            for key, text, icon in (
                ("inspector", tr("Open in the inspector"), "heat"),
                ("map", tr("Show in the latent map"), "map"),
                ("gallery", tr("Show in the gallery"), "grid"),
            ):
                if key != self._here:
                    self._add(menu, text, icon, partial(self._show, row, key))
            menu.addSeparator()
        if len(rows):
            for code, text, icon in (
                (1, tr("Normal"), "check"),
                (2, tr("Anomalous"), "x"),
                (3, tr("Unsure"), "question"),
                (0, tr("Take the verdict back"), "undo"),
            ):
                self._add(menu, text, icon, partial(self._session.set_verdict, rows, code))
            menu.addSeparator()
            self._add_leaving_out(menu, rows)
            if not one:
                text = tr("Show only these {n} images", n=f"{len(rows):,}")
                self._add(menu, text, "filter", lambda: self.filter_to(rows))
            self._add(menu, tr("Name as a group…"), "tag", lambda: self.name_group(rows))
            self.add_exports(menu, rows)
            menu.addSeparator()
            text = tr("Copy path") if one else tr("Copy {n} paths", n=f"{len(rows):,}")
            self._add(menu, text, "copy", lambda: self._copy_paths(rows))
        if row >= 0:
            self._add(menu, tr("Show in the file manager"), "external", lambda: self._reveal(row))
        return menu

    def _add_leaving_out(self, menu: QMenu, rows: Rows) -> None:
        session, count = self._session, f"{len(rows):,}"
        one = len(rows) == 1
        if not session.left_out[rows].all():
            text = tr("Leave out of training") if one else tr("Leave {n} out of training", n=count)
            self._add(menu, text, "minus", partial(session.leave_out, rows))
        if session.left_out[rows].any():
            text = tr("Train on it again") if one else tr("Train on {n} again", n=count)
            self._add(menu, text, "plus", partial(session.leave_out, rows, False))

    def add_exports(self, menu: QMenu, rows: Rows) -> None:
        """Add the ways to write these rows down or to copy their files."""
        count = f"{len(rows):,}"
        table = tr("Export table of {n} images…", n=count)
        self._add(menu, table, "export", lambda: self.export_table(rows))
        listing = tr("Export list of {n} paths…", n=count)
        self._add(menu, listing, "list", lambda: self.export_list(rows))
        copies = tr("Copy {n} images into a folder…", n=count)
        self._add(menu, copies, "folder", lambda: self.copy_files(rows))

    def filter_to(self, rows: Rows) -> None:
        """Show nothing but these rows, in every view."""
        shared_filter(self._session).set("chosen", these(rows, len(self._session.table)))

    def name_group(self, rows: Rows, name: str | None = None) -> None:
        """Give these images a tag in common; asks for it when not told."""
        tags = shared_tags(self._session)
        if name is None:
            title = tr("Name the group")
            label = tr("Name of these {n} images:", n=f"{len(rows):,}")
            names = ["", *tags.names()]
            name, sure = QInputDialog.getItem(self._owner, title, label, names, 0, True)
            if not sure:
                return
        if name.strip():
            tags.put(name.strip(), rows)

    def export_table(self, rows: Rows) -> None:
        """Ask for a file and write scores and verdicts of these rows."""
        name = f"{self._base_name()}-scores.csv"
        kinds = "CSV (*.csv);;JSON (*.json)"
        path = self._asked_file(tr("Export scores and verdicts"), name, kinds)
        if path is not None:
            shares = reference_of(self._session).shares(self._session)
            shot = snapshot(self._session, rows, shares, self._places())
            self._run(tr("Exporting scores and verdicts"), write_table(shot, path))

    def export_list(self, rows: Rows) -> None:
        """Ask for a file and write the paths of these rows."""
        name = f"{self._base_name()}-images.txt"
        path = self._asked_file(tr("Export list of images"), name, "Text (*.txt)")
        if path is not None:
            self._run(tr("Exporting the list"), write_list(snapshot(self._session, rows), path))

    def copy_files(self, rows: Rows) -> None:
        """Ask for a folder and copy these images there."""
        chosen = QFileDialog.getExistingDirectory(self._owner, tr("Copy the images into"))
        if chosen:
            steps = copy_images(snapshot(self._session, rows), Path(chosen))
            self._run(tr("Copying images"), steps)

    def export_report(self, form: str) -> None:
        """Ask for a file and write the report of the open run on the open folder.

        `form` is the suffix of a file, ".html" or ".pdf".
        """
        session = self._session
        if session.folder is None or session.result is None:
            return
        name = f"{self._base_name()}-report{form}"
        path = self._asked_file(tr("Export report"), name, f"{form[1:].upper()} (*{form})")
        if path is None:
            return
        if path.suffix.lower() != form:
            path = path.with_name(path.name + form)
        request = ReportRequest(
            session.folder,
            session.table,
            session.result,
            method_title(session) or session.result.run.spec().method,
            session.thresholds,
        )
        title = tr("Writing the report")
        run_with_progress(
            self._owner, title, report_steps(request, path), partial(self._open_report, path)
        )

    def _open_report(self, path: Path, problem: str, stopped: bool) -> None:
        self._tell_end(problem, stopped)
        if not problem and not stopped:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _run(self, title: str, steps: Steps) -> None:
        run_with_progress(self._owner, title, steps, self._tell_end)

    def _tell_end(self, problem: str, _stopped: bool) -> None:
        if problem:
            self._session.problem.emit(problem)

    def _asked_file(self, title: str, name: str, kind: str) -> Path | None:
        path, _kind = QFileDialog.getSaveFileName(self._owner, title, name, kind)
        return Path(path) if path else None

    def _base_name(self) -> str:
        return self._session.folder.name if self._session.folder is not None else "loupe"

    def _show(self, row: int, place: str) -> None:
        self._session.set_current(row)
        self._go(place)

    def _copy_paths(self, rows: Rows) -> None:
        paths = [str(self._session.image_path(row)) for row in rows[:_MOST_COPIED].tolist()]
        QGuiApplication.clipboard().setText("\n".join(paths))

    def _reveal(self, row: int) -> None:
        folder = self._session.image_path(row).parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _add(self, menu: QMenu, text: str, icon: str, act: Callable[[], object]) -> None:
        action = menu.addAction(text)
        set_icon(action, icon)
        action.triggered.connect(lambda _checked=False: act())
