"""What a search may see."""

from __future__ import annotations

from dataclasses import dataclass

from core.books import BookId, IdRange


@dataclass(frozen=True, slots=True)
class BookScope:
    """One book, read up to `up_to` (an offset into its canonical text), or whole where None."""

    book_id: BookId
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The books that a question is put to; `books` None stands for the whole library.

    Both indexes apply it inside the search, never to its results: this is what holds the spoiler
    boundary.
    """

    books: tuple[BookScope, ...] | None = None

    @classmethod
    def library(cls) -> Scope:
        """Every book."""
        return cls(None)

    @classmethod
    def book(cls, book_id: BookId, up_to: int | None = None) -> Scope:
        """One book, optionally only what lies before `up_to`."""
        return cls((BookScope(book_id, up_to),))

    def up_to(self, book_id: BookId) -> int | None:
        """The boundary that holds for a book, None where it is in scope whole.

        Raises:
            KeyError: the book is not in scope.
        """
        if self.books is None:
            return None
        for book in self.books:
            if book.book_id == book_id:
                return book.up_to
        raise KeyError(book_id)


@dataclass(frozen=True, slots=True)
class ResolvedScope:
    """A scope as ranges of ids, ascending and disjoint; None stands for everything.

    Only chunks and parents that end at or before their book's boundary are in the ranges.
    """

    chunks: tuple[IdRange, ...] | None
    parents: tuple[IdRange, ...] | None
