"""Candidates from a library that is embedded only in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.scope import Scope
from core.search_text import query_terms
from rag.retrieval.candidates import gather
from rag.retrieval.fusion import fuse
from rag.vectors.exact import ExactVectorStore
from support.answering import MOBY_DICK
from support.shelf import open_shelf, parsed_book, shelve


def test_a_chunk_without_an_embedding_has_its_words_only(tmp_path: Path) -> None:
    library = open_shelf(tmp_path)
    book = shelve(library, parsed_book("Moby-Dick", MOBY_DICK))
    ids = library.books.chunk_range(book.id)
    assert ids is not None
    store = ExactVectorStore(4)
    store.add(np.array([ids.first]), np.array([[1, 0, 0, 0]], np.float16))
    found = gather(
        library.books,
        library.lexical,
        store,
        np.array([1, 0, 0, 0], np.float32),
        query_terms("Who resumed and cried about a whale?", "en"),
        library.books.resolve(Scope.book(book.id)),
    )
    library.close()
    assert len(found.chunks) > 1
    assert [chunk.id for chunk in found.chunks] == sorted({chunk.id for chunk in found.chunks})
    for chunk, cosine in zip(found.chunks, found.cosines.tolist(), strict=True):
        assert cosine == 1.0 if chunk.id == ids.first else np.isnan(cosine)
    fused = fuse(found.cosines, found.shares)
    assert np.isfinite(fused).all()
    assert np.allclose(fused[1:], found.shares[1:] ** 2)
