from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.errors import EmbeddingError
from rag.embedding import DEFAULT_MODEL, bundled, is_ready, model_files, open_embedder, prepare

SENTENCE = "Who sank the ship?"


@pytest.fixture
def built(model_cache: Path, tmp_path: Path) -> Path:
    """A model cache of its own with the default model in it."""
    folder = prepare(DEFAULT_MODEL, model_cache)
    shutil.copytree(folder, tmp_path / "models" / folder.name)
    return tmp_path / "models"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, model_cache: Path) -> list[Path]:
    """Records builds, and copies what was built before instead of building again."""
    folder = prepare(DEFAULT_MODEL, model_cache)
    recorded: list[Path] = []

    def copy(target: Path, model: object) -> None:
        recorded.append(target)
        for path in folder.iterdir():
            if path.name != "manifest.json":
                shutil.copy(path, target)

    monkeypatch.setattr(model_files, "_run_build", copy)
    return recorded


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "_PACKAGE", "a_package_that_nobody_installed")


def remove_file(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def cut_short(folder: Path) -> None:
    os.truncate(folder / "model.onnx", 1000)


def alter(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\xff\x00\xff")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("[1, 2")


def point_manifest_elsewhere(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


@pytest.mark.model
class TestBuilding:
    def test_it_happens_once(self, built: Path, builds: list[Path]) -> None:
        first = prepare(DEFAULT_MODEL, built)
        assert prepare(DEFAULT_MODEL, built) == first
        assert builds == []

    @pytest.mark.parametrize(
        "damage",
        [
            remove_file,
            cut_short,
            alter,
            remove_manifest,
            spoil_manifest,
            point_manifest_elsewhere,
            shutil.rmtree,
        ],
    )
    def test_a_damaged_model_is_built_again(
        self, built: Path, builds: list[Path], damage: Callable[[Path], None]
    ) -> None:
        (folder,) = built.iterdir()
        damage(folder)
        assert prepare(DEFAULT_MODEL, built) == folder
        assert len(builds) == 1
        assert [path.name for path in built.iterdir()] == [folder.name]
        engine = open_embedder(DEFAULT_MODEL, built)
        assert np.linalg.norm(engine.embed_query(SENTENCE)) == pytest.approx(1, abs=1e-4)
        engine.close()

    def test_what_a_killed_build_left_is_removed_in_time(
        self, tmp_path: Path, builds: list[Path]
    ) -> None:
        old, new = tmp_path / ".building-old", tmp_path / ".building-new"
        old.mkdir()
        new.mkdir()
        os.utime(old, (time.time() - 7200, time.time() - 7200))
        prepare(DEFAULT_MODEL, tmp_path)
        assert not old.exists()
        assert new.exists()

    def test_another_process_may_finish_first(
        self, built: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder,) = built.iterdir()
        away = built.parent / "away"
        folder.rename(away)
        seal = model_files._seal

        def lose_the_race(temporary: Path) -> None:
            seal(temporary)
            away.rename(folder)

        monkeypatch.setattr(model_files, "_seal", lose_the_race)
        assert prepare(DEFAULT_MODEL, built) == folder
        assert [path.name for path in built.iterdir()] == [folder.name]

    def test_two_processes_at_once(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            futures = [pool.submit(prepare, DEFAULT_MODEL, tmp_path) for _ in range(2)]
            folders = {future.result() for future in futures}
        assert [*tmp_path.iterdir()] == [*folders]

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, weights: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(EmbeddingError, match="could not be written"):
            prepare(DEFAULT_MODEL, tmp_path / "file")

    def test_weights_that_are_not_the_published_ones(
        self, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "spoiled_weights"
        (package / "model").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "model" / "model.safetensors").write_bytes(b"something else")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(bundled, "_PACKAGE", package.name)
        with pytest.raises(EmbeddingError, match=r"damaged.*by words"):
            bundled.verified_weights()

    @pytest.mark.expects_logs
    def test_a_build_that_fails_says_why(
        self, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "onnx.py").write_text("raise ImportError('broken on purpose')")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        with pytest.raises(EmbeddingError, match=r"could not be made.*broken on purpose"):
            prepare(DEFAULT_MODEL, tmp_path / "models")
        assert list((tmp_path / "models").iterdir()) == []

    def test_a_build_that_cannot_be_started_says_so(
        self, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
        with pytest.raises(EmbeddingError, match=r"could not be started.*no python.*by words"):
            prepare(DEFAULT_MODEL, tmp_path / "models")
        assert list((tmp_path / "models").iterdir()) == []

    def test_a_build_opens_no_console(
        self, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only Windows takes such flags; here it is enough that they get there."""
        monkeypatch.setattr(model_files, "_NO_CONSOLE", 0x08000000)
        started: list[int] = []

        def refuse(*_: object, creationflags: int, **__: object) -> None:
            started.append(creationflags)
            raise OSError("not started")

        monkeypatch.setattr(model_files.subprocess, "run", refuse)
        with pytest.raises(EmbeddingError, match="not started"):
            prepare(DEFAULT_MODEL, tmp_path / "models")
        assert started == [0x08000000]


@pytest.mark.usefixtures("no_weights")
class TestWithoutTheWeights:
    def test_the_reader_is_told_what_still_works_and_what_to_do(self, tmp_path: Path) -> None:
        assert not is_ready(DEFAULT_MODEL, tmp_path)
        engine = open_embedder(DEFAULT_MODEL, tmp_path)
        with pytest.raises(EmbeddingError, match=r"by words only.*pip install") as caught:
            engine.warm_up()
        assert "--no-deps" in str(caught.value)

    @pytest.mark.model
    def test_a_model_built_earlier_still_works(
        self, built: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert is_ready(DEFAULT_MODEL, built)
        engine = open_embedder(DEFAULT_MODEL, built)
        engine.warm_up()
        engine.close()


def test_the_manifest_names_every_file(built: Path) -> None:
    (folder,) = built.iterdir()
    names = set(json.loads((folder / "manifest.json").read_text()))
    assert names == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert "float32.onnx" not in names
