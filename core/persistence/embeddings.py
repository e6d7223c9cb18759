"""Embeddings as half-precision rows: the truth that vector indexes are rebuilt from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from sqlalchemy import Connection, case, delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from core.books import BookId, BookStatus, ChunkId, IdRange
from core.embeddings import EmbeddingFingerprint
from core.errors import JobLostError, NotFoundError
from core.jobs import JobHold
from core.persistence.book_rows import chunk_ids, get_row
from core.persistence.bulk import insert_rows
from core.persistence.database import Database, fetch
from core.persistence.tables import books, chunks, embeddings, fingerprints
from core.ports import StoredVectors

_BYTES_PER_COMPONENT = 2  # float16
_LAST_ID = 2**63 - 1  # of SQLite's integers
_DELETED_AT_ONCE = 2000  # in one transaction, which keeps other writers waiting for about 20 ms


class SqlEmbeddingStore:
    """Implements core.ports.EmbeddingStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, fingerprint: EmbeddingFingerprint) -> None:
        """Make a fingerprint known; knowing it already is no error."""
        values = {"key": fingerprint.key, "fields": asdict(fingerprint), "generation": 0}
        with self._database.write() as connection:
            connection.execute(upsert(fingerprints).values(values).on_conflict_do_nothing())

    def pending(
        self, fingerprint: EmbeddingFingerprint, book_id: BookId, limit: int
    ) -> list[ChunkId]:
        """Return the first chunks of a book, in text order, that have no embedding yet."""
        with self._database.read() as connection:
            ids = chunk_ids(get_row(connection, book_id))
            if ids is None:
                return []
            embedded = exists().where(
                embeddings.c.chunk_id == chunks.c.id,
                embeddings.c.fingerprint_id == _id(connection, fingerprint),
            )
            query = (
                select(chunks.c.id)
                .where(chunks.c.id.between(*ids), ~embedded)
                .order_by(chunks.c.id)
                .limit(limit)
            )
            return list(connection.execute(query).scalars())

    def append(
        self,
        fingerprint: EmbeddingFingerprint,
        vectors: StoredVectors,
        hold: JobHold | None = None,
    ) -> int:
        """Store embeddings, but for ids gone meanwhile; return the new generation.

        An embedding that is there already is replaced.

        Raises:
            JobLostError: the job of `hold` is not held by its owner any more.
            ValueError: `rows` does not hold one row of the fingerprint's dimension for each id.
        """
        size = fingerprint.dimension * _BYTES_PER_COMPONENT
        if len(vectors.rows) != size * len(vectors.ids):
            raise ValueError(f"{len(vectors.ids)} vectors of {size} bytes were expected")
        with self._database.write() as connection:
            if hold is not None:
                _check(connection, hold)
            fingerprint_id = _id(connection, fingerprint)
            present = _books_of_chunks(connection, vectors.ids)
            rows = [
                {
                    "chunk_id": chunk_id,
                    "fingerprint_id": fingerprint_id,
                    "vector": vectors.rows[index * size : (index + 1) * size],
                }
                for index, chunk_id in enumerate(vectors.ids)
                if chunk_id in present
            ]
            insert_rows(connection, embeddings, rows, verb="INSERT OR REPLACE")
            for book_id in set(present.values()):
                _count_embedded(connection, book_id, fingerprint_id)
            return _next_generation(connection, fingerprint_id)

    def generation(self, fingerprint: EmbeddingFingerprint) -> int:
        """Return a number that grows whenever these embeddings change, removals too."""
        with self._database.read() as connection:
            return _row(connection, fingerprint)[1]

    def count(self, fingerprint: EmbeddingFingerprint) -> int:
        """Return how many chunks have an embedding."""
        with self._database.read() as connection:
            query = select(func.count()).where(
                embeddings.c.fingerprint_id == _id(connection, fingerprint)
            )
            return connection.execute(query).scalar_one()

    def ids(self, fingerprint: EmbeddingFingerprint) -> list[ChunkId]:
        """Return the ids of all chunks that have an embedding, ascending."""
        with self._database.read() as connection:
            query = (
                select(embeddings.c.chunk_id)
                .where(embeddings.c.fingerprint_id == _id(connection, fingerprint))
                .order_by(embeddings.c.chunk_id)
            )
            return list(connection.execute(query).scalars())

    def read(
        self,
        fingerprint: EmbeddingFingerprint,
        batch: int = 4096,
        within: IdRange | None = None,
    ) -> Iterator[StoredVectors]:
        """Yield embeddings by ascending chunk id, each batch in a transaction of its own."""
        after, last = (-1, _LAST_ID) if within is None else (within.first - 1, within.last)
        while True:
            with self._database.read() as connection:
                query = (
                    select(embeddings.c.chunk_id, embeddings.c.vector)
                    .where(
                        embeddings.c.fingerprint_id == _id(connection, fingerprint),
                        embeddings.c.chunk_id > after,
                        embeddings.c.chunk_id <= last,
                    )
                    .order_by(embeddings.c.chunk_id)
                    .limit(batch)
                )
                rows = connection.execute(query).all()
            if not rows:
                return
            after = rows[-1].chunk_id
            yield StoredVectors(
                [row.chunk_id for row in rows], b"".join(row.vector for row in rows)
            )

    def mark_embedded(self, fingerprint: EmbeddingFingerprint, book_id: BookId) -> None:
        """Record a book as READY under a fingerprint."""
        with self._database.write() as connection:
            get_row(connection, book_id)
            fingerprint_id = _id(connection, fingerprint)
            connection.execute(
                update(books)
                .where(books.c.id == book_id)
                .values(status=BookStatus.READY, error=None, fingerprint_id=fingerprint_id)
            )
            _count_embedded(connection, book_id, fingerprint_id)

    def discard_others(self, fingerprint: EmbeddingFingerprint) -> None:
        """Delete the embeddings of all other fingerprints, a slice in each transaction."""
        with self._database.write() as connection:
            _forget_readiness(connection, _id(connection, fingerprint))
        after: ChunkId | None = -1
        while after is not None:
            with self._database.write() as connection:
                after = _discard_slice(connection, _id(connection, fingerprint), after)


def _check(connection: Connection, hold: JobHold) -> None:
    # Nobody holds a job that is over.
    if not fetch(connection, "SELECT 1 FROM jobs WHERE id = ? AND owner = ?", *hold):
        raise JobLostError(f"Job {hold.job_id} is over, or another process has taken it.")


def _row(connection: Connection, fingerprint: EmbeddingFingerprint) -> tuple[int, int]:
    """Return the id and the generation of a fingerprint."""
    query = "SELECT id, generation FROM fingerprints WHERE key = ?"
    found = fetch(connection, query, fingerprint.key)
    if not found:
        raise NotFoundError(f"The library holds no embeddings of {fingerprint.model}.")
    fingerprint_id, generation = found[0]
    return fingerprint_id, generation


def _id(connection: Connection, fingerprint: EmbeddingFingerprint) -> int:
    return _row(connection, fingerprint)[0]


def _books_of_chunks(connection: Connection, ids: list[ChunkId]) -> dict[ChunkId, BookId]:
    if not ids:
        return {}
    # Ids come in text order, so the range holds few others.
    query = select(chunks.c.id, chunks.c.book_id).where(chunks.c.id.between(min(ids), max(ids)))
    wanted = set(ids)
    return {row.id: row.book_id for row in connection.execute(query) if row.id in wanted}


def _count_embedded(connection: Connection, book_id: BookId, fingerprint_id: int) -> None:
    ids = chunk_ids(get_row(connection, book_id))
    if ids is None:
        return
    embedded = (
        select(func.count())
        .where(embeddings.c.chunk_id.between(*ids), embeddings.c.fingerprint_id == fingerprint_id)
        .scalar_subquery()
    )
    connection.execute(update(books).where(books.c.id == book_id).values(embedded_count=embedded))


def _forget_readiness(connection: Connection, kept_id: int) -> None:
    """Record books as not READY whose embeddings are of other fingerprints than the one kept."""
    embedded = select(func.count()).where(
        embeddings.c.chunk_id.between(
            books.c.first_chunk_id, books.c.first_chunk_id + books.c.chunk_count - 1
        ),
        embeddings.c.fingerprint_id == kept_id,
    )
    connection.execute(
        update(books)
        .where(books.c.fingerprint_id.is_distinct_from(kept_id))
        .values(
            status=case(
                (books.c.status == BookStatus.READY, BookStatus.SEARCHABLE), else_=books.c.status
            ),
            fingerprint_id=None,
            embedded_count=embedded.scalar_subquery(),
        )
    )


def _discard_slice(connection: Connection, kept_id: int, after: ChunkId) -> ChunkId | None:
    """Delete the next embeddings of other fingerprints; return the last id, None for no more."""
    others = (embeddings.c.fingerprint_id != kept_id, embeddings.c.chunk_id > after)
    some = (
        select(embeddings.c.chunk_id)
        .where(*others)
        .order_by(embeddings.c.chunk_id)
        .limit(_DELETED_AT_ONCE)
        .subquery()
    )
    last: ChunkId | None = connection.execute(select(func.max(some.c.chunk_id))).scalar()
    if last is None:
        return None
    inside = (*others, embeddings.c.chunk_id <= last)
    touched = select(embeddings.c.fingerprint_id).where(*inside)
    connection.execute(
        update(fingerprints)
        .where(fingerprints.c.id.in_(touched))
        .values(generation=fingerprints.c.generation + 1)
    )
    connection.execute(delete(embeddings).where(*inside))
    return last


def _next_generation(connection: Connection, fingerprint_id: int) -> int:
    generation: int = connection.execute(
        update(fingerprints)
        .where(fingerprints.c.id == fingerprint_id)
        .values(generation=fingerprints.c.generation + 1)
        .returning(fingerprints.c.generation)
    ).scalar_one()
    return generation
