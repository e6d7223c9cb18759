"""The live index over a real library on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from contracts.vector_store import ids_of

from app.composition import open_postil
from core.books import Book
from core.errors import EmbeddingError
from core.home import Home
from core.persistence.library import Library
from core.ports import StoredVectors
from core.scope import Scope
from core.settings import Settings
from rag.passages import SearchMode
from rag.ports import Float16Array, Int64Array
from rag.vectors import VectorIndex, VectorStoreFactory
from support.embedding_store import clustered_vectors, fingerprint
from support.shelf import open_shelf
from support.stored_books import store_book

CHUNKS = 40


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = open_shelf(tmp_path)
    yield library
    library.close()


@pytest.fixture
def other_process(library: Library, tmp_path: Path) -> Iterator[Library]:
    """The same library, opened again: it shares nothing but the files."""
    other = open_shelf(tmp_path)
    yield other
    other.close()


@pytest.fixture
def index(library: Library, tmp_path: Path) -> Iterator[VectorIndex]:
    index = VectorIndex(VectorStoreFactory(tmp_path / "index"), library.embeddings, fingerprint)
    yield index
    index.close()


def add_book(library: Library, title: str) -> tuple[Book, Int64Array]:
    book = store_book(library.books, [f"{title}, paragraph {i}." for i in range(CHUNKS)], title)
    ids = library.books.chunk_range(book.id)
    assert ids is not None
    return book, np.arange(ids.first, ids.last + 1)


def embed(library: Library, ids: Int64Array, vectors: Float16Array) -> int:
    library.embeddings.register(fingerprint())
    return library.embeddings.append(fingerprint(), StoredVectors(ids.tolist(), vectors.tobytes()))


def found(index: VectorIndex, vector: Float16Array) -> list[int]:
    return ids_of(index.current().search(vector.astype(np.float32), 1))


def test_books_that_come_and_go_elsewhere_are_seen(
    library: Library, other_process: Library, index: VectorIndex
) -> None:
    vectors = clustered_vectors(3 * CHUNKS)
    first, first_ids = add_book(library, "First")
    second, second_ids = add_book(other_process, "Second")
    assert found(index, vectors[0]) == []
    embed(other_process, second_ids, vectors[CHUNKS : 2 * CHUNKS])
    assert found(index, vectors[CHUNKS + 7]) == [second_ids[7]]
    generation = embed(library, first_ids, vectors[:CHUNKS])
    index.added(first_ids, vectors[:CHUNKS], generation)
    assert found(index, vectors[5]) == [first_ids[5]]
    other_process.books.remove(second.id)
    assert len(index.current()) == CHUNKS
    assert found(index, vectors[CHUNKS + 7])[0] in first_ids
    library.books.remove(first.id)
    assert found(index, vectors[5]) == []


def test_vectors_of_a_book_removed_meanwhile_are_not_kept(
    library: Library, index: VectorIndex
) -> None:
    vectors = clustered_vectors(CHUNKS)
    book, ids = add_book(library, "Gone soon")
    embed(library, ids[:10], vectors[:10])
    assert len(index.current()) == 10
    library.books.remove(book.id)
    generation = embed(library, ids[10:], vectors[10:])
    index.added(ids[10:], vectors[10:], generation)
    assert len(index.current()) == 0


def test_the_index_survives_a_restart_and_the_loss_of_its_files(
    library: Library, index: VectorIndex, tmp_path: Path
) -> None:
    vectors = clustered_vectors(CHUNKS)
    _, ids = add_book(library, "Kept")
    embed(library, ids, vectors)
    assert found(index, vectors[3]) == [ids[3]]
    index.close()
    for lose_files in (False, True):
        for path in (tmp_path / "index").iterdir() if lose_files else ():
            path.unlink()
        again = VectorIndex(VectorStoreFactory(tmp_path / "index"), library.embeddings, fingerprint)
        assert found(again, vectors[3]) == [ids[3]]
        again.close()


def test_words_are_found_where_the_settings_name_no_model_there_is(tmp_path: Path) -> None:
    postil = open_postil(Home(tmp_path))
    postil.change_settings(Settings(embedding_model="nonsense"))
    book = store_book(postil.library.books, ["The whale sank the ship.", "It rained."])
    for mode in (SearchMode.WORDS, SearchMode.HYBRID):
        (passage,) = postil.retriever.search("whale", Scope.book(book.id), mode=mode)
        assert "whale" in passage.text
    with pytest.raises(EmbeddingError, match="nonsense"):
        postil.retriever.search("whale", Scope.book(book.id), mode=SearchMode.MEANING)
    postil.close()
