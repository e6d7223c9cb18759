"""Reads what an answer needs of the books in its scope, and nothing beyond the scope."""

from __future__ import annotations

from functools import cached_property

from core.books import Book, BookId
from core.ports import BookStore
from core.scope import Scope
from core.text import Chapter, Span, chapter_label


class Shelf:
    """The books in scope; lives for one answer, so that it reads nothing twice. May block."""

    def __init__(self, books: BookStore, scope: Scope) -> None:
        self._books = books
        self.scope = scope
        self._chapters: dict[BookId, list[Chapter]] = {}

    @cached_property
    def books(self) -> dict[BookId, Book]:
        """The books in scope, by id. Raises NotFoundError for one that is not there."""
        if self.scope.books is None:
            found = self._books.all()
        else:
            found = [self._books.get(book.book_id) for book in self.scope.books]
        return {book.id: book for book in found}

    def book(self, book_id: BookId) -> Book:
        """Return a book; one that was added since `books` was read is read now, and kept."""
        if book_id not in self.books:
            self.books[book_id] = self._books.get(book_id)
        return self.books[book_id]

    def language(self, book_id: BookId) -> str:
        """Return a book's language, "und" where nothing tells."""
        return self.book(book_id).metadata.language

    def title(self, book_id: BookId) -> str:
        """Return a book's title."""
        return self.book(book_id).title

    def end(self, book_id: BookId) -> int:
        """Return the offset at which the scope ends in a book."""
        up_to = self.scope.up_to(book_id)
        length = self.book(book_id).character_count
        return length if up_to is None else min(up_to, length)

    def text(self, book_id: BookId, start: int, end: int) -> tuple[int, str]:
        """Return the text between two offsets, as far as it is in scope, with its own start."""
        start = max(start, 0)
        end = max(min(end, self.end(book_id)), start)
        return start, self._books.text(book_id, Span(start, end))

    def text_beyond(self, book_id: BookId) -> str:
        """Return the text after the scope's end: only to tell what must not be shown."""
        return self._books.text(
            book_id, Span(self.end(book_id), self.book(book_id).character_count)
        )

    def chapters(self, book_id: BookId) -> list[Chapter]:
        """Return a book's table of contents."""
        if book_id not in self._chapters:
            self._chapters[book_id] = self._books.chapters(book_id)
        return self._chapters[book_id]

    def chapter_at(self, book_id: BookId, offset: int) -> str:
        """Return the path of chapter titles at an offset."""
        return chapter_label(self.chapters(book_id), offset)

    def percent(self, book_id: BookId, offset: int) -> int:
        """Return how far into a book an offset is, in percent."""
        return 100 * offset // max(self.book(book_id).character_count, 1)
