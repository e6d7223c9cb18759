"""The vector index of a library, kept up to date while the library changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property

from core.embeddings import EmbeddingFingerprint
from core.errors import NotFoundError, StorageError
from core.ports import EmbeddingStore
from rag.ports import Float16Array, Int64Array, VectorStore
from rag.vectors.exact import ExactVectorStore
from rag.vectors.factory import StoreKind, VectorStoreFactory, catch_up
from rag.vectors.keeper import IndexKeeper

_NEVER = -1


class VectorIndex:
    """The index of one embedding fingerprint. Thread-safe.

    It opens at its first use and follows the database: each `current` compares generations, so
    that changes by other threads and processes are seen by the next search.
    """

    def __init__(
        self,
        factory: VectorStoreFactory,
        embeddings: EmbeddingStore,
        fingerprint: Callable[[], EmbeddingFingerprint],
        kind: StoreKind = "auto",
    ) -> None:
        """Make an index; nothing is opened yet.

        Args:
            factory: opens the store.
            embeddings: where the vectors are kept.
            fingerprint: says which of them, asked at the first use. It may raise EmbeddingError
                where the model is not there, and is then asked again at the next use.
            kind: see VectorStoreFactory.open.
        """
        self._factory = factory
        self._embeddings = embeddings
        self._ask_fingerprint = fingerprint
        self._kind = kind
        self._lock = threading.Lock()
        self._closed = False
        self._store: ExactVectorStore | None = None
        self._keeper: IndexKeeper | None = None
        self._generation = _NEVER

    def current(self) -> VectorStore:
        """Return the store with all that the database holds; opens it, or catches up, first.

        Ask again for each search: a store handed out earlier may lack later changes.

        Raises:
            EmbeddingError: the model is not there, so that nobody knows which embeddings.
            StorageError: the database cannot be read, or the index is closed.
        """
        with self._lock:
            return self._up_to_date()

    def added(self, ids: Int64Array, vectors: Float16Array, generation: int) -> None:
        """Take vectors that were just stored in the database, which thereby got to `generation`.

        Spares reading them again. Where something else changed too nothing is taken: the next
        `current` reads what is missing. A closed index takes nothing.

        Args:
            ids: of the chunks, shape (n,).
            vectors: half-precision, shape (n, dimension).
            generation: what `EmbeddingStore.append` returned.

        Raises:
            EmbeddingError: the model is not there, so that nobody knows which embeddings.
            StorageError: the database cannot be read.
        """
        with self._lock:
            if self._closed:
                return
            store = self._up_to_date() if self._store is None else self._store
            if generation == self._generation + 1:
                store.add(ids, vectors)
                self._note_change(generation)

    def rebuild(self) -> int:
        """Make the index anew from the embeddings in the database, save it, and return its size.

        Searches go on meanwhile, exactly until the graph is there.

        Raises:
            EmbeddingError: the model is not there, so that nobody knows which embeddings.
            StorageError: the database cannot be read, the folder cannot be written, or the index
                is closed.
        """
        with self._lock:
            self._drop()
            self._factory.discard(self._fingerprint)
            store = self._up_to_date()
            generation = self._generation
        while store.index_pending():
            pass
        store.save(generation)
        return len(store)

    def close(self) -> None:
        """Save what changed, and let go of everything. Closing twice is no error."""
        with self._lock:
            self._closed = True
            self._drop()

    @cached_property
    def _fingerprint(self) -> EmbeddingFingerprint:
        return self._ask_fingerprint()

    def _up_to_date(self) -> ExactVectorStore:
        if self._closed:
            raise StorageError("The search index is closed.")
        # Read before the embeddings: what is stored in between is found by the next call.
        generation = self._database_generation()
        if self._store is None:
            self._store = self._factory.open(self._fingerprint, self._embeddings, self._kind)
            self._keeper = IndexKeeper(self._store)
        elif generation != self._generation:
            catch_up(self._store, self._fingerprint, self._embeddings)
        if generation != self._generation:
            self._note_change(generation)
        return self._store

    def _database_generation(self) -> int:
        try:
            return self._embeddings.generation(self._fingerprint)
        except NotFoundError:
            self._embeddings.register(self._fingerprint)
            return self._embeddings.generation(self._fingerprint)

    def _note_change(self, generation: int) -> None:
        self._generation = generation
        if self._keeper is not None:
            self._keeper.note_change(generation)

    def _drop(self) -> None:
        if self._keeper is not None:
            self._keeper.finish()
        if self._store is not None:
            self._store.close()
        self._store, self._keeper, self._generation = None, None, _NEVER
