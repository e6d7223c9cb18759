"""Removing books so that it can be taken back.

The reader sees the books go at once; the library lets go of them only when the time for taking it
back is over, or the window closes. Until then nothing of theirs is touched but that their jobs are
held, so that undoing brings back all of it: text, place, search index, quotes in conversations.
Should Postil end in between without closing, the books are still in the library at the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.background import Background
from app.library.book_model import BookListModel
from app.wording import count
from core.books import Book, BookId
from core.errors import NotFoundError
from core.jobs import IngestJob, JobId
from core.scope import BookScope, Scope

if TYPE_CHECKING:
    from app.composition import Postil


@dataclass(frozen=True, slots=True)
class _Removed:
    """A book that the reader no longer sees, and its jobs that are held for it."""

    book: Book
    held: tuple[JobId, ...]


class Removals(QObject):
    """The books that are as good as removed.

    Signals:
        changed: words for what can be taken back, "" for nothing.
        hidden: id of a book that has gone from sight.
        restored: ids of the books that are back, as a list.
    """

    changed = Signal(str)
    hidden = Signal(int)
    restored = Signal(list)

    def __init__(
        self, postil: Postil, background: Background, model: BookListModel, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._postil = postil
        self._background = background
        self._model = model
        self._removed: dict[BookId, _Removed] = {}

    def remove(self, books: Sequence[Book]) -> None:
        """Take books out of sight; what was removed a moment ago can still be taken back too."""
        wanted = [book for book in books if book.id not in self._removed]
        if not wanted:
            return
        for book in wanted:
            self._removed[book.id] = _Removed(book, ())
        self._model.hide({book.id for book in wanted})
        for book in wanted:
            self.hidden.emit(book.id)
        self.changed.emit(self._words())
        self._background.spawn(self._hold_jobs([book.id for book in wanted]))

    def undo(self) -> None:
        """Bring all of them back."""
        self._background.spawn(self.restore(list(self._removed)))

    async def restore(self, book_ids: Sequence[BookId]) -> None:
        """Bring back those of these that were removed."""
        back = [self._removed.pop(id_) for id_ in book_ids if id_ in self._removed]
        if not back:
            return
        for one in back:
            for job_id in one.held:
                await self._postil.ingest.resume(job_id)
        ids = [one.book.id for one in back]
        # On the writing thread: the reader's place may be on its way.
        books = await self._background.write(self._postil.library.books.all)
        self._model.show_again({book.id: book for book in books if book.id in ids})
        self.restored.emit(ids)
        self.changed.emit(self._words())

    def settle(self) -> None:
        """Remove them for good."""
        self._background.spawn(self.settle_now())

    async def settle_now(self) -> None:
        """Remove them for good, and wait until that is done."""
        while self._removed:
            book_id, removed = self._removed.popitem()
            for job in await self._open_jobs(book_id):
                await self._postil.ingest.cancel(job.id)
            try:
                await self._background.write(self._postil.remove_book, removed.book.id)
            except NotFoundError:
                continue  # cancelling its job took the book along, or another window did
        self.changed.emit("")

    def library_scope(self) -> Scope:
        """Return the scope of all books but those that are removed."""
        if not self._removed:
            return Scope.library()
        return Scope(tuple(BookScope(book.id) for book in self._model.books()))

    async def _hold_jobs(self, book_ids: Sequence[BookId]) -> None:
        for book_id in book_ids:
            held = [job.id for job in await self._open_jobs(book_id) if not job.paused]
            for job_id in held:
                await self._postil.ingest.pause(job_id)
            if book_id in self._removed:
                self._removed[book_id] = _Removed(self._removed[book_id].book, tuple(held))
            else:  # taken back meanwhile
                for job_id in held:
                    await self._postil.ingest.resume(job_id)

    async def _open_jobs(self, book_id: BookId) -> list[IngestJob]:
        jobs = await self._background.read(self._postil.library.jobs.all, active_only=True)
        return [job for job in jobs if job.book_id == book_id]

    def _words(self) -> str:
        if not self._removed:
            return ""
        if len(self._removed) == 1:
            (removed,) = self._removed.values()
            return f"Removed “{removed.book.title}” from the library."
        return f"Removed {count(len(self._removed), 'book', 'books')} from the library."
