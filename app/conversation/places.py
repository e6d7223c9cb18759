"""From citations and passages to the places that cards show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.conversation.passage_card import Place
from core.books import Book, BookId
from core.conversations import Citation
from core.errors import NotFoundError
from core.ports import BookStore
from core.text import BLOCK_SEPARATOR, Span
from rag.passages import Passage

_CONTEXT_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Places:
    """What an answer cites, by number, and what else was found, the best first."""

    cited: tuple[Place, ...]
    others: tuple[Place, ...]


class PlaceFinder:
    """Reads what cards show from the store; blocks the calling thread."""

    def __init__(self, books: BookStore) -> None:
        self._books = books
        self._known: dict[BookId, Book | None] = {}

    def places(self, citations: Sequence[Citation], passages: Sequence[Passage] = ()) -> Places:
        """Return the places of an answer."""
        cited = tuple(self.citation(citation) for citation in citations)
        others = tuple(
            self.passage(passage)
            for passage in passages
            if not any(
                passage.book_id == citation.book_id and passage.span.overlaps(citation.span)
                for citation in citations
            )
        )
        return Places(cited, others)

    def citation(self, citation: Citation) -> Place:
        """Return a citation's place: its quote, with some of the paragraph around it."""
        book = self._book(citation.book_id)
        text, marked = citation.quote, (0, len(citation.quote))
        if book is not None:
            text, marked = self._in_context(citation)
        return Place(
            book_id=citation.book_id,
            book_title="" if book is None else book.title,
            chapter=citation.chapter,
            fraction=_fraction(book, citation.span),
            text=text,
            marked=marked,
            span=citation.span,
            number=citation.number,
        )

    def passage(self, passage: Passage) -> Place:
        """Return the place of a passage that was found."""
        return Place(
            book_id=passage.book_id,
            book_title=passage.book_title,
            chapter=passage.chapter,
            fraction=_fraction(self._book(passage.book_id), passage.span),
            text=passage.text,
            marked=None,
            span=passage.span,
        )

    def _in_context(self, citation: Citation) -> tuple[str, tuple[int, int]]:
        span = citation.span
        start = max(span.start - _CONTEXT_CHARACTERS, 0)
        text = self._books.text(citation.book_id, Span(start, span.end + _CONTEXT_CHARACTERS))
        first, last = span.start - start, span.end - start
        # No more than the paragraphs that the quote stands in.
        begin = text.rfind(BLOCK_SEPARATOR, 0, first) + 1
        end = text.find(BLOCK_SEPARATOR, last)
        return text[begin : None if end < 0 else end], (first - begin, last - begin)

    def _book(self, book_id: BookId) -> Book | None:
        if book_id not in self._known:
            try:
                self._known[book_id] = self._books.get(book_id)
            except NotFoundError:
                self._known[book_id] = None
        return self._known[book_id]


def _fraction(book: Book | None, span: Span) -> float | None:
    if book is None or not book.character_count:
        return None
    return span.start / book.character_count
