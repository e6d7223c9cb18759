"""The composition root: the one place where the parts of Postil are joined."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from core.books import Book, BookId
from core.embeddings import EmbeddingFingerprint
from core.endpoints import LOCAL_PREFIX, Endpoint
from core.events import (
    BookRemoved,
    EndpointsChanged,
    EventBus,
    IndexRebuilt,
    LocalModelsChanged,
    SettingsChanged,
)
from core.home import Home, model_cache_dir
from core.persistence.library import Library, open_library
from core.secrets import SecretStore, open_secrets
from core.settings import Settings, load_settings, save_settings

if TYPE_CHECKING:
    from app.local_models.store import LocalModel, LocalModels
    from app.local_models.supervisor import EngineSupervisor
    from rag.answers.answerer import Answerer
    from rag.embedding import EmbeddingEngine
    from rag.ingest.runner import AsyncIngestRunner
    from rag.llm.client import LLMClient
    from rag.ports import ChatModel
    from rag.retrieval.retriever import Retriever
    from rag.vectors import VectorIndex

_PARTS_OF_THE_MODEL = ("answerer", "retriever", "ingest", "vectors", "fingerprint", "embedder")

T = TypeVar("T")


class _part(cached_property[T]):  # noqa: N801 - stands where a function's name would
    """A part made at its first use, and once even when two threads ask for it at the same time."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        if instance is None:
            return self
        assert isinstance(instance, Postil)
        with instance.making:
            return super().__get__(instance, owner)


class Postil:
    """Everything a window or a command needs, joined; heavy parts are made at their first use.

    Attributes:
        home: the folder that holds everything Postil writes.
        library: books, jobs, endpoints, settings and conversations.
        events: what has happened.
        making: held while a part is made.
    """

    def __init__(self, home: Home, embedding_model: str | None = None) -> None:
        """Open the library; `embedding_model` stands for the settings' choice where it is given."""
        self.home = home
        self._embedding_model = embedding_model
        self.making = RLock()
        self.library: Library = open_library(home)
        self.events = EventBus()
        self._clients: list[LLMClient] = []

    @_part
    def secrets(self) -> SecretStore:
        """Where keys are kept."""
        return open_secrets(self.home)

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return load_settings(self.library.settings)

    def change_settings(self, settings: Settings) -> None:
        """Keep new settings and say so."""
        save_settings(self.library.settings, settings)
        self.events.publish(SettingsChanged())

    @_part
    def embedder(self) -> EmbeddingEngine:
        """The embedding model of the settings; it loads at its first use."""
        from rag.embedding import open_embedder

        name = self._embedding_model or self.settings.embedding_model
        return open_embedder(name, model_cache_dir())

    @_part
    def fingerprint(self) -> EmbeddingFingerprint:
        """What the embeddings of this library belong to: the model, and how books are cut."""
        from rag.chunking.fingerprint import passage_fingerprint

        return passage_fingerprint(self.embedder)

    @_part
    def vectors(self) -> VectorIndex:
        """The live vector index of the library."""
        from rag.vectors import VectorIndex, VectorStoreFactory

        return VectorIndex(
            VectorStoreFactory(self.home.index_dir),
            self.library.embeddings,
            lambda: self.fingerprint,
        )

    @_part
    def retriever(self) -> Retriever:
        """Search by words and by meaning."""
        from rag.retrieval.retriever import Retriever

        return Retriever(self.library, self.embedder, self.vectors)

    @_part
    def answerer(self) -> Answerer:
        """From a question to an answer."""
        from rag.answers.answerer import Answerer

        return Answerer(self.library, self.retriever, self.embedder)

    @_part
    def ingest(self) -> AsyncIngestRunner:
        """The queue of ingest jobs."""
        from rag.ingest.runner import AsyncIngestRunner

        return AsyncIngestRunner(self.library, self.home, self.events, self.embedder, self.vectors)

    @_part
    def local_models(self) -> LocalModels:
        """The models on this computer."""
        from app.local_models.store import LocalModels

        return LocalModels(model_cache_dir())

    @_part
    def engines(self) -> EngineSupervisor:
        """Runs local models; `close_models` ends what it started."""
        from app.local_models.supervisor import EngineSupervisor

        return EngineSupervisor(self.events)

    def chat_model(self, endpoint_name: str | None) -> ChatModel | None:
        """Return the named model, else the settings' choice; None where that is no model at all.

        Raises:
            NotFoundError: no endpoint or local model has that name.
        """
        name = endpoint_name or self.settings.answer_endpoint
        if name is None:
            return None
        if name.startswith(LOCAL_PREFIX):
            from app.local_models.chat_model import LocalChatModel

            model = self.local_models.get(name.removeprefix(LOCAL_PREFIX))
            return LocalChatModel(model, self.engines)
        return self.llm_client(name)

    def llm_client(self, endpoint_name: str) -> LLMClient:
        """Return a client of a named endpoint; `close_models` closes it.

        Raises:
            NotFoundError: no endpoint has that name.
        """
        from rag.llm.client import LLMClient

        endpoint = self.library.endpoints.get(endpoint_name)
        client = LLMClient(endpoint, self.secrets.get(endpoint_name))
        self._clients.append(client)
        return client

    async def close_models(self) -> None:
        """Close the connections of all clients handed out, and end the engine."""
        if "engines" in self.__dict__:
            await self.engines.close()
        while self._clients:
            await self._clients.pop().close()

    def add_endpoint(self, endpoint: Endpoint, key: str | None) -> None:
        """Add an endpoint with its key; without a key kept, no endpoint is added either."""
        self.library.endpoints.add(endpoint)
        try:
            if key:
                self.secrets.set(endpoint.name, key)
            else:  # a key left from an earlier endpoint of this name must not go to another host
                self.secrets.delete(endpoint.name)
        except BaseException:
            self.library.endpoints.remove(endpoint.name)
            raise
        self.events.publish(EndpointsChanged())

    def remove_endpoint(self, name: str) -> None:
        """Remove an endpoint and its key; where it was the settings' choice, no model is.

        Raises:
            NotFoundError: no endpoint has that name.
            SecretError: the endpoint is gone, but the system would not give up its key.
        """
        self.library.endpoints.remove(name)
        settings = self.settings
        if settings.answer_endpoint == name:
            self.change_settings(settings.model_copy(update={"answer_endpoint": None}))
        self.events.publish(EndpointsChanged())
        self.secrets.delete(name)

    def remove_local_model(self, name: str) -> LocalModel:
        """Remove a model of this computer and return it; as the settings' choice, none follows.

        Raises:
            NotFoundError: no local model has that name.
        """
        model = self.local_models.remove(name)
        settings = self.settings
        if settings.answer_endpoint == f"{LOCAL_PREFIX}{model.name}":
            self.change_settings(settings.model_copy(update={"answer_endpoint": None}))
        self.events.publish(LocalModelsChanged())
        return model

    def remove_book(self, book_id: BookId) -> Book:
        """Remove a book with all that belongs to it, its copy and cover too."""
        book = self.library.books.remove(book_id)
        self.home.remove_files_of(book)
        self.events.publish(BookRemoved(book_id))
        return book

    def use_embedding_model(self, name: str) -> None:
        """Search with another embedding model from now on, which has embedded all books.

        The ingest runner must be closed. What hangs on the model is made anew at its next use; the
        embeddings and the index of the old model go.
        """
        from rag.vectors import VectorStoreFactory

        with self.making:
            old = {part: self.__dict__.pop(part, None) for part in _PARTS_OF_THE_MODEL}
            for part in ("vectors", "embedder"):
                if old[part] is not None:
                    old[part].close()
            self.change_settings(self.settings.model_copy(update={"embedding_model": name}))
            self.library.embeddings.discard_others(self.fingerprint)
        if old["fingerprint"] is not None:
            VectorStoreFactory(self.home.index_dir).discard(old["fingerprint"])

    def rebuild_index(self) -> int:
        """Make the vector index anew from the stored embeddings; return how many it holds."""
        count = self.vectors.rebuild()
        self.events.publish(IndexRebuilt(count))
        return count

    def close(self) -> None:
        """Close what was opened, in the reverse order. The runner and the models close first."""
        with ExitStack() as closing:
            closing.callback(self.library.close)
            for name in ("embedder", "vectors"):
                part = self.__dict__.get(name)
                if part is not None:
                    closing.callback(part.close)


def open_postil(home: Home) -> Postil:
    """Open the library under a home.

    Raises:
        StorageError: the home cannot be written, or its database is damaged or newer.
    """
    home.prepare()
    return Postil(home)
