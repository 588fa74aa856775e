"""Windows with a long text: the help of a method, a traceback."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.i18n import tr
from desktop_app.gui.theme import SPACE, set_role
from desktop_app.gui.widgets import named


def help_window(title: str, markdown: str, parent: QWidget) -> QDialog:
    """Return a window, not yet shown, with the help page of a method."""
    page = named(QTextBrowser(), tr("Help"), title)
    page.setOpenExternalLinks(True)
    page.setMarkdown(markdown)
    page.document().setDocumentMargin(SPACE.l)
    return _window(title, page, parent)


def traceback_window(title: str, sentence: str, trace: str, parent: QWidget) -> QDialog:
    """Return a window, not yet shown, with a problem and its traceback, to read and to copy."""
    text = named(QPlainTextEdit(trace), tr("Traceback"), title)
    text.setReadOnly(True)
    text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    text.setProperty("role", "mono")
    window = _window(title, text, parent, sentence)
    copy = named(QPushButton(tr("Copy")), tr("Copy"), tr("Copy the problem and its traceback"))
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(f"{sentence}\n\n{trace}"))
    buttons = window.findChild(QDialogButtonBox)
    if isinstance(buttons, QDialogButtonBox):
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
    return window


def _window(title: str, content: QWidget, parent: QWidget, sentence: str = "") -> QDialog:
    window = QDialog(parent)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    window.setWindowTitle(title)
    window.resize(720, 560)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(window.close)
    column = QVBoxLayout(window)
    column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
    column.setSpacing(SPACE.m)
    if sentence:
        words = QLabel(sentence, wordWrap=True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(words, "body")
        column.addWidget(words)
    column.addWidget(content, 1)
    column.addWidget(buttons)
    return window
