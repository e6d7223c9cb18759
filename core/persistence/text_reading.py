"""Slices of the canonical text, put together from blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from core.books import ChunkId
from core.errors import NotFoundError
from core.persistence.database import fetch
from core.persistence.tables import blocks, chunks
from core.text import BLOCK_SEPARATOR, Block, BlockKind, Matter, PlacedBlock, Span


def read_blocks(connection: Connection, book_id: int, span: Span | None) -> list[PlacedBlock]:
    """Return the blocks that overlap `span`, or all of a book's."""
    query = select(blocks).where(blocks.c.book_id == book_id).order_by(blocks.c.start)
    if span is not None:
        query = query.where(
            blocks.c.start >= _first_start(book_id, span.start), blocks.c.start < span.end
        )
    placed = [
        PlacedBlock(
            row.ordinal,
            row.start,
            Block(
                kind=BlockKind(row.kind),
                text=row.text,
                locator=row.locator,
                level=row.level,
                matter=Matter(row.matter),
                language=row.language,
            ),
        )
        for row in connection.execute(query)
    ]
    return placed if span is None else [block for block in placed if block.span.overlaps(span)]


def read_text(connection: Connection, book_id: int, span: Span | None) -> str:
    """Return the canonical text or its slice; what lies past the end is left out."""
    query = (
        select(blocks.c.start, blocks.c.text)
        .where(blocks.c.book_id == book_id)
        .order_by(blocks.c.start)
    )
    if span is None:
        return BLOCK_SEPARATOR.join(row.text for row in connection.execute(query))
    # The block that starts where the span ends comes along for the separator before it.
    rows = connection.execute(
        query.where(blocks.c.start >= _first_start(book_id, span.start), blocks.c.start <= span.end)
    ).all()
    return _cut(BLOCK_SEPARATOR.join(row.text for row in rows), rows[0].start, span) if rows else ""


_SLICES = """
SELECT place.key, block.start, block.text
FROM json_each(?) AS place
CROSS JOIN blocks AS block ON block.book_id = json_extract(place.value, '$[0]')
    AND block.start >= (
        SELECT max(start) FROM blocks
        WHERE book_id = json_extract(place.value, '$[0]')
            AND start <= json_extract(place.value, '$[1]'))
    AND block.start <= json_extract(place.value, '$[2]')
ORDER BY place.key, block.start
"""
_KNOWN = "SELECT id FROM books WHERE id IN (SELECT value FROM json_each(?))"


def read_slices(connection: Connection, places: Sequence[tuple[int, Span]]) -> list[str]:
    """Return the slices at these places, all by one query; what lies past an end is left out.

    Raises:
        NotFoundError: there is no such book.
    """
    book_ids = {book_id for book_id, _ in places}
    known = {book_id for (book_id,) in fetch(connection, _KNOWN, json.dumps(list(book_ids)))}
    if unknown := book_ids - known:
        raise NotFoundError(f"There is no book {min(unknown)} in the library.")
    wanted = json.dumps([(book_id, span.start, span.end) for book_id, span in places])
    pieces: list[list[str]] = [[] for _ in places]
    starts = [0] * len(places)
    for index, start, block_text in fetch(connection, _SLICES, wanted):
        if not pieces[index]:
            starts[index] = start
        pieces[index].append(block_text)
    return [
        _cut(BLOCK_SEPARATOR.join(texts), start, span)
        for texts, start, (_, span) in zip(pieces, starts, places, strict=True)
    ]


def _first_start(book_id: int, offset: int) -> object:
    """Return the start of the block that holds `offset`, as a subquery."""
    return (
        select(func.max(blocks.c.start))
        .where(blocks.c.book_id == book_id, blocks.c.start <= offset)
        .scalar_subquery()
    )


def read_chunk_texts(connection: Connection, chunk_ids: Sequence[ChunkId]) -> list[str]:
    """Return the slices of chunks, in this order, reading every block they touch just once."""
    wanted = func.json_each(json.dumps(list(chunk_ids))).table_valued("value")
    first_start = (
        select(func.max(blocks.c.start))
        .where(blocks.c.book_id == chunks.c.book_id, blocks.c.start <= chunks.c.start)
        .correlate(chunks)
        .scalar_subquery()
    )
    pairs = connection.execute(
        select(chunks.c.id, chunks.c.start, chunks.c.end, blocks.c.id, blocks.c.start)
        .join_from(wanted, chunks, chunks.c.id == wanted.c.value)
        .join(
            blocks,
            (blocks.c.book_id == chunks.c.book_id)
            & (blocks.c.start >= first_start)
            & (blocks.c.start < chunks.c.end),
        )
        .order_by(chunks.c.id, blocks.c.start)
    ).all()
    texts = _block_texts(connection, sorted({block_id for _, _, _, block_id, _ in pairs}))
    spans: dict[ChunkId, tuple[int, Span]] = {}
    pieces: dict[ChunkId, list[str]] = {}
    for chunk_id, start, end, block_id, block_start in pairs:
        spans.setdefault(chunk_id, (block_start, Span(start, end)))
        pieces.setdefault(chunk_id, []).append(texts[block_id])
    if missing := set(chunk_ids) - spans.keys():
        raise NotFoundError(f"There is no chunk {min(missing)} in the library.")
    return [_cut(BLOCK_SEPARATOR.join(pieces[id_]), *spans[id_]) for id_ in chunk_ids]


def _block_texts(connection: Connection, block_ids: list[int]) -> dict[int, str]:
    wanted = func.json_each(json.dumps(block_ids)).table_valued("value")
    query = select(blocks.c.id, blocks.c.text).join_from(
        wanted, blocks, blocks.c.id == wanted.c.value
    )
    return {row.id: row.text for row in connection.execute(query)}


def _cut(text: str, text_start: int, span: Span) -> str:
    return text[span.start - text_start : span.end - text_start]
