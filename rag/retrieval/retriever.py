"""Hybrid search: words and meaning, each inside the scope, joined into one ranking."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import EmbeddingError
from core.persistence.library import Library
from core.scope import ResolvedScope, Scope
from core.search_text import query_terms, question_language
from rag.passages import Passage, SearchMode
from rag.ports import Embedder, Float32Array, VectorStore
from rag.retrieval.candidates import CHUNK_DEPTH, Candidates, gather
from rag.retrieval.fusion import fuse
from rag.retrieval.widening import RankedChunk, Widener
from rag.vectors import VectorIndex

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What one search saw and gave.

    Attributes:
        passages: the best first, none overlapping another.
        terms: the words that were looked for, in search form.
        candidate_count: how many chunks the indexes proposed.
        used_meaning: whether meaning was searched; False too where the model is missing.
    """

    passages: tuple[Passage, ...]
    terms: tuple[str, ...]
    candidate_count: int
    used_meaning: bool


class Retriever:
    """Searches a library. Thread-safe; the embedding model loads at the first search by meaning."""

    def __init__(self, library: Library, embedder: Embedder, vectors: VectorIndex) -> None:
        self._library = library
        self._embedder = embedder
        self._vectors = vectors

    def search(
        self, query: str, scope: Scope, *, k: int = 10, mode: SearchMode = SearchMode.HYBRID
    ) -> list[Passage]:
        """Return the best `k` passages inside a scope; see `retrieve`."""
        return list(self.retrieve(query, scope, k=k, mode=mode).passages)

    def retrieve(
        self, query: str, scope: Scope, *, k: int = 10, mode: SearchMode = SearchMode.HYBRID
    ) -> Retrieval:
        """Search inside a scope.

        Where the embedding model is missing, a hybrid search goes on by words alone.

        Raises:
            NotFoundError: the scope names a book that is not there.
            EmbeddingError: a search by meaning only, and there is no model.
        """
        # Before the snapshot: opening the index may take long, and writes.
        vectors, query_vector = self._meaning(query, mode)
        with self._library.snapshot():
            resolved = self._library.books.resolve(scope)
            terms = [] if mode is SearchMode.MEANING else self._terms(query, scope)
            found = gather(
                self._library.books,
                self._library.lexical,
                vectors,
                query_vector,
                terms,
                resolved,
                max(CHUNK_DEPTH, 4 * k),
            )
            passages = self._passages(found, resolved, k, mode)
        return Retrieval(tuple(passages), tuple(terms), len(found.chunks), vectors is not None)

    def _terms(self, query: str, scope: Scope) -> list[str]:
        """Return the query's words as each language in scope would have them."""
        languages = self._library.books.languages(scope)
        asked_in = question_language(query, languages)
        return list(
            dict.fromkeys(
                term for language in languages for term in query_terms(query, language, asked_in)
            )
        )

    def _meaning(
        self, query: str, mode: SearchMode
    ) -> tuple[VectorStore | None, Float32Array | None]:
        if mode is SearchMode.WORDS:
            return None, None
        try:
            return self._vectors.current(), self._embedder.embed_query(query)
        except EmbeddingError:
            if mode is SearchMode.MEANING:
                raise
            log.info("no embedding model: searching by words alone")
            return None, None

    def _passages(
        self, found: Candidates, scope: ResolvedScope, k: int, mode: SearchMode
    ) -> list[Passage]:
        scores = _scores(found, mode)
        ranked = [
            RankedChunk(
                found.chunks[index],
                float(scores[index]),
                None if np.isnan(found.cosines[index]) else float(found.cosines[index]),
                float(found.shares[index]) if mode is not SearchMode.MEANING else None,
            )
            for index in _best_first(scores)
            if mode is not SearchMode.WORDS or found.holds_word[index]
        ]
        return Widener(self._library.books, scope, found.chunks).passages(ranked, k)


def _scores(found: Candidates, mode: SearchMode) -> Float32Array:
    if mode is SearchMode.WORDS:
        return found.shares
    if mode is SearchMode.MEANING:
        return np.nan_to_num(found.cosines, nan=0.0)
    return fuse(found.cosines, found.shares)


def _best_first(scores: Float32Array) -> Sequence[int]:
    # Chunks come in the order of their ids, so that equals keep the order of the text.
    order: Sequence[int] = np.argsort(-scores, kind="stable").tolist()
    return order
