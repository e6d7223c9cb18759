"""Books as rows of the database."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from core.books import Book, BookId, BookStatus, IdRange
from core.errors import NotFoundError
from core.persistence.tables import books
from core.ports import TextSummary
from core.text import BookMetadata

BookRow = Row[Any]


def get_row(connection: Connection, book_id: BookId) -> BookRow:
    """Return a book's row, or raise NotFoundError."""
    row = connection.execute(select(books).where(books.c.id == book_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no book {book_id} in the library.")
    return row


def book_from_row(row: BookRow) -> Book:
    """Make a book of its row."""
    return Book(
        id=row.id,
        content_hash=row.content_hash,
        metadata=BookMetadata(
            title=row.title,
            authors=tuple(row.authors),
            language=row.language,
            publisher=row.publisher,
            published=row.published,
            description=row.description,
            identifiers=tuple(row.identifiers),
            subjects=tuple(row.subjects),
            series=row.series,
            series_index=row.series_index,
        ),
        format=row.format,
        status=BookStatus(row.status),
        source_name=row.source_name,
        added_at=row.added_at,
        character_count=row.character_count,
        block_count=row.block_count,
        chunk_count=row.chunk_count,
        embedded_count=row.embedded_count,
        encoding=row.encoding,
        cover_name=row.cover_name,
        warnings=tuple(row.warnings),
        error=row.error,
        reading_offset=row.reading_offset,
    )


def new_book_values(
    content_hash: str, source_name: str, title: str, format_: str
) -> dict[str, Any]:
    """Return the columns of a book whose text has not been read yet."""
    return {
        **asdict(BookMetadata(title)),
        "content_hash": content_hash,
        "format": format_,
        "status": BookStatus.QUEUED,
        "source_name": source_name,
        "added_at": datetime.now(UTC),
        "character_count": 0,
        "block_count": 0,
        "parent_count": 0,
        "chunk_count": 0,
        "chunk_character_count": 0,
        "embedded_count": 0,
        "warnings": (),
        "reading_offset": 0,
    }


def summary_values(
    summary: TextSummary, first_chunk_id: int | None, first_parent_id: int | None
) -> dict[str, Any]:
    """Return the columns of a book whose text is about to be stored."""
    return {
        **asdict(summary.metadata),
        "format": summary.format,
        "status": BookStatus.PARSING,
        "error": None,
        "parser_version": summary.parser_version,
        "character_count": summary.character_count,
        "block_count": summary.block_count,
        "first_parent_id": first_parent_id,
        "parent_count": summary.parent_count,
        "first_chunk_id": first_chunk_id,
        "chunk_count": summary.chunk_count,
        "chunk_character_count": summary.chunk_character_count,
        "embedded_count": 0,
        "fingerprint_id": None,
        "encoding": summary.encoding,
        "cover_name": summary.cover_name,
        "warnings": summary.warnings,
    }


def chunk_ids(row: BookRow) -> IdRange | None:
    """Return the ids reserved for a book's chunks."""
    return _range(row.first_chunk_id, row.chunk_count)


def parent_ids(row: BookRow) -> IdRange | None:
    """Return the ids reserved for a book's parent chunks."""
    return _range(row.first_parent_id, row.parent_count)


def _range(first: int | None, count: int) -> IdRange | None:
    return None if first is None else IdRange(first, first + count - 1)
