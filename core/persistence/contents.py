"""Titles and tables of contents of books."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection

from core.books import BookContents, BookId, ChunkId
from core.errors import NotFoundError
from core.persistence.database import fetch
from core.text import Chapter

_MOST_KEPT = 200
"""Tables of contents kept in memory: every search names the chapters of what it found."""

_BOOKS = """
SELECT id, title, first_chunk_id FROM books WHERE id IN (SELECT value FROM json_each(?))
"""
_CHAPTERS = "SELECT ordinal, title, level, start FROM chapters WHERE book_id = ? ORDER BY ordinal"


class ContentsReader:
    """Reads tables of contents, and keeps those read last."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        # Every text of a book has chunk ids of its own, so a text read anew is told apart.
        self._kept: dict[tuple[BookId, ChunkId], tuple[Chapter, ...]] = {}

    def read(
        self, connection: Connection, book_ids: Collection[BookId]
    ) -> dict[BookId, BookContents]:
        """Return the titles and chapters of books. An unknown book raises NotFoundError."""
        found = {
            book_id: BookContents(title, self._chapters(connection, book_id, first_chunk_id))
            for book_id, title, first_chunk_id in fetch(
                connection, _BOOKS, json.dumps(list(book_ids))
            )
        }
        for book_id in book_ids:
            if book_id not in found:
                raise NotFoundError(f"There is no book {book_id} in the library.")
        return found

    def _chapters(
        self, connection: Connection, book_id: BookId, first_chunk_id: ChunkId | None
    ) -> tuple[Chapter, ...]:
        if first_chunk_id is None:
            return _read_chapters(connection, book_id)
        kept = self._kept.get((book_id, first_chunk_id))
        if kept is None:
            kept = _read_chapters(connection, book_id)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[book_id, first_chunk_id] = kept
        return kept


def _read_chapters(connection: Connection, book_id: BookId) -> tuple[Chapter, ...]:
    return tuple(Chapter(*row) for row in fetch(connection, _CHAPTERS, book_id))
