from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fastembed import TextEmbedding

from core.errors import EmbeddingError
from rag.embedding import (
    DEFAULT_MODEL,
    catalogue,
    find_model,
    is_ready,
    open_embedder,
    prepare,
)

BGE = "BAAI/bge-small-en-v1.5"
REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_the_default_comes_first_and_is_bundled() -> None:
    first, *others = catalogue()
    assert first.name == DEFAULT_MODEL
    assert first.bundled
    assert any("50 languages" in model.languages for model in others)
    assert len({model.name for model in catalogue()}) == len(catalogue())


def test_fastembed_knows_the_models_that_are_not_bundled() -> None:
    known = {entry["model"]: entry for entry in TextEmbedding.list_supported_models()}
    for model in catalogue():
        if not model.bundled:
            assert known[model.name]["dim"] == model.dimension
            assert known[model.name]["license"].lower() == model.licence.lower()
            assert known[model.name]["size_in_GB"] * 1000 == pytest.approx(model.size_mb, rel=0.1)


def test_an_unknown_name_is_refused_with_those_known(tmp_path: Path) -> None:
    engine = open_embedder("nonsense", tmp_path)
    for use in (engine.warm_up, lambda: engine.fingerprint, lambda: engine.embed_query("a")):
        with pytest.raises(EmbeddingError, match=f"“nonsense”.*{DEFAULT_MODEL}"):
            use()
    engine.close()


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert not is_ready(BGE, tmp_path)
    engine = open_embedder(BGE, tmp_path)
    with pytest.raises(EmbeddingError, match=r"67 MB.*has not been downloaded"):
        engine.warm_up()
    with pytest.raises(EmbeddingError, match="has not been downloaded"):
        _ = engine.fingerprint


def test_a_download_without_a_network_fails_with_a_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(EmbeddingError, match=r"could not be downloaded.*Check the connection"):
        prepare(BGE, tmp_path, allow_download=True)


@pytest.mark.model
def test_a_downloaded_model_is_loaded_from_the_hubs_cache(
    model_cache: Path, tmp_path: Path
) -> None:
    """The hub's folders are laid out by hand, with another BERT of the same shape inside."""
    repository = tmp_path / "models--Qdrant--bge-small-en-v1.5-onnx-Q"
    snapshot = repository / "snapshots" / REVISION
    shutil.copytree(prepare(DEFAULT_MODEL, model_cache), snapshot)
    (snapshot / "model.onnx").rename(snapshot / "model_optimized.onnx")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)

    assert is_ready(BGE, tmp_path)
    engine = open_embedder(BGE, tmp_path)
    assert engine.fingerprint.revision == REVISION
    assert engine.fingerprint.pooling == "cls"
    plain = open_embedder(DEFAULT_MODEL, model_cache)
    prefix = find_model(BGE).query_prefix
    question = "Who sank the ship?"
    np.testing.assert_allclose(
        engine.embed_query(question), plain.embed_query(prefix + question), atol=1e-6
    )
    np.testing.assert_allclose(
        engine.embed_passages([question])[0], plain.embed_query(question), atol=1e-6
    )
    engine.close()
    plain.close()
