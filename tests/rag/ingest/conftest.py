from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import EmbeddingError
from rag.embedding import DEFAULT_MODEL, prepare
from rag.embedding.bundled import weights_folder
from support.ingest import Site, open_site


@pytest.fixture(scope="session")
def built_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model cache with the bundled model built, once for all tests here."""
    try:
        weights_folder()
    except EmbeddingError as error:
        pytest.skip(str(error))
    cache = tmp_path_factory.mktemp("models")
    prepare(DEFAULT_MODEL, cache)
    return cache


@pytest.fixture
def model_cache(built_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(built_model))
    return built_model


@pytest.fixture
def site(tmp_path: Path, model_cache: Path) -> Iterator[Site]:
    site = open_site(tmp_path / "home")
    yield site
    site.close()


@pytest.fixture
def wordless_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A library on a machine where the embedding model can neither be found nor be built."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(tmp_path / "file" / "models"))
    site = open_site(tmp_path / "home")
    yield site
    site.close()
