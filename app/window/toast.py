"""A note at the foot of the window that goes away by itself."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRect, QTimer, Signal
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from app.widgets import label, quiet_button

_SHOWN_MS = 9000
_MARGIN_PX = 24
_WIDTH_PX = 520
_GAP_PX = 8


class Toast(QFrame):
    """Tells what went wrong, or was done, without being in the way.

    While the pointer rests on it, it stays.

    Signals:
        gone: its time was up, or the reader dismissed it.
    """

    gone = Signal()

    def __init__(
        self, window: QWidget, room: Callable[[], QRect], *, above: Toast | None = None
    ) -> None:
        """Make a note, hidden.

        Args:
            window: that it is shown in.
            room: says in which part of the window, at whose foot it lies.
            above: another note, which this one leaves in sight.
        """
        super().__init__(window)
        self._room = room
        self._above = above
        self.setObjectName("toast")
        self._words = label(wrap=True)
        self._words.setAccessibleName("Notice")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(16, 8, 8, 8)
        self._row.addWidget(self._words, 1)
        self._row.addWidget(quiet_button("Dismiss", self.dismiss, tip="Hide this note"))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SHOWN_MS)
        self._timer.timeout.connect(self.dismiss)
        self.hide()

    def tell(self, words: str) -> None:
        """Show a sentence for a while."""
        self._words.setText(words)
        self.show()
        self.place()
        self.raise_()
        self._timer.start()

    def dismiss(self) -> None:
        """Hide it, and say so."""
        self._timer.stop()
        self.hide()
        self.gone.emit()

    @property
    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def place(self) -> None:
        """Keep to the foot of the window."""
        if self.isHidden():
            return
        room = self._room()
        width = min(_WIDTH_PX, room.width() - 2 * _MARGIN_PX)
        self.setFixedWidth(width)
        self.setFixedHeight(self._row.totalHeightForWidth(width))
        bottom = room.bottom() - _MARGIN_PX
        if self._above is not None and not self._above.isHidden():
            bottom = self._above.y() - _GAP_PX
        self.move(room.x() + (room.width() - width) // 2, bottom - self.height())

    def enterEvent(self, event: QEnterEvent) -> None:
        """Wait while it is read."""
        super().enterEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        """Go on."""
        super().leaveEvent(event)
        if not self.isHidden():
            self._timer.start()


class UndoToast(Toast):
    """Tells what was done, with a button that takes it back.

    Signals:
        undone: the reader wants it back.
    """

    undone = Signal()

    def __init__(self, window: QWidget, room: Callable[[], QRect], tip: str) -> None:
        super().__init__(window, room)
        undo = quiet_button("Undo", self.undone.emit, tip=tip)
        self._row.insertWidget(1, undo)

    def withdraw(self) -> None:
        """Hide it: what it told is no longer so."""
        self._timer.stop()
        self.hide()
