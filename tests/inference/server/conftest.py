"""A tiny model that can chat, and a server of it that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.chat_model import write_chat_model
from support.engine_server import RunningServer, engine_server


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model."""
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny-chat")


@pytest.fixture(scope="module")
def server(chat_model: Path) -> Iterator[RunningServer]:
    """A server of it."""
    with engine_server(chat_model) as running:
        yield running
