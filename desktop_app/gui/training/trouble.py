"""A card about what went wrong with a run, and what can be done about it in one click."""

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_surface
from desktop_app.gui.widgets import named


class TroubleCard(QFrame):
    """A title, a sentence, and at most three buttons."""

    retry_wanted = Signal(int)
    """Carries the batch size to try again with."""
    change_wanted = Signal()
    """The analyst wants to change parameters and try again."""
    traceback_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fits = 0
        set_surface(self, "card")
        self._picture = QLabel()
        self._title = QLabel(wordWrap=True)
        set_role(self._title, "heading")
        self._text = QLabel(wordWrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self._text, "secondary")
        self.retry_button = QPushButton()
        set_kind(self.retry_button, "primary")
        self.retry_button.clicked.connect(lambda: self.retry_wanted.emit(self._fits))
        self.change_button = named(
            QPushButton(tr("Change and retry…")),
            tr("Change and retry"),
            tr("Set the method up again with the parameters of this run"),
        )
        self.change_button.clicked.connect(self.change_wanted)
        self.traceback_button = named(
            QPushButton(tr("Show traceback")),
            tr("Show traceback"),
            tr("Show where in the program it happened"),
        )
        set_kind(self.traceback_button, "tool")
        self.traceback_button.clicked.connect(self.traceback_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE.s)
        for button in (self.retry_button, self.change_button, self.traceback_button):
            buttons.addWidget(button)
        buttons.addStretch()
        words = QVBoxLayout()
        words.setSpacing(SPACE.xs)
        words.addWidget(self._title)
        words.addWidget(self._text)
        words.addSpacing(SPACE.xs)
        words.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        row.setSpacing(SPACE.m)
        row.addWidget(self._picture, alignment=Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.hide()
        follow_theme(self._draw)

    def show_memory(self, event: dict[str, Any], memory: tuple[int, int] | None) -> None:
        """Say what was asked for, what there was, and which batch size may fit."""
        size, fits = event.get("batch_size"), event.get("fits")
        self._fits = int(fits or 0)
        sentences = []
        if size:
            sentences.append(
                tr("The memory did not suffice for batches of {n} images.", n=f"{size:,}")
            )
        if memory is not None:
            sentences.append(
                tr("The device has {total} GB in total.", total=f"{memory[1] / 1e9:.1f}")
            )
        if self._fits:
            sentences.append(tr("Batches of {n} should fit.", n=f"{self._fits:,}"))
        else:
            sentences.append(tr("Choose smaller images or fewer nodes."))
        self._say(tr("Out of memory"), " ".join(sentences), str(event.get("text", "")))
        self.retry_button.setText(tr("Retry with {n}", n=f"{self._fits:,}"))
        named(
            self.retry_button,
            tr("Retry with a smaller batch"),
            tr("Start a new run that differs in its batch size alone"),
        )
        self.retry_button.setVisible(bool(self._fits))

    def show_problem(self, title: str, sentence: str) -> None:
        """Say what went wrong."""
        self._say(title, sentence, "")
        self.retry_button.hide()

    def set_traceback(self, known: bool) -> None:
        """Offer the traceback where there is one."""
        self.traceback_button.setVisible(known)

    def _say(self, title: str, sentence: str, tip: str) -> None:
        self._title.setText(title)
        self._text.setText(sentence)
        self._text.setToolTip(tip)
        self.setAccessibleName(f"{title}: {sentence}")
        self.show()

    def _draw(self, _theme: Theme) -> None:
        self._picture.setPixmap(pixmap("warning", 20, "bad", self.devicePixelRatioF()))
