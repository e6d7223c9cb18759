"""A tiny random model, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.chat_model import write_chat_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer Llama of float32 weights."""
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")
