"""Finds a phrase in the open book and steps through its places."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.actions import Actions
from app.background import Background
from app.reading.find_bar import FindBar
from app.reading.finding import find_places
from app.reading.places_found import PlacesFound
from core.books import BookId
from core.ports import BookStore
from core.text import Span


class BookSearch(QObject):
    """The find bar with what it found in one book.

    Signals:
        placeWanted: the `Span` to show.
        ended: the bar was closed, or nothing is found.
    """

    placeWanted = Signal(object)
    ended = Signal()

    def __init__(
        self,
        books: BookStore,
        background: Background,
        actions: Actions,
        here: Callable[[], int],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._books = books
        self._background = background
        self._here = here
        self._book_id: BookId | None = None
        self._found = PlacesFound()
        self.bar = FindBar(actions)
        self.bar.sought.connect(self._seek)
        self.bar.stepped.connect(self.step)
        self.bar.closed.connect(self._end)
        actions["find_next"].triggered.connect(lambda: self.step(1))
        actions["find_previous"].triggered.connect(lambda: self.step(-1))

    def take_up(self, book_id: BookId | None) -> None:
        """Search another book from now on."""
        self._book_id = book_id
        self._found = PlacesFound()
        if self.bar.isVisible():
            self.bar.close_bar()

    def within(self, span: Span) -> list[Span]:
        """Return the places found in a span."""
        return self._found.within(span)

    def step(self, step: int) -> None:
        """Show the next place found, or the one before it."""
        if self._found:
            place = self._found.step(step, self._here())
            self.bar.tell(self._found.words())
            self.placeWanted.emit(place)

    def _seek(self, phrase: str) -> None:
        self._background.spawn(self._find_all(phrase), replacing="find")

    async def _find_all(self, phrase: str) -> None:
        book_id = self._book_id
        if book_id is None:
            return
        places = await self._background.read(lambda: find_places(self._books.text(book_id), phrase))
        self._found = PlacesFound(places)
        self.bar.tell(self._found.words() if phrase.strip() else "")
        if places:
            self.step(1)
        else:
            self.ended.emit()

    def _end(self) -> None:
        self._found = PlacesFound()
        self.ended.emit()
