from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import EmbeddingError
from rag.embedding import bundled


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder with the bundled weights."""
    try:
        return bundled.weights_folder()
    except EmbeddingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def model_cache(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model cache that the tests share, so that each model is built once."""
    return tmp_path_factory.mktemp("models")
