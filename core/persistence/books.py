"""The library's books, their text, chapters and chunks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, insert, select, update

from core.books import (
    Book,
    BookContents,
    BookId,
    BookStatus,
    Chunk,
    ChunkId,
    IdRange,
    ParentChunk,
    StoredChunk,
)
from core.errors import StorageError
from core.file_names import readable
from core.persistence import tables
from core.persistence.book_rows import (
    book_from_row,
    chunk_ids,
    get_row,
    new_book_values,
    summary_values,
)
from core.persistence.chunk_reading import read_chunks, read_chunks_of_parents
from core.persistence.contents import ContentsReader
from core.persistence.database import Database
from core.persistence.scope_reading import read_languages, resolve
from core.persistence.text_reading import read_blocks, read_chunk_texts, read_slices, read_text
from core.persistence.text_writing import (
    drop_text,
    insert_blocks,
    insert_chapters,
    insert_chunks,
    insert_parents,
    is_complete,
    reserve_ids,
)
from core.ports import TextSummary
from core.scope import ResolvedScope, Scope
from core.text import Chapter, PlacedBlock, Span

_books = tables.books


class SqlBookStore:
    """Implements core.ports.BookStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contents = ContentsReader()

    def add(
        self, content_hash: str, source_name: str, title: str, format_: str
    ) -> tuple[Book, bool]:
        """Return the book with that content, made now (True) or there already (False)."""
        with self._database.write() as connection:
            row = connection.execute(
                select(_books).where(_books.c.content_hash == content_hash)
            ).one_or_none()
            if row is not None:
                return book_from_row(row), False
            values = new_book_values(content_hash, readable(source_name), readable(title), format_)
            made = connection.execute(insert(_books).values(values).returning(_books)).one()
            return book_from_row(made), True

    def get(self, book_id: BookId) -> Book:
        """Return one book."""
        with self._database.read() as connection:
            return book_from_row(get_row(connection, book_id))

    def all(self) -> list[Book]:
        """Return all books, oldest first."""
        with self._database.read() as connection:
            return [book_from_row(row) for row in connection.execute(_books.select())]

    def set_status(self, book_id: BookId, status: BookStatus, error: str | None = None) -> None:
        """Record how far a book has come, and why it failed."""
        self._update(book_id, status=status, error=error)

    def set_reading_offset(self, book_id: BookId, offset: int) -> None:
        """Record the reader's place."""
        self._update(book_id, reading_offset=offset)

    def _update(self, book_id: BookId, **values: object) -> None:
        with self._database.write() as connection:
            get_row(connection, book_id)
            connection.execute(update(_books).where(_books.c.id == book_id).values(values))

    def remove(self, book_id: BookId) -> Book:
        """Remove a book with its text, chunks, index entries, embeddings and jobs; return it."""
        with self._database.write() as connection:
            row = get_row(connection, book_id)
            drop_text(connection, row)
            connection.execute(delete(tables.jobs).where(tables.jobs.c.book_id == book_id))
            connection.execute(delete(_books).where(_books.c.id == book_id))
            return book_from_row(row)

    def begin_text(self, book_id: BookId, summary: TextSummary) -> None:
        """Drop any text the book had, reserve its ids and set its status to PARSING."""
        with self._database.write() as connection:
            drop_text(connection, get_row(connection, book_id))
            values = summary_values(
                summary,
                first_chunk_id=reserve_ids(connection, "chunk", summary.chunk_count),
                first_parent_id=reserve_ids(connection, "parent", summary.parent_count),
            )
            connection.execute(update(_books).where(_books.c.id == book_id).values(values))
            insert_chapters(connection, book_id, summary.chapters)

    def append_blocks(self, book_id: BookId, blocks: Sequence[PlacedBlock]) -> None:
        """Store the next blocks, in order."""
        with self._database.write() as connection:
            insert_blocks(connection, get_row(connection, book_id).id, blocks)

    def append_parents(self, book_id: BookId, parents: Sequence[ParentChunk]) -> None:
        """Store the next parent chunks, in order, and index their words."""
        with self._database.write() as connection:
            insert_parents(connection, get_row(connection, book_id), parents)

    def append_chunks(self, book_id: BookId, chunks: Sequence[Chunk]) -> None:
        """Store the next chunks, in order, and index their words."""
        with self._database.write() as connection:
            insert_chunks(connection, get_row(connection, book_id), chunks)

    def finish_text(self, book_id: BookId) -> None:
        """Set the status to SEARCHABLE.

        Raises:
            StorageError: not all that `begin_text` announced is there.
        """
        with self._database.write() as connection:
            row = get_row(connection, book_id)
            if not is_complete(connection, row):
                raise StorageError(f"The text of “{row.title}” was not stored whole. Add it again.")
            connection.execute(
                update(_books).where(_books.c.id == book_id).values(status=BookStatus.SEARCHABLE)
            )

    def text(self, book_id: BookId, span: Span | None = None) -> str:
        """Return the canonical text, or its slice; a span past the end is cut to it."""
        with self._database.read() as connection:
            return read_text(connection, get_row(connection, book_id).id, span)

    def slices(self, places: Sequence[tuple[BookId, Span]]) -> list[str]:
        """Return the slices of canonical texts at these places, in this order."""
        with self._database.read() as connection:
            return read_slices(connection, places)

    def blocks(self, book_id: BookId, span: Span | None = None) -> list[PlacedBlock]:
        """Return the blocks that overlap a span, or all."""
        with self._database.read() as connection:
            return read_blocks(connection, get_row(connection, book_id).id, span)

    def chapters(self, book_id: BookId) -> list[Chapter]:
        """Return the table of contents in text order."""
        return list(self.contents([book_id])[book_id].chapters)

    def contents(self, book_ids: Collection[BookId]) -> dict[BookId, BookContents]:
        """Return the titles and tables of contents of these books."""
        with self._database.read() as connection:
            return self._contents.read(connection, book_ids)

    def chunks(self, chunk_ids: Sequence[ChunkId]) -> list[StoredChunk]:
        """Return the chunks with these ids, in this order, leaving out ids that are gone."""
        with self._database.read() as connection:
            return read_chunks(connection, chunk_ids)

    def chunks_of_parents(self, parent_ids: Sequence[int]) -> list[StoredChunk]:
        """Return the chunks that lie in these parents, by ascending id."""
        with self._database.read() as connection:
            return read_chunks_of_parents(connection, parent_ids)

    def chunk_texts(self, chunk_ids: Sequence[ChunkId]) -> list[str]:
        """Return the exact slices of these chunks, in this order. Unknown ids raise."""
        with self._database.read() as connection:
            return read_chunk_texts(connection, chunk_ids)

    def chunk_range(self, book_id: BookId) -> IdRange | None:
        """Return the ids of a book's chunks, None where it has none."""
        with self._database.read() as connection:
            return chunk_ids(get_row(connection, book_id))

    def languages(self, scope: Scope) -> list[str]:
        """Return the languages of the books in scope, the most common first."""
        with self._database.read() as connection:
            return read_languages(connection, scope)

    def resolve(self, scope: Scope) -> ResolvedScope:
        """Turn a scope into id ranges. An unknown book raises NotFoundError."""
        with self._database.read() as connection:
            return resolve(connection, scope)
