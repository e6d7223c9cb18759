"""The vector index of a library, kept up to date while the library changes."""

from __future__ import annotations

import logging
import threading
import time

from core.embeddings import EmbeddingFingerprint
from core.errors import NotFoundError, StorageError
from core.ports import EmbeddingStore
from rag.ports import Float16Array, Int64Array, VectorStore
from rag.vectors.exact import ExactVectorStore
from rag.vectors.factory import StoreKind, VectorStoreFactory, catch_up

# After this long without a change the index is saved: not after every batch of an ingest.
_QUIET_BEFORE_SAVE_S = 3.0

# The graph of a few books is made while closing; that of many goes on at the next start.
_GRAPH_TIME_AT_CLOSE_S = 0.5

_NEVER = -1

log = logging.getLogger(__name__)


class VectorIndex:
    """The index of one embedding fingerprint. Thread-safe.

    It opens at its first use and follows the database: each `current` compares generations, so
    that changes by other threads and processes are seen by the next search. A thread of its own
    extends the graph and saves the index when all is quiet, and then ends.
    """

    def __init__(
        self,
        factory: VectorStoreFactory,
        embeddings: EmbeddingStore,
        fingerprint: EmbeddingFingerprint,
        kind: StoreKind = "auto",
    ) -> None:
        self._factory = factory
        self._embeddings = embeddings
        self._fingerprint = fingerprint
        self._kind = kind
        self._lock = threading.Lock()
        self._closed = False
        self._store: ExactVectorStore | None = None
        self._generation = _NEVER
        self._saved_generation = _NEVER
        self._keeper: threading.Thread | None = None
        self._stopping = threading.Event()
        self._changed = threading.Event()

    def current(self) -> VectorStore:
        """Return the store with all that the database holds; opens it, or catches up, first.

        Ask again for each search: a store handed out earlier may lack later changes.

        Raises:
            StorageError: the database cannot be read, or the index is closed.
        """
        with self._lock:
            return self._up_to_date()

    def added(self, ids: Int64Array, vectors: Float16Array, generation: int) -> None:
        """Take vectors that were just stored in the database, which thereby got to `generation`.

        Spares reading them again. Where something else changed too, or the index is not open yet,
        nothing is taken: the next `current` reads what is missing.

        Args:
            ids: of the chunks, shape (n,).
            vectors: half-precision, shape (n, dimension).
            generation: what `EmbeddingStore.append` returned.
        """
        with self._lock:
            if self._store is not None and generation == self._generation + 1:
                self._store.add(ids, vectors)
                self._note_change(generation)

    def rebuild(self) -> int:
        """Make the index anew from the embeddings in the database, save it, and return its size.

        Raises:
            StorageError: the database cannot be read, the folder cannot be written, or the index
                is closed.
        """
        self._stop_keeper()
        with self._lock:
            self._drop()
            self._factory.discard(self._fingerprint)
            store = self._up_to_date(start_keeper=False)
            while store.index_pending():
                pass
            store.save(self._generation)
            self._saved_generation = self._generation
            return len(store)

    def close(self) -> None:
        """Save what changed, and let go of everything. Closing twice is no error."""
        with self._lock:
            self._closed = True
        self._stop_keeper()
        with self._lock:
            if self._store is not None and self._saved_generation != self._generation:
                # Short-lived commands have no quiet time; let them bring the graph on too.
                stop_at = time.monotonic() + _GRAPH_TIME_AT_CLOSE_S
                while time.monotonic() < stop_at and self._store.index_pending():
                    pass
                self._save(self._store, self._generation)
            self._drop()

    def _up_to_date(self, *, start_keeper: bool = True) -> ExactVectorStore:
        """Open or catch up; the lock is held."""
        if self._closed:
            raise StorageError("The search index is closed.")
        # Read before the embeddings: what is stored in between is found by the next call.
        generation = self._database_generation()
        if self._store is None:
            self._store = self._factory.open(self._fingerprint, self._embeddings, self._kind)
        elif generation == self._generation:
            return self._store
        else:
            catch_up(self._store, self._fingerprint, self._embeddings)
        self._note_change(generation, start_keeper=start_keeper)
        return self._store

    def _database_generation(self) -> int:
        try:
            return self._embeddings.generation(self._fingerprint)
        except NotFoundError:
            self._embeddings.register(self._fingerprint)
            return self._embeddings.generation(self._fingerprint)

    def _drop(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        self._generation = self._saved_generation = _NEVER

    def _note_change(self, generation: int, *, start_keeper: bool = True) -> None:
        """Record a change and see that it is saved in time; the lock is held."""
        self._generation = generation
        self._changed.set()
        if start_keeper and self._keeper is None and not self._closed:
            self._keeper = threading.Thread(
                target=self._keep, name="vector-index", daemon=True, args=(self._store,)
            )
            self._keeper.start()

    def _keep(self, store: ExactVectorStore) -> None:
        """Once all is quiet, bring the graph up to date, save, and end.

        While books are being added the cores have better things to do; what is not in the graph
        yet is searched exactly.
        """
        while not self._stopping.is_set():
            self._changed.clear()
            if self._changed.wait(_QUIET_BEFORE_SAVE_S):
                continue
            while not self._changed.is_set() and store.index_pending():
                pass
            if self._changed.is_set():
                continue
            generation = self._generation
            self._save(store, generation)
            with self._lock:
                if not self._changed.is_set():
                    self._saved_generation = generation
                    self._keeper = None
                    return

    def _stop_keeper(self) -> None:
        keeper = self._keeper
        if keeper is not None:
            self._stopping.set()
            self._changed.set()
            keeper.join()
            self._stopping.clear()
            self._keeper = None

    def _save(self, store: ExactVectorStore, generation: int) -> None:
        try:
            store.save(generation)
        except StorageError as error:
            # The index is a cache: searches go on without it on disk.
            log.warning("%s", error)
