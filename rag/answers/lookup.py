"""Looks for a quote in all of the scope, not only in the passages that a model was sent."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answers.ports import PassageSearch
from rag.answers.quotes import Source
from rag.answers.shelf import Shelf
from rag.answers.words import WordRow
from rag.passages import SearchMode

CANDIDATES = 5
MARGIN_CHARACTERS = 200
"""Read around each candidate, besides the quote's own length: a quote may begin before it."""


class Lookup:
    """Finds stretches of the scope that share a quote's words. May block."""

    def __init__(self, retriever: PassageSearch, shelf: Shelf) -> None:
        self._retriever = retriever
        self._shelf = shelf

    def __call__(self, quote: WordRow) -> Sequence[Source]:
        """Return the stretches most like a quote, the likeliest first."""
        words = " ".join(quote.words)
        margin = len(quote.text) + MARGIN_CHARACTERS
        sources = []
        for passage in self._retriever.search(
            words, self._shelf.scope, k=CANDIDATES, mode=SearchMode.WORDS
        ):
            start, text = self._shelf.text(
                passage.book_id, passage.span.start - margin, passage.span.end + margin
            )
            language = self._shelf.language(passage.book_id)
            sources.append(Source.of(passage.book_id, start, language, text))
        return sources
