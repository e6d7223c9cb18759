"""Which chunks a search considers, with every score it has of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.books import IdRange, StoredChunk
from core.ports import BookStore, LexicalIndex
from core.scope import ResolvedScope
from rag.ports import Float32Array, VectorStore
from rag.retrieval.fusion import word_shares

CHUNK_DEPTH = 60
"""Chunks taken from each index: no fewer questions were answered than with 200."""

PARENT_DEPTH = 30
"""Parents taken from word search; each stands for about four chunks."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks with their scores; arrays of shape (len(chunks),).

    Attributes:
        chunks: by ascending id.
        cosines: cosine with the question, NaN where the chunk has no embedding (yet) or meaning was
            not searched.
        shares: see fusion.word_shares, 0 where words were not searched.
        holds_word: whether the chunk itself holds one of the words.
    """

    chunks: tuple[StoredChunk, ...]
    cosines: Float32Array
    shares: Float32Array
    holds_word: Sequence[bool]


def gather(
    books: BookStore,
    lexical: LexicalIndex,
    vectors: VectorStore | None,
    query_vector: Float32Array | None,
    terms: Sequence[str],
    scope: ResolvedScope,
    depth: int = CHUNK_DEPTH,
) -> Candidates:
    """Ask both indexes inside the scope and put their proposals together.

    Every candidate gets every score: the cosine of what word search found, and the BM25 of what
    meaning found as far as it is among the `depth` best (else 0, which it nearly is).
    """
    chunk_bm25 = dict(lexical.search(terms, scope.chunks, depth, "chunk")) if terms else {}
    parent_bm25 = (
        dict(lexical.search(terms, scope.parents, max(PARENT_DEPTH, depth // 2), "parent"))
        if terms
        else {}
    )
    near = (
        {hit.chunk_id for hit in vectors.search(query_vector, depth, scope.chunks)}
        if vectors is not None and query_vector is not None
        else set()
    )
    found = {
        chunk.id: chunk
        for chunk in books.chunks_of_parents(list(parent_bm25))
        if in_scope(chunk.id, scope)
    }
    others = sorted((near | chunk_bm25.keys()) - found.keys())
    found |= {chunk.id: chunk for chunk in books.chunks(others)}
    chunks = tuple(found[chunk_id] for chunk_id in sorted(found))
    return Candidates(
        chunks,
        _cosines(vectors, query_vector, chunks),
        word_shares(
            np.array([chunk_bm25.get(chunk.id, 0.0) for chunk in chunks], np.float32),
            np.array([parent_bm25.get(chunk.parent_id, 0.0) for chunk in chunks], np.float32),
            lexical.ceiling(terms, "chunk"),
            lexical.ceiling(terms, "parent"),
        ),
        [chunk.id in chunk_bm25 for chunk in chunks],
    )


def in_scope(chunk_id: int, scope: ResolvedScope) -> bool:
    """Say whether a chunk lies inside a scope."""
    return scope.chunks is None or any(_holds(ids, chunk_id) for ids in scope.chunks)


def _holds(ids: IdRange, chunk_id: int) -> bool:
    return ids.first <= chunk_id <= ids.last


def _cosines(
    vectors: VectorStore | None,
    query_vector: Float32Array | None,
    chunks: Sequence[StoredChunk],
) -> Float32Array:
    if vectors is None or query_vector is None or not chunks:
        return np.full(len(chunks), np.nan, np.float32)
    ids = np.array([chunk.id for chunk in chunks], np.int64)
    return vectors.cosines(query_vector, ids)
