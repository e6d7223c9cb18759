"""Finishes a vector store's graph and saves the store while nothing else is going on."""

from __future__ import annotations

import logging
import threading
import time

from core.errors import StorageError
from rag.vectors.exact import ExactVectorStore

# After this long without a change the store is saved: not after every batch of an ingest.
QUIET_BEFORE_SAVE_S = 3.0

# The graph of a few books is made while closing; that of many goes on at the next start.
_GRAPH_TIME_AT_CLOSE_S = 0.5

log = logging.getLogger(__name__)


class IndexKeeper:
    """Looks after one store with a thread that runs only while there is something to do.

    While books are being added the cores have better work than the graph; what is not in it yet
    is searched exactly.
    """

    def __init__(self, store: ExactVectorStore) -> None:
        self._store = store
        self._condition = threading.Condition()
        self._generation = 0
        self._changes = 0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def note_change(self, generation: int) -> None:
        """Take note that the store now reflects a database generation."""
        with self._condition:
            self._generation = generation
            self._changes += 1
            self._condition.notify_all()
            if self._thread is None and not self._stopped and not self._store.settled:
                self._thread = threading.Thread(target=self._run, name="vector-index", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Stop the thread, and save the store if it changed. Calling it twice is no error."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        if not self._store.settled:
            # Short-lived commands have no quiet time; let them bring the graph on too.
            stop_at = time.monotonic() + _GRAPH_TIME_AT_CLOSE_S
            while time.monotonic() < stop_at and self._store.index_pending():
                pass
            self._save()

    def _run(self) -> None:
        while (seen := self._wait_until_quiet()) is not None:
            while self._is_quiet(seen) and self._store.index_pending():
                pass
            if not self._is_quiet(seen):
                continue
            self._save()
            with self._condition:
                if self._changes == seen:
                    self._thread = None
                    return

    def _wait_until_quiet(self) -> int | None:
        """Return the number of changes after a while without one; None once stopped."""
        with self._condition:
            seen = -1
            while seen != self._changes and not self._stopped:
                seen = self._changes
                self._condition.wait(QUIET_BEFORE_SAVE_S)
            return None if self._stopped else seen

    def _is_quiet(self, seen: int) -> bool:
        return self._changes == seen and not self._stopped

    def _save(self) -> None:
        try:
            self._store.save(self._generation)
        except StorageError as error:
            # The index is a cache: searches go on without it on disk.
            log.warning("%s", error)
