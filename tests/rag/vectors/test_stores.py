from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from contracts.vector_store import VectorStoreContract, ids_of

from core.books import IdRange
from rag.ports import VectorStore
from rag.vectors import ExactVectorStore, UsearchVectorStore
from rag.vectors.index_files import IndexFiles
from support.embedding_store import DIMENSION, clustered_vectors


class TestExactVectorStore(VectorStoreContract):
    @pytest.fixture
    def make_store(self) -> Callable[[int], VectorStore]:
        return ExactVectorStore


class TestUsearchVectorStore(VectorStoreContract):
    """The graph is asked from the first vector on, but nothing is in it yet."""

    @pytest.fixture
    def make_store(self) -> Callable[[int], VectorStore]:
        return lambda dimension: UsearchVectorStore(dimension, exact_below=0)


class EagerStore(UsearchVectorStore):
    """Puts into the graph at once what is added."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension, exact_below=0)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        super().add(ids, vectors)
        index_all(self)


class TestUsearchVectorStoreWithAWholeGraph(VectorStoreContract):
    @pytest.fixture
    def make_store(self) -> Callable[[int], VectorStore]:
        return EagerStore


class TestUsearchVectorStoreBelowTheSwitch(VectorStoreContract):
    @pytest.fixture
    def make_store(self) -> Callable[[int], VectorStore]:
        return UsearchVectorStore


def index_all(store: ExactVectorStore) -> int:
    steps = 0
    while store.index_pending():
        steps += 1
    return steps


def recall(store: VectorStore, queries: np.ndarray, k: int = 10) -> float:
    exact = ExactVectorStore(DIMENSION)
    assert isinstance(store, ExactVectorStore)
    exact.add(store.ids, np.array([store.row(i) for i in store.ids.tolist()]))
    found = [
        len(set(ids_of(store.search(q, k))) & set(ids_of(exact.search(q, k)))) / k for q in queries
    ]
    return float(np.mean(found))


def near(vectors: np.ndarray, count: int = 40) -> np.ndarray:
    random = np.random.default_rng(5)
    chosen = vectors[random.integers(0, len(vectors), count)].astype(np.float32)
    return chosen + 0.02 * random.standard_normal(chosen.shape).astype(np.float32)


def test_the_graph_is_made_in_small_steps_and_then_answers() -> None:
    vectors = clustered_vectors(3000)
    store = UsearchVectorStore(DIMENSION, exact_below=0)
    store.add(np.arange(3000), vectors)
    assert not store.settled
    assert index_all(store) >= 3000 / 64
    assert recall(store, near(vectors)) >= 0.98


def test_what_is_not_in_the_graph_yet_is_found_too() -> None:
    vectors = clustered_vectors(2500)
    store = UsearchVectorStore(DIMENSION, exact_below=0)
    store.add(np.arange(2000), vectors[:2000])
    index_all(store)
    store.add(np.arange(2000, 2500), vectors[2000:])
    store.add(np.array([10, 20]), vectors[[30, 40]])
    store.index_pending()
    assert recall(store, near(vectors)) >= 0.98
    assert ids_of(store.search(vectors[30].astype(np.float32), 2)) == [10, 30]


def test_removing_much_makes_the_graph_anew() -> None:
    vectors = clustered_vectors(2000)
    store = UsearchVectorStore(DIMENSION, exact_below=0)
    store.add(np.arange(2000), vectors)
    index_all(store)
    store.remove(IdRange(0, 199))
    assert store.index_pending() is False  # a tenth is only marked
    assert recall(store, near(vectors)) >= 0.98
    store.remove(IdRange(300, 899))
    assert recall(store, near(vectors)) >= 0.98
    assert index_all(store) >= 1200 / 64
    assert recall(store, near(vectors)) >= 0.98


def test_a_store_survives_a_restart_with_its_graph(tmp_path: Path) -> None:
    vectors = clustered_vectors(1500)
    files = IndexFiles(tmp_path, "key")
    store = UsearchVectorStore(DIMENSION, files, exact_below=0)
    store.add(np.arange(1500), vectors)
    index_all(store)
    store.save(7)
    assert store.settled
    again = UsearchVectorStore(DIMENSION, files, exact_below=0)
    assert again.load() == 7
    assert again.settled
    assert index_all(again) == 0
    for query in near(vectors, 10):
        assert again.search(query, 10) == store.search(query, 10)
    again.add(np.array([1500]), clustered_vectors(1, seed=3))
    assert len(again) == 1501
    assert not again.settled


def test_a_graph_saved_half_made_is_gone_on_with(tmp_path: Path) -> None:
    vectors = clustered_vectors(1000)
    files = IndexFiles(tmp_path, "key")
    store = UsearchVectorStore(DIMENSION, files, exact_below=0)
    store.add(np.arange(1000), vectors)
    for _ in range(5):
        store.index_pending()
    store.save(1)
    again = UsearchVectorStore(DIMENSION, files, exact_below=0)
    again.load()
    assert 0 < index_all(again) < 1000 / 64
    assert recall(again, near(vectors)) >= 0.98


@pytest.mark.expects_logs
@pytest.mark.parametrize("damage", ["no graph", "cut", "another dimension"])
def test_a_saved_graph_of_another_kind_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    vectors = clustered_vectors(300)
    other = UsearchVectorStore(16, IndexFiles(tmp_path, "other"), exact_below=0)
    other.add(np.arange(300), clustered_vectors(300, dimension=16))
    store = UsearchVectorStore(DIMENSION, exact_below=0)
    store.add(np.arange(300), vectors)
    for filled in (other, store):
        index_all(filled)

    def write_graph(path: Path) -> None:
        if damage == "no graph":
            path.write_bytes(b"something else")
        elif damage == "cut":
            store._write_graph(path)
            path.write_bytes(path.read_bytes()[:-1000])
        else:
            other._write_graph(path)

    files = IndexFiles(tmp_path, "key")  # its checksums are right whatever was written
    files.write(3, store._matrix.state, write_graph)
    again = UsearchVectorStore(DIMENSION, files, exact_below=0)
    assert again.load() == 3
    assert ids_of(again.search(vectors[200].astype(np.float32), 1)) == [200]
    assert "made anew" in caplog.text
    assert index_all(again) >= 300 / 64
    again.save(4)
    assert again.settled


def test_the_exact_store_reads_what_the_other_saved(tmp_path: Path) -> None:
    vectors = clustered_vectors(300)
    files = IndexFiles(tmp_path, "key")
    store = UsearchVectorStore(DIMENSION, files)
    store.add(np.arange(300), vectors)
    store.save(2)
    exact = ExactVectorStore(DIMENSION, files)
    assert exact.load() == 2
    assert np.array_equal(exact.ids, np.arange(300))
    assert np.array_equal(exact.row(299), vectors[299])
    with pytest.raises(KeyError):
        exact.row(300)


def test_searches_go_on_while_the_matrix_grows_over_old_views() -> None:
    store = ExactVectorStore(DIMENSION)
    vectors = clustered_vectors(4000)
    store.add(np.arange(10), vectors[:10])
    before = store.ids
    store.remove(IdRange(5, 9))
    store.add(np.arange(100, 4000), vectors[100:])
    assert before.tolist() == list(range(10))
