"""What answers need of the library and of retrieval."""

from __future__ import annotations

from typing import Protocol

from core.ports import BookStore
from core.scope import Scope
from rag.passages import Passage, SearchMode


class BookLibrary(Protocol):
    """A library, as far as answers need it."""

    @property
    def books(self) -> BookStore:
        """Books, their text and chapters."""


class PassageSearch(Protocol):
    """Search inside a scope; the retriever fills it. Thread-safe, may block."""

    def search(
        self, query: str, scope: Scope, *, k: int = 10, mode: SearchMode = SearchMode.HYBRID
    ) -> list[Passage]:
        """Return the best `k` passages, best first, none of which leaves the scope."""
