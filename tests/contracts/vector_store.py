"""What every VectorStore must do; the test class of an implementation inherits this one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.books import IdRange
from rag.ports import Float16Array, Int64Array, VectorHit, VectorStore
from support.embedding_store import DIMENSION, clustered_vectors


def cosines_of(vectors: Float16Array, query: Float16Array) -> np.ndarray:
    """The truth in double precision."""
    rows, one = vectors.astype(np.float64), query.astype(np.float64)
    return rows @ one / (np.linalg.norm(rows, axis=1) * np.linalg.norm(one))


def ids_of(hits: list[VectorHit]) -> list[int]:
    return [hit.chunk_id for hit in hits]


class VectorStoreContract:
    """Subclasses give `make_store`, a fixture that makes an empty store of a dimension."""

    @pytest.fixture
    def make_store(self) -> Callable[[int], VectorStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_store: Callable[[int], VectorStore]) -> VectorStore:
        return make_store(DIMENSION)

    def test_an_empty_store_finds_nothing(self, store: VectorStore) -> None:
        query = np.ones(DIMENSION, dtype=np.float32)
        assert len(store) == 0
        assert store.search(query, 5) == []
        assert store.search(query, 5, [IdRange(1, 10)]) == []
        assert np.isnan(store.cosines(query, np.array([1, 2]))).all()

    def test_the_nearest_come_first_with_their_cosines(self, store: VectorStore) -> None:
        vectors = clustered_vectors(500)
        store.add(np.arange(100, 600), vectors)
        query = vectors[7].astype(np.float32)
        truth = cosines_of(vectors, query)
        hits = store.search(query, 10)
        assert ids_of(hits) == (np.argsort(-truth)[:10] + 100).tolist()
        assert [hit.cosine for hit in hits] == pytest.approx(np.sort(truth)[::-1][:10], abs=1e-5)
        assert all(type(hit.chunk_id) is int and type(hit.cosine) is float for hit in hits)

    def test_cosine_does_not_depend_on_length(self, store: VectorStore) -> None:
        vectors = clustered_vectors(50)
        store.add(np.arange(50), (3 * vectors).astype(np.float16))
        (hit,) = store.search(5 * vectors[3].astype(np.float32), 1)
        assert hit.chunk_id == 3
        assert hit.cosine == pytest.approx(1.0, abs=1e-3)

    def test_asking_for_more_than_there_is(self, store: VectorStore) -> None:
        store.add(np.arange(3), clustered_vectors(3))
        query = clustered_vectors(1, seed=9)[0].astype(np.float32)
        assert sorted(ids_of(store.search(query, 100))) == [0, 1, 2]
        assert sorted(ids_of(store.search(query, 100, [IdRange(1, 50)]))) == [1, 2]

    def test_only_what_is_in_the_ranges_is_found(self, store: VectorStore) -> None:
        vectors = clustered_vectors(600)
        ids = np.arange(600) * 3
        store.add(ids, vectors)
        query = vectors[0].astype(np.float32)
        ranges = [IdRange(10, 20), IdRange(299, 301), IdRange(900, 1199), IdRange(5000, 6000)]
        inside = np.array([any(r.first <= i <= r.last for r in ranges) for i in ids])
        truth = np.where(inside, cosines_of(vectors, query), -2)
        expected = ids[np.argsort(-truth)[:20]].tolist()
        assert ids_of(store.search(query, 20, ranges)) == expected
        assert store.search(query, 20, []) == []

    def test_adding_an_id_again_replaces_it(self, store: VectorStore) -> None:
        vectors = clustered_vectors(80)
        store.add(np.arange(40), vectors[:40])
        store.add(np.array([5, 39, 40]), vectors[50:53])
        assert len(store) == 41
        for chunk_id, row in ((5, 50), (39, 51), (40, 52)):
            (hit,) = store.search(vectors[row].astype(np.float32), 1)
            assert hit.chunk_id == chunk_id
            assert hit.cosine > 0.999

    def test_ids_may_come_in_any_order(self, store: VectorStore) -> None:
        vectors = clustered_vectors(60)
        ids = np.random.default_rng(1).permutation(60)
        store.add(ids[:30], vectors[ids[:30]])
        store.add(ids[30:], vectors[ids[30:]])
        for row in range(0, 60, 7):
            assert store.search(vectors[row].astype(np.float32), 1)[0].chunk_id == row

    def test_what_is_removed_is_not_found(self, store: VectorStore) -> None:
        vectors = clustered_vectors(200)
        store.add(np.arange(200), vectors)
        store.remove(IdRange(50, 149))
        store.remove(IdRange(1000, 2000))
        assert len(store) == 100
        query = vectors[100].astype(np.float32)
        found = ids_of(store.search(query, 200))
        assert sorted(found) == [*range(50), *range(150, 200)]
        assert store.search(query, 5, [IdRange(50, 149)]) == []
        store.add(np.array([100]), vectors[100:101])
        assert store.search(query, 1)[0].chunk_id == 100

    def test_cosines_of_chosen_ids(self, store: VectorStore) -> None:
        vectors = clustered_vectors(100)
        store.add(np.arange(0, 200, 2), vectors)
        query = vectors[4].astype(np.float32)
        found = store.cosines(query, np.array([198, 3, 8, 8, -1, 10**12]))
        truth = cosines_of(vectors, query)
        assert found.dtype == np.float32
        assert found[[0, 2, 3]] == pytest.approx(truth[[99, 4, 4]], abs=1e-5)
        assert np.isnan(found[[1, 4, 5]]).all()
        assert len(store.cosines(query, np.empty(0, dtype=np.int64))) == 0

    def test_a_vector_of_zeros_has_cosine_0(self, store: VectorStore) -> None:
        vectors = clustered_vectors(3)
        vectors[1] = 0
        store.add(np.arange(3), vectors)
        hits = store.search(vectors[0].astype(np.float32), 3)
        assert dict(hits)[1] == 0.0

    def test_vectors_of_another_shape_are_refused(self, store: VectorStore) -> None:
        with pytest.raises(ValueError, match="shape"):
            store.add(np.arange(2), clustered_vectors(3))
        with pytest.raises(ValueError, match="shape"):
            store.add(np.arange(2), clustered_vectors(2, dimension=8))
        assert len(store) == 0

    # Each example makes its own store, and each subclass is a run of its own.
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(data=st.data())
    def test_any_history_leaves_what_a_dict_would(
        self, make_store: Callable[[int], VectorStore], data: st.DataObject
    ) -> None:
        store = make_store(8)
        pool = clustered_vectors(64, dimension=8)
        truth: dict[int, Float16Array] = {}
        for _ in range(data.draw(st.integers(1, 6))):
            if data.draw(st.booleans()):
                ids = data.draw(st.lists(st.integers(0, 40), max_size=12))
                rows = data.draw(st.lists(st.integers(0, 63), min_size=len(ids), max_size=len(ids)))
                store.add(np.array(ids, dtype=np.int64), pool[np.array(rows, dtype=np.int64)])
                truth.update((i, pool[row]) for i, row in zip(ids, rows, strict=True))
            else:
                first = data.draw(st.integers(0, 40))
                gone = IdRange(first, first + data.draw(st.integers(0, 20)))
                store.remove(gone)
                truth = {i: v for i, v in truth.items() if not gone.first <= i <= gone.last}
        query = pool[data.draw(st.integers(0, 63))].astype(np.float32)
        hits = store.search(query, 100, [IdRange(0, 100)])
        assert len(store) == len(truth)
        assert sorted(ids_of(hits)) == sorted(truth)
        for hit in hits:
            expected = cosines_of(truth[hit.chunk_id][None], query)[0]
            assert hit.cosine == pytest.approx(expected, abs=1e-4)

    def test_searches_and_changes_from_several_threads(self, store: VectorStore) -> None:
        vectors = clustered_vectors(3000)
        store.add(np.arange(500), vectors[:500])
        failures: list[Exception] = []
        done = threading.Event()

        def search(row: int) -> None:
            query = vectors[row].astype(np.float32)
            try:
                while not done.is_set():
                    for hits in (store.search(query, 3), store.search(query, 3, [IdRange(0, 99)])):
                        assert hits[0].chunk_id == row
                    assert store.cosines(query, np.array([row]))[0] > 0.999
            except Exception as error:  # noqa: BLE001 - told to the main thread
                failures.append(error)

        threads = [threading.Thread(target=search, args=(row,)) for row in (3, 50, 99)]
        for thread in threads:
            thread.start()
        ids: Int64Array = np.arange(3000)
        for start in range(500, 3000, 125):
            store.add(ids[start : start + 125], vectors[start : start + 125])
            if start % 500 == 0:
                store.remove(IdRange(start - 100, start - 1))
        done.set()
        for thread in threads:
            thread.join()
        assert not failures
