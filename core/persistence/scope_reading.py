"""Scopes as ranges of ids."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection

from core.books import IdRange
from core.errors import NotFoundError
from core.persistence.database import fetch
from core.scope import BookScope, ResolvedScope, Scope

_RESERVED = """
SELECT id, first_chunk_id, chunk_count, first_parent_id, parent_count
FROM books WHERE id IN (SELECT value FROM json_each(?))
"""

# Ids come in text order, so the last to end at a boundary is the last before it. It is one that
# is stored: what will be stored under an id that is only reserved may lie past the boundary.
_LAST_CHUNK = 'SELECT id FROM chunks WHERE book_id = ? AND "end" <= ? ORDER BY "end" DESC LIMIT 1'
_LAST_PARENT = 'SELECT id FROM parents WHERE book_id = ? AND "end" <= ? ORDER BY "end" DESC LIMIT 1'

_LANGUAGES = """
SELECT language FROM books WHERE ?1 IS NULL OR id IN (SELECT value FROM json_each(?1))
GROUP BY language ORDER BY count(*) DESC, language
"""


def resolve(connection: Connection, scope: Scope) -> ResolvedScope:
    """Turn a scope into id ranges. An unknown book raises NotFoundError."""
    if scope.books is None:
        return ResolvedScope(None, None)
    reserved = {
        book_id: (_range(first_chunk, chunk_count), _range(first_parent, parent_count))
        for book_id, first_chunk, chunk_count, first_parent, parent_count in fetch(
            connection, _RESERVED, json.dumps([book.book_id for book in scope.books])
        )
    }
    chunks: list[IdRange | None] = []
    parents: list[IdRange | None] = []
    for book in scope.books:
        if book.book_id not in reserved:
            raise NotFoundError(f"There is no book {book.book_id} in the library.")
        of_chunks, of_parents = reserved[book.book_id]
        chunks.append(_within(connection, _LAST_CHUNK, of_chunks, book))
        parents.append(_within(connection, _LAST_PARENT, of_parents, book))
    return ResolvedScope(_merge(filter(None, chunks)), _merge(filter(None, parents)))


def read_languages(connection: Connection, scope: Scope) -> list[str]:
    """Return the languages of the books in scope, the most common first."""
    ids = None if scope.books is None else json.dumps([book.book_id for book in scope.books])
    return [language for (language,) in fetch(connection, _LANGUAGES, ids)]


def _range(first: int | None, count: int) -> IdRange | None:
    return None if first is None else IdRange(first, first + count - 1)


def _within(
    connection: Connection, last_query: str, ids: IdRange | None, book: BookScope
) -> IdRange | None:
    """Return the part of a book's ids that ends at or before its boundary, None for nothing."""
    if ids is None or book.up_to is None:
        return ids
    found = fetch(connection, last_query, book.book_id, book.up_to)
    return IdRange(ids.first, found[0][0]) if found else None


def _merge(ranges: Iterable[IdRange]) -> tuple[IdRange, ...]:
    """Return ranges ascending and disjoint, with neighbours joined."""
    merged: list[IdRange] = []
    for ids in sorted(ranges):
        if merged and ids.first <= merged[-1].last + 1:
            merged[-1] = IdRange(merged[-1].first, max(merged[-1].last, ids.last))
        else:
            merged.append(ids)
    return tuple(merged)
