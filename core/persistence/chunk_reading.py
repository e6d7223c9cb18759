"""Chunks as rows of the database."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection

from core.books import ChunkId, StoredChunk
from core.persistence.database import fetch
from core.text import Span

_COLUMNS = 'chunks.id, chunks.book_id, chunks.start, chunks."end", chunks.parent_id'

# CROSS JOIN: for each wanted id its rows, never the whole table.
_BY_ID = f"SELECT {_COLUMNS} FROM json_each(?) CROSS JOIN chunks ON chunks.id = value"
_BY_PARENT = f"SELECT {_COLUMNS} FROM json_each(?) CROSS JOIN chunks ON chunks.parent_id = value"


def read_chunks(connection: Connection, chunk_ids: Sequence[ChunkId]) -> list[StoredChunk]:
    """Return the chunks with these ids, in this order, leaving out ids that are gone."""
    found = {chunk.id: chunk for chunk in _read(connection, _BY_ID, chunk_ids)}
    return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]


def read_chunks_of_parents(connection: Connection, parent_ids: Sequence[int]) -> list[StoredChunk]:
    """Return the chunks that lie in these parents, by ascending id."""
    return sorted(_read(connection, _BY_PARENT, parent_ids), key=lambda chunk: chunk.id)


def _read(connection: Connection, query: str, wanted: Sequence[int]) -> list[StoredChunk]:
    if not wanted:
        return []
    return [
        StoredChunk(chunk_id, book_id, Span(start, end), parent_id)
        for chunk_id, book_id, start, end, parent_id in fetch(
            connection, query, json.dumps(list(wanted))
        )
    ]
