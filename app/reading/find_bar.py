"""The bar that finds a phrase in the book."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QWidget

from app.actions import Actions
from app.widgets import label, quiet_button, tool_button

_TYPING_PAUSE_MS = 250


class FindBar(QFrame):
    """A field for the phrase, and how many places there are.

    Signals:
        sought: the phrase, once typing pauses.
        stepped: +1 to the next place, -1 to the one before.
        closed: the bar was closed.
    """

    sought = Signal(str)
    stepped = Signal(int)
    closed = Signal()

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("findBar")
        self._field = QLineEdit()
        self._field.setPlaceholderText("Find in the book")
        self._field.setAccessibleName("Find in the book")
        self._field.setClearButtonEnabled(True)
        self._count = label(tone="muted")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_TYPING_PAUSE_MS)
        self._pause.timeout.connect(lambda: self.sought.emit(self._field.text()))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.addWidget(self._field, 1)
        row.addWidget(self._count)
        row.addWidget(tool_button(actions["find_previous"], size_px=16))
        row.addWidget(tool_button(actions["find_next"], size_px=16))
        row.addWidget(quiet_button("Done", self.close_bar, tip="Close (Esc)"))
        self._field.textChanged.connect(lambda _: self._pause.start())
        self._field.returnPressed.connect(lambda: self.stepped.emit(1))
        self.hide()

    def open_bar(self, phrase: str | None) -> None:
        """Show the bar, with a phrase to begin with where the reader has selected one."""
        self.show()
        if phrase:
            self._field.setText(phrase)
        self._field.setFocus()
        self._field.selectAll()

    def close_bar(self) -> None:
        """Hide the bar and forget the phrase."""
        self._pause.stop()
        self._field.clear()
        self._pause.stop()
        self._count.clear()
        self.hide()
        self.closed.emit()

    def tell(self, words: str) -> None:
        """Say how many places there are."""
        self._count.setText(words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the bar."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_bar()
            return
        super().keyPressEvent(event)
