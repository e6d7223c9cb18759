"""Storing a book's text in batches, and dropping it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    Connection,
    Table,
    TextClause,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from core.books import Chunk, IdRange, ParentChunk
from core.persistence import tables
from core.persistence.book_rows import BookRow, chunk_ids, parent_ids
from core.persistence.bulk import insert_rows
from core.text import Chapter, PlacedBlock

# The 'delete' command needs the words as they were indexed, and so comes before the rows go.
_INDEX_CHUNKS = text(
    "INSERT INTO chunk_words(rowid, search_text) "
    "SELECT id, search_text FROM chunks WHERE id BETWEEN :first AND :last"
)
_INDEX_PARENTS = text(
    "INSERT INTO parent_words(rowid, title_text, search_text) "
    "SELECT id, title_text, search_text FROM parents WHERE id BETWEEN :first AND :last"
)
_FORGET_CHUNKS = text(
    "INSERT INTO chunk_words(chunk_words, rowid, search_text) "
    "SELECT 'delete', id, search_text FROM chunks WHERE id BETWEEN :first AND :last"
)
_FORGET_PARENTS = text(
    "INSERT INTO parent_words(parent_words, rowid, title_text, search_text) "
    "SELECT 'delete', id, title_text, search_text FROM parents WHERE id BETWEEN :first AND :last"
)


def reserve_ids(connection: Connection, name: str, count: int) -> int | None:
    """Return the first of `count` ids never handed out before, None for no ids at all."""
    if count == 0:
        return None
    counter = tables.id_counters
    statement = (
        upsert(counter)
        .values(name=name, next_id=1 + count)
        .on_conflict_do_update(
            index_elements=[counter.c.name], set_={"next_id": counter.c.next_id + count}
        )
        .returning(counter.c.next_id)
    )
    next_id: int = connection.execute(statement).scalar_one()
    return next_id - count


def insert_chapters(connection: Connection, book_id: int, chapters: Sequence[Chapter]) -> None:
    """Store a table of contents."""
    rows = [
        {
            "book_id": book_id,
            "ordinal": chapter.ordinal,
            "title": chapter.title,
            "level": chapter.level,
            "start": chapter.start,
        }
        for chapter in chapters
    ]
    insert_rows(connection, tables.chapters, rows)


def insert_blocks(connection: Connection, book_id: int, blocks: Sequence[PlacedBlock]) -> None:
    """Store blocks."""
    rows = [
        {
            "book_id": book_id,
            "ordinal": placed.ordinal,
            "start": placed.start,
            "kind": placed.block.kind,
            "level": placed.block.level,
            "matter": placed.block.matter,
            "language": placed.block.language,
            "locator": placed.block.locator,
            "text": placed.block.text,
        }
        for placed in blocks
    ]
    insert_rows(connection, tables.blocks, rows)


def insert_parents(connection: Connection, book: BookRow, parents: Sequence[ParentChunk]) -> None:
    """Store parent chunks under the ids reserved for them, and index their words."""
    _check_announced(book.parent_count, [parent.ordinal for parent in parents])
    rows = [
        {
            "id": book.first_parent_id + parent.ordinal,
            "book_id": book.id,
            "start": parent.span.start,
            "end": parent.span.end,
            "search_text": parent.search_text,
            "title_text": parent.title_text,
        }
        for parent in parents
    ]
    insert_rows(connection, tables.parents, rows)
    if rows:
        connection.execute(_INDEX_PARENTS, {"first": rows[0]["id"], "last": rows[-1]["id"]})


def insert_chunks(connection: Connection, book: BookRow, chunks: Sequence[Chunk]) -> None:
    """Store chunks under the ids reserved for them, and index their words."""
    _check_announced(book.chunk_count, [chunk.ordinal for chunk in chunks])
    rows = [
        {
            "id": book.first_chunk_id + chunk.ordinal,
            "book_id": book.id,
            "parent_id": book.first_parent_id + chunk.parent_ordinal,
            "start": chunk.span.start,
            "end": chunk.span.end,
            "search_text": chunk.search_text,
        }
        for chunk in chunks
    ]
    insert_rows(connection, tables.chunks, rows)
    if rows:
        connection.execute(_INDEX_CHUNKS, {"first": rows[0]["id"], "last": rows[-1]["id"]})


def _check_announced(count: int, ordinals: Sequence[int]) -> None:
    if ordinals and not 0 <= min(ordinals) <= max(ordinals) < count:
        raise ValueError(f"{max(ordinals) + 1} were stored where {count} were announced")


def is_complete(connection: Connection, book: BookRow) -> bool:
    """Say whether all blocks, parents and chunks that were announced are there."""
    stored = [
        connection.execute(
            select(func.count()).select_from(table).where(table.c.book_id == book.id)
        ).scalar_one()
        for table in (tables.blocks, tables.parents, tables.chunks)
    ]
    return stored == [book.block_count, book.parent_count, book.chunk_count]


def drop_text(connection: Connection, book: BookRow) -> None:
    """Delete a book's blocks, chapters, chunks, index entries and embeddings."""
    if chunk_range := chunk_ids(book):
        _drop_embeddings(connection, chunk_range)
        _drop_range(connection, tables.chunks, chunk_range, _FORGET_CHUNKS)
    if parent_range := parent_ids(book):
        _drop_range(connection, tables.parents, parent_range, _FORGET_PARENTS)
    connection.execute(delete(tables.blocks).where(tables.blocks.c.book_id == book.id))
    connection.execute(delete(tables.chapters).where(tables.chapters.c.book_id == book.id))


def _drop_range(connection: Connection, table: Table, ids: IdRange, forget: TextClause) -> None:
    connection.execute(forget, {"first": ids.first, "last": ids.last})
    connection.execute(delete(table).where(table.c.id.between(*ids)))


def _drop_embeddings(connection: Connection, ids: IdRange) -> None:
    embeddings, fingerprints = tables.embeddings, tables.fingerprints
    inside = embeddings.c.chunk_id.between(*ids)
    touched = select(embeddings.c.fingerprint_id).where(inside)
    connection.execute(
        update(fingerprints)
        .where(fingerprints.c.id.in_(touched))
        .values(generation=fingerprints.c.generation + 1)
    )
    connection.execute(delete(embeddings).where(inside))
