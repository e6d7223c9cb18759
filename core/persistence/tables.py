"""The tables of the library. The full-text tables stand beside them, in core.persistence.lexical.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, aware and in UTC; SQLite itself keeps no time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Drop the zone, which is UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Put the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class FilePath(TypeDecorator[str]):
    """A path as the system gave it; bytes that are no Unicode come back as they were.

    Python holds such bytes as lone surrogates, which SQLite's text cannot: they are kept as a blob.
    """

    impl = String
    cache_ok = True

    def process_bind_param(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> str | None:
        """Return text where it can be text, else bytes."""
        if value is None or value.isascii():
            return value
        raw = os.fsencode(value)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw  # type: ignore[return-value]

    def process_result_value(
        self,
        value: str | bytes | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> str | None:
        """Return the path as it was."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


metadata = MetaData()

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("fields", JSON, nullable=False),
    Column("generation", Integer, nullable=False),
)

books = Table(
    "books",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("content_hash", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("language", String, nullable=False),
    Column("publisher", String),
    Column("published", String),
    Column("description", String),
    Column("identifiers", JSON, nullable=False),
    Column("subjects", JSON, nullable=False),
    Column("series", String),
    Column("series_index", Float),
    Column("format", String, nullable=False),
    Column("status", String, nullable=False),
    Column("source_name", String, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("parser_version", String),
    Column("character_count", Integer, nullable=False),
    Column("block_count", Integer, nullable=False),
    Column("first_parent_id", Integer),
    Column("parent_count", Integer, nullable=False),
    Column("first_chunk_id", Integer),
    Column("chunk_count", Integer, nullable=False),
    Column("chunk_character_count", Integer, nullable=False),
    Column("embedded_count", Integer, nullable=False),
    Column("fingerprint_id", ForeignKey("fingerprints.id")),
    Column("encoding", String),
    Column("cover_name", String),
    Column("warnings", JSON, nullable=False),
    Column("error", String),
    Column("reading_offset", Integer, nullable=False),
    sqlite_autoincrement=True,
)

chapters = Table(
    "chapters",
    metadata,
    Column("book_id", ForeignKey("books.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("title", String, nullable=False),
    Column("level", Integer, nullable=False),
    Column("start", Integer, nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("level", Integer, nullable=False),
    Column("matter", String, nullable=False),
    Column("language", String),
    Column("locator", String, nullable=False),
    Column("text", String, nullable=False),
    Index("ix_blocks_book_id_start", "book_id", "start", unique=True),
)

parents = Table(
    "parents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("search_text", String, nullable=False),
    Column("title_text", String, nullable=False),
    Index("ix_parents_book_id_end", "book_id", "end"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("book_id", ForeignKey("books.id"), nullable=False),
    Column("parent_id", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("search_text", String, nullable=False),
    Index("ix_chunks_book_id_end", "book_id", "end"),
    Index("ix_chunks_parent_id", "parent_id"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("chunk_id", ForeignKey("chunks.id"), primary_key=True),
    Column("fingerprint_id", ForeignKey("fingerprints.id"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

id_counters = Table(
    "id_counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("next_id", Integer, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source_path", FilePath, nullable=False),
    Column("book_id", ForeignKey("books.id"), index=True),
    Column("state", String, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("done_characters", Integer, nullable=False),
    Column("total_characters", Integer, nullable=False),
    Column("error", String),
    Column("error_kind", String),
    Column("owner", String),
    Column("heartbeat_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    sqlite_autoincrement=True,
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String, primary_key=True),
    Column("base_url", String, nullable=False),
    Column("model", String, nullable=False),
    Column("context_tokens", Integer, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", JSON, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("question", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("model", String),
    Column("stopped", Boolean, nullable=False),
    Column("error", String),
    Column("trace", JSON, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

# A quote outlives its book: `book_id` is no foreign key, and book ids are never used again.
citations = Table(
    "citations",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("book_id", Integer, nullable=False),
    Column("chapter", String, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("quote", String, nullable=False),
)
