"""Shows that books were removed, and that it can be taken back."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.library.removal import Removals
from app.reading.pane import ReadingPane
from app.window.main_window import MainWindow
from core.books import BookId


class RemovalNotes(QObject):
    """Joins what was removed to the note, to the action that undoes it, and to the open book."""

    def __init__(self, removals: Removals, reading: ReadingPane, window: MainWindow) -> None:
        super().__init__(window)
        self._reading = reading
        self._closed: BookId | None = None
        self._undo = window.actions_["undo_removal"]
        self._undo.setEnabled(False)
        self._note = window.undo_toast
        self._undo.triggered.connect(removals.undo)
        self._note.undone.connect(removals.undo)
        self._note.gone.connect(removals.settle)
        removals.hidden.connect(self._close_book)
        removals.restored.connect(self._open_again)
        removals.changed.connect(self._tell)

    def _tell(self, words: str) -> None:
        self._undo.setEnabled(bool(words))
        if words:
            self._note.tell(words)
        else:
            self._note.withdraw()

    def _close_book(self, book_id: BookId) -> None:
        if self._reading.book_id == book_id:
            self._closed = book_id
            self._reading.close_book(keep_place=True)

    def _open_again(self, book_ids: list[BookId]) -> None:
        """Open the book that was open when it was removed, unless another is by now."""
        if self._closed in book_ids and self._reading.book_id is None:
            self._reading.open_book(self._closed)
        self._closed = None
