"""The library: all stores on one database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from core.home import Home
from core.persistence.books import SqlBookStore
from core.persistence.conversations import SqlConversationStore
from core.persistence.database import Database
from core.persistence.embeddings import SqlEmbeddingStore
from core.persistence.endpoints import SqlEndpointStore
from core.persistence.jobs import SqlJobStore
from core.persistence.lexical import SqlLexicalIndex
from core.persistence.schema import bring_up_to_date
from core.persistence.settings import SqlSettingsStore
from core.ports import (
    BookStore,
    ConversationStore,
    EmbeddingStore,
    EndpointStore,
    JobStore,
    LexicalIndex,
    SettingsStore,
)


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that is kept in the database, by port. Made by `open_library`."""

    books: BookStore
    lexical: LexicalIndex
    embeddings: EmbeddingStore
    jobs: JobStore
    endpoints: EndpointStore
    settings: SettingsStore
    conversations: ConversationStore
    _database: Database

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all that this thread reads meanwhile see one state; see Database.snapshot."""
        return self._database.snapshot()

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_library(home: Home) -> Library:
    """Open the library of a home, making its folders and database where there are none.

    Raises:
        StorageError: the folder or the file cannot be used, is damaged, or is of a newer Postil.
    """
    home.prepare()
    database = Database(home.database)
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return Library(
        books=SqlBookStore(database),
        lexical=SqlLexicalIndex(database),
        embeddings=SqlEmbeddingStore(database),
        jobs=SqlJobStore(database),
        endpoints=SqlEndpointStore(database),
        settings=SqlSettingsStore(database),
        conversations=SqlConversationStore(database),
        _database=database,
    )
