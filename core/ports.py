"""What the library's persistence must offer. Implementations are in core.persistence.

Every method is synchronous, safe to call from any thread, opens and closes its own transaction,
and returns frozen values. Writes take turns (one writer); a write waits up to 30 s for another
process. All raise `StorageError` where the disk or the database refuses, and `NotFoundError` for
an unknown id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

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
from core.conversations import Citation, Conversation, ConversationId, Message
from core.embeddings import EmbeddingFingerprint
from core.endpoints import Endpoint
from core.jobs import IngestJob, JobHold, JobId, JobState
from core.scope import ResolvedScope, Scope
from core.text import BookMetadata, Chapter, PlacedBlock, Span

IndexLevel = Literal["chunk", "parent"]


@dataclass(frozen=True, slots=True)
class TextSummary:
    """What a parsed book amounts to; known before its blocks and chunks are stored.

    Attributes:
        metadata: replaces the book's.
        format: "epub" or "txt".
        parser_version: see ParsedBook.
        chapters: in text order.
        character_count: length of the canonical text.
        block_count: blocks to come.
        parent_count: parent chunks to come.
        chunk_count: chunks to come.
        chunk_character_count: characters in chunks, which is what there is to embed.
        encoding: for a plain text file.
        cover_name: file name in the covers folder.
        warnings: see ParsedBook.
    """

    metadata: BookMetadata
    format: str
    parser_version: str
    chapters: tuple[Chapter, ...]
    character_count: int
    block_count: int
    parent_count: int
    chunk_count: int
    chunk_character_count: int
    encoding: str | None = None
    cover_name: str | None = None
    warnings: tuple[str, ...] = ()


class BookStore(Protocol):
    """Books, their canonical text, chapters and chunks."""

    def add(
        self, content_hash: str, source_name: str, title: str, format_: str
    ) -> tuple[Book, bool]:
        """Return the book with that content, made now (True) or there already (False)."""

    def get(self, book_id: BookId) -> Book:
        """Return one book."""

    def all(self) -> list[Book]:
        """Return all books, oldest first."""

    def set_status(self, book_id: BookId, status: BookStatus, error: str | None = None) -> None:
        """Record how far a book has come, and why it failed."""

    def set_reading_offset(self, book_id: BookId, offset: int) -> None:
        """Record the reader's place."""

    def remove(self, book_id: BookId) -> Book:
        """Remove a book with its text, chunks, index entries, embeddings and jobs; return it."""

    def begin_text(self, book_id: BookId, summary: TextSummary) -> None:
        """Drop any text the book had (after a crash, or to re-read it), and reserve its ids.

        Chunk and parent ids of a book are one contiguous range each, in text order, and are never
        used again, so that no vector can come to stand for another chunk.
        """

    def append_blocks(self, book_id: BookId, blocks: Sequence[PlacedBlock]) -> None:
        """Store the next blocks, in order."""

    def append_parents(self, book_id: BookId, parents: Sequence[ParentChunk]) -> None:
        """Store the next parent chunks, in order, and index their words."""

    def append_chunks(self, book_id: BookId, chunks: Sequence[Chunk]) -> None:
        """Store the next chunks, in order, and index their words."""

    def finish_text(self, book_id: BookId) -> None:
        """Check that all that was announced is there, and set the status to SEARCHABLE."""

    def text(self, book_id: BookId, span: Span | None = None) -> str:
        """Return the canonical text, or its slice; a span past the end is cut to it."""

    def slices(self, places: Sequence[tuple[BookId, Span]]) -> list[str]:
        """Return the slices of canonical texts at these places, in this order."""

    def blocks(self, book_id: BookId, span: Span | None = None) -> list[PlacedBlock]:
        """Return the blocks that overlap a span, or all."""

    def chapters(self, book_id: BookId) -> list[Chapter]:
        """Return the table of contents in text order."""

    def contents(self, book_ids: Collection[BookId]) -> dict[BookId, BookContents]:
        """Return the titles and tables of contents of these books."""

    def chunks(self, chunk_ids: Sequence[ChunkId]) -> list[StoredChunk]:
        """Return the chunks with these ids, in this order, leaving out ids that are gone."""

    def chunks_of_parents(self, parent_ids: Sequence[int]) -> list[StoredChunk]:
        """Return the chunks that lie in these parents, by ascending id."""

    def chunk_texts(self, chunk_ids: Sequence[ChunkId]) -> list[str]:
        """Return the exact slices of these chunks, in this order. Unknown ids raise."""

    def chunk_range(self, book_id: BookId) -> IdRange | None:
        """Return the ids of a book's chunks, None where it has none."""

    def languages(self, scope: Scope) -> list[str]:
        """Return the languages of the books in scope, the most common first."""

    def resolve(self, scope: Scope) -> ResolvedScope:
        """Turn a scope into id ranges. An unknown book raises NotFoundError."""


class LexicalHit(NamedTuple):
    """A chunk or parent that word search found; BM25 `score`, higher is better, above 0."""

    id: int
    score: float


class LexicalIndex(Protocol):
    """BM25 over the search text of chunks and of parent chunks, and over titles for parents."""

    def search(
        self,
        terms: Sequence[str],
        ranges: Sequence[IdRange] | None,
        limit: int,
        level: IndexLevel,
    ) -> list[LexicalHit]:
        """Return the best `limit` ids within `ranges` (None: all) that hold any of `terms`.

        Terms are in search form (core.search_text); one that holds a space is a phrase.
        """

    def ceiling(self, terms: Sequence[str], level: IndexLevel) -> float:
        """Return what BM25 approaches in a text that holds every term many times.

        A term that no text holds counts as the rarest: a text can then not come near the ceiling.
        """


class StoredVectors(NamedTuple):
    """Some embeddings: ids ascending, and their half-precision little-endian rows, joined."""

    ids: list[ChunkId]
    rows: bytes


class EmbeddingStore(Protocol):
    """Embeddings by fingerprint: the truth that vector indexes are rebuilt from."""

    def register(self, fingerprint: EmbeddingFingerprint) -> None:
        """Make a fingerprint known; knowing it already is no error."""

    def pending(
        self, fingerprint: EmbeddingFingerprint, book_id: BookId, limit: int
    ) -> list[ChunkId]:
        """Return the first chunks of a book, in text order, that have no embedding yet."""

    def append(
        self,
        fingerprint: EmbeddingFingerprint,
        vectors: StoredVectors,
        hold: JobHold | None = None,
    ) -> int:
        """Store embeddings, but for ids gone meanwhile; return the new generation.

        With `hold` only while its owner holds the job, else JobLostError.
        """

    def generation(self, fingerprint: EmbeddingFingerprint) -> int:
        """Return a number that grows whenever these embeddings change, removals too."""

    def count(self, fingerprint: EmbeddingFingerprint) -> int:
        """Return how many chunks have an embedding."""

    def ids(self, fingerprint: EmbeddingFingerprint) -> list[ChunkId]:
        """Return the ids of all chunks that have an embedding, ascending."""

    def read(
        self,
        fingerprint: EmbeddingFingerprint,
        batch: int = 4096,
        within: IdRange | None = None,
    ) -> Iterator[StoredVectors]:
        """Yield all embeddings, or those with ids in a range, by ascending chunk id."""

    def mark_embedded(self, fingerprint: EmbeddingFingerprint, book_id: BookId) -> None:
        """Record a book as READY under a fingerprint."""

    def discard_others(self, fingerprint: EmbeddingFingerprint) -> None:
        """Delete the embeddings of all other fingerprints, after a change of model.

        A book that was READY under another is SEARCHABLE again. Other writers get their turn
        in between; what they add of other fingerprints meanwhile may stay.
        """


class JobStore(Protocol):
    """The queue of ingest jobs, shared by all processes on a library."""

    def create(
        self, source_path: str, book_id: BookId | None, owner: str | None = None
    ) -> IngestJob:
        """Queue a job; with `owner` it is taken at once."""

    def get(self, job_id: JobId) -> IngestJob:
        """Return one job."""

    def all(self, *, active_only: bool = False) -> list[IngestJob]:
        """Return jobs, oldest first."""

    def claim_next(self, owner: str, stale_after_s: float) -> IngestJob | None:
        """Take the oldest open job that is not paused and nobody's, or whose owner is silent."""

    def heartbeat(self, job_id: JobId, owner: str) -> IngestJob:
        """Say that `owner` still works on the job; return it as it now is (paused? cancelled?)."""

    def set_state(
        self,
        job_id: JobId,
        state: JobState,
        *,
        owner: str | None = None,
        error: str | None = None,
        error_kind: str | None = None,
    ) -> IngestJob:
        """Move a job on; return it as it now is.

        A final job stays as it is, and with `owner` so does one that this owner does not hold.
        """

    def set_book(self, job_id: JobId, book_id: BookId) -> None:
        """Tie a job to its book."""

    def set_progress(
        self, job_id: JobId, done_characters: int, total_characters: int, *, owner: str
    ) -> IngestJob:
        """Record progress, unless the owner does not hold the job; return it as it now is."""

    def set_paused(self, job_id: JobId, paused: bool) -> IngestJob:
        """Hold a job, or let it go on."""

    def release(self, owner: str) -> None:
        """Give up all jobs of an owner that is closing; they stay where they are."""


class EndpointStore(Protocol):
    """Endpoints by name, keys not included."""

    def add(self, endpoint: Endpoint) -> None:
        """Add an endpoint. A name that is taken raises ConflictError."""

    def replace(self, name: str, endpoint: Endpoint) -> None:
        """Change an endpoint, its name included."""

    def get(self, name: str) -> Endpoint:
        """Return one endpoint."""

    def all(self) -> list[Endpoint]:
        """Return all, by name."""

    def remove(self, name: str) -> None:
        """Remove one."""


class SettingsStore(Protocol):
    """Settings as key and JSON value."""

    def read(self) -> Mapping[str, Any]:
        """Return all values that were ever set."""

    def write(self, values: Mapping[str, Any]) -> None:
        """Set these, leaving the others."""


class ConversationStore(Protocol):
    """Conversations and their messages."""

    def create(self, title: str) -> Conversation:
        """Begin a conversation."""

    def all(self) -> list[Conversation]:
        """Return all, the last used first."""

    def rename(self, conversation_id: ConversationId, title: str) -> None:
        """Give it another title."""

    def remove(self, conversation_id: ConversationId) -> None:
        """Remove it with its messages."""

    def messages(self, conversation_id: ConversationId) -> list[Message]:
        """Return its messages, oldest first."""

    def append(
        self,
        conversation_id: ConversationId,
        *,
        question: str,
        answer: str,
        citations: Sequence[Citation],
        answered: bool,
        model: str | None,
        stopped: bool = False,
        error: str | None = None,
        trace: Mapping[str, Any] | None = None,
    ) -> Message:
        """Store a question with its answer."""
