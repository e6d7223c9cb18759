"""An EmbeddingStore in memory, and vectors to fill it with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from core.books import BookId, ChunkId, IdRange
from core.embeddings import EmbeddingFingerprint
from core.errors import NotFoundError
from core.jobs import JobHold
from core.ports import StoredVectors
from rag.ports import Float16Array

DIMENSION = 384


def fingerprint(model: str = "test", dimension: int = DIMENSION) -> EmbeddingFingerprint:
    return EmbeddingFingerprint(
        model=model,
        revision="1",
        dimension=dimension,
        pooling="mean",
        normalised=True,
        prefix="",
        chunker_version="test/1",
    )


def clustered_vectors(count: int, seed: int = 0, dimension: int = DIMENSION) -> Float16Array:
    """Unit vectors in clusters, as embeddings are: without them graphs find little."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(4, count // 40), dimension))
    vectors = centres[random.integers(0, len(centres), count)]
    vectors = vectors + 0.6 * random.standard_normal((count, dimension))
    unit: Float16Array = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f2")
    return unit


class MemoryEmbeddingStore:
    """Implements core.ports.EmbeddingStore for the calls that vector indexes make."""

    def __init__(self, dimension: int = DIMENSION) -> None:
        self._dimension = dimension
        self._lock = threading.Lock()
        self._rows: dict[ChunkId, bytes] = {}
        self._generation: int | None = None
        self.read_count = 0

    def register(self, fingerprint: EmbeddingFingerprint) -> None:
        if self._generation is None:
            self._generation = 0

    def append(
        self,
        fingerprint: EmbeddingFingerprint,
        vectors: StoredVectors,
        hold: JobHold | None = None,
    ) -> int:
        size = 2 * self._dimension
        with self._lock:
            for place, chunk_id in enumerate(vectors.ids):
                self._rows[chunk_id] = vectors.rows[place * size : (place + 1) * size]
            return self._bump()

    def store(self, ids: Sequence[ChunkId], vectors: Float16Array) -> int:
        return self.append(fingerprint(), StoredVectors(list(ids), vectors.tobytes()))

    def remove(self, ids: IdRange) -> None:
        with self._lock:
            for chunk_id in range(ids.first, ids.last + 1):
                self._rows.pop(chunk_id, None)
            self._bump()

    def generation(self, fingerprint: EmbeddingFingerprint) -> int:
        if self._generation is None:
            raise NotFoundError("not registered")
        return self._generation

    def count(self, fingerprint: EmbeddingFingerprint) -> int:
        return len(self._rows)

    def ids(self, fingerprint: EmbeddingFingerprint) -> list[ChunkId]:
        with self._lock:
            return sorted(self._rows)

    def read(
        self,
        fingerprint: EmbeddingFingerprint,
        batch: int = 4096,
        within: IdRange | None = None,
    ) -> Iterator[StoredVectors]:
        ids = self.ids(fingerprint)
        if within is not None:
            ids = [chunk_id for chunk_id in ids if within.first <= chunk_id <= within.last]
        for start in range(0, len(ids), batch):
            some = ids[start : start + batch]
            self.read_count += len(some)
            yield StoredVectors(some, b"".join(self._rows[chunk_id] for chunk_id in some))

    def pending(
        self, fingerprint: EmbeddingFingerprint, book_id: BookId, limit: int
    ) -> list[ChunkId]:
        raise NotImplementedError

    def mark_embedded(self, fingerprint: EmbeddingFingerprint, book_id: BookId) -> None:
        raise NotImplementedError

    def discard_others(self, fingerprint: EmbeddingFingerprint) -> None:
        raise NotImplementedError

    def _bump(self) -> int:
        self._generation = (self._generation or 0) + 1
        return self._generation
