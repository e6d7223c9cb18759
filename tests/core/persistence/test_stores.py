"""The stores on SQLite pass the contracts of their ports."""

from __future__ import annotations

import pytest
from contracts.book_store import BookStoreContract
from contracts.embedding_store import EmbeddingStoreContract
from contracts.job_store import JobStoreContract
from contracts.small_stores import (
    ConversationStoreContract,
    EndpointStoreContract,
    SettingsStoreContract,
)

import core.persistence.embeddings
from core.persistence.library import Library
from core.ports import (
    BookStore,
    ConversationStore,
    EmbeddingStore,
    EndpointStore,
    JobStore,
    SettingsStore,
)


@pytest.fixture
def books(library: Library) -> BookStore:
    return library.books


@pytest.fixture
def embeddings(library: Library) -> EmbeddingStore:
    return library.embeddings


@pytest.fixture
def jobs(library: Library) -> JobStore:
    return library.jobs


@pytest.fixture
def endpoints(library: Library) -> EndpointStore:
    return library.endpoints


@pytest.fixture
def settings_store(library: Library) -> SettingsStore:
    return library.settings


@pytest.fixture
def conversations(library: Library) -> ConversationStore:
    return library.conversations


class TestSqlBookStore(BookStoreContract):
    pass


class TestSqlEmbeddingStore(EmbeddingStoreContract):
    @pytest.fixture(autouse=True)
    def _several_slices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(core.persistence.embeddings, "_DELETED_AT_ONCE", 2)


class TestSqlJobStore(JobStoreContract):
    pass


class TestSqlEndpointStore(EndpointStoreContract):
    pass


class TestSqlSettingsStore(SettingsStoreContract):
    pass


class TestSqlConversationStore(ConversationStoreContract):
    pass
