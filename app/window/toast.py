"""A note at the foot of the window that goes away by itself."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from app.widgets import label, quiet_button

_SHOWN_MS = 9000
_MARGIN_PX = 24
_WIDTH_PX = 520


class Toast(QFrame):
    """Tells what went wrong, or was done, without being in the way."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("toast")
        self._words = label(wrap=True)
        self._words.setAccessibleName("Notice")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.addWidget(self._words, 1)
        row.addWidget(quiet_button("Dismiss", self.hide))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def tell(self, words: str) -> None:
        """Show a sentence for a while."""
        self._words.setText(words)
        self.place()
        self.show()
        self.raise_()
        self._timer.start()

    @property
    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def place(self) -> None:
        """Keep to the foot of the window."""
        room = self._window.size()
        width = min(_WIDTH_PX, room.width() - 2 * _MARGIN_PX)
        self.setFixedWidth(width)
        self.adjustSize()
        self.move((room.width() - width) // 2, room.height() - self.height() - 2 * _MARGIN_PX)
