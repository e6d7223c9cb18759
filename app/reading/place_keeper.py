"""Keeps the reader's place in the open book."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from app.background import Background
from core.books import BookId
from core.ports import BookStore

_SETTLE_MS = 600


class PlaceKeeper(QObject):
    """Stores where the reader is, once they rest there, and not while they only visit a passage.

    Signals:
        settled: the page has come to rest.

    Attributes:
        visiting: the page shows a passage away from the reader's place.
    """

    settled = Signal()

    def __init__(
        self, books: BookStore, background: Background, here: Callable[[], int], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._books = books
        self._background = background
        self._here = here
        self._book_id: BookId | None = None
        self._offset = 0
        self.visiting = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._settle)

    @property
    def offset(self) -> int:
        """The reader's place."""
        return self._offset

    def take_up(self, book_id: BookId | None, offset: int = 0) -> None:
        """Keep the place in another book from now on; None for no book."""
        self._book_id, self._offset, self.visiting = book_id, offset, False

    def note_move(self) -> None:
        """The page moves; the place is kept when it rests."""
        if self._book_id is not None:
            self._timer.start()

    def keep_now(self) -> None:
        """Keep the place without waiting, where the page moved and may be about to change."""
        if self._timer.isActive():
            self._settle()

    def keep(self) -> None:
        """Keep what is on view as the reader's place."""
        if (moved := self._moved()) is not None:
            self._background.spawn(self._background.write(self._books.set_reading_offset, *moved))

    async def finish(self) -> None:
        """Keep the place for good, before all is closed."""
        if self._timer.isActive():
            self._timer.stop()
            if (moved := self._moved()) is not None:
                await self._background.write(self._books.set_reading_offset, *moved)

    def rest(self) -> None:
        """Forget that the page moved: what follows is no doing of the reader's."""
        self._timer.stop()

    def _settle(self) -> None:
        self._timer.stop()
        self.keep()
        self.settled.emit()

    def _moved(self) -> tuple[BookId, int] | None:
        """Take up the place on view; return it with its book where it is another than before."""
        if self._book_id is None or self.visiting:
            return None
        offset = self._here()
        if offset == self._offset:
            return None
        self._offset = offset
        return self._book_id, offset
