"""From stored text to embeddings that search by meaning finds."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from core.books import BookId, ChunkId
from core.embeddings import EmbeddingFingerprint
from core.errors import EmbeddingError
from core.home import model_cache_dir
from core.jobs import JobHold
from core.persistence.library import Library
from core.ports import StoredVectors
from rag.chunking.fingerprint import passage_fingerprint
from rag.ingest.serial_thread import SerialThread
from rag.ingest.worker_process import WorkerProcess
from rag.ports import Embedder
from rag.vectors import VectorIndex

# While one batch is committed, the worker has another to go on with.
_BATCHES_UNDER_WAY = 2
_LOOK_UP_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Batch:
    """Chunks to be embedded and committed together."""

    ids: list[ChunkId]
    character_count: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is left to embed of a book, and how many characters are done and in all."""

    batches: list[_Batch]
    done_characters: int
    total_characters: int


class EmbeddingStage:
    """Embeds what is missing of a book, batch by batch, a commit for each."""

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        vectors: VectorIndex,
        database: SerialThread,
        worker: WorkerProcess,
        batch_chunks: int,
    ) -> None:
        self._library = library
        self._embedder = embedder
        self._vectors = vectors
        self._database = database
        self._worker = worker
        self._batch_chunks = batch_chunks

    async def run(
        self,
        book_id: BookId,
        hold: JobHold,
        should_stop: Callable[[], bool],
        on_progress: Callable[[int, int, int], Awaitable[None]],
    ) -> bool:
        """Embed what is missing, and mark the book as ready.

        Args:
            book_id: a book whose text is stored.
            hold: the job that this is done for.
            should_stop: asked before each batch; what is under way is still committed.
            on_progress: awaited after each commit with the characters of the batch, those
                done by now, and those in all.

        Returns:
            Whether it is done: False where it was stopped.

        Raises:
            EmbeddingError: the model is missing or does not load.
            JobLostError: the job is over, or another process has taken it.
            StorageError: the library refuses.
            NotFoundError: the book was removed meanwhile.
            WorkerDiedError: the worker process ended.
        """
        fingerprint = await self._database.run(self._register)
        plan = await self._database.run(self._plan, fingerprint, book_id)
        if plan.batches and not await self._worker.load_model(
            fingerprint.model, model_cache_dir(), should_stop
        ):
            return False
        if not await self._embed(fingerprint, plan, hold, should_stop, on_progress):
            return False
        await self._database.run(self._library.embeddings.mark_embedded, fingerprint, book_id)
        return True

    async def _embed(
        self,
        fingerprint: EmbeddingFingerprint,
        plan: _Plan,
        hold: JobHold,
        should_stop: Callable[[], bool],
        on_progress: Callable[[int, int, int], Awaitable[None]],
    ) -> bool:
        """Embed and commit the batches of a plan; say whether all were."""
        done = plan.done_characters
        to_send = deque(plan.batches)
        under_way: deque[_Batch] = deque()
        while under_way or (to_send and not should_stop()):
            if to_send and len(under_way) < _BATCHES_UNDER_WAY and not should_stop():
                batch = to_send.popleft()
                texts = await self._database.run(self._library.books.chunk_texts, batch.ids)
                await self._worker.send_passages(texts)
                under_way.append(batch)
                continue
            batch = under_way.popleft()
            rows = await self._worker.receive_vectors()
            vectors = StoredVectors(batch.ids, rows)
            await self._database.run(self._store, fingerprint, vectors, hold)
            done += batch.character_count
            await on_progress(batch.character_count, done, plan.total_characters)
        return not to_send

    def missing(self) -> list[BookId]:
        """Return the books with stored text that lack embeddings, oldest first.

        None, where the model is not there to make them. Called on the database's thread.
        """
        from rag.embedding import is_ready

        try:
            fingerprint = self._register()
        except EmbeddingError:
            return []
        books = [book for book in self._library.books.all() if book.status.has_text]
        wanted = sum(book.chunk_count for book in books)
        embeddings = self._library.embeddings
        if embeddings.count(fingerprint) >= wanted:
            return []
        if not is_ready(fingerprint.model, model_cache_dir()):
            return []
        return [book.id for book in books if embeddings.pending(fingerprint, book.id, limit=1)]

    def _register(self) -> EmbeddingFingerprint:
        fingerprint = passage_fingerprint(self._embedder)
        self._library.embeddings.register(fingerprint)
        return fingerprint

    def _plan(self, fingerprint: EmbeddingFingerprint, book_id: BookId) -> _Plan:
        id_range = self._library.books.chunk_range(book_id)
        if id_range is None:
            return _Plan([], 0, 0)
        ids = range(id_range.first, id_range.last + 1)
        sizes: dict[ChunkId, int] = {}
        for start in range(0, len(ids), _LOOK_UP_AT_ONCE):
            chunks = self._library.books.chunks(ids[start : start + _LOOK_UP_AT_ONCE])
            sizes |= {chunk.id: len(chunk.span) for chunk in chunks}
        pending = self._library.embeddings.pending(fingerprint, book_id, limit=len(ids))
        batches = [
            _Batch(some, sum(sizes[chunk_id] for chunk_id in some))
            for start in range(0, len(pending), self._batch_chunks)
            if (some := pending[start : start + self._batch_chunks])
        ]
        total = sum(sizes.values())
        return _Plan(batches, total - sum(batch.character_count for batch in batches), total)

    def _store(
        self, fingerprint: EmbeddingFingerprint, vectors: StoredVectors, hold: JobHold
    ) -> None:
        """Commit a batch, and spare the vector index from reading it again."""
        generation = self._library.embeddings.append(fingerprint, vectors, hold)
        rows = np.frombuffer(vectors.rows, dtype="<f2").astype(np.float16)
        ids = np.array(vectors.ids, dtype=np.int64)
        self._vectors.added(ids, rows.reshape(len(ids), fingerprint.dimension), generation)
