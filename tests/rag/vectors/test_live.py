from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from contracts.vector_store import ids_of

from core.books import IdRange
from core.embeddings import EmbeddingFingerprint
from core.errors import EmbeddingError, StorageError
from rag.vectors import UsearchVectorStore, VectorIndex, VectorStoreFactory, keeper
from support.embedding_store import MemoryEmbeddingStore, clustered_vectors, fingerprint

OpenIndex = Callable[[], VectorIndex]


@pytest.fixture(autouse=True)
def _short_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "QUIET_BEFORE_SAVE_S", 0.05)


@pytest.fixture
def database() -> MemoryEmbeddingStore:
    store = MemoryEmbeddingStore()
    store.register(fingerprint())
    return store


@pytest.fixture
def open_index(database: MemoryEmbeddingStore, tmp_path: Path) -> Iterator[OpenIndex]:
    opened: list[VectorIndex] = []

    def open_() -> VectorIndex:
        factory = VectorStoreFactory(tmp_path / "index")
        opened.append(VectorIndex(factory, database, fingerprint))
        return opened[-1]

    yield open_
    for index in opened:
        index.close()


def nearest(index: VectorIndex, vector: np.ndarray, k: int = 1) -> list[int]:
    return ids_of(index.current().search(vector.astype(np.float32), k))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def manifest(tmp_path: Path) -> Path:
    return tmp_path / "index" / f"{fingerprint().key}.json"


def test_a_library_without_embeddings_finds_nothing(tmp_path: Path) -> None:
    index = VectorIndex(VectorStoreFactory(tmp_path), MemoryEmbeddingStore(), fingerprint)
    assert nearest(index, np.ones(384)) == []
    index.close()


def test_changes_of_the_database_are_seen_by_the_next_search(
    database: MemoryEmbeddingStore, open_index: OpenIndex
) -> None:
    vectors = clustered_vectors(100)
    database.store(range(10, 60), vectors[10:60])
    index = open_index()
    assert nearest(index, vectors[20]) == [20]
    database.store(range(60, 100), vectors[60:])
    assert nearest(index, vectors[80]) == [80]
    # Another book, whose ids were reserved earlier, is embedded later.
    database.store(range(10), vectors[:10])
    assert nearest(index, vectors[3]) == [3]
    database.remove(IdRange(15, 25))
    assert 20 not in nearest(index, vectors[20], 100)
    assert len(index.current()) == 89


def test_catching_up_reads_only_what_is_new(
    database: MemoryEmbeddingStore, open_index: OpenIndex
) -> None:
    vectors = clustered_vectors(300)
    database.store(range(250), vectors[:250])
    index = open_index()
    index.current()
    database.read_count = 0
    database.store(range(250, 300), vectors[250:])
    assert nearest(index, vectors[299]) == [299]
    assert database.read_count == 50


def test_vectors_handed_over_are_not_read_again(
    database: MemoryEmbeddingStore, open_index: OpenIndex
) -> None:
    vectors = clustered_vectors(120)
    database.store(range(50), vectors[:50])
    index = open_index()
    index.current()
    database.read_count = 0
    generation = database.store(range(50, 60), vectors[50:60])
    index.added(np.arange(50, 60), vectors[50:60], generation)
    assert nearest(index, vectors[55]) == [55]
    assert database.read_count == 0


def test_vectors_handed_over_beside_other_changes_are_still_right(
    database: MemoryEmbeddingStore, open_index: OpenIndex
) -> None:
    vectors = clustered_vectors(120)
    index = open_index()
    index.current()
    database.store(range(50), vectors[:50])
    database.remove(IdRange(0, 9))
    generation = database.store(range(50, 60), vectors[50:60])
    index.added(np.arange(50, 60), vectors[50:60], generation)
    assert sorted(nearest(index, vectors[0], 100)) == list(range(10, 60))
    # An announcement that comes late, when all was read already, changes nothing.
    index.added(np.arange(50, 60), vectors[50:60], generation)
    assert len(index.current()) == 50


def test_handing_vectors_over_opens_the_index(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    index = open_index()
    vectors = clustered_vectors(20)
    index.added(np.arange(10), vectors[:10], database.store(range(10), vectors[:10]))
    index.added(np.arange(10, 20), vectors[10:], database.store(range(10, 20), vectors[10:]))
    assert database.read_count == 10
    index.close()
    assert manifest(tmp_path).exists()
    index.added(np.arange(10), vectors[:10], 3)


def test_the_index_is_saved_once_all_is_quiet(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    vectors = clustered_vectors(400)
    database.store(range(400), vectors)
    index = open_index()
    index.current()
    wait_for(manifest(tmp_path).exists)
    database.read_count = 0
    again = open_index()
    assert nearest(again, vectors[200]) == [200]
    assert database.read_count <= 8  # a few are compared
    store = again.current()
    assert isinstance(store, UsearchVectorStore)
    assert store.settled


def test_closing_saves(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    vectors = clustered_vectors(30)
    database.store(range(30), vectors)
    index = open_index()
    index.current()
    index.close()
    index.close()
    assert manifest(tmp_path).exists()
    with pytest.raises(StorageError, match="closed"):
        index.current()


def test_an_unchanged_index_is_not_written_again(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    database.store(range(30), clustered_vectors(30))
    first = open_index()
    first.current()
    first.close()
    written = manifest(tmp_path).stat().st_mtime_ns
    second = open_index()
    second.current()
    second.close()
    assert manifest(tmp_path).stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["gone", "cut", "altered"])
def test_a_damaged_index_is_made_again_from_the_database(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path, damage: str
) -> None:
    vectors = clustered_vectors(200)
    database.store(range(200), vectors)
    index = open_index()
    index.current()
    index.close()
    for path in (tmp_path / "index").iterdir():
        content = bytearray(path.read_bytes())
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        else:
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
    again = open_index()
    assert nearest(again, vectors[123]) == [123]
    again.close()
    database.read_count = 0
    assert nearest(open_index(), vectors[123]) == [123]
    assert database.read_count <= 8


def test_an_index_that_another_library_left_is_not_used(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    vectors = clustered_vectors(100)
    database.store(range(50), vectors[:50])
    index = open_index()
    index.current()
    index.close()
    replaced = MemoryEmbeddingStore()
    replaced.register(fingerprint())
    for start in range(0, 50, 10):  # the same ids and a later generation, other books
        replaced.store(range(start, start + 10), vectors[50 + start : 60 + start])
    other = VectorIndex(VectorStoreFactory(tmp_path / "index"), replaced, fingerprint)
    assert nearest(other, vectors[70]) == [20]
    other.close()


def test_rebuilding_gives_what_the_database_has(
    database: MemoryEmbeddingStore, open_index: OpenIndex, tmp_path: Path
) -> None:
    vectors = clustered_vectors(300)
    database.store(range(300), vectors)
    index = open_index()
    index.current()
    assert index.rebuild() == 300
    assert nearest(index, vectors[250]) == [250]
    saved = VectorStoreFactory(tmp_path / "index").open(fingerprint(), database)
    assert saved.settled


@pytest.mark.expects_logs
def test_a_folder_that_cannot_be_written_costs_no_search(
    database: MemoryEmbeddingStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = clustered_vectors(30)
    database.store(range(30), vectors)
    (tmp_path / "file").write_text("in the way")
    index = VectorIndex(VectorStoreFactory(tmp_path / "file"), database, fingerprint)
    assert nearest(index, vectors[12]) == [12]
    index.close()
    assert "could not be saved" in caplog.text


@pytest.mark.expects_logs
@pytest.mark.parametrize(("count", "room_bytes"), [(20, 1_000), (1_000, 60_000)])
def test_a_disk_too_full_for_the_graph_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, room_bytes: int
) -> None:
    # USearch raises an error of its own for the large graph and none for the small one.
    resource = pytest.importorskip("resource")
    vectors = clustered_vectors(count + 1, dimension=8)
    database = MemoryEmbeddingStore(8)
    database.store(range(count), vectors[:count])
    index = VectorIndex(
        VectorStoreFactory(tmp_path / "index"), database, lambda: fingerprint(dimension=8)
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        assert nearest(index, vectors[12]) == [12]
        wait_for(lambda: "could not be saved" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "index").iterdir()) == []
    database.store([count], vectors[count:])
    assert nearest(index, vectors[count]) == [count]
    wait_for(lambda: len(list((tmp_path / "index").iterdir())) == 4)
    index.close()


def test_a_model_that_is_missing_is_asked_for_again(
    database: MemoryEmbeddingStore, tmp_path: Path
) -> None:
    model_is_there = False
    asked: list[bool] = []

    def ask() -> EmbeddingFingerprint:
        asked.append(model_is_there)
        if not model_is_there:
            raise EmbeddingError("The embedding model has not been downloaded.")
        return fingerprint()

    vectors = clustered_vectors(30)
    database.store(range(30), vectors)
    index = VectorIndex(VectorStoreFactory(tmp_path / "index"), database, ask)
    assert asked == []
    with pytest.raises(EmbeddingError, match="downloaded"):
        index.current()
    model_is_there = True
    assert nearest(index, vectors[12]) == [12]
    assert nearest(index, vectors[7]) == [7]
    index.close()
    assert asked == [False, True]


def test_an_index_closes_without_its_model(tmp_path: Path) -> None:
    def ask() -> EmbeddingFingerprint:
        raise AssertionError("closing needs no fingerprint")

    VectorIndex(VectorStoreFactory(tmp_path), MemoryEmbeddingStore(), ask).close()


@pytest.mark.parametrize("kind", ["exact", "usearch", "auto"])
def test_the_factory_makes_each_kind(
    database: MemoryEmbeddingStore, tmp_path: Path, kind: str
) -> None:
    vectors = clustered_vectors(80)
    database.store(range(80), vectors)
    store = VectorStoreFactory(tmp_path).open(fingerprint(), database, kind)  # type: ignore[arg-type]
    while store.index_pending():
        pass
    assert ids_of(store.search(vectors[40].astype(np.float32), 1)) == [40]


def test_searches_adds_and_removals_from_several_threads(
    database: MemoryEmbeddingStore, open_index: OpenIndex
) -> None:
    vectors = clustered_vectors(2000)
    database.store(range(100), vectors[:100])
    index = open_index()
    index.current()
    failures: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                assert nearest(index, vectors[42], 3)[0] == 42
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(100, 2000, 100):
        ids = np.arange(start, start + 100)
        generation = database.store(ids.tolist(), vectors[start : start + 100])
        index.added(ids, vectors[start : start + 100], generation)
        if start % 500 == 0:
            database.remove(IdRange(start, start + 49))
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert np.array_equal(
        index.current().ids,  # type: ignore[attr-defined]
        database.ids(fingerprint()),
    )
