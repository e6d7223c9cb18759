from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from rag.vectors import UsearchVectorStore
from rag.vectors.index_files import IndexFiles
from rag.vectors.matrix import MatrixState
from support.embedding_store import DIMENSION, clustered_vectors


def state_of(count: int) -> MatrixState:
    return MatrixState(np.arange(count, dtype=np.int64), clustered_vectors(count))


@pytest.fixture
def files(tmp_path: Path) -> IndexFiles:
    return IndexFiles(tmp_path / "index", "key")


def write_graph(path: Path) -> None:
    path.write_bytes(b"graph")


def data_files(folder: Path) -> list[Path]:
    return sorted((folder / "index").glob("key-*"))


def test_what_is_written_is_read(files: IndexFiles, tmp_path: Path) -> None:
    state = state_of(100)
    files.write(3, state, write_graph)
    saved = files.read(DIMENSION)
    assert saved is not None
    assert saved.generation == 3
    assert np.array_equal(saved.state.ids, state.ids)
    assert np.array_equal(saved.state.rows, state.rows)
    assert saved.graph is not None
    assert saved.graph.read_bytes() == b"graph"
    assert all(path.name.startswith("key-3-") for path in data_files(tmp_path))


def test_nothing_there_is_nothing_saved(files: IndexFiles) -> None:
    assert files.read(DIMENSION) is None


def test_a_new_index_replaces_the_old_and_its_files(files: IndexFiles, tmp_path: Path) -> None:
    files.write(1, state_of(10), write_graph)
    files.write(2, state_of(20), None)
    saved = files.read(DIMENSION)
    assert saved is not None
    assert (saved.generation, len(saved.state), saved.graph) == (2, 20, None)
    assert len(data_files(tmp_path)) == 2


def test_other_fingerprints_are_left_alone(files: IndexFiles, tmp_path: Path) -> None:
    other = IndexFiles(tmp_path / "index", "other")
    other.write(1, state_of(5), None)
    files.write(1, state_of(10), None)
    files.remove()
    assert files.read(DIMENSION) is None
    assert data_files(tmp_path) == []
    assert other.read(DIMENSION) is not None


def test_files_that_another_process_is_writing_are_left_alone(
    files: IndexFiles, tmp_path: Path
) -> None:
    files.write(1, state_of(10), None)
    theirs = tmp_path / "index" / "key-2-12345678.ids.npy"
    theirs.write_bytes(b"half")
    os.utime(theirs, (time.time() + 60, time.time() + 60))
    files.write(3, state_of(10), None)
    assert theirs.exists()
    os.utime(theirs, (1, 1))
    files.write(4, state_of(10), None)
    assert not theirs.exists()


@pytest.mark.parametrize("part", ["ids.npy", "rows.npy", "usearch"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "altered", "longer"])
def test_damage_of_any_file_is_noticed(
    files: IndexFiles, tmp_path: Path, part: str, damage: str
) -> None:
    files.write(1, state_of(50), write_graph)
    (path,) = (tmp_path / "index").glob(f"*.{part}")
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content + b"\0")
    assert files.read(DIMENSION) is None


@pytest.mark.parametrize(
    "manifest", ["", "null", "[]", "{}", '{"layout": 99}', '{"layout": 1, "generation": 1}', "\0"]
)
def test_a_manifest_that_is_none_is_noticed(
    files: IndexFiles, tmp_path: Path, manifest: str
) -> None:
    files.write(1, state_of(5), None)
    (tmp_path / "index" / "key.json").write_text(manifest)
    assert files.read(DIMENSION) is None


def test_a_manifest_cannot_point_outside_its_folder(files: IndexFiles, tmp_path: Path) -> None:
    files.write(1, state_of(5), None)
    manifest_path = tmp_path / "index" / "key.json"
    manifest = json.loads(manifest_path.read_text())
    (tmp_path / "index" / manifest["ids.npy"]["name"]).rename(tmp_path / "ids.npy")
    manifest["ids.npy"]["name"] = "../ids.npy"
    manifest_path.write_text(json.dumps(manifest))
    assert files.read(DIMENSION) is None


def test_an_index_of_another_dimension_is_not_used(files: IndexFiles) -> None:
    files.write(1, state_of(5), None)
    assert files.read(8) is None


def test_a_failed_write_leaves_the_old_index(files: IndexFiles, tmp_path: Path) -> None:
    files.write(1, state_of(5), None)

    def disk_full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left on device"):
        files.write(2, state_of(6), disk_full)
    saved = files.read(DIMENSION)
    assert saved is not None
    assert saved.generation == 1
    assert len(data_files(tmp_path)) == 2


SAVE_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from rag.vectors import UsearchVectorStore
from rag.vectors.index_files import IndexFiles

vectors = np.load(sys.argv[2])
store = UsearchVectorStore(vectors.shape[1], IndexFiles(Path(sys.argv[1]), "key"), exact_below=0)
for generation in range(len(vectors)):
    store.add(np.array([generation]), vectors[generation : generation + 1])
    store.index_pending()
    store.save(generation)
    print(generation, flush=True)
"""


def kill_while_saving(tmp_path: Path, kills: int) -> None:
    """Whatever moment the process dies at, the last finished save or a later one is there."""
    vectors = clustered_vectors(5000)
    np.save(tmp_path / "vectors.npy", vectors)
    random_ = random.Random(4)
    for attempt in range(kills):
        folder = tmp_path / str(attempt)
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(folder), str(tmp_path / "vectors.npy")],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random_.uniform(0, 0.15))
            os.kill(process.pid, signal.SIGKILL)
            finished = [int(line) for line in process.stdout]
        store = UsearchVectorStore(DIMENSION, IndexFiles(folder, "key"), exact_below=0)
        generation = store.load()
        assert generation is not None
        assert generation >= max(finished, default=0)
        assert len(store) == generation + 1
        hit = store.search(vectors[generation].astype(np.float32), 1)[0]
        assert hit.chunk_id == generation
        store.save(generation)
        assert len(list(folder.iterdir())) <= 4 + 3  # what the killed save left goes with the next


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killing_a_save_leaves_a_whole_index(tmp_path: Path) -> None:
    kill_while_saving(tmp_path, kills=5)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killing_fifty_saves_leaves_a_whole_index(tmp_path: Path) -> None:
    kill_while_saving(tmp_path, kills=50)
