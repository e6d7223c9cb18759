"""A vector store with an HNSW graph (Malkov and Yashunin, arXiv 1603.09320) by USearch."""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.books import IdRange
from rag.ports import Float16Array, Float32Array, Int64Array, VectorHit
from rag.vectors.exact import ExactVectorStore, best_hits, nearest_rows
from rag.vectors.index_files import IndexFiles
from rag.vectors.matrix import MatrixState

if TYPE_CHECKING:
    from usearch.index import Index

log = logging.getLogger(__name__)

EXACT_BELOW = 50_000
"""Libraries with fewer chunks are searched exactly as a whole too: that takes at most 6 ms."""

# Graph settings: the usual 16 neighbours, and beam widths at which 60,000 real embeddings gave
# recall@10 of .995 in 1.5 ms (.988 in 1.2 ms with 256), once the candidates were scored again in
# half precision.
_NEIGHBOURS = 16
_BEAM_ON_ADD = 128
_BEAM_ON_SEARCH = 384
_CANDIDATES_PER_HIT = 2
_LEAST_CANDIDATES = 64

# Vectors that go into the graph under one lock: a search waits for them at most, about 10 ms.
_ADDED_AT_A_TIME = 64

# USearch only marks what is removed; past this share the graph is made anew.
_MOST_REMOVED = 0.25


class UsearchVectorStore(ExactVectorStore):
    """Implements rag.ports.VectorStore with int8 vectors in a graph.

    What the graph finds is scored again in half precision. The matrix of half-precision rows is
    complete at any moment; the graph follows it when `index_pending` is called. Vectors that wait
    for that are searched exactly, and so are ranges of ids, on their contiguous rows.
    """

    def __init__(
        self, dimension: int, files: IndexFiles | None = None, exact_below: int = EXACT_BELOW
    ) -> None:
        """Make an empty store.

        Args:
            dimension: length of a vector.
            files: where `save` keeps it, None to keep it nowhere.
            exact_below: the graph is not asked while there are fewer vectors.
        """
        super().__init__(dimension, files)
        self._exact_below = exact_below
        # Held around each call of the graph: USearch's Python calls share their scratch memory.
        self._lock = threading.Lock()
        self._graph = _new_graph(dimension)
        self._pending: deque[Int64Array] = deque()
        self._removed_count = 0

    @property
    def settled(self) -> bool:
        """Whether all is saved and nothing is left for `index_pending` to do."""
        return super().settled and len(self._graph) == len(self)

    def add(self, ids: Int64Array, vectors: Float16Array) -> None:
        """Add vectors of shape (n, dimension); an id that is there already is replaced.

        Raises:
            ValueError: not one vector of this dimension for each id.
        """
        with self._lock:
            super().add(ids, vectors)
            changed = np.unique(ids).astype(np.int64)
            self._forget(changed)
            self._pending.append(changed)

    def remove(self, ids: IdRange) -> None:
        """Remove all vectors with ids in a range; none there is no error."""
        with self._lock:
            self._forget(self._matrix.remove(ids))
            self._unsaved = True

    def search(
        self, query: Float32Array, k: int, ranges: Sequence[IdRange] | None = None
    ) -> list[VectorHit]:
        """Return the `k` nearest within `ranges` (None: all), nearest first, then by id."""
        if ranges is not None or len(self) < self._exact_below:
            return super().search(query, k, ranges)
        with self._lock:
            state = self._matrix.state
            in_graph = state.positions(self._nearest_in_graph(query, k))
            waiting = self._pending_rows(state)
        outside = nearest_rows(state, query, k, _runs_of(waiting))
        return best_hits(state, query, np.concatenate([in_graph, outside]), k)

    def index_pending(self) -> bool:
        """Put the next few waiting vectors into the graph; say whether more wait."""
        with self._lock:
            while self._pending and not len(self._pending[0]):
                self._pending.popleft()
            if not self._pending:
                return False
            ids = self._pending[0][:_ADDED_AT_A_TIME]
            self._pending[0] = self._pending[0][_ADDED_AT_A_TIME:]
            state = self._matrix.state
            rows = state.positions(ids)
            wanted = (rows >= 0) & ~_contains(self._graph, ids)
            if wanted.any():
                self._graph.add(ids[wanted], state.rows[rows[wanted]], threads=1)
                self._unsaved = True
            return True

    def save(self, generation: int) -> None:
        """Keep the vectors and the graph, as far as it is made, as of a database generation.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._write(generation, self._write_graph if len(self._graph) else None)

    def load(self) -> int | None:
        """Take what was saved; return its generation, None where there is nothing whole."""
        saved = self._files.read(self._matrix.dimension) if self._files is not None else None
        if saved is None:
            return None
        with self._lock:
            self._matrix.replace(saved.state.ids, saved.state.rows)
            self._graph = _load_graph(saved.graph, self._matrix.dimension)
            # What came or went while the graph was being written.
            self._forget(np.setdiff1d(_keys(self._graph), saved.state.ids))
            self._pending.append(saved.state.ids[~_contains(self._graph, saved.state.ids)])
        return saved.generation

    def close(self) -> None:
        """Let go of the vectors and the graph; what is on disk stays."""
        with self._lock:
            super().close()
            self._graph = _new_graph(self._matrix.dimension)
            self._pending.clear()

    def _nearest_in_graph(self, query: Float32Array, k: int) -> Int64Array:
        if not len(self._graph):
            return np.empty(0, dtype=np.int64)
        wanted = max(k * _CANDIDATES_PER_HIT, _LEAST_CANDIDATES)
        matches = self._graph.search(query.astype(np.float32), wanted, threads=1)
        return np.asarray(matches.keys, dtype=np.int64)

    def _pending_rows(self, state: MatrixState) -> Int64Array:
        """Return the rows of vectors that wait for the graph, ascending."""
        if not self._pending:
            return np.empty(0, dtype=np.int64)
        ids = np.unique(np.concatenate(self._pending))
        rows = state.positions(ids)
        return rows[(rows >= 0) & ~_contains(self._graph, ids)]

    def _forget(self, ids: Int64Array) -> None:
        """Take ids out of the graph; make it anew once many are out."""
        inside = ids[_contains(self._graph, ids)]
        if not len(inside):
            return
        self._graph.remove(inside)
        self._removed_count += len(inside)
        if self._removed_count > _MOST_REMOVED * (len(self._graph) + self._removed_count):
            self._graph = _new_graph(self._matrix.dimension)
            self._removed_count = 0
            self._pending = deque([self._matrix.state.ids])

    def _write_graph(self, path: Path) -> None:
        # USearch keeps the interpreter lock meanwhile: 12 ms for 20,000 vectors. That, and the
        # disk, are why nothing saves while books are being added.
        with self._lock:
            try:
                self._graph.save(path)
            except RuntimeError as error:  # USearch's only kind, for all that the disk may refuse
                raise OSError(errno.EIO, str(error)) from error
            expected_bytes = self._graph.serialized_length
        # USearch does not notice a disk that fills up with the last bytes.
        written_bytes = path.stat().st_size
        if written_bytes != expected_bytes:
            raise OSError(
                errno.EIO, f"{written_bytes} of {expected_bytes} bytes of the graph were written"
            )


def _new_graph(dimension: int) -> Index:
    from usearch.compiled import MetricKind
    from usearch.index import Index

    return Index(
        ndim=dimension,
        metric=MetricKind.Cos,
        dtype="i8",
        connectivity=_NEIGHBOURS,
        expansion_add=_BEAM_ON_ADD,
        expansion_search=_BEAM_ON_SEARCH,
    )


def _load_graph(path: Path | None, dimension: int) -> Index:
    """Return the graph that was saved, or a new one where there is none or it is of another kind.

    Whole as the file is, another version of USearch may have written it.
    """
    graph = _new_graph(dimension)
    if path is None:
        return graph
    try:
        graph.load(path)
    except RuntimeError as error:
        log.warning("the saved graph %s is made anew: %s", path.name, error)
        return _new_graph(dimension)
    if graph.ndim != dimension:
        log.warning("the saved graph %s is made anew: it has %d dimensions", path.name, graph.ndim)
        return _new_graph(dimension)
    return graph


def _contains(graph: Index, ids: Int64Array) -> NDArray[np.bool_]:
    if not len(ids) or not len(graph):
        return np.zeros(len(ids), dtype=np.bool_)
    return np.asarray(graph.contains(ids), dtype=np.bool_)


def _keys(graph: Index) -> Int64Array:
    return np.asarray(graph.keys, dtype=np.int64)


def _runs_of(rows: Int64Array) -> list[slice]:
    """Return ascending rows as runs."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    return [slice(int(run[0]), int(run[-1]) + 1) for run in np.split(rows, breaks)]
