from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contracts.embedder import TEXTS, EmbedderContract

from core.errors import EmbeddingError
from rag.embedding import DEFAULT_MODEL, EmbeddingEngine, open_embedder, prepare
from rag.ports import Embedder

pytestmark = pytest.mark.model


class TestInt8(EmbedderContract):
    @pytest.fixture
    def embedder(self, model_cache: Path) -> Iterator[Embedder]:
        engine = open_embedder(DEFAULT_MODEL, model_cache)
        yield engine
        engine.close()


class TestFloat32(EmbedderContract):
    @pytest.fixture
    def embedder(self, model_cache: Path) -> Iterator[Embedder]:
        engine = open_embedder("all-MiniLM-L6-v2-fp32", model_cache)
        yield engine
        engine.close()


@pytest.fixture
def engine(model_cache: Path) -> Iterator[EmbeddingEngine]:
    engine = open_embedder(DEFAULT_MODEL, model_cache)
    yield engine
    engine.close()


def test_questions_and_passages_are_embedded_alike(engine: EmbeddingEngine) -> None:
    for text in TEXTS:
        assert np.array_equal(engine.embed_query(text), engine.embed_passages([text])[0])


def test_text_past_256_tokens_is_cut(engine: EmbeddingEngine) -> None:
    # One token a word, and two that mark the ends.
    assert np.array_equal(
        engine.embed_query("whale " * 254 + "tax " * 100), engine.embed_query("whale " * 254)
    )
    assert not np.array_equal(
        engine.embed_query("whale " * 253 + "tax"), engine.embed_query("whale " * 254)
    )


def test_the_fingerprint_is_known_before_the_model_is(tmp_path: Path) -> None:
    engine = open_embedder(DEFAULT_MODEL, tmp_path / "nothing here")
    assert engine.fingerprint.dimension == 384
    assert engine.fingerprint.model == DEFAULT_MODEL
    assert not (tmp_path / "nothing here").exists()


def test_models_of_another_precision_have_another_fingerprint(tmp_path: Path) -> None:
    keys = {
        open_embedder(name, tmp_path).fingerprint.key
        for name in (DEFAULT_MODEL, "all-MiniLM-L6-v2-fp32")
    }
    assert len(keys) == 2


def test_a_closed_engine_says_so_and_leaves_no_thread(model_cache: Path) -> None:
    before = set(threading.enumerate())
    engine = open_embedder(DEFAULT_MODEL, model_cache)
    engine.embed_passages(TEXTS * 3)
    engine.close()
    engine.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(EmbeddingError, match="closed"):
        engine.embed_query("anything")


def test_closing_does_not_wait_for_a_model_that_is_being_built(
    model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(DEFAULT_MODEL, model_cache)
    building, finish = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> Path:
        building.set()
        assert finish.wait(30)
        return folder

    monkeypatch.setattr("rag.embedding.engine.prepare", slow)
    engine = open_embedder(DEFAULT_MODEL, model_cache)
    with ThreadPoolExecutor(2) as threads:
        question = threads.submit(engine.embed_query, "anything")
        assert building.wait(30)
        closing = threads.submit(engine.close)
        try:
            closing.result(timeout=10)
        finally:
            finish.set()
        with pytest.raises(EmbeddingError, match="closed"):
            question.result()


def test_heavy_libraries_are_not_imported_before_they_are_needed() -> None:
    code = (
        "import sys, rag.embedding, rag.vectors\n"
        "heavy = {'onnx', 'onnxruntime', 'fastembed', 'usearch', 'torch', 'huggingface_hub'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_connection_is_ever_opened(model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    engine = open_embedder(DEFAULT_MODEL, model_cache, allow_download=True)
    engine.embed_query("Who sank the ship?")
    engine.close()
