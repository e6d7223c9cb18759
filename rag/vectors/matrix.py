"""Vectors as one matrix in the order of their ids, so that a range of ids is a run of rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.books import IdRange
from rag.ports import Float16Array, Float32Array, Int64Array

_GROWTH = 1.5
_LEAST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class MatrixState:
    """The vectors at one moment; later changes do not touch it.

    Attributes:
        ids: strictly ascending, shape (n,).
        rows: half-precision, shape (n, dimension), contiguous.
    """

    ids: Int64Array
    rows: Float16Array

    def __len__(self) -> int:
        return len(self.ids)

    def runs(self, ranges: Sequence[IdRange] | None) -> list[slice]:
        """Return the runs of rows that hold ranges of ids (None: all), neighbours joined."""
        if ranges is None:
            return [slice(0, len(self))] if len(self) else []
        bounds = np.asarray(ranges, dtype=np.int64).reshape(-1, 2)
        firsts = np.searchsorted(self.ids, bounds[:, 0], side="left")
        ends = np.searchsorted(self.ids, bounds[:, 1], side="right")
        runs: list[slice] = []
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
            if first >= end:
                continue
            if runs and runs[-1].stop == first:
                runs[-1] = slice(runs[-1].start, end)
            else:
                runs.append(slice(first, end))
        return runs

    def positions(self, ids: Int64Array) -> Int64Array:
        """Return the row of each id, -1 where it has none."""
        if not len(self):
            return np.full(len(ids), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return np.where(self.ids[places] == ids, places, -1).astype(np.int64)

    def cosines(self, query: Float32Array, positions: Int64Array) -> Float32Array:
        """Return the cosine of the query with each of some rows, in single precision.

        The cosine with a vector of zeros is 0.
        """
        rows = self.rows[positions].astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        products = rows @ query.astype(np.float32, copy=False)
        cosines = np.zeros(len(rows), dtype=np.float32)
        np.divide(products, lengths, out=cosines, where=lengths > 0)
        return np.clip(cosines, -1.0, 1.0, out=cosines)


class VectorMatrix:
    """Keeps a `MatrixState` up to date. Thread-safe: readers hold a state, writers make the next.

    Ids mostly grow, so adding past the last one writes into spare room behind the rows that
    readers see; anything else copies.
    """

    def __init__(self, dimension: int) -> None:
        self._lock = threading.Lock()
        self._id_room = np.empty(0, dtype=np.int64)
        self._row_room = np.empty((0, dimension), dtype=np.float16)
        self._state = MatrixState(self._id_room, self._row_room)

    @property
    def state(self) -> MatrixState:
        """The vectors as they are now."""
        return self._state

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._row_room.shape[1])

    def replace(self, ids: Int64Array, rows: Float16Array) -> None:
        """Hold these vectors instead; ids strictly ascending. The arrays are kept, not copied."""
        with self._lock:
            self._use(ids, rows, len(ids))

    def add(self, ids: Int64Array, vectors: Float16Array) -> None:
        """Add vectors; an id that is there already is replaced, the last of equal ids counts.

        Raises:
            ValueError: not one vector of this dimension for each id.
        """
        if vectors.shape != (len(ids), self.dimension):
            raise ValueError(f"{len(ids)} ids came with vectors of shape {vectors.shape}")
        if not len(ids):
            return
        ids, vectors = _sorted_unique(np.asarray(ids, dtype=np.int64), vectors)
        with self._lock:
            state = self._state
            if len(state) and ids[0] <= state.ids[-1]:
                kept = ~np.isin(state.ids, ids)
                merged_ids, merged_rows = _sorted_unique(
                    np.concatenate([state.ids[kept], ids]),
                    np.concatenate([state.rows[kept], vectors]),
                )
                self._use(merged_ids, merged_rows, len(merged_ids))
            else:
                self._append(ids, vectors)

    def remove(self, ids: IdRange) -> Int64Array:
        """Remove the vectors with ids in a range; return their ids."""
        with self._lock:
            state = self._state
            removed = np.empty(0, dtype=np.int64)
            for run in state.runs([ids]):
                removed = state.ids[run]
                # Copies: readers may still look at the rows that the next ones would overwrite.
                kept_ids = np.delete(state.ids, run)
                self._use(kept_ids, np.delete(state.rows, run, axis=0), len(kept_ids))
            return removed

    def _append(self, ids: Int64Array, vectors: Float16Array) -> None:
        start, end = len(self._state), len(self._state) + len(ids)
        if end > len(self._id_room):
            capacity = max(_LEAST_CAPACITY, int(end * _GROWTH))
            id_room = np.empty(capacity, dtype=np.int64)
            row_room = np.empty((capacity, self.dimension), dtype=np.float16)
            id_room[:start], row_room[:start] = self._state.ids, self._state.rows
            self._id_room, self._row_room = id_room, row_room
        self._id_room[start:end], self._row_room[start:end] = ids, vectors
        self._use(self._id_room, self._row_room, end)

    def _use(self, id_room: Int64Array, row_room: Float16Array, count: int) -> None:
        self._id_room, self._row_room = id_room, row_room
        self._state = MatrixState(id_room[:count], row_room[:count])


def _sorted_unique(ids: Int64Array, vectors: Float16Array) -> tuple[Int64Array, Float16Array]:
    """Return ids ascending with their vectors; the last vector of an id counts."""
    if np.all(ids[1:] > ids[:-1]):
        return ids, vectors
    # np.unique gives the first place of each id, so look from the end.
    unique, places = np.unique(ids[::-1], return_index=True)
    return unique, vectors[::-1][places]
