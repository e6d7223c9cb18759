"""Books as the library knows them, and the chunks that searches return."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.text import BookMetadata, Chapter, Span

BookId = int
ChunkId = int


class BookStatus(StrEnum):
    """How far a book has come.

    A book can be read and searched by words from `SEARCHABLE` on, and by meaning when `READY`.
    """

    QUEUED = "queued"
    PARSING = "parsing"
    SEARCHABLE = "searchable"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_text(self) -> bool:
        """Say whether the book's text is stored whole, so that it can be read."""
        return self in (BookStatus.SEARCHABLE, BookStatus.READY)


@dataclass(frozen=True, slots=True)
class Book:
    """One book of the library.

    Attributes:
        id: its number, never used again after removal.
        content_hash: SHA-256 of the source file, in hexadecimal; the same file twice is one book.
        metadata: title, authors, language.
        format: "epub" or "txt" once its text is stored; until then, and where that failed, the
            suffix of its file, whatever that is: "pdf", or "" for none.
        status: how far it has come.
        source_name: the name the file had when it was added.
        added_at: in UTC.
        character_count: length of the canonical text in code points.
        block_count: blocks of the canonical text.
        chunk_count: chunks that searches return.
        embedded_count: chunks that have an embedding under the current embedding model.
        encoding: for a plain text file, the encoding it was read with.
        cover_name: file name in the covers folder, where there is one.
        warnings: what was wrong with the source and was survived.
        error: why the last ingest failed, in words for the reader.
        reading_offset: the reader's place in the book.
    """

    id: BookId
    content_hash: str
    metadata: BookMetadata
    format: str
    status: BookStatus
    source_name: str
    added_at: datetime
    character_count: int = 0
    block_count: int = 0
    chunk_count: int = 0
    embedded_count: int = 0
    encoding: str | None = None
    cover_name: str | None = None
    warnings: tuple[str, ...] = field(default=())
    error: str | None = None
    reading_offset: int = 0

    @property
    def title(self) -> str:
        """The title."""
        return self.metadata.title

    @property
    def author(self) -> str:
        """The authors on one line, "" where the book names none."""
        return ", ".join(self.metadata.authors)


class BookContents(NamedTuple):
    """What a passage is named by: its book's title and table of contents, in text order."""

    title: str
    chapters: tuple[Chapter, ...]


class IdRange(NamedTuple):
    """A contiguous range of chunk (or parent) ids, `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ParentChunk:
    """A larger window (about 256 tokens) that word search scores; every chunk lies in one.

    Attributes:
        ordinal: its number in the book, from 0.
        span: its place in the canonical text.
        search_text: its words as the lexical index wants them (core.search_text).
        title_text: the words of its book's and chapters' titles, likewise.
    """

    ordinal: int
    span: Span
    search_text: str
    title_text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A small passage (about 64 tokens): what embeddings stand for and searches return.

    Attributes:
        ordinal: its number in the book, from 0.
        span: its place in the canonical text.
        parent_ordinal: the parent chunk it lies in.
        search_text: its words as the lexical index wants them (core.search_text).
    """

    ordinal: int
    span: Span
    parent_ordinal: int
    search_text: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the store returns it."""

    id: ChunkId
    book_id: BookId
    span: Span
    parent_id: int
