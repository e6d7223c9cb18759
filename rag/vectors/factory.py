"""Makes vector stores and brings them up to date with the database."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from core.books import IdRange
from core.embeddings import EmbeddingFingerprint
from core.ports import EmbeddingStore
from rag.ports import Int64Array
from rag.vectors.exact import ExactVectorStore
from rag.vectors.index_files import IndexFiles
from rag.vectors.usearch_store import UsearchVectorStore

StoreKind = Literal["auto", "usearch", "exact"]


# Vectors of a saved index that are compared with the database's.
_SAMPLES = 8

log = logging.getLogger(__name__)


class VectorStoreFactory:
    """Opens the vector stores of a library."""

    def __init__(self, index_dir: Path) -> None:
        self._index_dir = index_dir

    def open(
        self,
        fingerprint: EmbeddingFingerprint,
        embeddings: EmbeddingStore,
        kind: StoreKind = "auto",
    ) -> ExactVectorStore:
        """Return a store that holds every embedding of a fingerprint.

        What was saved is used as far as it is whole; the rest is read from the database.

        Args:
            fingerprint: which embeddings.
            embeddings: where they are kept.
            kind: "exact" compares with every vector; "usearch" asks an HNSW graph for the whole
                library; "auto" does so once the library is large.
        """
        store = self._make(fingerprint, kind)
        generation = store.load()
        if generation is not None and (
            generation > embeddings.generation(fingerprint)
            or not _rows_agree(store, fingerprint, embeddings)
        ):
            log.info("the saved index %s is of another library", fingerprint.key)
            store = self._make(fingerprint, kind)
        catch_up(store, fingerprint, embeddings)
        return store

    def discard(self, fingerprint: EmbeddingFingerprint) -> None:
        """Remove what was saved of a fingerprint."""
        self._files(fingerprint).remove()

    def _make(self, fingerprint: EmbeddingFingerprint, kind: StoreKind) -> ExactVectorStore:
        files = self._files(fingerprint)
        if kind == "exact":
            return ExactVectorStore(fingerprint.dimension, files)
        if kind == "usearch":
            return UsearchVectorStore(fingerprint.dimension, files, exact_below=0)
        return UsearchVectorStore(fingerprint.dimension, files)

    def _files(self, fingerprint: EmbeddingFingerprint) -> IndexFiles:
        return IndexFiles(self._index_dir, fingerprint.key)


def catch_up(
    store: ExactVectorStore, fingerprint: EmbeddingFingerprint, embeddings: EmbeddingStore
) -> None:
    """Make a store hold the embeddings that the database holds, reading only what it lacks.

    Ids are never used again and the text behind an id never changes, so ids tell all.
    """
    wanted = np.asarray(embeddings.ids(fingerprint), dtype=np.int64)
    held = store.ids
    for gone in _ranges_of(held, np.isin(held, wanted, invert=True)):
        store.remove(gone)
    for missing in _ranges_of(wanted, np.isin(wanted, held, invert=True)):
        for batch in embeddings.read(fingerprint, within=missing):
            rows = np.frombuffer(batch.rows, dtype="<f2").reshape(-1, fingerprint.dimension)
            store.add(np.asarray(batch.ids, dtype=np.int64), rows)


def _rows_agree(
    store: ExactVectorStore, fingerprint: EmbeddingFingerprint, embeddings: EmbeddingStore
) -> bool:
    """Compare a few vectors, to notice an index left by a database that was replaced."""
    places = np.linspace(0, len(store) - 1, num=min(_SAMPLES, len(store)), dtype=np.int64)
    for chunk_id in store.ids[places].tolist():
        for batch in embeddings.read(fingerprint, within=IdRange(chunk_id, chunk_id)):
            if store.row(chunk_id).astype("<f2").tobytes() != batch.rows:
                return False
    return True


def _ranges_of(
    ids: Int64Array, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> list[IdRange]:
    """Return the chosen ones of ascending ids as ranges that hold no id that was not chosen."""
    places = np.flatnonzero(chosen)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    return [IdRange(int(ids[run[0]]), int(ids[run[-1]])) for run in np.split(places, breaks)]
